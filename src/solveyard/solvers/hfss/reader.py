"""Reads a batch log as it grows, in any chunks: how far the solve is, and how its last run went.

It never raises, and holds one line, one message and a few facts of each pass.
"""

import copy
from collections.abc import Iterable
from typing import NamedTuple

from solveyard.model.progress import Progress
from solveyard.solvers.hfss.causes import Finding
from solveyard.solvers.hfss.log import Entries, Entry
from solveyard.solvers.hfss.progress import HfssProgress
from solveyard.solvers.hfss.run import Run


class Ending(NamedTuple):
    """How the last run in a log went."""

    findings: tuple[Finding, ...]  #: what speaks of a failure, in the order of the log
    normal: int  #: the line that says last that a solution was completed normally; 0: none
    parametric: int  #: the line in which a parametric analysis began that isn't done; 0: none
    stopped: int  #: the line of ansysedt's own end; 0: it isn't there
    unconverged: tuple[Finding, ...]  #: what says that passes or a sweep didn't converge
    lines: int  #: of the whole log

    @property
    def finished(self) -> bool:
        """Did it complete normally all that it began?"""
        return bool(self.normal) and not self.parametric

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Those that are a failure by themselves, the most telling first."""
        return tuple(sorted(one for one in self.findings if one.fatal))

    @property
    def explanations(self) -> tuple[Finding, ...]:
        """All, the most telling first."""
        return tuple(sorted(self.findings))


class HfssReader:
    """For `Solver.reader`, and for whoever has a log in hand."""

    def __init__(self) -> None:
        self._entries = Entries()
        self._run = Run()

    def feed(self, chunk: bytes) -> Progress | None:
        """The progress, where `chunk` tells something new."""
        entries = self._entries.feed(chunk)
        self._run = _after(self._run, entries)
        return self._run.progress().told() if entries else None

    def seen(self) -> tuple[HfssProgress, Ending]:
        """As things stand: a last line that has no end counts where it is whole."""
        run = _after(copy.deepcopy(self._run), self._entries.pending())
        return run.progress(), _ending(run, self._entries.seen)


def read(content: bytes) -> tuple[HfssProgress, Ending]:
    """A whole log, or what there is of it."""
    entries = Entries()
    run = _after(Run(), entries.feed(content))
    lines = entries.seen
    run = _after(run, entries.end())
    return run.progress(), _ending(run, lines)


def _ending(run: Run, lines: int) -> Ending:
    return Ending(
        findings=tuple(run.findings),
        normal=run.normal,
        parametric=run.parametric,
        stopped=run.stopped,
        unconverged=tuple(run.unconverged),
        lines=lines,
    )


def _after(run: Run, entries: Iterable[Entry]) -> Run:
    """The run that is under way after `entries`."""
    for entry in entries:
        if run.ends_before(entry):
            run = run.next()
        run.take(entry)
    return run
