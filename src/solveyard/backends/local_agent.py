"""This machine's own agent: started where none runs, in a session of its own."""

import logging
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from solveyard.backends import openfiles, precedence
from solveyard.backends.bundle import build
from solveyard.wire.apart import apart

log = logging.getLogger(__name__)

_FAILING = 2  #: ends before it connected


class LocalAgent:
    """Starts the supervisor; the agent's own lock lets only one live for each folder."""

    def __init__(
        self,
        folder: Path,
        address: str,
        *,
        machine: str = "here",
        spawners: int | None = None,
        token_file: Path | None = None,
        platform: str = "auto",
        withheld: Collection[str] = (),
    ) -> None:
        """`withheld`: variables of this process that neither the agent nor a job shall have."""
        self.machine = machine
        self._folder = folder
        self._address = address
        self._spawners = spawners or spawners_for(os.cpu_count() or 1)
        self._token_file = token_file
        self._platform = platform
        self._withheld = {"SOLVEYARD_ATTEMPT", *withheld}  # a job that starts it doesn't own it
        self._process: subprocess.Popen[bytes] | None = None
        self._ends = 0  #: since one was connected
        self._status = 0  #: of the last

    @property
    def failing(self) -> OSError | None:
        """Why it will be of no use to start it: it ended again and again before it connected."""
        if self._ends < _FAILING:
            return None
        log_file = self._folder / "agent.log"
        return OSError(f"it ends at once, with status {self._status} ({log_file} may tell why)")

    def connected(self) -> None:
        self._ends = 0

    def prepare(self) -> None:
        """Make its file, unless it is there. Blocking; raises OSError."""
        build(self._folder)

    def start(self) -> None:
        """Start one, unless the last one that this process started still lives. Raises OSError."""
        self.reap()
        if self._process is not None:
            return
        bundle = build(self._folder)
        argv = [sys.executable, "-I", str(bundle), "supervisor"]
        argv += ["--state", str(self._folder), "--address", self._address]
        argv += ["--machine", self.machine, "--spawners", str(self._spawners)]
        argv += ["--platform", self._platform]
        if self._token_file is not None:
            argv += ["--token-file", str(self._token_file)]
        environment = {k: v for k, v in os.environ.items() if k not in self._withheld}
        with precedence.without(), openfiles.without():
            self._process = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **apart(),
            )
        log.info("agent started", extra={"pid": self._process.pid})

    def disown(self) -> None:
        """It may outlive this process."""
        self.reap()
        if self._process is not None:
            self._process.returncode = 0  # else Popen warns that it still runs, which is meant
            self._process = None

    def reap(self) -> None:
        """Take note of the end of the one we started, if it has ended."""
        if self._process is not None and self._process.poll() is not None:
            self._status = self._process.returncode
            self._ends += 1 if self._status else 0  # 0: another is there
            self._process = None


def spawners_for(cores: int) -> int:
    """Two keep two cores busy with the shortest commands; large machines take more."""
    return max(2, min(16, cores // 8))
