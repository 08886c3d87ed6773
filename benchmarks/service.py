"""A manager as people run it, `solveyard serve`, and what its processes use."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from benchmarks.failure import CannotMeasure
from solveyard.client import find
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable

_PATIENCE = 120.0  #: s that the manager may take for anything
_STEP = 0.002  #: s between two looks


class Service:
    """One manager, its agent and its spawners, with two cores for jobs."""

    def __init__(self, store: Path, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: variables beside this process's."""
        self.store = store
        self._environment = environment or {}
        self.client = Client(store)
        self.processes: list[psutil.Process] = []  #: the manager, the agent, the spawners
        self.ready_after = 0.0  #: s from the start of the process until it took jobs
        self._manager: subprocess.Popen[bytes] | None = None
        self._log = store.with_name(f"{store.name}.log")

    def start(self) -> None:
        """Start it, and wait until it is ready and complete."""
        runtime = self.store.with_name("run")
        runtime.mkdir(mode=0o700, exist_ok=True)
        with self._log.open("ab") as log:
            begun = time.perf_counter()
            self._manager = subprocess.Popen(
                [sys.executable, "-m", "solveyard.cli", "--store", str(self.store),
                 "serve", "--cores", "2"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), **self._environment},
                start_new_session=True,  # as in the background: kernels share out by sessions
            )  # fmt: skip
        self.until(self._ready, "is ready")
        self.ready_after = time.perf_counter() - begun
        self.until(self._complete, "has its agent and spawners")

    @property
    def manager(self) -> psutil.Process:
        return self.processes[0]

    def cpu(self) -> list[float]:
        """CPU time so far of each process, without the commands that it started; s."""
        return [cpu_time(process.pid) for process in self.processes]

    def until(self, true: Callable[[], bool], what: str, step: float = _STEP) -> None:
        """Raises CannotMeasure when it doesn't come, or when the manager ends before."""
        deadline = time.monotonic() + _PATIENCE
        while not true():
            if self._manager is None or self._manager.poll() is not None:
                raise CannotMeasure(f"the manager ended before it {what}:\n{self._told()}")
            if time.monotonic() > deadline:
                raise CannotMeasure(f"not in {_PATIENCE:g} s: the manager {what}\n{self._told()}")
            time.sleep(step)

    def end(self) -> None:
        """End the manager and what belongs to it, whatever state they are in."""
        if self._manager is not None:
            with contextlib.suppress(ManagerUnavailable, subprocess.TimeoutExpired):
                self.client.stop("now")
                self._manager.wait(_PATIENCE)
            self._manager.kill()
            self._manager.wait()
        self.client.close()
        _, left = psutil.wait_procs(self.processes, timeout=10)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _ready(self) -> bool:
        where = find.manager(self.store)
        if where is None or self._manager is None or where.pid != self._manager.pid:
            return False
        if sys.platform == "win32":
            return False
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(_PATIENCE)
            try:
                wire.connect(where.socket)
                wire.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return b" 200 " in wire.recv(64)
            except OSError:
                return False

    def _complete(self) -> bool:
        where = find.manager(self.store)
        if where is None or where.pid is None or where.agent_pid is None:
            return False
        if len(where.spawner_pids) < 2:
            return False
        pids = [where.pid, where.agent_pid, *where.spawner_pids]
        self.processes = [psutil.Process(pid) for pid in pids]
        return True

    def _told(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def cpu_time(pid: int) -> float:
    """CPU time of a process and its ended threads, in s, to the nanosecond.

    Source: clock_getcpuclockid(3), as Linux makes the clock's number from the pid.
    """
    if sys.platform == "win32":
        raise CannotMeasure("the clock of another process can't be read on Windows")
    return time.clock_gettime((~pid << 3) | 2)
