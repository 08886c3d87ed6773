"""Where a forwarded attempt's own files lie: beside its output, on what manager and nodes share."""

from collections.abc import Callable, Sequence
from pathlib import Path

from solveyard.backends.base import Order

#: Begins the last line of a script that is sent in an array: the id of its first, its own place.
IN_ARRAY = "# solveyard: in the array of "


def script(order: Order, ending: str) -> Path:
    """Written just before it's sent: where there is none, it never was."""
    return Path(f"{_place(order)}.{ending}")


def record(order: Order) -> Path:
    return Path(f"{_place(order)}.record")


def begun(order: Order) -> Path:
    """What a batch file makes as it begins."""
    return Path(f"{record(order)}.begun")


def alive(order: Order) -> Path:
    """What its script tells of its processes, where somebody watches; see `dialects.alive`."""
    return alive_beside(Path(order.stdout))


def alive_beside(stdout: Path) -> Path:
    """The same, by its standard output."""
    return stdout.with_suffix(".alive")


def log(order: Order) -> Path:
    """The batch system's own words about the script."""
    return Path(f"{_place(order)}.log")


def sent(order: Order, ending: str) -> tuple[str, int | None] | None:
    """How it was sent: the mark, and its place in an array; None: it never was. Blocking."""
    try:
        with script(order, ending).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 200))
            last = file.read().decode("utf-8", "replace").rstrip("\n").rpartition("\n")[2]
    except FileNotFoundError:
        return None
    mark, _, position = last.removeprefix(IN_ARRAY).partition(" ")
    if not last.startswith(IN_ARRAY) or not position.isdecimal():
        return order.launch.attempt, None
    return mark, int(position)


def write(
    orders: Sequence[Order],
    text: str,
    ending: str,
    seen: Callable[[Order], bool] = lambda _: True,
) -> None:
    """All that the jobs need, before they are sent, `text` being their script. Blocking.

    `ending`: of the script's name. `seen`: is its directory on this machine?
    """
    for position, order in enumerate(orders):
        directory = Path(order.command.directory)
        if order.command.own_folder:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in order.command.files.items() if seen(order) else ():
            (directory / name).write_text(content)
        if position:
            place = f"{orders[0].launch.attempt} {position}"
            script(order, ending).write_text(f"{IN_ARRAY}{place}\n")
    first = f"{orders[0].launch.attempt} 0"
    title = f"{IN_ARRAY}{first}\n" if len(orders) > 1 else ""
    script(orders[0], ending).write_text(text + title, newline="")


def _place(order: Order) -> str:
    return order.stdout.removesuffix(".out")
