"""A job's files, on this machine."""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Protocol

from solveyard.model.errors import InvalidRequest

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LEAST = 1 << 16  #: bytes that are asked for: a file may have grown


class NoSuchFile(InvalidRequest):
    """There is nothing at this path."""


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


class LocalWorkspace:
    """A folder on this machine; nothing outside it is ever read.

    Blocking: call it in a thread.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = ""  #: with all links resolved

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
            offset = max(0, found.st_size + offset) if offset < 0 else offset
            if offset:
                os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, min(limit, max(_LEAST, found.st_size - offset)))
        finally:
            os.close(descriptor)

    def _inside(self, path: str) -> str:
        """Text, not a Path: each end of a job asks for several, and Path takes longest of all."""
        if "\0" in path:
            raise InvalidRequest(f"{path!r} is no path")
        if not self._real:
            self._real = os.path.realpath(self.root)
        if (place := _without_links(self._real, path)) is not None:
            return place
        place = os.path.realpath(os.path.join(self._real, path))  # noqa: PTH118
        if place != self._real and not place.startswith(self._real.rstrip(os.sep) + os.sep):
            raise InvalidRequest(f"{path!r} leaves the job's folder")
        return place


def _walk(top: str, prefix: str) -> Iterator[FileEntry]:
    """Regular files below `top`, a folder's own before those of its folders. Follows no links.

    Text, not Paths; `prefix` goes before the names.
    """
    folders = [(top, prefix)]
    while folders:
        folder, before = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=attrgetter("name"))
        except OSError:
            continue
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
