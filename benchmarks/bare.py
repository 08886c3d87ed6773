"""The bare machine: the C program beside this file, compiled and run anew for each measurement."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from benchmarks.failure import CannotMeasure

_SOURCE = Path(__file__).with_name("bare.c")
_PATIENCE = 300.0  #: s that one run may take


class Loop(NamedTuple):
    """One run of the C loop."""

    rate: float  #: launches/s
    cpu: float  #: s for each launch: the loop's own, and the child's

    def busy(self, cores: int = 2) -> float:
        """The part of so many cores that it had; the rest was others', or was waited for."""
        return self.rate * self.cpu / cores


def compiled(source: Path, program: Path) -> Path:
    """`program`, made with $CC or `cc`. Raises CannotMeasure without a compiler."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        raise CannotMeasure(
            f"the C loop can't be compiled: there is no compiler {compiler[0]!r} on PATH"
            " (install one, e.g. Debian's package gcc, or name one: CC=clang)"
        )
    done = subprocess.run(
        [*compiler, "-O2", "-o", str(program), str(source)],
        check=False, capture_output=True, text=True, timeout=_PATIENCE,
    )  # fmt: skip
    if done.returncode != 0:
        raise CannotMeasure(f"{compiler[0]} can't compile {source.name}:\n{done.stderr}")
    return program


class Bare:
    """The compiled program, and fresh folders for its output files."""

    @classmethod
    def compiled(cls, folder: Path) -> Self:
        """Compile it into `folder`, with $CC or `cc`. Raises CannotMeasure without a compiler."""
        folder.mkdir()
        return cls(compiled(_SOURCE, folder / "bare"))

    def __init__(self, program: Path) -> None:
        self._program = program
        self._runs = 0

    def launches(self, count: int, concurrency: int = 2, program: Sequence[str] = ()) -> Loop:
        """Start `count` /bin/true with two output files each, `concurrency` at a time.

        Or another program; in its arguments "{}" is the number of the launch, from 0.
        """
        answer = self._run("launches", count, str(concurrency), *program)
        seconds, own, children = map(float, answer.split())
        return Loop(count / seconds, (own + children) / count)

    def singles(self, count: int) -> list[float]:
        """The times of one launch and one fsync, `count` times one after the other; s."""
        return [float(line) for line in self._run("singles", count).splitlines()]

    def _run(self, what: str, count: int, *more: str) -> str:
        self._runs += 1
        folder = self._program.with_name(f"run-{self._runs}")
        folder.mkdir()
        done = subprocess.run(
            [str(self._program), what, str(folder), str(count), *more],
            check=False, capture_output=True, text=True, timeout=_PATIENCE,
        )  # fmt: skip
        if done.returncode != 0:
            raise CannotMeasure(f"the C loop failed: {done.stderr.strip()}")
        return done.stdout
