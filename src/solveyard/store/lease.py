"""One manager for each store: who comes second learns who came first."""

import errno
import hashlib
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from solveyard import forks
from solveyard.model.errors import StoreLocked, StoreUnusable
from solveyard.store.database import sync_folder
from solveyard.store.failures import from_os
from solveyard.store.holder import Holder
from solveyard.store.ownership import make_private

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FILE = "lease.json"
LOCK_FILE = "lease.lock"
KEPT_FILE = "lease.kept"  #: locked by who has the lease, all along
LOCK_WAIT = 10.0  #: s; the lock is held for a few ms, by whoever reads and writes the lease

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}  # what a lock that another has is called
_RETRY = 0.005  #: s
_NONE, _ANOTHERS = -1, -2  # in the place of a lock's descriptor


class LeaseTaken(StoreLocked):
    """A manager has the store: `holder`."""

    def __init__(self, holder: Holder, folder: Path) -> None:
        self.holder = holder
        who = f"process {holder.pid} on {holder.host} has the store in {folder}"
        if holder.here:
            way_out = "connect to it, or stop it"
        else:
            way_out = f"connect to it; if that host is gone for good, remove {folder / FILE}"
        super().__init__(f"{who} ({way_out})")


class Lease:
    """This process's right to a store, written in its folder until `release`."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        """For `take`."""
        self.folder = folder
        self.process = holder
        self._kept = -1

    @classmethod
    def take(cls, folder: Path, details: Mapping[str, str] | None = None) -> Self:
        """Have the store in `folder`, made if there is none; `details` are for those who ask.

        A holder that ended on this host without releasing it is succeeded. Raises LeaseTaken;
        StoreUnusable where the folder is not ours alone; that or StoreFull when the lease can't be
        read or written.
        """
        holder = Holder.this_process(uuid.uuid4().hex, details or {})
        try:
            make_private(folder)
            with _alone(folder):
                before = _read(folder)
                if before is not None and not _gone(folder, before):
                    raise LeaseTaken(before, folder)
                _write(folder, holder, replace=before is not None)
                lease = cls(folder, holder)
                lease._kept = _keep(folder)
                if lease._kept >= 0:
                    forks.parents(lease._kept)
        except OSError as error:
            raise from_os(error, folder) from error
        return lease

    @staticmethod
    def holder(folder: Path) -> Holder | None:
        """Who has the store: a living process here, or one on another host; None: nobody."""
        holder = _read(folder)
        return None if holder is None or _gone(folder, holder) else holder

    def release(self) -> None:
        """Let others have the store. Does nothing if they do already."""
        if self._kept >= 0:
            os.close(self._kept)
            self._kept = -1
        try:
            with _alone(self.folder):
                now = _read(self.folder)
                if now is not None and now.instance == self.process.instance:
                    (self.folder / FILE).unlink()
                    sync_folder(self.folder)
        except OSError as error:
            raise from_os(error, self.folder) from error


def _gone(folder: Path, holder: Holder) -> bool:
    """Has it certainly ended? Where its number leaves doubt the lock tells that it keeps."""
    if not holder.doubtful:
        return holder.gone
    kept = _keep(folder)
    if kept >= 0:
        os.close(kept)
    return holder.gone if kept == _NONE else kept != _ANOTHERS


def _keep(folder: Path) -> int:
    """A descriptor that keeps the lock until it is closed, or _ANOTHERS, or _NONE."""
    try:
        descriptor = os.open(folder / KEPT_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return _NONE
    try:
        found = descriptor if _try_lock(descriptor) else _ANOTHERS
    except OSError:  # this file system refuses locks
        found = _NONE
    if found != descriptor:
        os.close(descriptor)
    return found


def _read(folder: Path) -> Holder | None:
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os(error, folder) from error
    except msgspec.DecodeError as error:
        raise StoreUnusable(
            f"{path} can't be read: {error} (remove it if no manager uses this store)"
        ) from error


def _write(folder: Path, holder: Holder, *, replace: bool) -> None:
    """Put the lease in its place whole, and on disk.

    Where there was none it is linked, not renamed: of two hosts whose locks don't reach each
    other, still only one succeeds.
    """
    path = folder / FILE
    descriptor, name = tempfile.mkstemp(prefix=f"{FILE}.", dir=folder)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(holder))
            file.flush()
            os.fsync(file.fileno())
        if replace or not _link(Path(name), path):
            Path(name).replace(path)
        sync_folder(folder)
    finally:
        Path(name).unlink(missing_ok=True)


def _link(source: Path, path: Path) -> bool:
    """Whether `path` is now what `source` is; False where the file system has no links."""
    while True:
        try:
            path.hardlink_to(source)
        except FileExistsError:
            first = _read(path.parent)
            if first is not None:  # else it was released at this moment
                raise LeaseTaken(first, path.parent) from None
        except OSError:
            return False
        else:
            return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep this host's other processes out, for the moment of reading and writing the lease."""
    try:
        descriptor = _locked(folder / LOCK_FILE, folder)
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        # This file system refuses locks. A lease is succeeded only on the host of its holder, so
        # a lock on a disk of this host does as well.
        descriptor = _locked(_stand_in(folder), folder)
    try:
        yield
    finally:
        os.close(descriptor)  # that unlocks it


def _stand_in(folder: Path) -> Path:
    status = folder.stat()
    name = hashlib.sha256(f"{status.st_dev}:{status.st_ino}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"solveyard-{name}.lock"


def _locked(path: Path, folder: Path) -> int:
    """A descriptor of `path`, locked for us alone; raises StoreLocked after `LOCK_WAIT`."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        deadline = time.monotonic() + LOCK_WAIT
        while not (ours := _try_lock(descriptor)) and time.monotonic() < deadline:
            time.sleep(_RETRY)  # a lock can't be waited for with a deadline
    except BaseException:
        os.close(descriptor)
        raise
    if ours:
        return descriptor
    os.close(descriptor)
    raise StoreLocked(
        f"another process keeps {path} locked, and with it the store in {folder} "
        "(end that process: `lsof` names it)"
    )


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True
