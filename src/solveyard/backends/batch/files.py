"""Where a forwarded attempt's own files lie: beside its output, on what manager and nodes share."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from solveyard.backends.base import Order
from solveyard.model.errors import InvalidJob
from solveyard.wire.beneath import Astray, Folder

#: Begins the last line of an array's script and the first of a list of its other tasks: the id of
#: its first task, and the place in it of those whose ids follow.
IN_ARRAY = "# solveyard: in the array of "
_LISTED = 500  #: tasks in one list
#: Begins a line that follows once the batch system has told when it was submitted, Unix time.
_SUBMITTED = "# solveyard: submitted at "
_TAIL = 400  #: bytes, in which such lines are
#: What a disk says that takes nothing now, and may later.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


class NoRoom(Exception):
    """Where the files of all jobs lie takes none now. That is no job's fault; says which place."""


class Full(InvalidJob):
    """So does a job's own folder: that holds up nobody else."""


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
                lines = _last_lines(file)
                while lines and lines[-1].startswith(_SUBMITTED):
                    lines.pop()
                last = lines[-1] if lines else ""
                title = last.removeprefix(IN_ARRAY) if last.startswith(IN_ARRAY) else ""
                listed = [order.launch.attempt]
    except FileNotFoundError:
        return None
    mark, _, position = title.partition(" ")
    if not position.isdecimal() or order.launch.attempt not in listed:
        return order.launch.attempt, None
    return mark, int(position) + listed.index(order.launch.attempt)


def submitted(order: Order, ending: str) -> float | None:
    """When the batch system took it, by its own word; None: nobody wrote that down. Blocking."""
    try:
        with script(order, ending).open("rb") as file:
            told = {line for line in _last_lines(file) if line.startswith(_SUBMITTED)}
        return float(told.pop().removeprefix(_SUBMITTED)) if len(told) == 1 else None
    except (OSError, ValueError):
        return None


def keep_submitted(order: Order, ending: str, at: float) -> None:
    """Write it down; tasks in one list do so once. Blocking. Raises OSError."""
    line = f"{_SUBMITTED}{at}"
    with script(order, ending).open("rb+") as file:
        if line not in _last_lines(file):
            file.write(f"{line}\n".encode())


def _last_lines(file: BinaryIO) -> list[str]:
    """Whole ones; it is at its end then."""
    file.seek(max(0, file.seek(0, 2) - _TAIL))
    return file.read().decode("utf-8", "replace").split("\n")[:-1]


def write(
    orders: Sequence[Order],
    text: str,
    ending: str,
    seen: Callable[[Order], bool] = lambda _: True,
) -> None:
    """All that the jobs need, before they are sent, `text` being their script. Blocking.

    `ending`: of the script's name. `seen`: is its directory on this machine? Raises InvalidJob,
    Full, NoRoom, OSError.
    """
    for order in orders:
        if order.command.own_folder:
            with in_store(order.command.directory):
                Path(order.command.directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        if (order.command.files or order.within) and seen(order):
            _write_own(order)
    first = orders[0].launch.attempt
    with in_store(orders[0].stdout):
        for at in range(1, len(orders), _LISTED):
            _list(orders[at : at + _LISTED], f"{IN_ARRAY}{first} {at}\n", ending)
        title = f"{IN_ARRAY}{first} 0\n" if len(orders) > 1 else ""
        _put(script(orders[0], ending), text + title)


@contextlib.contextmanager
def in_store(place: str) -> Iterator[None]:
    """What is written there, in a folder of ours that all jobs share. Raises NoRoom, OSError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or error.errno == errno.EROFS:
            folder = Path(place).parent
            raise NoRoom(f"this machine takes no files: {folder}: {error.strerror}") from error
        raise


def _write_own(order: Order) -> None:
    """Into its folder alone, in which others may write. A disk that is read-only stays so."""
    folder, name = order.command.directory, ""
    with in_store(folder) if order.command.own_folder else contextlib.nullcontext():
        try:
            with Folder(folder, order.within) as opened:
                for name, content in order.command.files.items():
                    opened.put(name, content.encode(), by=order.launch.attempt)
        except Astray as error:
            raise InvalidJob(f"{error.filename}: {error.strerror}") from error
        except OSError as error:
            if order.command.own_folder:
                raise
            kind = Full if error.errno in _FULL else InvalidJob
            raise kind(f"{Path(folder, name)}: {error.strerror}") from error


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
