"""What is noted here of an attempt that goes where nobody sees this machine's files."""

import contextlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from solveyard.backends.base import Order
from solveyard.backends.batch import files


class Note(NamedTuple):
    """Written down before it is sent: settings may change while it is there."""

    #: Checksums of its inputs, by path: what comes back alike is known.
    sums: Mapping[str, str] = MappingProxyType({})
    host: str = ""  #: to which it was sent; empty: an earlier version didn't say
    root: str = ""  #: the folder of ours there


def write(order: Order, note: Note) -> None:
    """Blocking."""
    files.note(order).write_text(json.dumps({**note._asdict(), "sums": {**note.sums}}))


def read(order: Order) -> Note:
    """Blocking."""
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(files.note(order).read_text())
        if isinstance(told, dict):
            sums = told.get("sums")
            if not isinstance(sums, dict):
                return Note(told)  # as an earlier version wrote it
            return Note(sums, str(told.get("host", "")), str(told.get("root", "")))
    return Note()
