"""The system's and SQLite's errors in our words: what is wrong, with what, and the way out."""

import errno
import os
import sqlite3
import tempfile
from pathlib import Path

from solveyard.model.errors import Conflict, SolveyardError, StoreFull, StoreLocked, StoreUnusable

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})  #: on a disk, or of a share of it
_PROBE = 128 * 1024  #: bytes


def full(folder: Path) -> StoreFull:
    return StoreFull(
        f"the store's disk is full: free some space on {folder} (a manager that runs goes on by"
        " itself then)"
    )


def from_os(error: OSError, folder: Path) -> StoreFull | StoreUnusable:
    """What a failed system call on the store's folder means."""
    if error.errno in NO_SPACE:
        return full(folder)
    return StoreUnusable(
        f"cannot use the store in {folder}: {error.strerror or error} "
        "(check the folder's owner and permissions, or set SOLVEYARD_HOME to another)"
    )


def from_sqlite(error: sqlite3.Error, path: Path) -> SolveyardError:
    """What an error of SQLite on the database `path` means."""
    folder = path.parent
    code = error.sqlite_errorcode & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and no_space(folder)):
        return full(folder)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}:
        return StoreLocked(
            f"another process keeps {path} locked (end it, or connect to the manager that runs)"
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return damaged(path, str(error))
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return StoreUnusable(
            f"cannot write {path}: {error} "
            "(check the permissions of the file and its folder, and that the disk is writable)"
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return Conflict(f"the records contradict what {path} holds: {error}")
    return StoreUnusable(f"cannot read or write {path}: {error} (check the disk it is on)")


def damaged(path: Path, what: str) -> StoreUnusable:
    return StoreUnusable(
        f"{path} is damaged: {what} (put a backup in its place, or move it away to begin anew; "
        "nothing was changed)"
    )


def no_space(folder: Path) -> bool:
    """Whether the disk is full or the quota reached: SQLite calls some of that an I/O error."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            written = probe.write(bytes(_PROBE))
            os.fsync(probe.fileno())
    except OSError as error:
        return error.errno in NO_SPACE
    return written < _PROBE
