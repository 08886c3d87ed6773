"""The job's own witness: its script's record, and what became of the results that it owes."""

from pathlib import Path
from typing import NamedTuple

from solveyard.backends.base import Order
from solveyard.backends.batch import files
from solveyard.backends.dialects.base import Unreadable
from solveyard.backends.dialects.record import Record, read
from solveyard.solvers.base import OutputFile

_CLOCKS = 1.0  #: s by which a file system's clock may be behind a node's


class Witness(NamedTuple):
    record: Record | None  #: None: there is none, or it can't be read
    outputs: tuple[OutputFile, ...]  #: looked at where the record tells of a start
    here: bool = True  #: all that it left is on this machine
    troubles: tuple[str, ...] = ()  #: what of that could not come, in words


def of(order: Order) -> Witness:
    """What there is now. Blocking."""
    found = record(order)
    if found is None or found.began is None:
        return Witness(found, ())
    began, folder = found.began, Path(order.command.directory)
    return Witness(found, tuple(_output(folder, path, began) for path in order.command.outputs))


def record(order: Order) -> Record | None:
    """None: there is none that can be read. Blocking."""
    try:
        told = read(files.record(order).read_text(errors="replace"))
    except OSError:
        return None
    return None if isinstance(told, Unreadable) else told


def _output(folder: Path, path: str, started_at: float) -> OutputFile:
    try:
        found = (folder / path).stat()
    except OSError:
        return OutputFile(path=path)
    return OutputFile(path=path, size=found.st_size, fresh=found.st_mtime >= started_at - _CLOCKS)
