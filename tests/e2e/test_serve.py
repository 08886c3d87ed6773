"""`solveyard serve`: who may have the store, how it stops, and who follows."""

import os
import signal
import subprocess
import sys

import pytest

from e2e.asking import ask, root
from solveyard import Yard
from solveyard.model.errors import StoreUnusable


def command(store, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "solveyard.cli", "--store", str(store), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def running(service, name: str, script: str, until):
    """A job that runs."""
    done = command(service.store, "submit", "--name", name, "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    until(lambda: service.client.job(name).state == "running", f"{name} runs")
    return service.client.job(name)


def test_manager_json_tells_all_that_lives(service, alive):
    told = service().start().told
    assert {"url", "token", "pid", "agent_pid", "spawner_pids"} <= set(told)
    assert told["url"].startswith("http://127.0.0.1:")
    assert told["socket"]
    assert all(map(alive, [told["pid"], told["agent_pid"], *told["spawner_pids"]]))
    assert len(told["token"]) >= 32


def test_a_manager_without_one_of_its_spawners_answers_and_says_why(service, until):
    yard = service("--on-stop", "drain").start()
    assert yard.stop() == 0
    broken = yard.store / "agent" / "ledger-1.log"
    broken.unlink()
    broken.mkdir()
    yard.start()
    trouble = "spawner 1 of the agent ends as soon as it is started: [Errno 21] Is a directory: "
    trouble += f"{str(broken)!r} (mend that: it is tried again all the time)"
    assert yard.client.status()["agent_trouble"] == trouble
    assert command(yard.store, "run", "--", "true").returncode == 0
    doctor = command(yard.store, "doctor")
    assert doctor.returncode == 1
    assert trouble in doctor.stdout
    broken.rmdir()
    until(lambda: len(yard.told["spawner_pids"]) == 2, "manager.json tells of both")
    assert yard.client.status()["agent_trouble"] == ""


def test_a_second_manager_says_where_the_first_runs(service):
    first = service().start()
    second = command(first.store, "serve")
    assert second.returncode == 4
    assert str(first.process.pid) in second.stderr
    assert first.client.healthy()


@root
def test_nobody_else_starts_a_manager_on_an_accounts_store(service):
    yard = service().start()
    assert yard.stop() == 0
    for place in (yard.store, *yard.store.rglob("*")):
        os.chown(place, 4242, 4242)
    here = {"submit": ["--", "true"], "serve": [], "token": ["create", "me"]}
    for word, rest in here.items():
        done = command(yard.store, word, *rest)
        assert done.returncode == 3, word
        assert "sudo -u '#4242' solveyard" in done.stderr, word
    with pytest.raises(StoreUnusable, match="belongs to the account 4242"):
        Yard(yard.store)
    assert {place.stat().st_uid for place in yard.store.rglob("*")} == {4242}


def test_what_was_left_running_is_taken_up_by_the_next_manager(service, until, tmp_path, alive):
    yard = service("--cores", "2").start()
    gate = tmp_path / "gate"
    job = running(yard, "long", f"while [ ! -e {gate} ]; do sleep 0.05; done; exit 6", until)
    assert yard.stop() == 0
    assert alive(int(job.attempts[-1].native_id))
    yard.start()
    assert yard.client.job("long").state == "running"
    gate.touch()
    assert yard.client.wait(["long"], 60)
    assert yard.client.job("long").exit_code == 6
    assert len(yard.client.job("long").attempts) == 1


def test_what_is_asked_of_many_tasks_is_kept_by_a_kill_right_after_the_answer(service):
    yard = service("--allow", "command").start()
    url = yard.told["url"]
    sweep = {"solver": "command", "name": "sweep", "options": {"argv": ["true"]}, "hold": True}
    assert ask(url, "POST", "/jobs", sweep | {"array": {"stop": 100_001}}).status == 201
    told = ask(url, "POST", "/jobs/sweep%5B0-999%5D/cancel", {})
    yard.kill()
    assert (told.status, told.json["count"]) == (200, 1000)
    yard.start()
    url = yard.told["url"]
    assert ask(url, "GET", "/jobs/sweep").json["tasks"]["cancelled"] == 1000
    refused = ask(url, "POST", "/jobs/sweep%5B0-100000%5D/cancel", {})
    assert refused.status == 400
    assert "100001 tasks are more than the 100000" in refused.json["error"]


def test_an_agent_follows_a_manager_that_listens_elsewhere(service, until, tmp_path, monkeypatch):
    first, second = tmp_path / "r1", tmp_path / "r2"
    first.mkdir(mode=0o700), second.mkdir(mode=0o700)
    yard = service("--cores", "2", environment={"XDG_RUNTIME_DIR": str(first)}).start()
    gate = tmp_path / "gate"
    running(yard, "long", f"while [ ! -e {gate} ]; do sleep 0.05; done; exit 6", until)
    agent = yard.told["agent_pid"]
    yard.kill()
    yard.environment["XDG_RUNTIME_DIR"] = str(second)
    yard.start()
    assert yard.told["agent_pid"] == agent
    gate.touch()
    assert yard.client.wait(["long"], 60)
    assert yard.client.job("long").exit_code == 6


@pytest.mark.parametrize("how", [["--drain"], ["--now"], []])
def test_a_drain_ends_what_runs_and_keeps_what_waits(service, until, how):
    options = [] if how else ["--on-stop", "drain"]
    yard = service("--cores", "1", *options).start()
    running(yard, "runs", "sleep 600", until)
    assert command(yard.store, "submit", "--name", "waits", "--", "true").returncode == 0
    if how:
        assert command(yard.store, "stop", *how).returncode == 0
    else:
        os.kill(yard.process.pid, signal.SIGTERM)
    assert yard.process.wait(60) == 0
    yard.start()
    assert (yard.client.job("runs").state, yard.client.job("runs").reason) == (
        "cancelled",
        "shutdown",
    )
    assert yard.client.wait(["waits"], 60)
    assert yard.client.job("waits").state == "completed"


def test_nothing_is_left_behind_when_nothing_runs(service, alive, until):
    yard = service().start()
    everybody = yard.pids()
    assert yard.stop() == 0
    until(lambda: not any(map(alive, everybody)), "everything has gone", 10.0)
    assert not (yard.store / "manager.json").exists()


def test_an_idle_manager_leaves_when_it_was_told_to(service):
    yard = service("--idle-exit", "1").start()
    assert yard.process.wait(30) == 0


def test_a_service_takes_over_from_a_manager_in_the_background_and_what_runs_goes_on(
    service, until, tmp_path
):
    yard = service("--cores", "2", "--on-stop", "drain")
    gate = tmp_path / "gate"
    script = f"echo began; while [ ! -e {gate} ]; do sleep 0.05; done; echo ended; exit 6"
    argv = [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), "run", "--name", "x"]
    watching = subprocess.Popen([*argv, "--", "sh", "-c", script], stdout=subprocess.PIPE)
    try:
        assert watching.stdout.readline() == b"began\n"
        before = yard.told["pid"]
        yard.start()
        assert yard.told["pid"] == yard.process.pid != before
        assert yard.client.job("x").state == "running"
        gate.touch()
        assert watching.communicate(timeout=60)[0] == b"ended\n"
        assert watching.returncode == 1
    finally:
        watching.kill()
        watching.communicate()
    job = yard.client.job("x")
    assert (job.exit_code, len(job.attempts)) == (6, 1)
