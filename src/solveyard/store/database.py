"""The database file: opened so that it keeps our promises, and brought to our version."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from solveyard.model.errors import StoreUnusable
from solveyard.store.failures import damaged, from_os, from_sqlite
from solveyard.store.filesystems import on_network

FILE = "store.db"
LOCK_WAIT = 5.0  #: s that another process's lock on the database is waited for

_PREPARED = 256  #: statements that SQLite keeps prepared: the usual ones in all their lengths
_ROUNDS = 4  #: of moving the log into the main file, each of what came during the one before
_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID = 0x536F6C76
_MIGRATIONS = Path(__file__).with_name("migrations")


class Connection:
    """One connection to the database, used by one thread at a time, its errors in our words."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self._lock = threading.RLock()
        mode = "ro" if read_only else "rw"
        try:
            self._sqlite = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=LOCK_WAIT,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_PREPARED,
            )
        except sqlite3.Error as error:
            raise from_sqlite(error, path) from error

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """The connection, and nobody else on it.

        Raises StoreFull, StoreLocked or StoreUnusable for what SQLite or the records' decoder
        raises meanwhile; Conflict when a name would be there twice.
        """
        with self._lock:
            try:
                yield self._sqlite
            except msgspec.DecodeError as error:
                raise damaged(self.path, f"a record can't be read: {error}") from error
            except sqlite3.DatabaseError as error:
                if not hasattr(error, "sqlite_errorcode"):  # a mistake of ours: it is closed, say
                    raise
                raise from_sqlite(error, self.path) from error

    @contextmanager
    def transaction(
        self, kind: Literal["DEFERRED", "IMMEDIATE"] = "DEFERRED"
    ) -> Iterator[sqlite3.Connection]:
        """All or nothing: on disk when the block is left well, undone however else it is left."""
        with self.using() as sqlite:
            if sqlite.in_transaction:  # the last one could not even be undone, for want of space
                sqlite.execute("ROLLBACK")
            sqlite.execute(f"BEGIN {kind}")
            try:
                yield sqlite
                sqlite.execute("COMMIT")
            except BaseException:
                if sqlite.in_transaction:  # a full disk ends it by itself
                    with suppress(sqlite3.Error):  # the first error is the one to tell
                        sqlite.execute("ROLLBACK")
                raise

    def checkpoint(self) -> int:
        """Move the write-ahead log into the main file; how many of its pages are left there."""
        with self.using() as sqlite:
            _, written, moved = sqlite.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        left: int = written - moved
        return left

    def settle(self) -> None:
        """Before the last close: fold the write-ahead log in, and leave one plain file behind.

        Reading that makes no files beside it. While somebody else reads, or the disk is full,
        the log stays where it is: no harm.
        """
        with suppress(sqlite3.Error), self._lock:
            self._sqlite.execute("PRAGMA journal_mode = DELETE").fetchone()

    def close(self) -> None:
        with self._lock:
            self._sqlite.close()


def open_writer(folder: Path) -> tuple[Connection, bool]:
    """The connection that writes, and whether others may read meanwhile.

    Makes folder and database where there are none. Others may not read on a network file system:
    SQLite's write-ahead log needs memory that all its readers share.

    Raises StoreUnusable, having changed nothing, for a file that isn't a store, or a newer one.
    """
    path = folder / FILE
    try:
        _create(path)
    except OSError as error:
        raise from_os(error, folder) from error
    _look(path)
    shared = not on_network(folder)
    connection = Connection(path, read_only=False)
    try:
        with connection.using() as sqlite:
            _promise(sqlite, shared=shared)
            _migrate(sqlite, path)
            sqlite.execute(f"PRAGMA journal_mode = {'WAL' if shared else 'DELETE'}").fetchone()
            _version(sqlite)  # the first read opens the log; only who opened it can remove it
    except BaseException:
        connection.close()
        raise
    return connection, shared


