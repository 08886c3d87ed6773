"""The store under a killed writer, a full disk, a damaged file, and rivals."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from solveyard.model.errors import StoreFull, StoreLocked, StoreUnusable
from solveyard.model.jobs import Counter, Job, JobId, JobSpec, JobState
from solveyard.model.messages import AnyEvent, MachineLeft
from solveyard.store import database
from solveyard.store.sqlite import SqliteStore

NOBODY = 65534

# Commits without end: the k-th adds two events and two jobs, and sets the counter to k.
# Each line that it prints is a k whose commit has returned.
WRITER = """
import sys
from pathlib import Path
from solveyard.model.jobs import Counter, Job, JobSpec, JobState
from solveyard.model.messages import JobHeld
from solveyard.store import database
from solveyard.store.sqlite import SqliteStore

if sys.argv[2] == "network":
    database.on_network = lambda folder: True
store = SqliteStore.open(Path(sys.argv[1]))
k = store.load().counter.next - 1

def job(number):
    spec = JobSpec(solver="command", note="x" * 3000)
    return Job(id=number, spec=spec, owner="", submitted_at=0.0, arrival=number, priority=0,
               state=JobState.QUEUED)

while True:
    k += 1
    pair = (2 * k - 1, 2 * k)
    events = [JobHeld(at=float(k), job=number) for number in pair]
    store.commit(events, [*map(job, pair), Counter(next=k + 1)])
    print(k, flush=True)
    if k % 7 == 0:
        store.checkpoint()
