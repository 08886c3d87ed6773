"""This machine, as solvers and rules may look at it: variables, folders, and who may write."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


class Here:
    """`solvers.base.Machine` for the machine that the manager runs on. Blocking."""

    windows = sys.platform == "win32"

    @property
    def environment(self) -> Mapping[str, str]:
        return os.environ

    def listing(self, folder: str) -> Sequence[str]:
        """The names in a folder; none where there is no such folder."""
        try:
            return [entry.name for entry in Path(folder).iterdir()]
        except (OSError, ValueError):
            return ()

    def resolve(self, path: str) -> str:
        """The path with all links resolved, whether it is there or not."""
        try:
            return str(Path(path).resolve())
        except (OSError, ValueError, RuntimeError):  # no path, or links in a circle
            return path


def open_to_others(path: Path) -> str:
    """What of `path` other accounts may write: itself, or a folder on the way to it; or "".

    A sticky folder, such as /tmp, doesn't count: nobody can exchange another's file there.
    Where modes don't tell (Windows), nothing is found.
    """
    if sys.platform == "win32":
        return ""
    for place in dict.fromkeys([*_way(path.absolute()), *_way(path.resolve())]):
        try:
            mode = place.stat().st_mode
        except OSError:
            continue
        sticky = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
        if mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            return str(place)
    return ""


def _way(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents
