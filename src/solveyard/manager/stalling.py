"""Which running jobs don't move: no line, no CPU, no growth, for as long as their own limit says.

Only jobs that ask for it are looked at: here by their processes, on a cluster by what their script
tells of these. Where that doesn't come, nobody knows whether they compute, and they aren't quiet.
What is made of it is the core's.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

from solveyard import registry
from solveyard.backends.batch import files
from solveyard.backends.dialects import alive
from solveyard.manager.ordering import Ordering
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import Attempt, Job, JobId, JobState
from solveyard.model.messages import AnyEvent, JobStarted, Quiet
from solveyard.places import StorePlaces
from solveyard.solvers import tasks
from solveyard.workers import Workers

PART = 10  #: looks within a job's limit
OFTEN, SELDOM = 0.5, 30.0  #: s between two looks, at least and at most
IDLE = 0.01  #: of a core: what uses less of one does nothing
PATIENCE = 4  #: times as late as it should be what a script tells may come
_LAST = 200  #: bytes from the end of what it told

Look = Callable[[JobId], Job | None]


class Marks(NamedTuple):
    """What changes while a job does something."""

    processes: frozenset[int]  #: by their ids; of those elsewhere how many, and their ids' sum
    cpu: float  #: s, of all of them
    written: int  #: bytes, by all of them, where the system tells
    files: tuple[tuple[int, float], ...]  #: size and time of its output and its log


class Stalls:
    """Its methods belong to the manager's loop."""

    def __init__(
        self,
        look: Look,
        ordering: Ordering,
        places: StorePlaces,
        tell: Callable[[Quiet], None],
    ) -> None:
        """`look`: a job as it is on disk; `tell` is told of each look at a job that doesn't move
        any more, once that has lasted.
        """
        self._look = look
        self._ordering = ordering
        self._places = places
        self._tell = tell
        self._watched: dict[JobId, _Watched | None] = {}
        self._news = asyncio.Event()
        self._worker = Workers("stalls")

    def take(self, events: Iterable[AnyEvent]) -> None:
        """What has happened. Quick: of all events that there are."""
        for event in events:
            if isinstance(event, JobStarted):
                self._begin(self._look(event.job))

    def begin(self, jobs: Iterable[Job]) -> None:
        """Those that run already."""
        for job in jobs:
            self._begin(job)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._watched:
                await asyncio.sleep(OFTEN)
                for job_id in list(self._watched):
                    await self._one(job_id)

    def close(self) -> None:
        self._worker.close()

    def _begin(self, job: Job | None) -> None:
        if job is not None and job.spec.hang is not None and job.state is JobState.RUNNING:
            self._watched[job.id] = None
            self._news.set()

    async def _one(self, job_id: JobId) -> None:
        job, watched = self._look(job_id), self._watched[job_id]
        attempt = job.live_attempt if job is not None else None
        if job is None or attempt is None or job.state is not JobState.RUNNING:
            del self._watched[job_id]
            return
        if watched is None or watched.attempt != attempt.id:
            watched = _Watched(job, attempt, self._files(job))
            self._watched[job_id] = watched
        if time.monotonic() < watched.next_look:
            return
        quiet = await self._worker.call(watched.look)
        if quiet is not None:
            self._tell(quiet)

    def _files(self, job: Job) -> tuple[Path, ...]:
        """Those that grow while it says something."""
        found = [Path(place) for place in self._places.output(job.id, len(job.attempts))]
        solver = registry.solvers().get(job.spec.solver)
        with contextlib.suppress(InvalidJob):  # accepted by another version
            if solver is not None and (log := solver.watch(tasks.spec_of(job.spec, job.id))):
                found.append(Path(self._ordering.directory(job)) / log)
        return tuple(found)


class _Watched:
    """One attempt, and when it moved last."""

    def __init__(self, job: Job, attempt: Attempt, files: tuple[Path, ...]) -> None:
        """`files`: its standard output first."""
        assert job.spec.hang is not None
        self.attempt = attempt.id
        self.next_look = 0.0  #: by the clock that nobody sets
        self._after = job.spec.hang.after
        self._native_id = attempt.native_id
        self._files = files
        self._told = _Told(files[0], self._after) if attempt.placement.forwarded else None
        self._marks: Marks | None = None
        self._looked = self._moved = time.monotonic()

    def look(self) -> Quiet | None:
        """In a thread. None: it moves, or has not been still for long enough, or nobody knows."""
        now = time.monotonic()
        self.next_look = now + min(SELDOM, max(OFTEN, self._after / PART))
        if self._told is not None and self._told.awaited(now):
            return None
        marks = self._measured()
        if marks is None or self._marks is None or self._differs(marks, now):
            self._marks, self._looked, self._moved = marks, now, now
            return None
        self._marks, self._looked = marks, now
        still = now - self._moved
        return Quiet(attempt=self.attempt, seconds=still) if still >= self._after else None

    def _differs(self, marks: Marks, now: float) -> bool:
        before = self._marks
        assert before is not None
        busy = marks.cpu - before.cpu > IDLE * max(now - self._looked, OFTEN)
        return busy or marks._replace(cpu=0) != before._replace(cpu=0)

    def _measured(self) -> Marks | None:
        """None: its process can't be looked at, and nobody tells of it."""
        if self._told is not None:
            return self._told.marks(self._files)
        if not self._native_id.isdecimal():
            return None
        try:
            first = psutil.Process(int(self._native_id))
            if first.environ().get("SOLVEYARD_ATTEMPT") != self.attempt:
                return None
            tree = [first, *first.children(recursive=True)]
        except (psutil.Error, OverflowError, OSError):
            return None
        cpu, written = 0.0, 0
        for process in tree:
            with contextlib.suppress(psutil.Error, AttributeError, OSError):
                used = process.cpu_times()
                cpu += used.user + used.system
                written += process.io_counters().write_bytes
        files = tuple(map(_mark, self._files))
        return Marks(frozenset(process.pid for process in tree), cpu, written, files)


class _Told:
    """What the script of a job on a cluster tells of its processes."""

    def __init__(self, stdout: Path, after: float) -> None:
        self._place = files.alive_beside(stdout)
        self._late = PATIENCE * alive.every(after)
        self._text = ""
        self._came = time.monotonic()

    def awaited(self, now: float) -> bool:
        """Is the next line yet to come? One that is too late doesn't come."""
        try:
            with self._place.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - _LAST))
                text = file.read().decode("ascii", "replace")
        except OSError:
            text = ""
        if text == self._text:
            return now - self._came < self._late
        self._text, self._came = text, now
        return False

    def marks(self, watched: tuple[Path, ...]) -> Marks | None:
        told = alive.read(self._text)
        late = time.monotonic() - self._came >= self._late
        if told is None or late:
            return None
        there = frozenset((told.processes, told.ids))
        return Marks(there, told.cpu, 0, tuple(map(_mark, watched)))


def _mark(place: Path) -> tuple[int, float]:
    try:
        found = place.stat()
    except (OSError, ValueError):
        return -1, 0.0
    return found.st_size, found.st_mtime
