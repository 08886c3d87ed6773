"""The lease among rivals, dead holders and other hosts."""

import errno
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import msgspec
import pytest

from solveyard.model.errors import StoreLocked, StoreUnusable
from solveyard.store import holder, lease
from solveyard.store.holder import Holder
from solveyard.store.lease import Lease, LeaseTaken

# Waits for a line, tries, says how it went, and lives until its input ends.
RIVAL = """
import sys
from pathlib import Path
from solveyard.store.lease import Lease, LeaseTaken
print("ready", flush=True)
sys.stdin.readline()
try:
    Lease.take(Path(sys.argv[1]))
    print("won", flush=True)
except LeaseTaken as taken:
    print(taken.holder.pid, flush=True)
sys.stdin.read()
"""


def rival(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RIVAL, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def race(folder: Path, count: int) -> None:
    """Of `count` processes that try at once one wins, and the others learn which."""
    with ExitStack() as living:
        rivals = [living.enter_context(rival(folder)) for _ in range(count)]
        for one in rivals:
            assert stream(one.stdout).readline() == "ready\n"
        for one in rivals:
            stream(one.stdin).write("go\n")
            stream(one.stdin).flush()
        said = {one.pid: stream(one.stdout).readline().strip() for one in rivals}
        winners = [pid for pid, word in said.items() if word == "won"]
        assert len(winners) == 1
        assert {word for word in said.values() if word != "won"} == {str(winners[0])}
        for one in rivals:
            stream(one.stdin).close()
            one.wait()
            stream(one.stdout).close()


def write(folder: Path, **changed: str | int | float) -> Holder:
    """A lease of this process, but for what is `changed`."""
    ours = Holder.this_process("another", {})
    it = msgspec.structs.replace(ours, **changed)
    (folder / lease.FILE).write_bytes(msgspec.json.encode(it))
    return it


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_of_twenty_processes_one_has_the_store_and_the_next_twenty_succeed_the_dead(
    tmp_path: Path,
) -> None:
    race(tmp_path, 20)
    race(tmp_path, 20)


def test_a_lease_is_written_for_its_owner_alone_and_gone_after_release(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    taken = Lease.take(folder, {"socket": "s"})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / lease.FILE).stat().st_mode & 0o777 == 0o600
    assert Lease.holder(folder) == taken.process
    assert taken.process.pid == os.getpid()
    assert taken.process.details == {"socket": "s"}
    taken.release()
    assert Lease.holder(folder) is None
    left = sorted(path.name for path in folder.iterdir())
    assert left == [lease.KEPT_FILE, lease.LOCK_FILE]
    taken.release()


def test_nobody_has_a_store_that_is_not_there(tmp_path: Path) -> None:
    assert Lease.holder(tmp_path / "none") is None


def test_the_second_to_come_learns_who_has_it(tmp_path: Path) -> None:
    first = Lease.take(tmp_path)
    with pytest.raises(LeaseTaken, match=f"process {os.getpid()} on .* has the store") as refusal:
        Lease.take(tmp_path)
    assert refusal.value.holder == first.process
    assert isinstance(refusal.value, StoreLocked)
    first.release()
    Lease.take(tmp_path).release()


def test_release_leaves_a_successor_s_lease_alone(tmp_path: Path) -> None:
    first = Lease.take(tmp_path)
    successor = write(tmp_path)
    first.release()
    assert Lease.holder(tmp_path) == successor


def test_a_pid_that_another_process_has_by_now_is_a_dead_holder(tmp_path: Path) -> None:
    write(tmp_path, start_time=1.0)
    assert Lease.holder(tmp_path) is None
    assert Lease.take(tmp_path).process.pid == os.getpid()


def test_a_holder_that_ended_is_succeeded(tmp_path: Path) -> None:
    write(tmp_path, pid=ended_process())
    assert Lease.holder(tmp_path) is None
    Lease.take(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="numbers of processes are one space there")
def test_a_holder_in_another_container_of_this_name_has_it_while_it_keeps_its_lock(
    tmp_path: Path,
) -> None:
    with rival(tmp_path) as there:
        stream(there.stdin).write("go\n")
        stream(there.stdin).flush()
        assert [stream(there.stdout).readline() for _ in range(2)] == ["ready\n", "won\n"]
        hidden = write(tmp_path, pid=ended_process(), namespace="pid:[another]")
        assert Lease.holder(tmp_path) == hidden
        with pytest.raises(LeaseTaken):
            Lease.take(tmp_path)
        there.kill()
        there.wait()
        assert Lease.holder(tmp_path) is None
        Lease.take(tmp_path).release()


@pytest.mark.parametrize("moved", [-7200.0, 1.0, 40 * 86400.0])
def test_where_the_clock_moves_a_process_s_start_its_lock_tells_whether_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: float
) -> None:
    monkeypatch.setattr(holder, "sys", SimpleNamespace(platform="darwin"))
    with rival(tmp_path) as other:
        stream(other.stdin).write("go\n")
        stream(other.stdin).flush()
        assert [stream(other.stdout).readline() for _ in range(2)] == ["ready\n", "won\n"]
        told = holder.start_time(other.pid)
        assert told is not None
        living = write(tmp_path, pid=other.pid, boot_id="", start_time=told + moved)
        assert Lease.holder(tmp_path) == living
        with pytest.raises(LeaseTaken):
            Lease.take(tmp_path)
        stream(other.stdin).close()
        other.wait()
        assert Lease.holder(tmp_path) is None
        write(tmp_path, boot_id="", start_time=told + moved)  # its number is another's, ours, now
        Lease.take(tmp_path).release()


