"""This machine, as solvers and rules may look at it: variables, folders, and who may write."""

import os
import stat
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path


class Here:
    """`solvers.base.Machine` for the machine that the manager runs on. Blocking.

    One look at it: what many jobs have in common is looked up once.
    """

    windows = sys.platform == "win32"

    def __init__(
        self, licences: Collection[str] = (), elsewhere: Collection[str] = frozenset()
    ) -> None:
        """`licences`: the features whose seats the manager counts; `elsewhere`: the clusters whose
        machines can't be seen from here.
        """
        self.licences = licences
        self.elsewhere = elsewhere
        self._folders: dict[str, str] = {}
        self._open: dict[str, str] = {}
        self._read_only: dict[str, bool] = {}

    @property
    def environment(self) -> Mapping[str, str]:
        return os.environ

    def listing(self, folder: str) -> Sequence[str]:
        """The names in a folder; none where there is no such folder."""
        try:
            return [entry.name for entry in Path(folder).iterdir()]
        except (OSError, ValueError):
            return ()

    def read_only(self, folder: str) -> bool:
        """Is it a folder in which nothing can be written?"""
        if folder not in self._read_only:
            try:
                found = os.path.isdir(folder) and not os.access(folder, os.W_OK)  # noqa: PTH112
            except ValueError:  # no path
                found = False
            self._read_only[folder] = found
        return self._read_only[folder]

    def resolve(self, path: str) -> str:
        """The path with all links resolved, whether it is there or not."""
        # no Path: it takes longer than all that the system does for it
        folder, name = os.path.split(path)
        try:
            if folder not in self._folders:
                self._folders[folder] = os.path.realpath(folder)
            whole = os.path.join(self._folders[folder], name)  # noqa: PTH118
            plain = name not in {"", ".", ".."} and not os.path.islink(whole)  # noqa: PTH114
            return whole if plain else os.path.realpath(path)
        except (OSError, ValueError):  # no path
            return path

    def open_to_others(self, program: str) -> str:
        """`open_to_others`."""
        if program not in self._open:
            self._open[program] = open_to_others(Path(program))
        return self._open[program]


def open_to_others(path: Path) -> str:
    """What of `path` other accounts may write: itself, or a folder on the way to it; or "".

    A sticky folder, such as /tmp, doesn't count: nobody can exchange another's file there.
    Where modes don't tell (Windows), nothing is found.
    """
    if sys.platform == "win32":
        return ""
    for place in dict.fromkeys([*_way(str(path.absolute())), *_way(os.path.realpath(path))]):
        try:
            mode = os.stat(place).st_mode  # noqa: PTH116  # ten of them for each submission
        except OSError:
            continue
        sticky = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
        if mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            return place
    return ""


def _way(path: str) -> Iterator[str]:
    """It and the folders that lead to it."""
    yield path
    while (folder := path.rpartition("/")[0]) and folder != path:
        yield (path := folder)
    yield "/"
