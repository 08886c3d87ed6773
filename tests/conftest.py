"""A manager as its own process, which a test may kill, and what the tests need to look at it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import lanes
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable

settings.register_profile("solveyard", deadline=None, print_blob=True)
settings.load_profile("solveyard")

# A shell's background jobs ignore Ctrl-C and so would everything that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE = 60.0  #: s that anything may take before a test gives up


def until(true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something that happens in other processes; fails, saying what didn't come."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Does a process with this id run? A zombie doesn't."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in {"Z", "X"}


def marked(text: str) -> list[int]:
    """The processes whose environment holds `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and alive(int(entry.name)):
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in environment:
                found.append(int(entry.name))
    return found


class Service:
    """`solveyard serve` on a store of its own."""

    def __init__(
        self,
        store: Path,
        *options: str,
        environment: dict[str, str] | None = None,
        within: Sequence[str] = (),
    ):
        """`within`: a command that becomes what it is given to run."""
        self.store = store
        self.options = options
        self.within = within
        self.environment = {**os.environ, **(environment or {})}
        self.environment.pop("SOLVEYARD_HOME", None)
        self.process: subprocess.Popen[bytes] | None = None
        self.client = Client(store)

    @property
    def told(self) -> dict[str, object]:
        """What `manager.json` says."""
        return json.loads((self.store / "manager.json").read_bytes())

    def start(self) -> "Service":
        """Start it, and wait until it answers."""
        log = (self.store.parent / "serve.log").open("ab")
        self.process = subprocess.Popen(
            [*self.within, sys.executable, "-m", "solveyard.cli", "--store", str(self.store),
             "serve", *self.options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
        )  # fmt: skip
        log.close()
        until(self.answers, "the manager answers")
        return self

    def answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            log = (self.store.parent / "serve.log").read_text(errors="replace")
            pytest.fail(f"serve ended with {self.process.returncode}:\n{log[-3000:]}")
        try:
            told = self.told
            return told["pid"] == self.process.pid and self.client.healthy()
        except (OSError, ValueError, ManagerUnavailable):
            return False

    def kill(self) -> None:
        """SIGKILL, and gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def pids(self) -> list[int]:
        """The manager, the agent and the spawners."""
        told = self.told
        return [int(told["pid"]), int(told["agent_pid"]), *map(int, told["spawner_pids"])]

    def clean_up(self) -> None:
        """End everything, whatever state it's in."""
        try:
            pids = self.pids()
        except (OSError, ValueError, TypeError):
            pids = []
        if self.process is not None and self.process.poll() is None:
            try:
                self.client.stop("now")
                self.process.wait(20)
            except (ManagerUnavailable, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        self.client.close()
        everybody = {*pids, *_processes_with(str(self.store))} - {os.getpid()}  # it may embed one
        for pid in everybody:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def _processes_with(text: str) -> list[int]:
    """Agents and spawners whose command line names `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line and b"solveyard-agent" in line:
                found.append(int(entry.name))
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: lanes.turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return lanes.scheduler(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_whoever_runs_the_tests() -> None:
    for name in [name for name in os.environ if name.startswith("SOLVEYARD_")]:
        del os.environ[name]
    os.environ["SOLVEYARD_CONFIG"] = ""
    os.environ["SOLVEYARD_DISCOVER_CLUSTERS"] = "false"  # whatever answers on this machine
    # none of ours trusts what the system trusts, which takes a tenth of a start to be read
    os.environ["SSL_CERT_FILE"] = os.devnull


@pytest.fixture(name="until")
def _until() -> Callable[..., None]:
    return until


@pytest.fixture(name="alive")
def _alive() -> Callable[[int], bool]:
    return alive


@pytest.fixture(name="marked")
def _marked() -> Callable[[str], list[int]]:
    return marked


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes services on `tmp_path / "store"`, and ends them."""
    made: list[Service] = []

    def make(*options: str, environment: dict[str, str] | None = None) -> Service:
        made.append(Service(tmp_path / "store", "--port", "0", *options, environment=environment))
        return made[-1]

    yield make
    for each in reversed(made):
        each.clean_up()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    allowed = hasattr(os, "geteuid") and os.geteuid() == 0
    if not allowed or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here: a disk that fills is not tested")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
