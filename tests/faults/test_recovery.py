"""A spawner that is killed, cut off or out of disk: nothing starts twice, no end is lost."""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

Stage = Any  # tests/faults/conftest.py


@pytest.fixture(autouse=True)
def _only_where_it_runs() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("these tests look into /proc")


def _block(stage: Stage, attempt: str, **fields: Any) -> None:
    """Launch what runs until the file `go` is there."""
    program = "until [ -e go ]; do sleep 0.02; done"
    stage.manager.say(stage.launch(attempt, "sh", "-c", program, **fields))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_an_end_is_told_again_until_it_is_acknowledged(stage: Stage, platform: str) -> None:
    spawner = stage.spawner(platform)
    end = stage.run("a", "true")
    stage.manager.cut()
    stage.manager.until(lambda: len(stage.manager.ends("a")) == 2, "the end after a cut")
    spawner.kill()
    stage.spawner(platform)
    stage.manager.until(lambda: len(stage.manager.ends("a")) == 3, "the end after a kill")
    assert stage.manager.ends("a") == [end] * 3
    stage.manager.say({"t": "forget", "attempts": ["a"]})
    stage.manager.settled()
    stage.manager.cut()
    stage.manager.settled()
    assert len(stage.manager.ends("a")) == 3


def test_a_manager_that_is_gone_for_a_while_loses_nothing(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    _block(stage, "a")
    stage.manager.started("a")
    stage.manager.vanish()
    (stage.work / "go").touch()
    stage.manager.listen()
    assert stage.manager.end("a")["code"] == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_command_starts_twice_however_often_the_spawner_is_killed(
    stage: Stage, platform: str, seed: int
) -> None:
    chance = random.Random(seed)
    names = [f"k{n}" for n in range(100)]
    launches = [
        stage.launch(name, "sh", "-c", f"echo {name} >> marks/{name}", brief=bool(i % 2),
                     after=names[i - 1] if i % 4 else None)
        for i, name in enumerate(names)
    ]  # fmt: skip
    (stage.work / "marks").mkdir()
    spawner = stage.spawner(platform)
    manager = stage.manager
    for _ in range(5):
        manager.say(*[launch for launch in launches if not manager.ends(launch["attempt"])])
        goal = len(manager.told) + chance.randrange(1, 40)
        done = lambda goal=goal: len(manager.told) >= goal or all(map(manager.ends, names))  # noqa: E731
        manager.until(done, "some ends")
        spawner.kill()
        spawner.wait()
        manager.cut()
        spawner = stage.spawner(platform)
        manager.spawner()
    manager.say(*[launch for launch in launches if not manager.ends(launch["attempt"])])
    for name in names:
        end = manager.end(name)
        mark = stage.work / "marks" / name
        times = len(mark.read_text().splitlines()) if mark.exists() else 0
        assert times <= 1, f"{name} started {times} times"
        assert times == 1 or end["lost"], end
        kinds = {(m["code"], m["lost"]) for m in manager.ends(name)}
        assert len(kinds) == 1, f"two different ends: {kinds}"


def test_a_new_spawner_watches_what_the_dead_one_started(stage: Stage, platform: str) -> None:
    spawner = stage.spawner(platform)
    _block(stage, "a")
    pid = stage.manager.started("a")
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    stage.spawner(platform)
    stage.manager.told.clear()
    stage.manager.say({"t": "ask", "attempts": ["a"]})
    assert stage.manager.started("a") == pid
    lock = stage.state / "spawner-0.lock"
    assert lock.read_text().split()[1:] == [str(pid)]
    (stage.work / "go").touch()
    end = stage.manager.end("a")
    assert end["code"] is None
    stage.manager.until(lambda: len(lock.read_text().split()) == 1, "the lock without it")
    assert "spawner 0" in end["lost"]
    assert end["pid"] == pid


def test_a_new_spawner_keeps_limits_and_kills(stage: Stage, platform: str) -> None:
    spawner = stage.spawner(platform)
    _block(stage, "a", limit=2.0)
    _block(stage, "b")
    pids = [stage.manager.started("a"), stage.manager.started("b")]
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    stage.spawner(platform)
    stage.manager.say({"t": "kill", "attempt": "b", "grace": 5.0, "because": "cancelled"})
    assert stage.manager.end("b")["ended_by"] == "cancelled"
    assert stage.manager.end("a")["ended_by"] == "time_limit"
    assert not [pid for pid in pids if _alive(pid)]


def _records(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    lines = (stage.state / "ledger-0.log").read_text().splitlines()
    return [(line[0], json.loads(line[2:])) for line in lines]


def test_a_start_that_was_not_written_is_found_by_its_mark(stage: Stage, platform: str) -> None:
    spawner = stage.spawner(platform)
    _block(stage, "a", brief=True)
    pid = stage.manager.started("a")
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    ledger = stage.state / "ledger-0.log"
    kept = [line for line in ledger.read_text().splitlines() if not line.startswith("S")]
    ledger.write_text("\n".join(kept) + "\n")
    stage.spawner(platform)
    stage.manager.told.clear()
    stage.manager.say({"t": "ask", "attempts": ["a"]})
    assert stage.manager.started("a") == pid
    (stage.work / "go").touch()
    assert stage.manager.end("a")["lost"]


def test_a_start_that_never_happened_is_lost_and_not_tried_again(stage: Stage) -> None:
    spawner = stage.spawner()
    stage.run("a", "true")
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    ledger = stage.state / "ledger-0.log"
    accepted = next(record for kind, record in _records(stage) if kind == "A")
    accepted["attempt"] = "b"
    with ledger.open("a") as file:
        file.write(f"A {json.dumps(accepted)}\nS " + '{"attempt": "b", "pid"')  # cut
    stage.spawner()
    stage.manager.say(stage.launch("b", "touch", "again"))
    assert "no process carries its mark" in stage.manager.end("b")["lost"]
    stage.manager.settled()
    assert not (stage.work / "again").exists()


def test_after_a_reboot_what_ran_is_lost(stage: Stage, platform: str) -> None:
    spawner = stage.spawner(platform, SOLVEYARD_BOOT_ID="one")
    done = stage.run("done", "true")
    _block(stage, "a")
    pid = stage.manager.started("a")
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    stage.spawner(platform, SOLVEYARD_BOOT_ID="two")
    assert stage.manager.end("a")["lost"] == "the machine rebooted while it ran"
    assert stage.manager.spawner().hello["boot_id"] == "two"
    assert _alive(pid)  # of another boot, this is somebody else's number
    assert stage.manager.ends("done") == [done, done]
    (stage.work / "go").touch()


def test_after_a_reboot_what_only_its_start_is_known_of_is_lost(
    stage: Stage, platform: str
) -> None:
    """A loss of power may take the first line of it and leave the second."""
    spawner = stage.spawner(platform, SOLVEYARD_BOOT_ID="one")
    _block(stage, "a")
    stage.manager.started("a")
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    ledger = stage.state / "ledger-0.log"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(bytes(len(a) - 1) + b"\n" if a[:1] == b"A" else a for a in lines))
    stage.spawner(platform, SOLVEYARD_BOOT_ID="two")
    assert stage.manager.end("a")["lost"] == "the machine rebooted while it ran"
    (stage.work / "go").touch()


def test_a_full_disk_starts_nothing_and_loses_no_end(stage: Stage) -> None:
    stage.state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(stage.state)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here: the full ledger is not tested")
    try:
        stage.spawner()
        _block(stage, "a")
        stage.manager.started("a")
        ballast = stage.state / "ballast"
        _fill(ballast, 512)
        ledger = stage.state / "ledger-0.log"
        _fill(ledger, 1)  # its last page, too
        stage.manager.say(stage.launch("b", "true"))
        assert "able to write" in stage.manager.heard("blocked", "b")["why"]
        (stage.work / "go").touch()
        assert stage.manager.end("a")["code"] == 0
        assert not (stage.work / "b.out").exists()
        ballast.unlink()
        assert stage.manager.end("b")["code"] == 0
        ends = [record["attempt"] for kind, record in _lines(ledger) if kind == "E"]
        assert ends == ["a", "b"]
    finally:
        stage.close()
        subprocess.run(["umount", "-l", str(stage.state)], check=True)


@pytest.mark.parametrize("files", [{}, {"input": "x" * 9000}], ids=["output", "input"])
def test_where_a_commands_own_disk_is_full_it_waits_for_room(
    stage: Stage, platform: str, files: dict[str, str]
) -> None:
    small = stage.folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=4", "none", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here: a command's full disk is not tested")
    try:
        stage.spawner(platform)
        for number in range(3):
            (small / f"taken{number}").touch()  # all that it can have
        where = {"cwd": str(small), "stdout": str(small / "out"), "stderr": str(small / "out")}
        stage.manager.say(stage.launch("a", "sh", "-c", "exit 3", files=files, **where))
        place = small / next(iter(files), "out")
        told = f"its machine to be able to write: cannot {{}} {place}: No space left on device"
        why = stage.manager.heard("blocked", "a")["why"]
        assert why == told.format("prepare" if files else "write")
        assert not stage.manager.ends("a")
        for number in range(3):
            (small / f"taken{number}").unlink()
        assert stage.manager.end("a")["code"] == 3
    finally:
        stage.close()
        subprocess.run(["umount", "-l", str(small)], check=True)


def _fill(path: Path, step: int) -> None:
    """Append lines until the disk is full."""
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\n" * step)


def _lines(ledger: Path) -> list[tuple[str, dict[str, Any]]]:
    lines = ledger.read_text().split("\n")
    return [(line[0], json.loads(line[2:])) for line in lines if line]


def test_a_clock_that_jumps_changes_no_duration(stage: Stage) -> None:
    """Limits are kept by the monotonic clock; the ledger's moments are of the same kind."""
    stage.spawner()
    before = time.monotonic()
    _block(stage, "a")
    stage.manager.started("a")
    record = next(record for kind, record in _records(stage) if kind == "S")
    assert before <= record["began"] <= time.monotonic()
    (stage.work / "go").touch()
    stage.manager.end("a")


def test_what_was_acknowledged_is_not_run_again(stage: Stage) -> None:
    stage.spawner()
    stage.run("a", "true")
    stage.manager.say({"t": "forget", "attempts": ["a"]}, {"t": "ask", "attempts": ["a"]})
    stage.manager.until(lambda: len(stage.manager.ends("a")) == 2, "an answer")
    assert "acknowledged" in stage.manager.ends("a")[1]["lost"]