"""


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def a_job(number: int) -> Job:
    return Job(
        id=JobId(number),
        spec=JobSpec(solver="command"),
        owner="",
        submitted_at=0.0,
        arrival=number,
        priority=0,
        state=JobState.QUEUED,
    )


def an_event(size: int = 0) -> AnyEvent:
    return MachineLeft(at=1.0, machine="m" * size)


@pytest.mark.parametrize("disk", ["local", "network"])
def test_a_killed_writer_leaves_every_acknowledged_commit_and_none_half(
    tmp_path: Path, disk: str
) -> None:
    acknowledged = 0
    for lines in (1, 5, 20, 47):
        with python(WRITER, str(tmp_path), disk) as writer:
            output = stream(writer.stdout)
            for _ in range(lines):
                output.readline()
            writer.kill()
            rest = output.read().splitlines()
        acknowledged += lines + len(rest)
        store = SqliteStore.open(tmp_path)
        state = store.load()
        numbers = [number for number, _ in store.all_events()]
        store.close()
        committed = state.counter.next - 1
        assert committed in {acknowledged, acknowledged + 1}
        assert [job.id for job in state.jobs] == list(range(1, 2 * committed + 1))
        assert numbers == list(range(1, 2 * committed + 1))
        assert state.last_at == committed
        acknowledged = committed


def test_a_killed_writer_s_store_is_read_without_changing_it(tmp_path: Path) -> None:
    with python(WRITER, str(tmp_path), "local") as writer:
        acknowledged = [stream(writer.stdout).readline() for _ in range(10)]
        writer.kill()
    files = {
        path: path.read_bytes() for path in (tmp_path / database.FILE, tmp_path / "store.db-wal")
    }
    store = SqliteStore.open(tmp_path, read_only=True)
    assert len(store.load().jobs) >= 2 * len(acknowledged)
    store.close()
    assert {path: path.read_bytes() for path in files} == files


def load(folder: Path) -> None:
    with closing(SqliteStore.open(folder)) as store:
        store.load()


def made_store(folder: Path) -> Path:
    store = SqliteStore.open(folder)
    store.commit([an_event(100) for _ in range(200)], [a_job(number) for number in range(1, 300)])
    store.close()
    return folder / database.FILE


def text_file(folder: Path) -> Path:
    path = folder / database.FILE
    path.write_text("These are my notes.\n" * 20)
    return path


def zeros(folder: Path) -> Path:
    path = folder / "store.db"
    path.write_bytes(bytes(8192))
    return path


def foreign_database(folder: Path) -> Path:
    path = folder / database.FILE
    sqlite = sqlite3.connect(path)
    sqlite.execute("CREATE TABLE birds (name)")
    sqlite.commit()
    sqlite.close()
    return path


def foreign_application(folder: Path) -> Path:
    path = foreign_database(folder)
    sqlite = sqlite3.connect(path)
    sqlite.execute("PRAGMA application_id = 77")
    sqlite.close()
    return path


def newer_store(folder: Path) -> Path:
    path = made_store(folder)
    sqlite = sqlite3.connect(path)
    sqlite.execute("PRAGMA user_version = 1000")
    sqlite.close()
    return path


def newer_store_in_use(folder: Path) -> Path:
    """A store in WAL mode, its log beside it, as a killed manager leaves it."""
    path = newer_store(folder)
    sqlite = sqlite3.connect(path)
    sqlite.execute("PRAGMA journal_mode = WAL")
    sqlite.execute("INSERT INTO meta VALUES ('more', '1')")
    sqlite.commit()
    log = path.with_name("store.db-wal").read_bytes()
    sqlite.close()
    path.with_name("store.db-wal").write_bytes(log)
    return path


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (text_file, "is not a solveyard store"),
        (zeros, "not a database"),
        (foreign_database, "another program's database|of version 0"),
        (foreign_application, "is not a solveyard store"),
        (newer_store, "newer solveyard.*upgrade"),
        (newer_store_in_use, "newer solveyard.*upgrade"),
    ],
)
def test_what_is_not_our_store_is_refused_by_name_and_not_changed_by_a_byte(
    tmp_path: Path, make: object, says: str, read_only: bool
) -> None:
    assert callable(make)
    path = make(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(StoreUnusable, match=says) as refusal:
        SqliteStore.open(tmp_path, read_only=read_only)
    assert str(path) in str(refusal.value)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_damaged_page_is_told_when_it_is_read_and_never_guessed_at(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match=r"store\.db is damaged.*backup"):
        load(tmp_path)


def test_a_cut_off_file_is_damaged_and_not_an_empty_store(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(StoreUnusable, match="damaged"):
        load(tmp_path)


def test_a_store_without_its_id_is_damaged(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    sqlite = sqlite3.connect(path)
    sqlite.execute("DELETE FROM meta WHERE key = 'uuid'")
    sqlite.commit()
    sqlite.close()
    for read_only in (False, True):
        with pytest.raises(StoreUnusable, match="damaged: its uuid"):
            SqliteStore.open(tmp_path, read_only=read_only)


def test_a_record_that_is_not_ours_is_told_with_its_path(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    sqlite = sqlite3.connect(path)
    sqlite.execute("""UPDATE job SET body = '{"id": "seven"}' WHERE id = 7""")
    sqlite.commit()
    sqlite.close()
    store = SqliteStore.open(tmp_path)
    with pytest.raises(StoreUnusable, match=r"damaged.*Expected `int`"):
        store.job(JobId(7))
    assert store.job(JobId(8)) == a_job(8)
    store.close()


def test_a_missing_store_is_not_made_by_reading(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    with pytest.raises(StoreUnusable, match=f"there is no store in {folder}"):
        SqliteStore.open(folder, read_only=True)
    assert not folder.exists()


READ_ONLY = """
import os, sys
from pathlib import Path
from solveyard.model.errors import StoreUnusable
from solveyard.store.sqlite import SqliteStore
if os.geteuid() == 0:  # the superuser may write everywhere
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    SqliteStore.open(Path(sys.argv[1]))
except StoreUnusable as error:
    print(error)
