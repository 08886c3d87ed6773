"""Where a forwarded attempt's own files lie: beside its output, on what manager and nodes share."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from solveyard.backends.base import Order
from solveyard.model.errors import InvalidJob
from solveyard.wire.beneath import Astray, Folder

#: Begins the last line of an array's script and the first of a list of its other tasks: the id of
#: its first task, and the place in it of those whose ids follow.
IN_ARRAY = "# solveyard: in the array of "
_LISTED = 500  #: tasks in one list


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


def note(order: Order) -> Path:
    """What is noted here of how it was sent; see `notes`."""
    return Path(f"{_place(order)}.sent")


def log(order: Order) -> Path:
    """The batch system's own words about the script."""
    return Path(f"{_place(order)}.log")


def sent(order: Order, ending: str) -> tuple[str, int | None] | None:
    """How it was sent: the mark, and its place in an array; None: it never was. Blocking."""
    try:
        with script(order, ending).open("rb") as file:
            if file.read(len(IN_ARRAY)) == IN_ARRAY.encode():
                title, *listed = file.read().decode("utf-8", "replace").split("\n")
            else:
                file.seek(max(0, file.seek(0, 2) - 200))
                last = file.read().decode("utf-8", "replace").rstrip("\n").rpartition("\n")[2]
                title = last.removeprefix(IN_ARRAY) if last.startswith(IN_ARRAY) else ""
                listed = [order.launch.attempt]
    except FileNotFoundError:
        return None
    mark, _, position = title.partition(" ")
    if not position.isdecimal() or order.launch.attempt not in listed:
        return order.launch.attempt, None
    return mark, int(position) + listed.index(order.launch.attempt)


def write(
    orders: Sequence[Order],
    text: str,
    ending: str,
    seen: Callable[[Order], bool] = lambda _: True,
) -> None:
    """All that the jobs need, before they are sent, `text` being their script. Blocking.

    `ending`: of the script's name. `seen`: is its directory on this machine? Raises InvalidJob,
    OSError.
    """
    for order in orders:
        if order.command.own_folder:
            Path(order.command.directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        if (order.command.files or order.within) and seen(order):
            _write_own(order)
    first = orders[0].launch.attempt
    for at in range(1, len(orders), _LISTED):
        _list(orders[at : at + _LISTED], f"{IN_ARRAY}{first} {at}\n", ending)
    title = f"{IN_ARRAY}{first} 0\n" if len(orders) > 1 else ""
    _put(script(orders[0], ending), text + title)


def _write_own(order: Order) -> None:
    """Into its folder alone, in which others may write."""
    try:
        with Folder(order.command.directory, order.within) as folder:
            for name, content in order.command.files.items():
                folder.put(name, content.encode(), by=order.launch.attempt)
    except Astray as error:
        raise InvalidJob(f"{error.filename}: {error.strerror}") from error


def _list(orders: Sequence[Order], title: str, ending: str) -> None:
    """In the place of the script of each. A name costs a fraction of a file."""
    text = title + "".join(f"{order.launch.attempt}\n" for order in orders)
    listing, *others = (script(order, ending) for order in orders)
    _put(listing, text)
    for place in others:
        try:
            os.link(listing, place)
        except OSError:  # it is there already, or this file system can't
            _put(place, text)


def _put(place: Path, text: str) -> None:
    """What is there already may have other names, which keep it."""
    try:
        with place.open("x", newline="") as file:
            file.write(text)
    except FileExistsError:
        fresh = place.with_name(f"{place.name}.new")
        fresh.write_text(text, newline="")
        fresh.replace(place)


def _place(order: Order) -> str:
    return order.stdout.removesuffix(".out")
