"""A store is one account's: whose it must be, and what is done where its folder is open."""

import os
import sys
from pathlib import Path

import pytest

from solveyard.model.errors import StoreUnusable
from solveyard.store import database, ownership
from solveyard.store.lease import Lease
from solveyard.store.ownership import make_private

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes tell nothing there")
ANOTHER = 4242
THEIRS = os.getuid() + 4242 if os.name != "nt" else 0


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o7777


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> dict[Path, int]:
    """Whose each path shall seem to be; else this account's."""
    told: dict[Path, int] = {}
    real = Path.stat

    def looked(self: Path, **how: bool) -> os.stat_result:
        found = real(self, **how)
        return os.stat_result([*found[:4], told.get(self, 1000), *found[5:10]])

    monkeypatch.setattr(Path, "stat", looked)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return told


def test_a_folder_is_made_for_its_account_alone(tmp_path: Path) -> None:
    make_private(tmp_path / "deep" / "store")
    assert mode(tmp_path / "deep" / "store") == 0o700


@pytest.mark.parametrize("before", [0o775, 0o777, 0o755, 0o1777])
def test_an_own_folder_that_is_open_is_shut(tmp_path: Path, before: int) -> None:
    store = tmp_path / "store"
    store.mkdir()
    store.chmod(before)
    (store / "jobs").mkdir(mode=0o755)
    Lease.take(store).release()
    assert mode(store) == before & 0o7700
    assert (store / "jobs").is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("planted", [".", "agent", "solveyard.db", "link"])
def test_what_another_account_made_is_not_taken(tmp_path: Path, planted: str) -> None:
    store = tmp_path / "store"
    (store / "agent").mkdir(parents=True)
    (store / "solveyard.db").touch()
    (store / "link").symlink_to("/etc/passwd")
    store.chmod(0o777)
    os.chown(store / planted, ANOTHER, ANOTHER, follow_symlinks=False)
    with pytest.raises(StoreUnusable, match=rf"{store / planted} belongs to .*{ANOTHER}.*--store"):
        Lease.take(store)
    assert not (store / "lease.json").exists()


def test_a_volumes_root_may_be_the_superusers_and_be_written_by_others(
    tmp_path: Path, owners: dict[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "_of_what_we_write", lambda _: None)
    owners[tmp_path], owners[tmp_path / "lost+found"] = 0, 0
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "agent").mkdir()
    tmp_path.chmod(0o2770)
    assert ownership.trouble(tmp_path) == ""
    tmp_path.chmod(0o777)
    assert ownership.trouble(tmp_path).startswith(f"everybody may write in {tmp_path}")
    monkeypatch.setattr(Path, "is_mount", lambda self: self == tmp_path)
    make_private(tmp_path)
    owners[tmp_path / "agent"] = ANOTHER
    with pytest.raises(StoreUnusable, match="agent belongs to another account"):
        make_private(tmp_path)


def test_owners_tell_nothing_where_a_mount_gives_them(
    tmp_path: Path, owners: dict[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a share of another system, where all files are of one account and mode."""
    owners[tmp_path] = ANOTHER
    tmp_path.chmod(0o777)
    assert (
        ownership.trouble(tmp_path) == f"{tmp_path} belongs to another account (number {ANOTHER})"
    )
    fresh = os.fstat

    def given(descriptor: int) -> os.stat_result:
        found = fresh(descriptor)
        return os.stat_result([*found[:4], ANOTHER, *found[5:10]])

    monkeypatch.setattr(os, "fstat", given)
    make_private(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / database.FILE).touch()
    return tmp_path


def test_a_store_is_its_own_accounts(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ownership.judge(store)
    ownership.judge(tmp_path / "none")
    monkeypatch.setattr(os, "geteuid", lambda: THEIRS)
    monkeypatch.setattr(ownership, "_of_what_we_write", lambda folder: THEIRS)
    with pytest.raises(StoreUnusable, match=r"belongs to the account .*sudo -u .* solveyard"):
        ownership.judge(store)


def test_where_all_files_are_one_accounts_so_is_the_store(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: THEIRS)
    ownership.judge(store)
    assert [one.name for one in store.iterdir()] == [database.FILE]
