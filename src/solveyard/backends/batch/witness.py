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
    outputs: tuple[OutputFile, ...]  #: looked at where the record tells of an end


def of(order: Order) -> Witness:
    """What there is now. Blocking."""
    record = _record(files.record(order))
    if record is None or record.began is None:
        return Witness(record, ())
    began, folder = record.began, Path(order.command.directory)
    return Witness(record, tuple(_output(folder, path, began) for path in order.command.outputs))


def _record(path: Path) -> Record | None:
    try:
        told = read(path.read_text(errors="replace"))
    except OSError:
        return None
    return None if isinstance(told, Unreadable) else told


def _output(folder: Path, path: str, started_at: float) -> OutputFile:
    try:
        found = (folder / path).stat()
    except OSError:
        return OutputFile(path=path)
    return OutputFile(path=path, size=found.st_size, fresh=found.st_mtime >= started_at - _CLOCKS)
