"""What is a job's alone on this machine, its output and its own folder, and how that is deleted.

Only the exact places that the store gives to jobs are looked at, and no link is followed: where
`jobs`, `output` or what is in them is a link, it stays. All of it blocks.
"""

import contextlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from solveyard.manager.claims import NOTHING, Claims, Named
from solveyard.model.jobs import JobId
from solveyard.places import StorePlaces
from solveyard.store import failures
from solveyard.store.database import sync_folder


class Belongings:
    """Of the jobs and arrays of one store.

    A job whose files are to go is marked by a file of its number before its record goes: so a
    deletion that was interrupted is found again.
    """

    def __init__(self, places: StorePlaces) -> None:
        self._places = places
        self._claims = Claims(places.jobs)

    def roots(self, job: JobId, named: Named = NOTHING) -> list[Path]:
        """The files and folders of a job, of an array with all its tasks, that are there.

        What holds one of the folders that users named is theirs. Raises OSError: one of the places
        can't be looked at, so it isn't known.
        """
        found = []
        own = self._places.job_folder(job)
        there = _surely_folder(own.parent) and _surely_folder(own)
        if there and not self._claims.on(own.name, named):
            found.append(own)
        shard = self._places.output_shard(job)
        if _surely_folder(shard.parent) and _surely_folder(shard):
            output = re.compile(
                rf"{job}\.(\d+\.(out|err|sh|log|alive|sent|record(\.(\d+|new))?)|tasks)"
            )
            for entry in sorted(os.scandir(shard), key=lambda entry: entry.name):
                match = output.fullmatch(entry.name)
                if match and entry.is_dir(follow_symlinks=False) == (match[1] == "tasks"):
                    found.append(Path(entry.path))
        return found

    def pieces(self, job: JobId, named: Named = NOTHING) -> Iterator[Path]:
        """The same in smaller parts, in an order in which they can be deleted."""
        for root in self.roots(job, named):
            yield from _folders_in(root)
            yield root

    def size(self, job: JobId) -> int:
        """Bytes that all its files take: nothing for holes, and once for all names of one."""
        seen: set[tuple[int, int]] = set()
        return sum(_size(root, seen) for root in self.roots(job))

    def claimed(self, jobs: Iterable[JobId], named: Named) -> JobId | None:
        """The first of `jobs` whose own folder is, or holds, one of `named`; None: none's.

        Raises OSError: one of `named` can't be looked at.
        """
        folders = ((job, self._places.job_folder(job)) for job in jobs)
        return next((job for job, own in folders if self._claims.on(own.name, named)), None)

    def doubt(self, named: Named) -> None:
        """Where they are may have changed just now: links may. It looks at nothing yet."""
        self._claims.doubt(named)

    def mark(self, job: JobId) -> None:
        """On disk when it returns. Raises StoreError."""
        folder = self._places.removing
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / str(job)).touch(mode=0o600)
            sync_folder(folder)
        except OSError as error:
            raise failures.from_os(error, self._places.folder) from error

    def unmark(self, job: JobId) -> None:
        (self._places.removing / str(job)).unlink(missing_ok=True)

    def marked(self) -> list[JobId]:
        """The jobs that are marked, by number. Raises StoreError."""
        try:
            if not _surely_folder(self._places.removing):
                return []
            names = [entry.name for entry in os.scandir(self._places.removing)]
        except OSError as error:
            raise failures.from_os(error, self._places.removing) from error
        return [JobId(number) for number in sorted(int(n) for n in names if _NUMBER.fullmatch(n))]


_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def delete(pieces: Iterable[Path]) -> None:
    """What is gone already is no error; what can't be deleted stays, and `roots` tells it.

    Folders of our own that may not be read or written are opened first.
    """
    for piece in pieces:
        if _folder(piece):
            shutil.rmtree(piece, ignore_errors=True)
            if _folder(piece):
                _open(piece)
                shutil.rmtree(piece, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                piece.unlink()


def _open(folder: Path) -> None:
    """Have its owner, where that is us, read and write it and all folders below."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(OSError):  # another's
            mode = stat.S_IMODE(place.lstat().st_mode)
            if mode & stat.S_IRWXU != stat.S_IRWXU:
                place.chmod(mode | stat.S_IRWXU)
        waiting += _folders_in(place)


def _folders_in(place: Path) -> list[Path]:
    """None where it isn't a folder, or can't be looked at."""
    if not _folder(place):
        return []
    try:
        return [Path(one.path) for one in os.scandir(place) if _is_folder(one)]
    except OSError:
        return []


def _surely_folder(path: Path) -> bool:
    """Is it a folder itself, no link to one? Raises OSError: that can't be told."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _folder(path: Path) -> bool:
    """The same; what can't be told is none."""
    try:
        return _surely_folder(path)
    except OSError:
        return False


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    return entry.is_dir(follow_symlinks=False)


def _size(path: Path, seen: set[tuple[int, int]]) -> int:
    """`seen`: the files of several names that were counted by now."""
    total = 0
    waiting = [path]
    while waiting:
        place = waiting.pop()
        try:
            found = place.lstat()
            if stat.S_ISDIR(found.st_mode):
                waiting += [Path(entry.path) for entry in os.scandir(place)]
            elif stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
                if found.st_nlink > 1:
                    seen.add((found.st_dev, found.st_ino))
                total += _takes(found)
        except OSError:  # gone meanwhile, or not ours to look at
            continue
    return total


def _takes(file: os.stat_result) -> int:
    """Bytes. Its last block may not be full."""
    if sys.platform == "win32":  # which tells of no blocks
        return file.st_size
    return min(file.st_size, 512 * file.st_blocks)
