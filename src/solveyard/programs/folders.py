"""Copy a folder of somebody who may exchange what is in it meanwhile: files and links, no more."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

_PIECE = 1 << 20  #: bytes
_PLAIN = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_PLAIN |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a FIFO's end never comes


class Unusable(Exception):
    """It can't be copied: one sentence."""


def copy_folder(source: Path, target: Path, place: str = "", at: int | None = None) -> None:
    """Links stay links. The owner may write the copy, where the original may only be read.

    `place`: where `source` is by now, a name in the open folder `at`, or a path; none: `source`.

    Raises Unusable for what is neither file, folder nor link, and for links that lead out of it.
    """
    place = place or str(source)
    if stat.S_ISLNK(os.stat(place, dir_fd=at, follow_symlinks=False).st_mode):
        raise Unusable(f"{str(source)!r} is a link (put there what it points at)")
    for folder, names, within in _walk(place, at):
        below = os.path.relpath(folder, place)
        here = target / below
        here.mkdir()
        for name in names:
            entry, found = _look(folder, name, within)
            if stat.S_ISLNK(found.st_mode):
                (here / name).symlink_to(_aim(os.readlink(entry, dir_fd=within), below, source))
            elif stat.S_ISREG(found.st_mode):
                found = copy_file(entry, here / name, within)
                (here / name).chmod(found.st_mode & 0o777 | stat.S_IRUSR | stat.S_IWUSR)
                os.utime(here / name, ns=(found.st_atime_ns, found.st_mtime_ns))
            elif not stat.S_ISDIR(found.st_mode):
                raise Unusable(f"{name!r} in {source / below} is neither a file nor a folder")
    keep_inside(target)


def copy_file(place: str, target: Path, at: int | None = None) -> os.stat_result:
    """The bytes of a file, and what it was; `at`: the folder that `place` is in, else a path.

    Raises Unusable for what is none, OSError for a link.
    """
    with open_file(place, at) as original:
        with target.open("xb") as copy:
            shutil.copyfileobj(original, copy, _PIECE)
        return os.fstat(original.fileno())


def open_file(place: str, at: int | None = None) -> BinaryIO:
    """To read a regular file, and nothing else. Raises as `copy_file` does."""
    file = os.open(place, _PLAIN, dir_fd=at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Unusable(f"{place!r} is no file")
    return os.fdopen(file, "rb")


def held(place: str, at: int | None = None) -> int:
    """Bytes of what is in a folder."""
    return sum(
        _look(folder, name, within)[1].st_size
        for folder, names, within in _walk(place, at)
        for name in names
    )


def keep_inside(folder: Path) -> None:
    """Raises Unusable for a link that leads out of a folder, which nobody else may write."""
    real = os.path.realpath(folder)
    for place in folder.rglob("*"):
        if place.is_symlink() and not Path(os.path.realpath(place)).is_relative_to(real):
            raise Unusable(f"the link {str(place)!r} leads out of it (put there what it points at)")


def _walk(top: str, at: int | None) -> Iterator[tuple[str, list[str], int | None]]:
    """Each folder, the names in it and, where paths may lead elsewhere meanwhile, it itself."""
    if sys.platform == "win32":
        for folder, folders, files in os.walk(top, onerror=_refuse):
            yield folder, folders + files, None
    else:
        for folder, folders, files, within in os.fwalk(top, onerror=_refuse, dir_fd=at):
            yield folder, folders + files, within


def _look(folder: str, name: str, within: int | None) -> tuple[str, os.stat_result]:
    """How something in a folder is reached, `within` that or by its path, and what it is."""
    entry = os.path.join(folder, name) if within is None else name  # noqa: PTH118
    return entry, os.stat(entry, dir_fd=within, follow_symlinks=False)


def _refuse(error: OSError) -> NoReturn:
    raise error


def _aim(aim: str, below: str, top: Path) -> str:
    """Where a link in the folder `below` leads: in the copy itself, not in what it is a copy of."""
    for way in (os.path.abspath(top), os.path.realpath(top)):  # noqa: PTH100
        if Path(aim).is_absolute() and Path(aim).is_relative_to(way):
            return os.path.relpath(aim, os.path.join(way, below))  # noqa: PTH118
    return aim
