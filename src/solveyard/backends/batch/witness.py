"""The job's own witness: its script's record, and what became of the results that it owes."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from solveyard.backends.base import Order
from solveyard.backends.batch import files
from solveyard.backends.dialects.base import Unreadable
from solveyard.backends.dialects.record import Record, read
from solveyard.backends.here import LocalWorkspace
from solveyard.model.errors import InvalidRequest
from solveyard.solvers.base import OutputFile

_SAID = 400  #: bytes of a log that are told
_CLOCKS = 1.0  #: s by which a file system's clock may be behind a node's


class Witness(NamedTuple):
    record: Record | None  #: None: there is none, or it can't be read
    outputs: tuple[OutputFile, ...]  #: looked at where the record tells of a start
    here: bool = True  #: all that it left is on this machine
    troubles: tuple[str, ...] = ()  #: what of that could not come, in words
    there: bool = True  #: what it left can be seen where it was sent
    said: str = ""  #: where there is no record: the end of its script's log, on one line


#: Of a path in a job's directory: size and time of change; None: it isn't there.
Look = Callable[[str], tuple[int, float] | None]


def of(order: Order, look: Look | None = None) -> Witness:
    """What there is now; `look`: at its outputs, where they are not here. Blocking."""
    found = record(order)
    if found is None or found.began is None:
        return Witness(found, (), said=_last_words(files.log(order)))
    look = look or _looking(Path(order.command.directory), order.within)
    began = found.began
    return Witness(found, tuple(_output(path, look(path), began) for path in order.command.outputs))


def has_ended(order: Order) -> bool:
    """By its record. Blocking."""
    found = record(order)
    return found is not None and found.ended is not None


def record(order: Order) -> Record | None:
    """None: there is none that can be read. Blocking."""
    try:
        try:
            text, modified = _as_written(files.record(order))
        except FileNotFoundError:  # a batch file writes none before its end
            began = int(files.begun(order).stat().st_mtime)
            return Record(order.launch.attempt, "", "", began)
        told = read(text, modified)
        if isinstance(told, Unreadable):
            return None
        if told.code is None or told.ended is not None:
            return told
        begun, ended = (
            int(one.stat().st_mtime) for one in (files.begun(order), files.record(order))
        )
    except OSError:
        return None
    return told._replace(began=begun, ended=ended)


def _as_written(place: Path) -> tuple[str, float]:
    """Its text, and when the last of that was written."""
    with place.open(errors="replace") as file:
        while True:
            modified = os.fstat(file.fileno()).st_mtime
            text = file.read()
            if os.fstat(file.fileno()).st_mtime == modified:
                return text, modified
            file.seek(0)


def _last_words(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _SAID))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "; ".join(" ".join(line.split()) for line in lines if line.strip())


def _looking(folder: Path, within: Sequence[str]) -> Look:
    def bound(path: str) -> tuple[int, float] | None:
        try:
            found = LocalWorkspace(folder, within).stat(path)
        except InvalidRequest:
            return None
        return found and (found.size, found.modified)

    def look(path: str) -> tuple[int, float] | None:
        try:
            found = (folder / path).stat()
        except OSError:
            return None
        return found.st_size, found.st_mtime

    return bound if within else look


def _output(path: str, found: tuple[int, float] | None, started_at: float) -> OutputFile:
    if found is None:
        return OutputFile(path=path)
    size, changed = found
    return OutputFile(path=path, size=size, fresh=changed >= started_at - _CLOCKS)