"""


@pytest.mark.parametrize("inside", ["", "below"])
def test_a_folder_that_may_not_be_written_is_named_with_the_way_out(inside: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not inside:
            made_store(folder).chmod(0o444)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        folder.chmod(0o555)
        with python(READ_ONLY, str(folder / inside)) as child:
            said = stream(child.stdout).read()
        folder.chmod(0o755)
        assert str(folder) in said
        assert "permissions" in said
        assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_another_program_s_lock_refuses_a_commit_and_later_ones_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT", 0.05)
    store = SqliteStore.open(tmp_path)
    rival = sqlite3.connect(tmp_path / database.FILE, isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked, match=r"store\.db locked"):
        store.commit([an_event()], [a_job(1)])
    assert store.load().jobs == []  # reading goes on
    rival.execute("ROLLBACK")
    rival.close()
    assert store.commit([an_event()], [a_job(1)]) == 1
    store.close()


def test_on_a_network_file_system_nobody_else_opens_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT", 0.05)
    monkeypatch.setattr(database, "on_network", lambda folder: True)
    store = SqliteStore.open(tmp_path)
    for read_only in (False, True):
        with pytest.raises(StoreLocked):
            SqliteStore.open(tmp_path, read_only=read_only)
    assert store.commit([an_event()], [a_job(1)]) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if "wal" in path.name) == []
    store.close()
    reader = SqliteStore.open(tmp_path, read_only=True)
    assert reader.load().jobs == [a_job(1)]
    reader.close()


def test_a_killed_manager_s_store_opens_on_a_network_file_system_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with python(WRITER, str(tmp_path), "local") as writer:
        stream(writer.stdout).readline()
        writer.kill()
    monkeypatch.setattr(database, "on_network", lambda folder: True)
    store = SqliteStore.open(tmp_path)
    assert len(store.load().jobs) >= 2
    store.close()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 2 MB."""
    with tempfile.TemporaryDirectory() as name:
        mounted = (
            sys.platform == "linux"
            and os.geteuid() == 0
            and subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", name],
                check=False,
                capture_output=True,
            ).returncode
            == 0
        )
        if not mounted:
            pytest.skip("NOT TESTED: the full disk, since no tmpfs can be mounted here (not root?)")
        try:
            yield Path(name)
        finally:
            subprocess.run(
                ["umount", "--lazy", name], check=True
            )  # a failed test leaves files open


@pytest.mark.parametrize("network", [False, True])
def test_a_full_disk_refuses_whole_commits_and_goes_on_when_there_is_space(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, network: bool
) -> None:
    monkeypatch.setattr(database, "on_network", lambda folder: network)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_200_000))
    folder = small_disk / "store"
    store = SqliteStore.open(folder)
    acknowledged = 0

    def fill(size: int) -> None:
        nonlocal acknowledged
        while True:
            number = acknowledged + 1
            store.commit([an_event(size)], [a_job(number), Counter(next=number + 1)])
            acknowledged = number

    for size in (50_000, 5_000, 1):  # until not even a small one fits
        with pytest.raises(StoreFull, match=f"free some space on {folder} .a manager that runs"):
            fill(size)
    assert acknowledged > 5
    assert store.load().counter.next == acknowledged + 1
    assert store.commit([], []) == acknowledged
    if not network:
        with pytest.raises(StoreFull):
            store.checkpoint()

    ballast.unlink()
    for _ in range(10):
        acknowledged += 1
        last = store.commit(
            [an_event(5_000)], [a_job(acknowledged), Counter(next=acknowledged + 1)]
        )
        assert last == acknowledged
    store.checkpoint()
    store.close()
    reopened = SqliteStore.open(folder)
    state = reopened.load()
    assert [job.id for job in state.jobs] == list(range(1, acknowledged + 1))
    assert state.counter.next == acknowledged + 1
    assert [number for number, _ in reopened.all_events()] == list(range(1, acknowledged + 1))
    reopened.close()


def test_a_store_cannot_be_made_on_a_full_disk_and_can_when_there_is_space(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                break
    with pytest.raises(StoreFull):
        SqliteStore.open(small_disk / "store")
    ballast.unlink()
    store = SqliteStore.open(small_disk / "store")
    assert store.commit([an_event()], []) == 1
    store.close()
