"""A lock file: held by one living process at a time; the kernel frees it when that one dies."""

from __future__ import annotations

import logging
import os
import sys

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows' locks keep others from reading: lock a byte beyond the text

    def _lock(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_log = logging.getLogger(__name__)
LEFT = "left"  #: what a process that left in good order writes into its lock file


class Lock:
    """A lock file that this process tries to hold."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1
        self._noted = 0  # bytes that its text takes at least, with blanks at its end

    def take(self) -> bool:
        """False: another process has it."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(file)
        except OSError:
            os.close(file)
            return False
        self._file = file
        self._noted = os.fstat(file).st_size
        return True

    def note(self, text: str) -> None:
        """Replace the file's text, if the disk takes it; only by its holder."""
        new = text.encode()
        try:  # in its place: a file that was emptied may not get its room back
            os.lseek(self._file, 0, os.SEEK_SET)
            written = os.write(self._file, new.ljust(self._noted))
            if written < len(new):  # no number is cut
                written = max(0, new.rfind(b" ", 0, written))
                os.ftruncate(self._file, written)
            self._noted = max(written, self._noted)
        except OSError as error:
            _log.warning("cannot write into %s: %s", self.path, error)

    def release(self) -> None:
        os.close(self._file)
        self._file = -1


def free(path: str) -> bool:
    """Nobody holds the lock at `path`. Takes and releases it to find out."""
    lock = Lock(path)
    if not lock.take():
        return False
    lock.release()
    return True


def left(path: str) -> bool:
    """The last holder of the lock at `path` left in good order."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() == LEFT
    except FileNotFoundError:
        return False
