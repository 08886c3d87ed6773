"""A whole agent: a supervisor and the spawners that it keeps alive, also under older Pythons."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solveyard.backends.bundle import build
from solveyard.wire.frames import encode

Stage = Any  # tests/faults/conftest.py


@pytest.fixture(autouse=True)
def _only_where_it_runs() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("these tests look into /proc")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _supervisor(stage: Stage, linger: float = 600) -> subprocess.Popen[bytes]:
    return stage.agent("supervisor", "--spawners", "2", "--linger", str(linger))


def test_a_supervisor_tells_its_machine_and_keeps_two_spawners(stage: Stage) -> None:
    _supervisor(stage)
    hello = stage.manager.supervisor().hello
    assert hello["cores"] >= 1
    assert hello["memory"] > 100
    assert hello["processors"] == sorted(os.sched_getaffinity(0))
    assert hello["disk"] > 0
    stage.manager.until(lambda: any(m["t"] == "sample" for m in stage.manager.told), "a sample")
    for index in (0, 1):
        victim = stage.manager.spawner(index).hello["pid"]
        os.kill(victim, signal.SIGKILL)
        stage.manager.until(lambda victim=victim: not _alive(victim), "its death")
        stage.manager.until(
            lambda victim=victim: victim not in [p.hello.get("pid") for p in stage.manager.peers],
            "its end",
        )
        assert stage.manager.spawner(index).hello["pid"] != victim
        assert stage.run("a", "true")["code"] == 0


def test_a_new_supervisor_adopts_the_spawners_of_a_killed_one(stage: Stage) -> None:
    first = _supervisor(stage)
    pids = [stage.manager.spawner(index).hello["pid"] for index in (0, 1)]
    first.kill()
    first.wait()
    second = _supervisor(stage)
    stage.manager.until(
        lambda: stage.manager.supervisor().hello["pid"] == second.pid, "the new supervisor"
    )
    assert _supervisor(stage).wait(30) == 0  # a third has no place
    assert [stage.manager.spawner(index).hello["pid"] for index in (0, 1)] == pids
    os.kill(pids[1], signal.SIGKILL)
    stage.manager.until(
        lambda: pids[1] not in [p.hello.get("pid") for p in stage.manager.peers], "its end"
    )
    assert stage.manager.spawner(1).hello["pid"] not in pids


def test_an_agent_leaves_when_asked(stage: Stage) -> None:
    supervisor = _supervisor(stage)
    peers = [stage.manager.supervisor(), stage.manager.spawner(0), stage.manager.spawner(1)]
    for peer in peers:
        peer.link.sendall(encode([{"t": "leave"}]))
    assert supervisor.wait(30) == 0


def test_an_agent_without_manager_leaves_by_itself(stage: Stage) -> None:
    supervisor = _supervisor(stage, linger=0.5)
    pids = [stage.manager.spawner(index).hello["pid"] for index in (0, 1)]
    stage.manager.vanish()
    assert supervisor.wait(30) == 0
    assert not [pid for pid in pids if _alive(pid)]


def test_programs_are_probed_on_the_agents_path(stage: Stage) -> None:
    _supervisor(stage)
    ask = {"t": "probe", "programs": ["sh", "no-such-program"]}
    stage.manager.supervisor().link.sendall(encode([ask]))
    stage.manager.until(lambda: any(m["t"] == "probed" for m in stage.manager.told), "the answer")
    told = next(m for m in stage.manager.told if m["t"] == "probed")["programs"]
    assert told["no-such-program"] is None
    assert told["sh"].endswith("/sh")


def _older_pythons() -> list[str]:
    """Pythons 3.8 to 3.10 of this machine, where pyenv or the system has them."""
    places = [Path.home() / ".pyenv/versions", Path("/opt/python")]
    found = [str(p) for place in places for p in sorted(place.glob("3.*/bin/python3"))]
    return [p for p in [*found, "/usr/bin/python3.8", "/usr/bin/python3.9"] if _is_older(p)]


def _is_older(python: str) -> bool:
    ask = [python, "-c", "import sys; print((3, 8) <= sys.version_info[:2] < (3, 11))"]
    try:
        return subprocess.run(ask, capture_output=True, check=False).stdout == b"True\n"
    except OSError:
        return False


@pytest.mark.parametrize("python", [sys.executable, *_older_pythons()])
def test_the_agent_runs_as_one_file_under_this_and_older_pythons(
    stage: Stage, platform: str, python: str
) -> None:
    bundle = build(stage.folder / "bundle")
    assert build(stage.folder / "bundle") == bundle
    arguments = ["--state", str(stage.state), "--address", stage.manager.address]
    process = subprocess.Popen(
        [
            *(python, "-I", str(bundle), "supervisor", *arguments, "--machine", "here"),
            *("--spawners", "1", "--platform", platform),
        ]
    )
    stage.processes.append(process)
    assert stage.run("a", "sh", "-c", "exit 4")["code"] == 4
    stage.manager.say(stage.launch("b", "sh", "-c", "sleep 600 & wait", limit=0.2))
    assert stage.manager.end("b")["ended_by"] == "time_limit"
    victim = stage.manager.spawner().hello["pid"]
    stage.manager.say({"t": "forget", "attempts": ["a", "b"]}, {"t": "leave"})
    stage.manager.until(
        lambda: victim not in [p.hello.get("pid") for p in stage.manager.peers], "its leaving"
    )


def test_older_pythons_are_found() -> None:
    if not _older_pythons():
        pytest.skip("no Python older than 3.11 here: the agent was not run under one")
