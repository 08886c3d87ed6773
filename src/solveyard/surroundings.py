"""This machine, as solvers and rules may look at it: variables, folders, and who may write."""

import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from solveyard.store.filesystems import on_network


class Unseen(Exception):
    """A `Glance` doesn't tell: somebody has to look."""


@dataclass
class Seen:
    """What was looked up a moment ago, on disks of this machine alone."""

    folders: dict[str, str] = field(default_factory=dict)  #: with all links resolved
    closed: set[str] = field(default_factory=set)  #: programs that no other account may write
    ours: set[str] = field(default_factory=set)  #: programs that belong to no other account
    roots: dict[Path, Path] = field(default_factory=dict)  #: with all links resolved


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
        self._anothers: dict[str, str] = {}
        self._read_only: dict[str, bool] = {}
        self._roots: dict[Path, Path] = {}

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

    def exists(self, path: str) -> bool:
        try:
            return os.path.exists(path)  # noqa: PTH110  # twice for each submission
        except (OSError, ValueError):
            return False

    def inside(self, path: str, roots: Iterable[Path]) -> bool:
        """Is it in one of these folders? Links are resolved first."""
        try:
            found = Path(path).resolve()
        except (OSError, ValueError, RuntimeError):
            return False
        return any(found.is_relative_to(root) for root in self.real(roots))

    def real(self, roots: Iterable[Path]) -> list[Path]:
        """These folders, with all links resolved."""
        for root in roots:
            if root not in self._roots:
                self._roots[root] = root.resolve()
        return [self._roots[root] for root in roots]

    def open_to_others(self, program: str) -> str:
        """`open_to_others`."""
        if program not in self._open:
            self._open[program] = open_to_others(Path(program))
        return self._open[program]

    def of_another(self, program: str) -> str:
        """`of_another`."""
        if program not in self._anothers:
            self._anothers[program] = of_another(Path(program))
        return self._anothers[program]

    def note(self, seen: Seen) -> None:
        """Tell `seen` what stays so for a moment, and can be looked at without waiting."""
        if self.windows:
            return
        for folder, real in self._folders.items():
            if folder not in seen.folders and Path(real).is_dir() and not on_network(Path(real)):
                seen.folders[folder] = real
        seen.closed |= {program for program, place in self._open.items() if not place}
        seen.ours |= {program for program, place in self._anothers.items() if not place}
        seen.roots |= self._roots


class Glance(Here):
    """The same by what was seen a moment ago, and by names in folders that were: no waiting.

    Raises Unseen for all else, and for links.
    """

    def __init__(
        self, seen: Seen, licences: Collection[str] = (), elsewhere: Collection[str] = frozenset()
    ) -> None:
        super().__init__(licences, elsewhere)
        self._seen = seen

    def listing(self, folder: str) -> Sequence[str]:
        raise Unseen

    def read_only(self, folder: str) -> bool:
        if folder not in self._seen.folders:
            raise Unseen
        return super().read_only(folder)

    def resolve(self, path: str) -> str:
        folder, name = os.path.split(path)
        if folder not in self._seen.folders or name in {"", ".", ".."}:
            raise Unseen
        whole = os.path.join(self._seen.folders[folder], name)  # noqa: PTH118
        self._there(whole)
        return whole

    def exists(self, path: str) -> bool:
        folder, name = os.path.split(path)
        if folder not in self._seen.folders or name in {"", ".", ".."}:
            raise Unseen
        return self._there(path)

    def inside(self, path: str, roots: Iterable[Path]) -> bool:
        found = Path(self.resolve(path))
        return any(found.is_relative_to(root) for root in self.real(roots))

    def real(self, roots: Iterable[Path]) -> list[Path]:
        if any(root not in self._seen.roots for root in roots):
            raise Unseen
        return [self._seen.roots[root] for root in roots]

    def open_to_others(self, program: str) -> str:
        if program not in self._seen.closed:
            raise Unseen
        return ""

    def of_another(self, program: str) -> str:
        if program not in self._seen.ours:
            raise Unseen
        return ""

    @staticmethod
    def _there(path: str) -> bool:
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            raise Unseen from error
        if stat.S_ISLNK(mode):
            raise Unseen
        return True


def open_to_others(path: Path) -> str:
    """What of `path` other accounts may write: itself, or a folder on the way to it; or "".

    A sticky folder, such as /tmp, doesn't count: nobody can exchange another's file there.
    Where modes don't tell (Windows), nothing is found.
    """
    for place, found in _places(path):
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            return place
    return ""


def of_another(path: Path) -> str:
    """What of `path` belongs to an account that is neither this one nor root: itself, or a folder
    on the way to it; or "". Where owners don't tell (Windows), nothing is found.
    """
    if sys.platform == "win32":
        return ""
    ours = {0, os.geteuid()}
    return next((place for place, found in _places(path) if found.st_uid not in ours), "")


def _places(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """It and the folders that lead to it, also by links; on Windows none."""
    if sys.platform == "win32":
        return
    for place in dict.fromkeys([*_way(str(path.absolute())), *_way(os.path.realpath(path))]):
        try:
            found = os.stat(place)  # noqa: PTH116  ten of them for each submission
        except OSError:
            continue
        yield place, found


def _way(path: str) -> Iterator[str]:
    """It and the folders that lead to it."""
    yield path
    while (folder := path.rpartition("/")[0]) and folder != path:
        yield (path := folder)
    yield "/"
