"""Files beneath a folder, whatever others put in their way: links, pipes, devices.

Others may write in a job's folder, and exchange what is there between two steps. So nothing is
judged by its path and opened by that later: each folder on the way is opened in the one above it,
and no link is followed. Where there is one, it is looked up where it leads, and the way there is
gone in the same manner. On Windows, which opens no folders, paths are judged just before their use.

What bounds a folder is a list of real folders, in one of which it must be. One with CLOSED before
it is shut: neither is the folder in it, nor does a way lead there, by whatever name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import (
    Callable,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
)

T = TypeVar("T")
BY_FOLDERS = sys.platform != "win32"
#: Never waits for the other end of a pipe, and takes no terminal.
_SAFE = (
    getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
#: A folder that may be entered need not be readable, where the system can tell that apart.
_ENTER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_STRICT = _ENTER | getattr(os, "O_NOFOLLOW", 0)
_LIST = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
#: What systems say of a link where none is followed.
_LINKS = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
_LONGEST = 4096  #: characters of a path
_UNFINISHED = ".solveyard-", ".new"  #: how the names begin and end of what is being written
CLOSED = "!"  #: before a folder that is shut
Marks = FrozenSet[Tuple[int, int]]  #: folders, as the system calls them, whatever their names


class Astray(OSError):
    """It leads out of the folder in which it must be."""


class Irregular(OSError):
    """It is no regular file: a folder, a pipe, a device."""


class Folder:
    """An open folder; close it. All paths are relative to it, with "/".

    What can't be done raises OSError: Astray, where something leads out of it.
    """

    def __init__(self, path: str, within: Sequence[str] = ()) -> None:
        """`within`: real folders, in one of which it must be, links resolved; none but CLOSED ones:
        anywhere. No way in it leads into those, either.
        """
        self.path = path
        self.file: Optional[int] = None  #: None: this system has none of a folder
        self._shut = closed(within)
        self._marks = _marks(self._shut)
        if BY_FOLDERS:
            self.file = _entered(path, within, self._marks)
        elif len(within) > len(self._shut):
            _parted(path, within)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.file is not None:
            os.close(self.file)
            self.file = None

    def open(self, path: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """A regular file, as a descriptor. Don't give O_TRUNC: it may be something else."""

        def opened(folder: Optional[int], name: str) -> int:
            file = os.open(name, flags | _SAFE, mode, dir_fd=folder)
            if not stat.S_ISREG(os.fstat(file).st_mode):
                os.close(file)
                raise Irregular(errno.EINVAL, "it is not a regular file", path)
            return file

        return self._do(path, opened)

    def stat(self, path: str) -> os.stat_result:
        """Of what links lead to, as long as that is in the folder."""

        def looked(folder: Optional[int], name: str) -> os.stat_result:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                raise _link(path)
            return found

        return self._do(path, looked)

    def lstat(self, path: str) -> os.stat_result:
        """Of a link itself."""
        with self.holding(path) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def put(self, path: str, content: bytes, by: str = "") -> None:
        """Write a file anew, whole or not at all, and the folders that it lacks.

        What has its name is replaced: of a link the link itself; a file's mode stays. `by`: who
        writes; what they left unfinished, because they were killed, is replaced, too.
        """
        with self.holding(path, make=True) as (folder, name):
            unfinished = _UNFINISHED[0] + (by or os.urandom(8).hex()) + _UNFINISHED[1]
            fresh = os.path.join(os.path.dirname(name), unfinished)
            mode = _mode(name, folder)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=folder)
            try:
                file = os.open(
                    fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o666, dir_fd=folder
                )
            except PermissionError as error:
                why = "no file can be made in its folder: {}".format(error.strerror)
                raise PermissionError(error.errno, why, path) from error
            try:
                with os.fdopen(file, "wb") as stream:
                    if mode is not None and sys.platform != "win32":
                        with contextlib.suppress(PermissionError):  # a file system without modes
                            os.fchmod(file, mode)
                    stream.write(content)
                os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(fresh, dir_fd=folder)
                raise

    def enter(self, path: str) -> None:
        """Make a folder this process's own, whatever its path leads to later."""
        with self._opened(path) as folder:
            os.chdir(self._path(path) if folder is None else folder)

    def make(self, path: str) -> None:
        """A folder, and those that it lacks above it."""
        with self._opened(path, make=True):
            pass

    def symlink(self, path: str, target: str) -> None:
        with self.holding(path) as (folder, name):
            os.symlink(target, name, dir_fd=folder)

    def utime(self, path: str, modified: float) -> None:
        """`modified`: s since 1970. Of a link itself, where the system can."""
        with self.holding(path) as (folder, name):
            follow = os.utime not in os.supports_follow_symlinks
            os.utime(name, (modified, modified), dir_fd=folder, follow_symlinks=follow)

    def unlink(self, path: str) -> None:
        """Of a link the link itself. What isn't there is gone already."""
        with contextlib.suppress(FileNotFoundError), self.holding(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def replace(self, path: str, target: str) -> None:
        """Give what is at `path` the name `target`, whatever has that by now."""
        with self.holding(path) as (start, old), self.holding(target) as (end, new):
            os.replace(old, new, src_dir_fd=start, dst_dir_fd=end)

    @contextlib.contextmanager
    def holding(self, path: str, make: bool = False) -> Iterator[Tuple[Optional[int], str]]:
        """The folder that holds `path`, and its name there: for what takes a `dir_fd`.

        `make` it where it isn't there. Where systems open no folders, None and the whole path.
        """
        head, _, name = path.rpartition("/")
        with self._opened(head, make) as folder:
            yield folder, name if BY_FOLDERS else os.path.join(self._path(head), name)

    @contextlib.contextmanager
    def listed(
        self, path: str = "", *, strict: bool = False
    ) -> Iterator[Tuple[Iterable["os.DirEntry[str]"], Optional[int]]]:
        """What is in a folder, and its `dir_fd`. `strict`: no link leads there."""
        if not BY_FOLDERS:
            with os.scandir(self._path(path)) as entries:
                yield entries, None
            return
        with self._opened(path, strict=strict) as folder:
            file = os.open(".", _LIST, dir_fd=folder)
            try:
                with os.scandir(file) as entries:
                    yield entries, file
            finally:
                os.close(file)

    def followed(self, path: str) -> List[str]:
        """The way to where `path` leads by now, without links."""
        real = os.path.realpath(self.path)
        rest = _rest(real, os.path.realpath(os.path.join(real, path)))
        if rest is None:
            raise Astray(errno.EXDEV, "it leads out of its folder", path)
        return _parts(rest)

    # Inside

    def _do(self, path: str, step: Callable[[Optional[int], str], T]) -> T:
        """`step` takes the folder that holds it and its name there, and fails for a link."""
        if not BY_FOLDERS:
            return step(None, self._path(path))
        head, _, name = path.rpartition("/")
        if name not in {"", ".", ".."} and not path.startswith("/"):
            try:
                with self._opened(head) as folder:
                    return step(folder, name)
            except OSError as error:
                if error.errno not in _LINKS:
                    raise
        parts = self.followed(path)
        with self._opened("/".join(parts[:-1]), strict=True) as folder:
            return step(folder, "".join(parts[-1:]) or ".")

    @contextlib.contextmanager
    def _opened(
        self, path: str, make: bool = False, strict: bool = False
    ) -> Iterator[Optional[int]]:
        """A folder. `strict`: without a link."""
        if not BY_FOLDERS:
            if make:
                os.makedirs(self._path(path), exist_ok=True)
            yield None
            return
        assert self.file is not None
        try:
            below = _below(self.file, _parts(path), make, self._marks)
        except OSError as error:
            if strict or error.errno not in _LINKS:
                raise
            below = _below(self.file, self.followed(path), make, self._marks)
        try:
            yield below
        finally:
            if below != self.file:
                os.close(below)

    def _path(self, path: str) -> str:
        place = os.path.join(os.path.realpath(self.path), *self.followed(path))
        _judge(place, self._shut)
        return place


def is_unfinished(name: str) -> bool:
    """Is it what `put` writes before it has its name?"""
    return name.startswith(_UNFINISHED[0]) and name.endswith(_UNFINISHED[1])


def _mode(name: str, folder: Optional[int]) -> Optional[int]:
    """Who may do what with the file of that name; None: there is none."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return stat.S_IMODE(found.st_mode) & 0o777 if stat.S_ISREG(found.st_mode) else None


def _link(path: str) -> OSError:
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _parts(path: str) -> List[str]:
    """Raises OSError for what may lead elsewhere, as a link would."""
    if len(path) > _LONGEST:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
    parts = path.split(os.sep)
    if path.startswith(os.sep) or ".." in parts:
        raise _link(path)
    return [part for part in parts if part not in {"", "."}]


def _rest(base: str, place: str) -> Optional[str]:
    """Of a path in the folder `base`; None: it isn't there."""
    start = base.rstrip(os.sep) + os.sep
    if place == base:
        return ""
    return place[len(start) :] if place.startswith(start) else None


def closed(within: Iterable[str]) -> List[str]:
    """Those of the folders that are shut."""
    return [one[len(CLOSED) :] for one in within if one.startswith(CLOSED)]


def _marks(shut: Iterable[str]) -> Marks:
    """What isn't there can't be entered."""
    found = set()
    for place in shut:
        with contextlib.suppress(FileNotFoundError):
            one = os.stat(place)
            found.add((one.st_dev, one.st_ino))
    return frozenset(found)


def _judge(place: str, shut: Iterable[str]) -> None:
    """Raises Astray for a real path in a folder that is shut."""
    if any(_rest(one, place) is not None for one in shut):
        raise _in_store(place)


def _in_store(path: str) -> Astray:
    return Astray(errno.EXDEV, "it leads into the manager's own store", path)


def _parted(path: str, within: Sequence[str]) -> Tuple[str, List[str]]:
    """Which of `within` holds it, and the way from there, links resolved. Raises Astray."""
    real = os.path.realpath(path)
    _judge(real, closed(within))
    for base in within:
        rest = _rest(base, real)
        if rest is not None:
            return base, _parts(rest)
    raise Astray(errno.EXDEV, "it leads out of the folders in which it may run", path)


def _entered(path: str, within: Sequence[str], marks: Marks) -> int:
    if len(within) == len(closed(within)):
        return os.open(path, _ENTER)
    base, parts = _parted(path, within)
    top = os.open(base, _ENTER)
    try:
        below = _below(top, parts, marks=marks)
    except OSError:
        os.close(top)
        raise
    if below != top:
        os.close(top)
    return below


def _below(top: int, parts: Sequence[str], make: bool = False, marks: Marks = frozenset()) -> int:
    """The folder there, open; `top` itself where there are no parts. No link is followed, and no
    folder entered that has one of the `marks`.
    """
    at = top
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=at)
            below = os.open(part, _STRICT, dir_fd=at)
            if at != top:
                os.close(at)
            at = below
            if marks:
                found = os.fstat(at)
                if (found.st_dev, found.st_ino) in marks:
                    raise _in_store(part)
    except OSError:
        if at != top:
            os.close(at)
        raise
    return at
