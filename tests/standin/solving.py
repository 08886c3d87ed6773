"""The engines as ansysedt's own process sees them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENGINE = Path(__file__).with_name("engine.py")


HEARS = 1.0  #: s; who asks all of a group to end may reach the engines first: hear it, too


class EngineDied(Exception):
    """An engine went away in the middle of its work; the argument is its exit code."""


class Engines:
    """A COM engine and what it started: an hf3d, or an mpiexec with one for each task."""

    def __init__(self, tasks: int, folder: Path, *, deaf: bool) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-S", str(ENGINE), "com", str(tasks),
             "deaf" if deaf else "hears", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pids: list[int] = self._read()

    def solve(
        self,
        model: dict[str, float],
        segments: int,
        frequencies: Sequence[float],
        *,
        seconds: float = 0.0,
        crash: bool = False,
    ) -> list[dict[str, Any]]:
        """An answer for each frequency, shared out among the tasks. Raises EngineDied."""
        self._write([
            {"model": model, "segments": segments, "frequency": frequency,
             "seconds": seconds, "crash": crash}
            for frequency in frequencies
        ])  # fmt: skip
        answers = self._read()
        for answer in answers:
            if "died" in answer:
                time.sleep(HEARS)
                raise EngineDied(answer["died"])
        return answers

    def end(self) -> None:
        """At rest they leave by themselves."""
        with contextlib.suppress(EngineDied):
            self._write(None)
            self.process.wait(5)

    def kill(self) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _write(self, message: Any) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise EngineDied(self._code()) from None

    def _read(self) -> list[Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EngineDied(self._code())
        return list(json.loads(line))

    def _code(self) -> int:
        code = self.process.wait()
        time.sleep(HEARS)
        return 128 - code if code < 0 else code
