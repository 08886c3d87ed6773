"""What SQLite's store promises beside what every store does."""

import gc
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect
from msgspec.structs import replace

from solveyard.model.errors import StoreUnusable
from solveyard.model.jobs import Counter, Job, JobId, JobSpec, JobState, Limits, Removed
from solveyard.model.messages import AnyEvent, MachineLeft
from solveyard.model.notices import Notice
from solveyard.model.shares import Spent
from solveyard.store import database, queries
from solveyard.store.base import Filter
from solveyard.store.sqlite import SqliteStore

FIELDS = Path(__file__).parents[2] / "golden" / "store"


def a_job(number: int, state: JobState = JobState.QUEUED, note: str = "") -> Job:
    return Job(
        id=JobId(number),
        spec=JobSpec(solver="command", note=note),
        owner="ann",
        submitted_at=0.0,
        arrival=number,
        priority=0,
        state=state,
    )


def test_folder_and_files_are_the_owner_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "store"
    store = SqliteStore.open(folder)
    store.commit([], [a_job(1)])
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    store.close()


def test_a_closed_store_is_one_file_that_opens_again_as_the_same(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    store.commit([MachineLeft(at=2.0, machine="m")], [a_job(1)])
    uuid, state = store.uuid, store.load()
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == [database.FILE]
    for read_only in (True, False):
        again = SqliteStore.open(tmp_path, read_only=read_only)
        assert (again.uuid, again.load()) == (uuid, state)
        again.close()
        assert [path.name for path in tmp_path.iterdir()] == [database.FILE]


def test_everything_is_synced_before_a_commit_returns_and_nothing_checkpointed(
    tmp_path: Path,
) -> None:
    store = SqliteStore.open(tmp_path)
    settings = {
        name: store._writer._sqlite.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "wal_autocheckpoint")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 3, "wal_autocheckpoint": 0}
    store.close()


