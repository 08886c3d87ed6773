"""The write-ahead log's space: taken before it is used, and used again."""

import shutil
import threading
from pathlib import Path

import pytest

from solveyard.model.jobs import Counter, Job, JobId, JobSpec, JobState
from solveyard.store import logroom
from solveyard.store.sqlite import SqliteStore


def a_job(number: int, note: str = "") -> Job:
    return Job(
        id=JobId(number), spec=JobSpec(solver="command", note=note), owner="ann", submitted_at=0.0,
        arrival=number, priority=0, state=JobState.QUEUED,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logroom, "ROOM", 2_500_000)


def length(folder: Path) -> int:
    return (folder / "store.db-wal").stat().st_size


def make_room(store: SqliteStore) -> None:
    while store.make_room():
        pass


def test_the_log_is_as_long_as_it_shall_be_and_stays_so(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    make_room(store)
    assert length(tmp_path) == logroom.ROOM
    for number in range(1, 200):
        store.commit([], [a_job(number), Counter(next=number + 1)])
        if number % 20 == 0:
            store.checkpoint()
    assert length(tmp_path) == logroom.ROOM
    assert not store.make_room()
    store.close()


def test_what_is_behind_its_end_is_no_part_of_it(tmp_path: Path) -> None:
    """As another process finds it after the manager was killed, before and after more commits."""
    store = SqliteStore.open(tmp_path)
    store.commit([], [a_job(1)])
    make_room(store)
    for last in (1, 2):
        if last == 2:
            store.commit([], [a_job(2)])
        copy = tmp_path / f"copy{last}"
        copy.mkdir()
        for name in ("store.db", "store.db-wal"):
            shutil.copy(tmp_path / name, copy / name)
        found = SqliteStore.open(copy)
        assert [job.id for job in found.load().jobs] == list(range(1, last + 1))
        found.commit([], [a_job(3)])
        found.close()
    store.close()


def test_a_disk_with_little_room_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore.open(tmp_path)
    store.commit([], [a_job(1)])
    before = length(tmp_path)
    monkeypatch.setattr(logroom, "_SCARCE", shutil.disk_usage(tmp_path).total + 1)
    assert not store.make_room()
    assert length(tmp_path) == before
    store.close()


def test_a_disk_that_fills_gets_back_what_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore.open(tmp_path)
    store.commit([], [a_job(1)])
    before = length(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logroom.os, "fsync", full)
    assert not store.make_room()
    assert length(tmp_path) == before
    monkeypatch.undo()
    store.commit([], [a_job(2)])
    assert len(store.load().jobs) == 2
    store.close()


def test_the_log_begins_anew_while_commits_go_on(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    over = threading.Event()
    committed = 0

    def commit() -> None:
        nonlocal committed
        while not over.is_set():
            committed += 1
            store.commit([], [a_job(committed, note="x" * 4000)])

    thread = threading.Thread(target=commit)
    thread.start()
    lengths: list[int] = []
    while len(lengths) < 30 or committed < 1000:
        store.checkpoint()
        lengths.append(length(tmp_path))
    over.set()
    thread.join()
    assert max(lengths) < committed * 4000 / 2
    assert len(store.load().jobs) == committed
    store.close()
