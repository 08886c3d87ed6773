"""A job's files, on this machine."""

import contextlib
import errno
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, Self

from solveyard.backends.withheld import Store, really
from solveyard.backends.workspace import (
    FileEntry,
    Fits,
    Missing,
    NoSuchFile,
    Page,
    Unread,
    chosen_of,
    every,
    passed,
)
from solveyard.model.errors import InvalidRequest, NotAllowed
from solveyard.wire.beneath import Astray, Folder, Irregular, is_unfinished

_LEAST = 1 << 16  #: bytes that are asked for: a file may have grown
_SHOWN = 100  #: characters of a path that can't be read
_OURS = "the manager's own store is there"


class TooMuch(Exception):
    """More than a `Brief` look takes in."""


class LocalFile:
    """A regular file of this machine, open. Close it."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._turn = threading.Lock()  # who was cancelled closes it while a thread still reads
        self.found = os.fstat(descriptor)
        self.entry = FileEntry(path, self.found.st_size, self.found.st_mtime)

    @property
    def place(self) -> str:
        """Where it really is, whatever has been exchanged since; empty: this system can't tell."""
        return "" if self._descriptor is None else really(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()  # of one that was cancelled while a thread opened it

    def close(self) -> None:
        with self._turn:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def read(self, offset: int = 0, limit: int = 1 << 20) -> bytes:
        """At most `limit` bytes from `offset`; a negative offset counts from the end."""
        size = self.entry.size
        offset = max(0, size + offset) if offset < 0 else offset
        with self._turn:
            if self._descriptor is None:
                return b""
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, min(limit, max(_LEAST, size - offset)))


class LocalWorkspace:
    """A folder on this machine; nothing outside it is ever read.

    Blocking: call it in a thread.
    """

    _kind: type[Folder] = Folder

    def __init__(self, root: Path, within: Sequence[str] = (), store: Store | None = None) -> None:
        """`within`: real folders, in one of which it must be, links resolved; none: anywhere.
        `store`: the manager's, of which nothing is shown but a job's own folder.
        """
        self.root = root
        self.within = within
        self._store = store
        self._real = ""

    def same(self, other: "LocalWorkspace") -> bool:
        return (self.root, self.within) == (other.root, other.within)

    @cached_property
    def withheld(self) -> Store | None:
        """What isn't shown here, if any; looked up once."""
        store = self._store
        return None if store is None or store.given(str(self.root)) else store

    @property
    def real(self) -> str:
        """The folder with all links resolved, as it was when this was asked first."""
        if not self._real:
            self._real = os.path.realpath(self.root)
        return self._real

    def folder(self, below: str = "") -> Folder:
        """Itself, or one of its own, open. Raises NotAllowed where it leads elsewhere, OSError."""
        place = f"{self.root}{os.sep}{below}" if below else str(self.root)
        try:
            return self._kind(place, self.within)
        except Astray as error:
            raise NotAllowed(f"{place} can't be looked at: {error.strerror}") from error

    def walk(self, below: str = "", unread: Unread = passed) -> Iterator[FileEntry]:
        """All regular files in the folder `below`, which may be a link to one elsewhere, in no
        order. Follows no other links.
        """
        with self._if_there(unread, below) as folder:
            above = f"{below}/" if below else ""
            yield from _entries(folder, "", unread, above=above, withheld=self.withheld)

    def page(self, limit: int, after: str = "", fits: Fits = every) -> Page:
        """Holds no more in memory than these, and looks at no others than by name."""
        missing = Missing()
        with self._if_there(missing.note) as folder:
            found = _regular(folder, "", missing.note, withheld=self.withheld) if folder else ()
            chosen, total, more = chosen_of(
                ((one.path, one) for one in found if fits(one.path)), limit, after
            )
            files = [
                FileEntry(path, one.st_size, one.st_mtime)
                for path, _ in chosen
                if folder and (one := _seen(partial(folder.lstat, path), path, missing.note))
            ]
        return Page(files, total, more, missing.text)

    def stat(self, path: str) -> FileEntry | None:
        """None: there is no such file. Raises InvalidRequest when that can't be told."""
        _check(path)
        try:
            with self.folder() as folder:
                found = folder.stat(path)
            if self._hides(f"{self.real}{os.sep}{path}"):
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InvalidRequest(_refusal(path, error, "look at")) from error
        if not stat.S_ISREG(found.st_mode):
            return None
        return FileEntry(path, found.st_size, found.st_mtime)

    def open(self, path: str) -> "LocalFile":
        """Raises InvalidRequest when it isn't a regular file inside the workspace: NoSuchFile where
        there is none.
        """
        _check(path)
        try:
            with self.folder() as folder:
                file = LocalFile(path, folder.open(path))
        except OSError as error:
            kind = NoSuchFile if _is_none(error) else InvalidRequest
            raise kind(_refusal(path, error, "read")) from error
        if self._hides(file.place or f"{self.real}{os.sep}{path}"):
            file.close()
            raise NoSuchFile(f"cannot read {path[:100]}: {_OURS}")
        return file

    def read(self, path: str, offset: int = 0, limit: int = 1 << 20) -> bytes:
        """At most `limit` bytes from `offset`; a negative offset counts from the end.

        Raises as `open` does.
        """
        with self.open(path) as file:
            self._take(file.entry.size)
            return file.read(offset, limit)

    def _hides(self, place: str) -> bool:
        return self.withheld is not None and self.withheld.has(os.path.realpath(place))

    @contextlib.contextmanager
    def _if_there(self, unread: Unread, below: str = "") -> Iterator[Folder | None]:
        """`folder`; None: it isn't there, or `unread` was told."""
        try:
            folder = self.folder(below)
        except (FileNotFoundError, NotADirectoryError):
            yield None
        except OSError as error:
            unread(_why(below, error))
            yield None
        else:
            with folder:
                yield folder

    def _take(self, size: int) -> None:
        """A file of so many bytes is about to be read."""


