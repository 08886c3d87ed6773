"""A job's files, on this machine."""

import heapq
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from solveyard.backends.withheld import Store
from solveyard.model import paths
from solveyard.model.errors import InvalidRequest

T = TypeVar("T")
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LEAST = 1 << 16  #: bytes that are asked for: a file may have grown
_SHOWN = 100  #: characters of a path that can't be read
_OURS = "the manager's own store is there"


class NoSuchFile(InvalidRequest):
    """There is nothing at this path."""


class TooMuch(Exception):
    """More than a `Brief` look takes in."""


class FileEntry(NamedTuple):
    path: str  #: relative to the workspace, with "/"
    size: int  #: bytes
    modified: float  #: s since 1970


Unread = Callable[[str], None]  #: is told of each place that can't be looked at, and why
Fits = Callable[[str], bool]  #: is a file of this path asked for?


def _pass(_: str) -> None:
    """Where nobody asks what is missing."""


def every(_: str) -> bool:
    """Fits whatever the path is."""
    return True


class Workspace(Protocol):
    """A job's files, wherever they are. Blocking: call it in a thread."""

    def walk(self, below: str = "", unread: Unread = _pass) -> Iterable[FileEntry]:
        """All regular files in the folder `below`, in no order, however many there are."""
        ...

    def page(self, limit: int, after: str = "", fits: Fits = every) -> "Page":
        """The first `limit` of them by path, after the path `after`, of those whose path `fits`."""
        ...

    def stat(self, path: str) -> FileEntry | None: ...

    def read(self, path: str, offset: int = 0, limit: int = 1 << 20) -> bytes: ...


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


class LocalWorkspace:
    """A folder on this machine; nothing outside it is ever read.

    Blocking: call it in a thread.
    """

    def __init__(self, root: Path, store: Store | None = None) -> None:
        """`store`: the manager's, of which nothing is shown but a job's own folder."""
        self.root = root
        self.real = ""  #: the same with all links resolved; empty: not known yet
        self._store = store

    @cached_property
    def withheld(self) -> Store | None:
        """What isn't shown here, if any; looked up once."""
        store = self._store
        return None if store is None or store.given(str(self.root)) else store

    def walk(self, below: str = "", unread: Unread = _pass) -> Iterator[FileEntry]:
        """All regular files in the folder `below`, in no order. Follows no links."""
        prefix = f"{below}/" if below else ""
        return _walk(str(self.root / below), prefix, unread, withheld=self.withheld)

    def page(self, limit: int, after: str = "", fits: Fits = every) -> Page:
        """Holds no more in memory than these, and looks at no others than by name."""
        missing = Missing()
        found = _regular(str(self.root), "", missing.note, withheld=self.withheld)
        chosen, total, more = chosen_of(
            ((path, entry) for path, entry in found if fits(path)), limit, after
        )
        seen = [(path, _seen(entry, path, missing.note)) for path, entry in chosen]
        files = [FileEntry(path, one.st_size, one.st_mtime) for path, one in seen if one]
        return Page(files, total, more, missing.text)

    def stat(self, path: str) -> FileEntry | None:
        """None: there is no such file. Raises InvalidRequest when that can't be told."""
        try:
            found = os.stat(self._inside(path))  # noqa: PTH116  # no Path: see `_inside`
        except (FileNotFoundError, NotADirectoryError, NoSuchFile):
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
        place = _without_links(self.real, path)
        if place is None:
            place = os.path.realpath(os.path.join(self.real, path))  # noqa: PTH118
            if place != self.real and not place.startswith(self.real.rstrip(os.sep) + os.sep):
                raise InvalidRequest(f"{path!r} leaves the job's folder")
        if self.withheld is not None and self.withheld.has(place):
            raise NoSuchFile(f"cannot read {path[:100]}: {_OURS}")
        return place


class Brief(LocalWorkspace):
    """One short look at a folder of this machine's own disk, on which nobody needs to wait.

    Raises TooMuch where it would take long, or may lead elsewhere.
    """

    def __init__(self, seen: LocalWorkspace, entries: int, size: int) -> None:
        """In the folder of `seen`: at most so many `entries` of folders, files of `size` bytes."""
        super().__init__(seen.root)
        self.real, self.withheld = seen.real, seen.withheld
        self._entries, self._size = entries, size

    def walk(self, below: str = "", unread: Unread = _pass) -> Iterator[FileEntry]:
        prefix = f"{below}/" if below else ""
        return _walk(self._inside(below), prefix, unread, self._entries, self.withheld)

    def _take(self, size: int) -> None:
        self._size -= size
        if self._size < 0:
            raise TooMuch

    def _inside(self, path: str) -> str:
        place = _without_links(self.real, path) if self.real else None
        if place is None or (self.withheld is not None and self.withheld.has(place)):
            raise TooMuch
        return place


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


def _walk(
    top: str,
    prefix: str,
    unread: Unread,
    most: int = sys.maxsize,
    withheld: Store | None = None,
) -> Iterator[FileEntry]:
    """Regular files below `top`; `prefix` goes before their names."""
    for path, entry in _regular(top, prefix, unread, most, withheld):
        seen = _seen(entry, path, unread)
        if seen is not None and stat.S_ISREG(seen.st_mode):
            yield FileEntry(path, seen.st_size, seen.st_mtime)


def _regular(
    top: str,
    prefix: str,
    unread: Unread,
    most: int = sys.maxsize,
    withheld: Store | None = None,
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """By name alone. Text, not Paths, and no list of a folder, since it may have a million.

    Raises TooMuch for more than `most` entries.
    """
    folders = [(top, prefix)]
    if withheld is not None and withheld.has(os.path.realpath(top)):
        unread(_why(prefix, _OURS))
        folders.clear()
    while folders:
        folder, before = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    most -= 1
                    if most < 0:
                        raise TooMuch
                    if entry.is_dir(follow_symlinks=False):
                        if withheld is not None and withheld.is_it(entry.path):
                            unread(_why(before + entry.name, _OURS))
                            continue
                        folders.append((entry.path, f"{before}{entry.name}/"))
                    elif entry.is_file(follow_symlinks=False):
                        yield before + entry.name, entry
        except (FileNotFoundError, NotADirectoryError):  # it went meanwhile, or was never there
            continue
        except OSError as error:
            unread(_why(before, error.strerror))


def _seen(entry: os.DirEntry[str], path: str, unread: Unread) -> os.stat_result | None:
    """None: it went meanwhile, or `unread` was told."""
    try:
        return os.lstat(entry.path)  # what the entry itself knows is old on Windows
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        unread(_why(path, error.strerror))
        return None


def _why(path: str, why: str | None) -> str:
    """Its path may be too long to be told whole: that is why it can't be read."""
    name = path.rstrip("/")
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    return f"{shown or 'its folder'}: {why}"


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