def open_reader(folder: Path) -> Connection:
    """A connection that reads, of a database that exists; creates and changes nothing."""
    path = folder / FILE
    if not path.exists():
        raise StoreUnusable(
            f"there is no store in {folder} (start a manager there, or set SOLVEYARD_HOME)"
        )
    _look(path)
    connection = Connection(path, read_only=True)
    try:
        with connection.using() as sqlite:
            _check_version(_version(sqlite), path, least=len(_migrations()))
    except BaseException:
        connection.close()
        raise
    return connection


def checkpoint(path: Path, few: int) -> bool:
    """Move the write-ahead log into the main file, as far as no reader still needs it.

    False: of what was written meanwhile more than `few` pages are left.
    """
    connection = Connection(path, read_only=False)
    try:
        with connection.using() as sqlite:
            _promise(sqlite, shared=True)
        return any(connection.checkpoint() <= few for _ in range(_ROUNDS))
    finally:
        connection.close()


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    sync_names(path)


def sync_names(path: Path) -> None:
    """Put its name, and those of the folders above it, on disk as far as this account may.

    Whoever made the folders need not have done so, and without them a loss of power takes all.
    """
    sync_folder(path.parent)
    for above in path.parent.parents:
        with suppress(OSError):
            sync_folder(above)


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on disk, where the system can (Windows does it unasked)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _look(path: Path) -> None:
    """Raise StoreUnusable unless the file's header is a store's, of a version we know.

    Read here, since SQLite may write to a database when it opens or closes it.
    Source: sqlite.org/fileformat.html, 1.3; user version at byte 60, application id at 68.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise from_os(error, path.parent) from error
    if not header.strip(b"\0"):  # nobody wrote it, or power was lost as it was made: SQLite knows
        return
    application = int.from_bytes(header[68:72], "big")
    if not header.startswith(_MAGIC) or application not in {0, _APPLICATION_ID}:
        raise StoreUnusable(
            f"{path} is not a solveyard store (move it away, or set SOLVEYARD_HOME to another "
            "folder; nothing was changed)"
        )
    _check_version(int.from_bytes(header[60:64], "big"), path)


def _check_version(version: int, path: Path, least: int = 0) -> None:
    known = len(_migrations())
    if version < least:
        raise StoreUnusable(
            f"{path} is of version {version}, and reading takes {least} or later "
            "(start a manager there once: it brings the store up to date)"
        )
    if version > known:
        raise StoreUnusable(
            f"{path} was written by a newer solveyard: its version is {version}, this one knows "
            f"{known} (upgrade solveyard; nothing was changed)"
        )


def _version(sqlite: sqlite3.Connection) -> int:
    version: int = sqlite.execute("PRAGMA user_version").fetchone()[0]
    return version


def _promise(sqlite: sqlite3.Connection, *, shared: bool) -> None:
    # EXTRA is FULL, and puts the end of a rollback journal on disk as well
    sqlite.execute("PRAGMA synchronous = EXTRA")
    sqlite.execute("PRAGMA wal_autocheckpoint = 0").fetchone()
    if not shared:
        sqlite.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        sqlite.execute("BEGIN EXCLUSIVE")  # takes the lock, and from now on keeps it
        sqlite.execute("COMMIT")


def _migrations() -> list[Path]:
    return sorted(_MIGRATIONS.glob("[0-9]*.sql"))


def _migrate(sqlite: sqlite3.Connection, path: Path) -> None:
    """Bring the database to our version, each step in a transaction of its own."""
    version = _version(sqlite)
    _check_version(version, path)
    if version == 0 and sqlite.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreUnusable(f"{path} is another program's database (move it away)")
    for number, script in enumerate(_migrations()[version:], version + 1):
        try:
            sqlite.executescript(
                f"BEGIN IMMEDIATE;\n{script.read_text()}\n;PRAGMA user_version = {number};\nCOMMIT;"
            )
        except BaseException:
            if sqlite.in_transaction:
                with suppress(sqlite3.Error):
                    sqlite.execute("ROLLBACK")
            raise