class _Linkless(Folder):
    def followed(self, path: str) -> list[str]:
        raise TooMuch


class Brief(LocalWorkspace):
    """One short look at a folder of this machine's own disk, on which nobody needs to wait.

    Raises TooMuch where it would take long, or a link may lead elsewhere.
    """

    _kind = _Linkless

    def __init__(self, seen: LocalWorkspace, entries: int, size: int) -> None:
        """In the folder of `seen`: at most so many `entries` of folders, files of `size` bytes."""
        super().__init__(seen.root, seen.within)
        self._real, self.withheld = seen.real, seen.withheld
        self._entries, self._size = entries, size

    def walk(self, below: str = "", unread: Unread = passed) -> Iterator[FileEntry]:
        self._hides(f"{self.real}{os.sep}{below}")
        with self._if_there(unread) as folder:
            yield from _entries(folder, below, unread, self._entries, withheld=self.withheld)

    def _hides(self, place: str) -> bool:
        if super()._hides(place):
            raise TooMuch
        return False

    def _take(self, size: int) -> None:
        self._size -= size
        if self._size < 0:
            raise TooMuch


def _entries(
    top: Folder | None,
    below: str,
    unread: Unread,
    most: int = sys.maxsize,
    above: str = "",
    withheld: Store | None = None,
) -> Iterator[FileEntry]:
    """Regular files in a folder of `top`; of that `above` is told before their paths."""
    for one in _regular(top, below, unread, most, above, withheld) if top else ():
        seen = _seen(one.look, one.path, unread)
        if seen is not None and stat.S_ISREG(seen.st_mode):
            yield FileEntry(one.path, seen.st_size, seen.st_mtime)


class _Found(NamedTuple):
    """A regular file, by name alone."""

    path: str
    name: str  #: by which it is looked at, in `folder` while that is listed
    folder: int | None

    def look(self) -> os.stat_result:
        """What the entry itself knows is old on Windows."""
        return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)


def _regular(
    top: Folder,
    below: str,
    unread: Unread,
    most: int = sys.maxsize,
    above: str = "",
    withheld: Store | None = None,
) -> Iterator[_Found]:
    """Text, not Paths, and no list of a folder, since it may have a million.

    Raises TooMuch for more than `most` entries.
    """
    folders = [below]
    while folders:
        path = folders.pop()
        before = f"{path}/" if path else ""
        try:
            with top.listed(path, strict=path != below) as (entries, folder):
                first = path == below
                if withheld is not None and withheld.hides(folder, top.path, path, first=first):
                    unread(_withheld(above + path))
                    continue
                for entry in entries:
                    most -= 1
                    if most < 0:
                        raise TooMuch
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(before + entry.name)
                    elif entry.is_file(follow_symlinks=False) and not is_unfinished(entry.name):
                        yield _Found(f"{above}{before}{entry.name}", entry.path, folder)
        except (FileNotFoundError, NotADirectoryError):  # it went meanwhile, or was never there
            continue
        except OSError as error:
            unread(_why(above + path, error))


def _seen(look: Callable[[], os.stat_result], path: str, unread: Unread) -> os.stat_result | None:
    """None: it went meanwhile, or `unread` was told."""
    try:
        return look()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        unread(_why(path, error))
        return None


def _why(path: str, error: OSError) -> str:
    """Its path may be too long to be told whole: that is why it can't be read."""
    name = path.rstrip("/")
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    return f"{shown or 'its folder'}: {error.strerror}"


def _withheld(path: str) -> str:
    return _why(path, OSError(errno.EACCES, _OURS))


def _check(path: str) -> None:
    if "\0" in path:
        raise InvalidRequest(f"{path!r} is no path")


def _is_none(error: OSError) -> bool:
    """Does it say that there is no such file? ENXIO: a socket, or a pipe without another end."""
    none = FileNotFoundError, NotADirectoryError, Irregular
    return isinstance(error, none) or error.errno == errno.ENXIO


def _refusal(path: str, error: OSError, wish: str) -> str:
    if isinstance(error, Astray):
        return f"{path!r} leaves the job's folder"
    return f"cannot {wish} {path[:100]}: {error.strerror}"
