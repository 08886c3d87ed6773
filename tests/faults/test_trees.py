"""Whole process trees are ended, however their members try to get away."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from solveyard.agent.platform.cgroups import Cgroups

Stage = Any  # tests/faults/conftest.py
ESCAPE = """
import os, signal, sys, time
how, name = sys.argv[1:]
def flee():
    if "fork" in how and os.fork():
        os._exit(0)
    if "session" in how:
        os.setsid()
    if "fork" in how and os.fork():
        os._exit(0)
    if "deaf" in how:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    rest = "import os,signal,time; print(os.getpid(), file=open('%s.pid', 'a'))" % name
    rest += "; time.sleep(600)"
    env = {} if "clear" in how else dict(os.environ)
    os.execve(sys.executable, [sys.executable, "-S", "-c", rest], env)
if os.fork() == 0:
    flee()
if "stay" in how:
    if "deaf" in how:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
while not os.path.exists("%s.pid" % name) or not open("%s.pid" % name).read().endswith("\\n"):
    time.sleep(0.02)
"""


@pytest.fixture(autouse=True)
def _only_where_it_runs() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("these tests look into /proc")


def _launch(stage: Stage, attempt: str, how: str, **fields: Any) -> Any:
    stage.manager.say(
        stage.launch(attempt, sys.executable, "-S", "-c", ESCAPE, how, attempt, **fields)
    )


def _fugitive(stage: Stage, attempt: str) -> int:
    """The process that got away; waits until it has."""
    path: Path = stage.work / f"{attempt}.pid"
    stage.manager.until(lambda: path.exists() and path.read_text().endswith("\n"), "the fugitive")
    return int(path.read_text())


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def cgroups() -> None:
    """Skips, by name, where no control group can be written."""
    trial = Cgroups("solveyard-trial")
    there = bool(trial.folder())
    trial.close()
    if not there:
        pytest.skip("no control group can be written here: trees are not told apart by one")


HOW = ["stay", "stay-deaf", "stay-fork-deaf", "stay-session-deaf", "stay-fork-session",
       "stay-fork-session-deaf", "stay-fork-clear-deaf", "stay-session-clear-deaf"]  # fmt: skip


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize("how", HOW)
def test_a_kill_reaches(stage: Stage, platform: str, how: str, brief: bool) -> None:
    stage.spawner(platform)
    _launch(stage, "a", how, brief=brief)
    pid = _fugitive(stage, "a")
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 0.3, "because": "cancelled"})
    end = stage.manager.end("a")
    assert not _alive(pid)
    assert not _alive(end["pid"])
    assert end["ended_by"] == "cancelled"
    assert end["signal"] == (signal.SIGKILL if "deaf" in how else signal.SIGTERM)


FIRST = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", '''
import os, signal, time
def told(*_):
    open("child", "w").close()
    os._exit(0)
signal.signal(signal.SIGTERM, told)
open("ready", "w").close()
time.sleep(600)
'''])
def told(*_):
    open("first", "w").close()
    if sys.argv[1] == "ends":
        child.kill()
signal.signal(signal.SIGTERM, told)
child.wait()
"""


@pytest.mark.parametrize("how", ["ends", "waits"])
def test_a_first_process_that_ends_the_others_is_told_alone_and_then_all_are(
    stage: Stage, how: str
) -> None:
    stage.spawner("auto")
    alone = {"ends": 600.0, "waits": 0.2}[how]
    order = stage.launch("a", sys.executable, "-S", "-c", FIRST, how, alone=alone)
    stage.manager.say(order)
    stage.manager.until((stage.work / "ready").exists, "the second process")
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 1200.0, "because": "cancelled"})
    end = stage.manager.end("a")
    assert (end["ended_by"], end["code"]) == ("cancelled", 0)
    assert (stage.work / "first").exists()
    assert (stage.work / "child").exists() is (how == "waits")


@pytest.mark.parametrize("brief", [False, True])
def test_a_kill_reaches_what_kept_nothing_of_its_command(stage: Stage, brief: bool) -> None:
    """Double-forked, in a session of its own, with no environment, deaf: an orphan is ours."""
    stage.spawner()
    _launch(stage, "a", "stay-fork-session-clear-deaf", brief=brief)
    pid = _fugitive(stage, "a")
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 0.3, "because": "cancelled"})
    stage.manager.end("a")
    assert not _alive(pid)


def _short(stage: Stage, count: int) -> None:
    """Commands that end at once, so that others come into the control groups that they leave."""
    for number in range(count):
        stage.manager.say(stage.launch(f"short-{number}", "true"))
        assert stage.manager.end(f"short-{number}")["code"] == 0


@pytest.mark.usefixtures("cgroups")
@pytest.mark.parametrize("before", [0, 3])
def test_two_that_kept_nothing_are_told_apart_by_control_group(stage: Stage, before: int) -> None:
    stage.spawner()
    _short(stage, before)
    for attempt in ("a", "b"):
        _launch(stage, attempt, "stay-fork-session-clear-deaf")
    pids = {attempt: _fugitive(stage, attempt) for attempt in ("a", "b")}
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 0.2, "because": "cancelled"})
    stage.manager.end("a")
    assert (_alive(pids["a"]), _alive(pids["b"])) == (False, True)
    assert _alive(stage.manager.started("b"))
    stage.manager.say({"t": "kill", "attempt": "b", "grace": 0.2, "because": "cancelled"})
    stage.manager.end("b")
    assert not _alive(pids["b"])