def test_a_reader_sees_what_the_manager_commits_meanwhile(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    reader = SqliteStore.open(tmp_path, read_only=True)
    store.commit([], [a_job(1)])
    assert reader.load().jobs == [a_job(1)]
    store.checkpoint()
    store.commit([], [a_job(2)])
    assert reader.counts() == {JobState.QUEUED: 2}
    store.close()
    assert reader.counts() == {JobState.QUEUED: 2}
    reader.close()


def test_a_read_does_not_wait_for_a_commit_under_way(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    store.commit([], [a_job(1)])
    with store._writer.transaction("IMMEDIATE") as sqlite:
        sqlite.execute("DELETE FROM job")
        assert store.job(JobId(1)) == a_job(1)
        assert store.page(Filter()).total == 1
    assert store.counts() == {}
    store.close()


class Refusing:
    """A connection that has no room left, so many times, to undo what was begun."""

    def __init__(self, sqlite: sqlite3.Connection, times: int) -> None:
        self.sqlite = sqlite
        self.times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sqlite, name)

    def execute(self, text: str, *given: Any) -> sqlite3.Cursor:
        if text == "ROLLBACK" and self.times:
            self.times -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return self.sqlite.execute(text, *given)


@pytest.mark.parametrize("refused", [0, 1])
def test_what_failed_is_undone_even_where_that_had_no_room_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    store = SqliteStore.open(tmp_path)
    refusing = Refusing(store._writer._sqlite, refused)
    monkeypatch.setattr(store._writer, "_sqlite", refusing)
    with pytest.raises(RuntimeError), store._writer.transaction("IMMEDIATE") as sqlite:
        sqlite.execute("INSERT INTO meta VALUES ('half', '1')")
        raise RuntimeError
    store.commit([], [a_job(1)])
    assert store.load().jobs == [a_job(1)]
    store.close()
    sqlite = sqlite3.connect(tmp_path / database.FILE)
    assert sqlite.execute("SELECT * FROM meta WHERE key = 'half'").fetchall() == []
    sqlite.close()


def test_a_change_of_state_does_not_write_the_spec_again(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    large = "x" * 1_000_000
    store.commit([], [a_job(1, note=large)])
    log = tmp_path / "store.db-wal"
    before = log.stat().st_size
    for state in (JobState.SUBMITTED, JobState.RUNNING, JobState.COMPLETED):
        store.commit([], [a_job(1, state, note=large)])
    assert log.stat().st_size - before < 100_000
    assert store.load().jobs == [a_job(1, JobState.COMPLETED, note=large)]
    store.close()


def test_a_removed_job_s_spec_takes_no_room(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    store.commit([], [a_job(1), a_job(2)])
    store.commit([], [Removed(id=JobId(1))])
    store.close()
    sqlite = sqlite3.connect(tmp_path / database.FILE)
    assert sqlite.execute("SELECT job FROM spec").fetchall() == [(2,)]
    sqlite.close()


@pytest.mark.parametrize("collecting", [True, False])
def test_loading_leaves_the_garbage_collector_as_it_was(tmp_path: Path, collecting: bool) -> None:
    store = SqliteStore.open(tmp_path)
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        store.load()
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()
    store.close()


def test_the_events_of_a_job_are_found_by_its_index(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    with store._reader.using() as sqlite:
        plan = sqlite.execute(
            f"EXPLAIN QUERY PLAN {queries.EVENTS_OF_JOB}", {"job": 1, "after": 0, "limit": 1}
        ).fetchall()
    assert "event_job" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
    store.close()


def test_a_checkpoint_lets_the_log_begin_anew(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    log = tmp_path / "store.db-wal"
    sizes = []
    for number in range(1, 30):
        store.commit([], [a_job(number, note="x" * 10_000)])
        store.checkpoint()
        sizes.append(log.stat().st_size)
    assert max(sizes) < 5 * sizes[0]
    store.close()


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (Filter(states=frozenset({JobState.RUNNING})), "job_whole"),
        (Filter(name="dipole"), "job_name"),
    ],
)
def test_pages_use_the_indexes(tmp_path: Path, which: Filter, index: str) -> None:
    store = SqliteStore.open(tmp_path)
    traced: list[str] = []
    store._reader._sqlite.set_trace_callback(traced.append)
    store.page(which)
    store._reader._sqlite.set_trace_callback(None)
    selects = [query for query in traced if query.startswith("SELECT")]
    plans = [
        str(store._reader._sqlite.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
        for query in selects
    ]
    assert len(plans) == 2
    assert all(index in plan for plan in plans)
    store.close()


def test_a_migration_that_fails_is_undone_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore.open(tmp_path)
    store.commit([], [a_job(1)])
    store.close()
    known = database._migrations()
    second = tmp_path / "9999_more.sql"
    monkeypatch.setattr(database, "_migrations", lambda: [*known, second])
    second.write_text("CREATE TABLE more (x); DELETE FROM job; INSERT INTO nowhere VALUES (1);")
    with pytest.raises(Exception, match="nowhere"):
        SqliteStore.open(tmp_path)
    second.write_text("CREATE TABLE more (x);")
    store = SqliteStore.open(tmp_path)
    assert store.load().jobs == [a_job(1)]
    store.close()
    sqlite = sqlite3.connect(tmp_path / database.FILE)
    assert sqlite.execute("PRAGMA user_version").fetchone() == (len(known) + 1,)
    assert sqlite.execute("SELECT count(*) FROM more").fetchone() == (0,)
    sqlite.close()


def _structs(kind: Any, seen: dict[str, str]) -> None:
    """Note each struct and enumeration that `kind` is made of, with what it has."""
    if isinstance(kind, inspect.StructType) and kind.cls.__name__ not in seen:
        fields = [field.encode_name for field in kind.fields]
        seen[kind.cls.__name__] = " ".join([*([f"[{kind.tag}]"] if kind.tag else []), *fields])
    elif isinstance(kind, inspect.EnumType):
        seen[kind.cls.__name__] = " ".join(sorted(one.value for one in kind.cls))
        return
    elif isinstance(kind, inspect.StructType):
        return
    for name in kind.__struct_fields__ if isinstance(kind, msgspec.Struct) else ():
        value = getattr(kind, name)
        for part in value if isinstance(value, tuple) else (value,):
            _structs(part.type if isinstance(part, inspect.Field) else part, seen)


def test_whoever_adds_a_stored_field_raises_the_version() -> None:
    """An earlier program would read the record without the field, and write it back without."""
    seen: dict[str, str] = {}
    for stored in (Job, AnyEvent, Limits, Counter, Spent, Notice):
        _structs(inspect.type_info(stored), seen)
    told = "".join(f"{name}: {fields}\n" for name, fields in sorted(seen.items()))
    version = len(database._migrations())
    recorded = FIELDS / f"fields-{version}.txt"
    assert recorded.exists(), f"record what version {version} stores: {recorded}\n{told}"
    assert told == recorded.read_text(), (
        f"what is stored is another than version {version} says: add a migration, of a comment"
        " alone where no table changes, and record its fields in a file of its own"
    )


def test_a_store_of_version_4_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = database._migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr(database, "_migrations", lambda: known[:4])
        store = SqliteStore.open(tmp_path)
        store.commit([], [a_job(1)])
        store.close()
    store = SqliteStore.open(tmp_path)
    assert store.load().jobs == [a_job(1)]
    store.close()
    with monkeypatch.context() as earlier, pytest.raises(StoreUnusable, match="upgrade solveyard"):
        earlier.setattr(database, "_migrations", lambda: known[:4])
        SqliteStore.open(tmp_path)


def test_a_job_s_body_on_disk_is_all_of_it_but_the_spec(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    store.commit([], [a_job(1, JobState.RUNNING)])
    store.close()
    sqlite = sqlite3.connect(tmp_path / database.FILE)
    ((body, spec),) = sqlite.execute("SELECT job.body, spec.body FROM job JOIN spec").fetchall()
    sqlite.close()
    assert msgspec.json.decode(body) == {
        "id": 1,
        "owner": "ann",
        "submitted_at": 0.0,
        "arrival": 1,
        "priority": 0,
        "state": "running",
    }
    assert msgspec.json.decode(spec) == {"solver": "command"}


def test_a_specification_that_is_on_disk_is_written_again_only_where_it_is_another(
    tmp_path: Path,
) -> None:
    """Also of a job that was removed, and of one that has got its first one back."""
    store = SqliteStore.open(tmp_path)
    first = a_job(1)
    other = replace(first, spec=replace(first.spec, note="x"))
    steps = [first, replace(first, priority=3), other, first, Removed(id=first.id), first, other]
    for step in steps:
        store.commit([], [step])
        again = SqliteStore.open(tmp_path, read_only=True)
        assert again.job(JobId(1)) == (None if isinstance(step, Removed) else step)
        again.close()
    (read,) = store.jobs([JobId(1)])
    store.commit([], [replace(read, priority=4)])
    assert store.job(JobId(1)) == replace(other, priority=4)
    store.close()
