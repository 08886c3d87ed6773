"""Whose a store is."""

import os
from pathlib import Path

import pytest

from solveyard.model.errors import StoreUnusable
from solveyard.store import database, ownership

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there a file's owner is no account")
ANOTHER = os.getuid() + 4242 if os.name != "nt" else 0


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / database.FILE).touch()
    return tmp_path


def test_a_store_is_its_own_accounts(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ownership.judge(store)
    ownership.judge(tmp_path / "none")
    monkeypatch.setattr(os, "geteuid", lambda: ANOTHER)
    monkeypatch.setattr(ownership, "_of_what_we_write", lambda folder: ANOTHER)
    with pytest.raises(StoreUnusable, match=r"belongs to the account .*sudo -u .* solveyard"):
        ownership.judge(store)


def test_where_all_files_are_one_accounts_so_is_the_store(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ANOTHER)
    ownership.judge(store)
    assert [one.name for one in store.iterdir()] == [database.FILE]
