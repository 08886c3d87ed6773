"""A command's folder: its files are written before, its outputs are looked at before and after."""

from __future__ import annotations

import contextlib
import os
from typing import Dict, Iterable, List, Optional, Tuple

from solveyard.agent.ledger import Record
from solveyard.agent.orders import Launch
from solveyard.agent.platform.base import LaunchError
from solveyard.wire.beneath import Folder

Stat = Optional[Tuple[int, ...]]


def entered(launch: Launch) -> Optional[Folder]:
    """Its folder, open, where others may meddle with what is done there; made where it shall be.

    Close it. Raises LaunchError.
    """
    doing = "make" if launch.mkdir else "enter"
    try:
        if launch.mkdir:
            os.makedirs(launch.cwd, exist_ok=True)
        return Folder(launch.cwd, launch.within) if launch.files or launch.within else None
    except (OSError, ValueError) as error:
        raise _unable("{} the folder".format(doing), launch.cwd, error) from error


def prepare(launch: Launch, folder: Optional[Folder]) -> Dict[str, Stat]:
    """Write its files; what the outputs are before the start. Raises LaunchError."""
    for path, text in launch.files.items():
        assert folder is not None
        try:
            folder.put(path, text.encode("utf-8", "surrogateescape"), by=launch.attempt)
        except (OSError, ValueError) as error:
            raise _unable("prepare", os.path.join(launch.cwd, path), error) from error
    return _stats(launch.cwd, launch.outputs, folder if launch.within else None)


def _unable(what: str, place: str, error: Exception) -> LaunchError:
    reason = getattr(error, "strerror", None) or str(error)
    return LaunchError("cannot {} {}: {}".format(what, place, reason))


def compare(record: Record) -> List[List[object]]:
    """Path, size (None: not there) and whether it is new or changed, for each output."""
    before: Dict[str, Stat] = record["outputs"]
    after: Dict[str, Stat] = {}
    if before and "within" in record:
        with contextlib.suppress(OSError), Folder(record["cwd"], record["within"]) as folder:
            after = _stats(record["cwd"], before, folder)
    else:
        after = _stats(record["cwd"], before, None)
    found: List[List[object]] = []
    for path, then in before.items():
        now = after.get(path)
        if now is None:
            found.append([path, None, False])
        else:
            found.append([path, now[1], then is None or tuple(then) != now])
    return found


def _stats(cwd: str, paths: Iterable[str], folder: Optional[Folder]) -> Dict[str, Stat]:
    """`folder`: `cwd`, where nothing outside it may be looked at."""
    return {path: _stat(cwd, path, folder) for path in paths}


def _stat(cwd: str, path: str, folder: Optional[Folder]) -> Stat:
    try:
        found = folder.stat(path) if folder else os.stat(os.path.join(cwd, path))
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)
