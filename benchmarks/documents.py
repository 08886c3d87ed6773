"""Both services that speak the PyEDB job manager's documents, as processes with a port.

The other one is PyEDB's own, of its last version that had one.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks import environments
from benchmarks.failure import CannotMeasure

PACKAGE = environments.pinned("pyedb")
PATIENCE = 120.0  #: s that one answer, or a start, may take
_STEP = 0.001  #: s between two looks at a service that starts


class Wire(http.client.HTTPConnection):
    """One connection, kept open."""

    def ask(self, method: str, target: str, body: object = None) -> Any:
        """Raises CannotMeasure for an answer that is none."""
        content = None if body is None else json.dumps(body).encode()
        self.request(method, target, content, {"Content-Type": "application/json"})
        answer = self.getresponse()
        told = answer.read()
        if answer.status >= 300:
            raise CannotMeasure(f"{method} {target}: {answer.status} {told[:300]!r}")
        return json.loads(told)


class Documented:
    """A service of either kind, ended when its `with` is left."""

    def __init__(self, command: Sequence[str], port: int, folder: Path, **environment: str) -> None:
        self.port = port
        self.first_answer = 0.0  #: s from its start
        self._command = command
        self._folder = folder
        self._environment: Mapping[str, str] = environment
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def ours(cls, folder: Path, program: Path, limit: int) -> Self:
        port = free_port()
        command = [sys.executable, "-m", "solveyard.cli", "--store", str(folder / "store"),
                   "serve", "--port", str(port), "--cores", str(max(limit, 2)),
                   "--max-concurrent", str(limit), "--ansysedt", str(program)]  # fmt: skip
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        return cls(command, port, folder, XDG_RUNTIME_DIR=str(runtime))

    @classmethod
    def pyedbs(cls, folder: Path, python: Path, program: Path, limit: int) -> Self:
        port = free_port()
        service = "pyedb.workflows.job_manager.backend.start_service"
        command = [str(python), "-m", service, "--host", "127.0.0.1", "--port", str(port),
                   "--max-concurrent-jobs", str(limit), "--min-disk", "0",
                   "--min-memory", "0"]  # fmt: skip
        nothing = folder / "path"  # where no batch system is found
        nothing.mkdir()
        root = {"ANSYSEM_ROOT252": str(program.parent)}
        return cls(command, port, folder, PATH=str(nothing), **root)

    def __enter__(self) -> Self:
        log = (self._folder / "service.log").open("wb")
        begun = time.perf_counter()
        environment = {**os.environ, **self._environment}
        environment.pop("PYTHONPATH", None) if "PATH" in self._environment else None
        self._process = subprocess.Popen(
            self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment,
        )  # fmt: skip
        log.close()
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                self.__exit__()
                raise CannotMeasure(f"the service doesn't answer:\n{self._told()}")
            time.sleep(_STEP)
        self.first_answer = time.perf_counter() - begun
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        tree = psutil.Process(self._process.pid).children(recursive=True)
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for process in psutil.wait_procs(tree, timeout=10)[1]:
            process.kill()

    def wire(self) -> Wire:
        return Wire("127.0.0.1", self.port, timeout=PATIENCE)

    @property
    def memory(self) -> int:
        """Of the process that holds the jobs; bytes."""
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def _answers(self) -> bool:
        wire = self.wire()
        try:
            wire.ask("GET", "/queue")
        except (OSError, http.client.HTTPException, CannotMeasure):
            return False
        finally:
            wire.close()
        return True

    def _told(self) -> str:
        return (self._folder / "service.log").read_text(errors="replace")[-2000:]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
