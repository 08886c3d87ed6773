"""A job's files, wherever they are."""

import contextlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from solveyard.model import paths
from solveyard.model.errors import InvalidRequest

T = TypeVar("T")


class NoSuchFile(InvalidRequest):
    """There is nothing at this path."""


class FileEntry(NamedTuple):
    path: str  #: relative to the workspace, with "/"
    size: int  #: bytes
    modified: float  #: s since 1970


Unread = Callable[[str], None]  #: is told of each place that can't be looked at, and why
Fits = Callable[[str], bool]  #: is a file of this path asked for?


def passed(_: str) -> None:
    """Where nobody asks what is missing."""


def every(_: str) -> bool:
    """Fits whatever the path is."""
    return True


class Workspace(Protocol):
    """A job's files, wherever they are. Blocking: call it in a thread."""

    def walk(self, below: str = "", unread: Unread = passed) -> Iterable[FileEntry]:
        """All regular files in the folder `below`, in no order, however many there are."""
        ...

    def page(self, limit: int, after: str = "", fits: Fits = every) -> "Page":
        """The first `limit` of them by path, after the path `after`, of those whose path `fits`."""
        ...

    def stat(self, path: str) -> FileEntry | None: ...

    def open(self, path: str) -> "File": ...

    def read(self, path: str, offset: int = 0, limit: int = 1 << 20) -> bytes: ...


class File(Protocol):
    """One of them, whatever its path leads to later. Blocking; close it."""

    entry: FileEntry  #: as it was when it was opened

    def read(self, offset: int = 0, limit: int = 1 << 20) -> bytes: ...

    def close(self) -> None: ...


def opened(workspace: Workspace, shown: str) -> File | None:
    """The file that is listed as `shown`, by `paths.spelt`, open; None: there is none."""
    for path in dict.fromkeys((shown, paths.unspelt(shown))):
        with contextlib.suppress(NoSuchFile):
            return workspace.open(path)
    return None


def named(workspace: Workspace, shown: str) -> FileEntry | None:
    """The file that is listed as `shown`, by `paths.spelt`; its `path` is the real one."""
    real = paths.unspelt(shown)
    return workspace.stat(shown) or (workspace.stat(real) if real != shown else None)


class Page(NamedTuple):
    """Some of a job's files."""

    files: list[FileEntry]  #: by path
    total: int  #: that fit, on all pages
    more: str  #: the path after which the next page goes on; "": this was the last
    unread: str  #: what could not be looked at, and why; "": nothing


class Missing:
    """What could not be looked at: the first of it, and how many others."""

    def __init__(self) -> None:
        self._first = ""
        self._count = 0

    def note(self, why: str) -> None:
        self._first = self._first or why
        self._count += 1

    @property
    def text(self) -> str:
        others = self._count - 1
        return f"{self._first} (and {others} more)" if others > 0 else self._first


def chosen_of(
    found: Iterable[tuple[str, T]], limit: int, after: str
) -> tuple[list[tuple[str, T]], int, str]:
    """Of paths and what goes with each a page, how many there are, and where the next goes on."""
    total = left = 0

    def later() -> Iterator[tuple[str, T]]:
        nonlocal total, left
        for path, one in found:
            total += 1
            if path > after:
                left += 1
                yield path, one

    chosen = heapq.nsmallest(limit, later())  # no two have the same path
    return chosen, total, chosen[-1][0] if left > len(chosen) else ""