def test_where_the_clock_moves_a_process_s_start_a_session_lives_while_its_number_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holder, "sys", SimpleNamespace(platform="darwin"))
    ours = Holder.this_process("session", {})
    assert not msgspec.structs.replace(ours, start_time=ours.start_time - 7200).gone
    assert msgspec.structs.replace(ours, start_time=-1.0).gone
    assert msgspec.structs.replace(ours, pid=ended_process()).gone


def test_a_holder_of_an_earlier_boot_is_succeeded(tmp_path: Path) -> None:
    write(tmp_path, boot_id="earlier")
    assert Lease.holder(tmp_path) is None
    Lease.take(tmp_path)


def test_a_zombie_holds_nothing(tmp_path: Path) -> None:
    with rival(tmp_path) as zombie:
        stream(zombie.stdin).write("go\n")
        stream(zombie.stdin).flush()
        assert [stream(zombie.stdout).readline() for _ in range(2)] == ["ready\n", "won\n"]
        with pytest.raises(LeaseTaken):
            Lease.take(tmp_path)
        zombie.kill()
        # it has ended when its exit can be collected, which leaves it a zombie
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert Lease.holder(tmp_path) is None
        Lease.take(tmp_path)


def test_a_holder_on_another_host_keeps_it_until_somebody_removes_the_file(tmp_path: Path) -> None:
    there = write(tmp_path, host="elsewhere", boot_id="other", pid=4711)
    assert Lease.holder(tmp_path) == there
    with pytest.raises(LeaseTaken, match=r"4711 on elsewhere.*gone for good, remove .*lease\.json"):
        Lease.take(tmp_path)
    (tmp_path / lease.FILE).unlink()
    Lease.take(tmp_path)


def test_a_lease_that_cannot_be_read_is_nobody_s_to_take(tmp_path: Path) -> None:
    (tmp_path / lease.FILE).write_text("{")
    with pytest.raises(StoreUnusable, match=r"lease\.json can't be read.*remove it"):
        Lease.take(tmp_path)


def test_a_lock_that_stays_taken_is_told_and_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOCK_WAIT", 0.02)
    with lease._alone(tmp_path), pytest.raises(StoreLocked, match=r"lease\.lock locked"):
        Lease.take(tmp_path)
    Lease.take(tmp_path).release()


@pytest.mark.skipif(sys.platform == "win32", reason="flock is not there")
def test_where_the_file_system_refuses_locks_a_lock_elsewhere_on_the_host_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    locked: list[str] = []
    flock = fcntl.flock

    def refusing(descriptor: int, operation: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if path.startswith(str(tmp_path / "store")):
            raise OSError(errno.ENOLCK, "No locks available")
        flock(descriptor, operation)
        locked.append(path)

    monkeypatch.setattr(fcntl, "flock", refusing)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = Lease.take(tmp_path / "store")
    with pytest.raises(LeaseTaken):
        Lease.take(tmp_path / "store")
    first.release()
    assert len(locked) == 3
    assert len(set(locked)) == 1


def test_two_hosts_whose_locks_do_not_reach_each_other_cannot_both_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lease._read
    there: list[Holder] = []

    def read_before_the_other_wrote(folder: Path) -> Holder | None:
        seen = read(folder)
        if not there:
            there.append(write(folder, host="elsewhere"))
        return seen

    monkeypatch.setattr(lease, "_read", read_before_the_other_wrote)
    with pytest.raises(LeaseTaken) as refusal:
        Lease.take(tmp_path)
    assert [refusal.value.holder] == there
    assert sorted(path.name for path in tmp_path.iterdir()) == [lease.FILE, lease.LOCK_FILE]


def test_a_process_s_start_is_known_by_any_name_and_unknown_when_it_is_gone() -> None:
    assert holder.start_time(os.getpid()) == holder.start_time(os.getpid())
    assert holder.start_time(ended_process()) is None
