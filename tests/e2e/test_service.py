"""The service under systemd: what it tells, how it stops, who outlives it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from solveyard.cli.systemd import STOP_TIME
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable
from solveyard.model.jobs import JobSpec

SYSTEMD = Path("/lib/systemd/systemd")
#: A job that notes what becomes of it.
NOTES = 'trap "echo ended >> {0}; exit 3" TERM; echo began >> {0}; while :; do sleep 0.05; done'


@pytest.fixture(params=["path", "abstract"])
def listener(request: Any, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket like systemd's, and its address as NOTIFY_SOCKET has it."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.settimeout(60)
        made.bind(path if request.param == "path" else "\0" + path)
        yield made, path if request.param == "path" else "@" + path


def test_systemd_hears_when_it_is_ready_and_when_it_stops_and_no_job_can(service, listener) -> None:
    hears, address = listener
    yard = service("--on-stop", "drain", environment={"NOTIFY_SOCKET": address}).start()
    assert hears.recv(4096).decode() == f"READY=1\nSTATUS=listens on {yard.told['url']}"
    with yard.client as client:
        job = client.submit(JobSpec(solver="command", options={"argv": ["env"]}))
        assert client.wait([str(job.number)], 60)
        environment = client.log(job.number).content
    assert b"SOLVEYARD_ATTEMPT=" in environment
    assert b"NOTIFY_SOCKET" not in environment
    assert yard.stop() == 0
    assert hears.recv(4096) == b"STOPPING=1\nSTATUS=stopping"


def test_no_secret_is_said_where_it_would_be_logged(service, tmp_path) -> None:
    nobody = {"NOTIFY_SOCKET": str(tmp_path / "nobody")}
    yard = service("--host", "0.0.0.0", environment=nobody).start()
    log = (yard.store.parent / "serve.log").read_text()
    assert "nobody can come in yet" in log
    assert "this once" not in log
    assert not (yard.store / "tokens.json").exists()


def test_a_drain_ends_a_job_by_term_within_the_time_out(service, until, tmp_path) -> None:
    yard = service("--on-stop", "drain").start()
    notes = tmp_path / "notes"
    argv = ["sh", "-c", NOTES.format(notes)]
    yard.client.submit(JobSpec(solver="command", name="x", options={"argv": argv}))
    until(notes.exists, "the job runs")
    yard.process.send_signal(signal.SIGTERM)
    assert yard.process.wait(STOP_TIME) == 0
    assert notes.read_text() == "began\nended\n"
    yard.start()
    job = yard.client.job("x")
    assert (job.state, job.reason, job.exit_code) == ("cancelled", "shutdown", 3)


class Systemd:
    """A real systemd for one's own services, which believes that it runs the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        for name in ("run", "config"):
            (folder / name).mkdir(mode=0o700)
        self.environment = {
            "HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(folder / "run"), "XDG_CONFIG_HOME": str(folder / "config"),
        }  # fmt: skip
        pretend = (
            "mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/system"
        )
        with (folder / "systemd.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", f"{pretend} && exec {SYSTEMD} --user"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    @property
    def up(self) -> bool:
        if self.process.poll() is not None:
            log = (self.folder / "systemd.log").read_text(errors="replace")
            pytest.skip(f"systemd can't be tried here: {log[-300:] or self.process.returncode}")
        return (self.folder / "run" / "systemd" / "private").exists()

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Where this systemd is the machine's."""
        return subprocess.run(
            ["nsenter", "--mount", "--target", str(self.process.pid), *argv],
            env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def solveyard(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "solveyard.cli", "--store", str(self.store), *words]
        return self.run(*argv)

    def status(self) -> Any:
        return json.loads(self.solveyard("service", "status", "--json").stdout)

    def end(self) -> None:
        self.solveyard("service", "uninstall")
        self.run("systemctl", "--user", "kill", "--signal=KILL", "solveyard")
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def own_systemd(tmp_path: Path, until: Any) -> Iterator[Systemd]:
    if os.getuid() != 0 or not SYSTEMD.exists() or shutil.which("unshare") is None:
        pytest.skip("a systemd can be tried by root alone, where it is installed")
    made = Systemd(tmp_path)
    try:
        until(lambda: made.up, "systemd is up")
        yield made
    finally:
        if made.process.poll() is None:
            made.end()


def answers(store: Path) -> bool:
    try:
        with Client(store) as client:
            return client.healthy()
    except ManagerUnavailable:
        return False


def test_systemd_starts_it_and_a_stop_drains_it(own_systemd, until) -> None:
    yard, notes = own_systemd, own_systemd.folder / "notes"
    done = yard.solveyard("service", "install", "--port", "0")
    assert (done.returncode, "installed and started" in done.stdout) == (0, True), done.stderr
    found = yard.status()
    assert (found["success"], found["installed"], found["state"]) == (True, True, "active")
    assert found["told"].startswith("listens on http://127.0.0.1:")
    done = yard.solveyard("submit", "--name", "x", "--", "sh", "-c", NOTES.format(notes))
    assert done.returncode == 0, done.stderr
    until(notes.exists, "the job runs")
    assert yard.run("systemctl", "--user", "stop", "solveyard").returncode == 0
    assert notes.read_text() == "began\nended\n"
    found = yard.status()
    assert (found["success"], found["state"], found["result"]) == (False, "inactive", "success")
    job = json.loads(yard.solveyard("show", "x", "--json").stdout)
    assert (job["state"], job["reason"]) == ("cancelled", "shutdown")
    assert yard.solveyard("service", "uninstall").returncode == 0
    assert yard.status()["installed"] is False


@pytest.mark.parametrize("mode", ["leave", "drain"])
def test_what_runs_outlives_a_killed_manager_and_what_is_left_a_restart(
    mode, own_systemd, until
) -> None:
    yard, gate = own_systemd, own_systemd.folder / "gate"
    done = yard.solveyard("service", "install", "--port", "0", "--on-stop", mode)
    assert done.returncode == 0, done.stderr
    script = f"while [ ! -e {gate} ]; do sleep 0.05; done; exit 6"
    assert yard.solveyard("submit", "--name", "x", "--", "sh", "-c", script).returncode == 0
    with Client(yard.store) as client:
        until(lambda: client.job("x").state == "running", "the job runs")
    if mode == "leave":
        assert yard.run("systemctl", "--user", "restart", "solveyard").returncode == 0
    pid = yard.status()["pid"]
    os.kill(pid, signal.SIGKILL)
    until(
        lambda: yard.status()["pid"] not in {pid, None} and answers(yard.store),
        "systemd starts it again",
    )
    with Client(yard.store) as client:
        assert client.job("x").state == "running"
        gate.touch()
        assert client.wait(["x"], 60)
        assert (client.job("x").exit_code, len(client.job("x").attempts)) == (6, 1)
