"""A job's files, on this machine."""

import os
import stat
import sys
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Protocol

from solveyard.model import paths
from solveyard.model.errors import InvalidRequest

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LEAST = 1 << 16  #: bytes that are asked for: a file may have grown


class NoSuchFile(InvalidRequest):
    """There is nothing at this path."""


class TooMuch(Exception):
    """More than a `Brief` look takes in."""


class FileEntry(NamedTuple):
    path: str  #: relative to the workspace, with "/"
    size: int  #: bytes
    modified: float  #: s since 1970


class Workspace(Protocol):
    """A job's files, wherever they are. Blocking: call it in a thread."""

    def list(self, limit: int = 10_000, below: str = "") -> list[FileEntry]:
        """Regular files, by path; at most `limit`, of those in the folder `below`."""
        ...

    def stat(self, path: str) -> FileEntry | None: ...

    def read(self, path: str, offset: int = 0, limit: int = 1 << 20) -> bytes: ...


def named(workspace: Workspace, shown: str) -> FileEntry | None:
    """The file that is listed as `shown`, by `paths.spelt`; its `path` is the real one."""
    real = paths.unspelt(shown)
    return workspace.stat(shown) or (workspace.stat(real) if real != shown else None)


class LocalWorkspace:
    """A folder on this machine; nothing outside it is ever read.

    Blocking: call it in a thread.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = ""  #: the same with all links resolved; empty: not known yet

    def list(self, limit: int = 10_000, below: str = "") -> list[FileEntry]:
        """Regular files, by path; at most `limit`, of those in the folder `below`."""
        prefix = f"{below}/" if below else ""
        return sorted(islice(_walk(str(self.root / below), prefix), limit))

    def stat(self, path: str) -> FileEntry | None:
        """None: there is no such file. Raises InvalidRequest when that can't be told."""
        place = self._inside(path)
        try:
            found = os.stat(place)  # noqa: PTH116  # no Path: see `_inside`
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InvalidRequest(f"cannot look at {path[:100]}: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            return None
        return FileEntry(path, found.st_size, found.st_mtime)

    def read(self, path: str, offset: int = 0, limit: int = 1 << 20) -> bytes:
        """At most `limit` bytes from `offset`; a negative offset counts from the end.

        Raises InvalidRequest when it isn't a regular file inside the workspace: NoSuchFile where
        there is none.
        """
        place = self._inside(path)
        try:
            descriptor = os.open(place, _READ)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoSuchFile(f"cannot read {path[:100]}: {error.strerror}") from error
        except OSError as error:
            raise InvalidRequest(f"cannot read {path[:100]}: {error.strerror}") from error
        try:  # no file object: it looks at the file several times more
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise InvalidRequest(f"{path} is not a regular file")
            self._take(found.st_size)
            offset = max(0, found.st_size + offset) if offset < 0 else offset
            if offset:
                os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, min(limit, max(_LEAST, found.st_size - offset)))
        finally:
            os.close(descriptor)

    def _take(self, size: int) -> None:
        """A file of so many bytes is about to be read."""

    def _inside(self, path: str) -> str:
        """Text, not a Path: each end of a job asks for several, and Path takes longest of all."""
        if "\0" in path:
            raise InvalidRequest(f"{path!r} is no path")
        if not self.real:
            self.real = os.path.realpath(self.root)
        if (place := _without_links(self.real, path)) is not None:
            return place
        place = os.path.realpath(os.path.join(self.real, path))  # noqa: PTH118
        if place != self.real and not place.startswith(self.real.rstrip(os.sep) + os.sep):
            raise InvalidRequest(f"{path!r} leaves the job's folder")
        return place


class Brief(LocalWorkspace):
    """One short look at a folder of this machine's own disk, on which nobody needs to wait.

    Raises TooMuch where it would take long, or may lead elsewhere.
    """

    def __init__(self, seen: LocalWorkspace, entries: int, size: int) -> None:
        """In the folder of `seen`: at most so many `entries` of folders, files of `size` bytes."""
        super().__init__(seen.root)
        self.real = seen.real
        self._entries, self._size = entries, size

    def list(self, limit: int = 10_000, below: str = "") -> list[FileEntry]:
        prefix = f"{below}/" if below else ""
        return sorted(islice(_walk(self._inside(below), prefix, self._entries), limit))

    def _take(self, size: int) -> None:
        self._size -= size
        if self._size < 0:
            raise TooMuch

    def _inside(self, path: str) -> str:
        place = _without_links(self.real, path) if self.real else None
        if place is None:
            raise TooMuch
        return place


def _walk(top: str, prefix: str, most: int = sys.maxsize) -> Iterator[FileEntry]:
    """Regular files below `top`, a folder's own before those of its folders. Follows no links.

    Text, not Paths; `prefix` goes before the names. Raises TooMuch for more than `most` entries.
    """
    folders = [(top, prefix)]
    while folders:
        folder, before = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(islice(found, min(most + 1, sys.maxsize)))
        except OSError:
            continue
        most -= len(entries)
        if most < 0:
            raise TooMuch
        entries.sort(key=attrgetter("name"))
        inside = []
        for entry in entries:
            try:
                seen = os.lstat(entry.path)
            except OSError:
                continue
            if stat.S_ISREG(seen.st_mode):
                yield FileEntry(before + entry.name, seen.st_size, seen.st_mtime)
            elif stat.S_ISDIR(seen.st_mode):
                inside.append((entry.path, f"{before}{entry.name}/"))
        folders += reversed(inside)


def _without_links(root: str, path: str) -> str | None:
    """The place of `path` below `root`, where no link is on the way; None: look closer.

    `root` itself has none. Only the parts of `path` are looked at; realpath looks at all.
    """
    parts = path.split("/")
    if os.sep != "/" or not {"", ".", ".."}.isdisjoint(parts):
        return None
    place = root.rstrip("/")
    for index, part in enumerate(parts):
        place = f"{place}/{part}"
        try:
            if stat.S_ISLNK(os.lstat(place).st_mode):
                return None
        except (FileNotFoundError, NotADirectoryError):  # so there is nothing below it, either
            return "/".join((place, *parts[index + 1 :]))
        except OSError:
            return None
    return place
