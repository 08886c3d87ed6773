"""What errors of the system and of SQLite are called, and what they tell people to do."""

import errno
import sqlite3
from pathlib import Path

import pytest

from solveyard.model.errors import Conflict, SolveyardError, StoreFull, StoreLocked, StoreUnusable
from solveyard.store import failures

DATABASE = Path("/stores/one/store.db")


def an_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_BUSY, StoreLocked),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreLocked),
        (sqlite3.SQLITE_LOCKED, StoreLocked),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreUnusable),
        (sqlite3.SQLITE_CANTOPEN, StoreUnusable),
        (sqlite3.SQLITE_CORRUPT, StoreUnusable),
        (sqlite3.SQLITE_NOTADB, StoreUnusable),
        (sqlite3.SQLITE_IOERR_READ, StoreUnusable),
        (sqlite3.SQLITE_ERROR, StoreUnusable),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Conflict),
    ],
)
def test_every_code_of_sqlite_is_one_of_our_errors_and_names_the_store(
    code: int, kind: type[SolveyardError]
) -> None:
    found = failures.from_sqlite(an_error(code), DATABASE)
    assert type(found) is kind
    assert str(DATABASE.parent) in str(found)
    assert "\n" not in str(found)


def test_an_input_output_error_on_a_full_disk_is_a_full_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures, "no_space", lambda folder: folder == DATABASE.parent)
    found = failures.from_sqlite(an_error(sqlite3.SQLITE_IOERR_WRITE), DATABASE)
    assert type(found) is StoreFull


def test_there_is_space_where_a_small_file_can_be_written(tmp_path: Path) -> None:
    assert not failures.no_space(tmp_path)
    assert not failures.no_space(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EACCES, StoreUnusable),
        (errno.EROFS, StoreUnusable),
    ],
)
def test_the_system_s_errors_name_the_folder(number: int, kind: type[SolveyardError]) -> None:
    found = failures.from_os(OSError(number, "the system's words"), Path("/stores/one"))
    assert type(found) is kind
    assert "/stores/one" in str(found)