def test_two_that_kept_nothing_and_no_group_are_ended_with_the_last(stage: Stage) -> None:
    stage.spawner()
    for attempt in ("a", "b"):
        _launch(stage, attempt, "stay-fork-session-clear-deaf", brief=True)
    pids = [_fugitive(stage, attempt) for attempt in ("a", "b")]
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 0.2, "because": "cancelled"})
    stage.manager.end("a")
    assert _alive(stage.manager.started("b"))
    stage.manager.say({"t": "kill", "attempt": "b", "grace": 0.2, "because": "cancelled"})
    stage.manager.end("b")
    assert not [pid for pid in pids if _alive(pid)]


@pytest.mark.usefixtures("cgroups")
@pytest.mark.parametrize("before", [0, 3])
def test_a_new_spawner_ends_what_kept_nothing_by_control_group(stage: Stage, before: int) -> None:
    spawner = stage.spawner()
    _short(stage, before)
    _launch(stage, "a", "stay-fork-session-clear-deaf")
    pid = _fugitive(stage, "a")
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    os.kill(stage.manager.started("a"), signal.SIGKILL)
    stage.spawner()
    end = stage.manager.end("a")
    assert "not observed" in end["lost"]
    assert not _alive(pid)


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize("how", ["fork", "fork-session", "fork-session-clear", "fork-deaf"])
def test_strays_are_counted_and_ended_before_the_end_is_told(
    stage: Stage, platform: str, how: str, brief: bool
) -> None:
    stage.spawner(platform)
    _launch(stage, "a", how, brief=brief)
    end = stage.manager.end("a")
    assert not _alive(_fugitive(stage, "a"))
    assert (end["code"], end["ended_by"], end["strays"]) == (0, "", 1)


def test_others_commands_are_no_strays(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    _launch(stage, "long", "stay-fork-session-deaf")
    pid = _fugitive(stage, "long")
    for n in range(3):
        assert stage.run(f"s{n}", "true", brief=bool(n % 2))["strays"] == 0
    assert _alive(pid)
    stage.manager.say({"t": "kill", "attempt": "long", "grace": 0, "because": "shutdown"})
    assert stage.manager.end("long")["signal"] == signal.SIGKILL
    assert not _alive(pid)


def test_a_stopped_tree_is_ended_too(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    _launch(stage, "a", "stay")
    pid = _fugitive(stage, "a")
    os.kill(pid, signal.SIGSTOP)
    stage.manager.say({"t": "signal", "attempt": "a", "signal": "STOP"})
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 60.0, "because": "cancelled"})
    assert stage.manager.end("a")["signal"] == signal.SIGTERM
    assert not _alive(pid)


def test_a_second_kill_shortens_the_grace_and_changes_no_reason(
    stage: Stage, platform: str
) -> None:
    stage.spawner(platform)
    _launch(stage, "a", "stay-deaf")
    _fugitive(stage, "a")
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 3600.0, "because": "cancelled"})
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 0.1, "because": "shutdown"})
    end = stage.manager.end("a")
    assert (end["ended_by"], end["signal"]) == ("cancelled", signal.SIGKILL)


FORKS = "import os\nwhile True:\n  if os.fork(): os._exit(0)\n  os.setsid()\n"


@pytest.mark.parametrize("brief", [False, True])  # brief: in no control group
@pytest.mark.parametrize("others", [False, True])
def test_what_forks_all_the_time_is_ended(
    stage: Stage, platform: str, others: bool, brief: bool
) -> None:
    stage.spawner(platform)
    if others:
        stage.manager.say(stage.launch("other", "sleep", "600"))
        stage.manager.started("other")
    stage.manager.say(stage.python("a", FORKS, brief=brief))
    end = stage.manager.end("a")
    assert not _marked("a"), end
    assert not stage.manager.ends("other")


@pytest.mark.parametrize("others", [False, True])
def test_a_kill_reaches_what_forks_all_the_time(stage: Stage, platform: str, others: bool) -> None:
    """The first process stays; the others deafly go from one process to the next."""
    stage.spawner(platform)
    if others:
        stage.manager.say(stage.launch("other", "sleep", "600"))
        stage.manager.started("other")
    deaf = "import os,signal,time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    program = deaf + "if os.fork(): time.sleep(600)\n" + FORKS
    stage.manager.say(stage.python("a", program, brief=True, limit=0.5, grace=0.1))
    end = stage.manager.end("a")
    assert (end["ended_by"], end["signal"]) == ("time_limit", signal.SIGKILL)
    assert not _marked("a"), end
    assert not stage.manager.ends("other")


def _marked(attempt: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if f"SOLVEYARD_ATTEMPT={attempt}\0".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found
