"""Copy a folder of somebody who may exchange what is in it meanwhile: files and links, no more."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

_PIECE = 1 << 20  #: bytes
_PLAIN = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_PLAIN |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a FIFO's end never comes


class Unusable(Exception):
    """It can't be copied: one sentence."""


def copy_folder(source: Path, target: Path) -> None:
    """Links stay links. The owner may write the copy, where the original may only be read.

    Raises Unusable for what is neither file, folder nor link, and for links that lead out of it.
    """
    if source.is_symlink():
        raise Unusable(f"{str(source)!r} is a link (put there what it points at)")
    for folder, names, at in _walk(source):
        here = target / os.path.relpath(folder, source)
        here.mkdir()
        for name in names:
            place = os.path.join(folder, name) if at is None else name  # noqa: PTH118
            found = os.stat(place, dir_fd=at, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                (here / name).symlink_to(_aim(os.readlink(place, dir_fd=at), folder, source))
            elif stat.S_ISREG(found.st_mode):
                found = copy_file(place, here / name, at)
                (here / name).chmod(found.st_mode & 0o777 | stat.S_IRUSR | stat.S_IWUSR)
                os.utime(here / name, ns=(found.st_atime_ns, found.st_mtime_ns))
            elif not stat.S_ISDIR(found.st_mode):
                raise Unusable(f"{name!r} in {source} is neither a file nor a folder")
    keep_inside(target)


def copy_file(place: str, target: Path, at: int | None = None) -> os.stat_result:
    """The bytes of a file, and what it was; `at`: the folder that `place` is in, else a path.

    Raises Unusable for what is none, OSError for a link.
    """
    with os.fdopen(os.open(place, _PLAIN, dir_fd=at), "rb") as original:
        found = os.fstat(original.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise Unusable(f"{place!r} is no file")
        with target.open("xb") as copy:
            shutil.copyfileobj(original, copy, _PIECE)
    return found


def keep_inside(folder: Path) -> None:
    """Raises Unusable for a link that leads out of a folder, which nobody else may write."""
    real = os.path.realpath(folder)
    for place in folder.rglob("*"):
        if place.is_symlink() and not Path(os.path.realpath(place)).is_relative_to(real):
            raise Unusable(f"the link {str(place)!r} leads out of it (put there what it points at)")


def _walk(top: Path) -> Iterator[tuple[str, list[str], int | None]]:
    """Each folder, the names in it and, where paths may lead elsewhere meanwhile, it itself."""
    if sys.platform == "win32":
        for folder, folders, files in os.walk(top, onerror=_refuse):
            yield folder, folders + files, None
    else:
        for folder, folders, files, at in os.fwalk(str(top), onerror=_refuse):
            yield folder, folders + files, at


def _refuse(error: OSError) -> NoReturn:
    raise error


def _aim(aim: str, folder: str, top: Path) -> str:
    """Where a link in `folder` leads: in the copy itself, not in what it is a copy of."""
    if Path(aim).is_absolute() and Path(aim).is_relative_to(top):
        return os.path.relpath(aim, folder)
    return aim
