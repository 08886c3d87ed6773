"""How far running jobs are: their solvers read along in the files that tell it.

A live value, kept nowhere: a manager that starts anew reads the files from their beginning. However
many jobs run, only a few files are looked at in a second.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from solveyard import registry
from solveyard.backends.here import LocalWorkspace
from solveyard.manager.ordering import Ordering
from solveyard.model.errors import InvalidJob, InvalidRequest
from solveyard.model.ids import AttemptId, array_of, position_of
from solveyard.model.jobs import Job, JobId, JobState
from solveyard.model.messages import AnyEvent, JobEnded, JobRequeued, JobStarted
from solveyard.model.progress import Progress
from solveyard.places import StorePlaces
from solveyard.solvers import tasks
from solveyard.solvers.base import Alarm, Reader, Warns
from solveyard.workers import Workers

log = logging.getLogger(__name__)

PAUSE = 0.5  #: s from one round of looks to the next
MOST = 4  #: jobs that are looked at in a round
CHUNK = 1 << 18  #: bytes that are read at once
CHUNKS = 4  #: that are read of one file in a round
OLDER = 2.0  #: s before a job's start, since which a file must have changed to be this run's

Listener = Callable[[Job, Progress], None]


class Following:
    """Its methods belong to the manager's loop; files are read in a thread of its own."""

    def __init__(
        self,
        look: Callable[[JobId], Job | None],
        ordering: Ordering,
        places: StorePlaces,
        ahead: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`look`: a job as it is on disk; None: there is none. `ahead`: of the calendar's clock, by
        which files have their times, the one that stamps jobs; s.
        """
        self._ahead = ahead
        self._look = look
        self._ordering = ordering
        self._places = places
        self._followed: OrderedDict[JobId, _Followed | None] = OrderedDict()  #: the next one first
        self._newest: dict[JobId, JobId] = {}  #: of an array the task that told something last
        self._news = asyncio.Event()
        self._listeners: list[Listener] = []
        self._worker = Workers("follower")

    def take(self, events: Iterable[AnyEvent]) -> None:
        """What has happened. Quick: of all events that there are."""
        for event in events:
            if isinstance(event, JobStarted):
                self._followed[event.job] = None
                self._news.set()
            elif isinstance(event, JobEnded | JobRequeued):
                self._forget(event.job)

    def begin(self, jobs: Iterable[Job]) -> None:
        """Those that run already."""
        self._followed.update((job.id, None) for job in jobs if job.state is JobState.RUNNING)
        if self._followed:
            self._news.set()

    def progress(self, job_id: JobId) -> Progress | None:
        """None: nothing is known, or it doesn't run. An array is as far as one of its tasks."""
        if (task := self._newest.get(job_id)) is not None:
            return self._of_task(task)
        followed = self._followed.get(job_id)
        job = self._look(job_id) if followed is not None else None
        return followed.progress if followed is not None and _runs(job, followed) else None

    def _of_task(self, task: JobId) -> Progress | None:
        told, job = self.progress(task), self._look(task)
        if told is None or job is None or job.spec.array is None or not told.text:
            return None
        index = job.spec.array.index(position_of(task) or 0)
        return replace(told, text=f"task {index}: {told.text}", fraction=None, remaining=None)

    def _forget(self, job_id: JobId) -> None:
        self._followed.pop(job_id, None)
        if self._newest and self._newest.get(array := array_of(job_id) or job_id) == job_id:
            del self._newest[array]

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with each new progress. Returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._followed:
                await asyncio.sleep(PAUSE)
                await self._round()

    def close(self) -> None:
        self._worker.close()

    async def _round(self) -> None:
        """A few looks, at those that weren't looked at for longest."""
        looks = 0
        for job_id in list(self._followed):
            job, followed = self._look(job_id), self._followed.get(job_id)
            if looks == MOST:
                break
            if job is not None and _runs(job, followed):
                followed = followed or self._opened(job)
            if job is None or followed is None or not _runs(job, followed):
                self._forget(job_id)
                continue
            self._followed[job_id] = followed
            self._followed.move_to_end(job_id)
            looks += 1
            if await self._worker.call(followed.read) and followed.progress is not None:
                if (array := array_of(job_id)) is not None:
                    self._newest[array] = job_id
                for listener in tuple(self._listeners):
                    listener(job, followed.progress)

    def _opened(self, job: Job) -> "_Followed | None":
        """None: nobody can read it."""
        solver, attempt = registry.solvers().get(job.spec.solver), job.live_attempt
        reader = solver.reader() if solver is not None else None
        if solver is None or reader is None or attempt is None:
            return None
        with contextlib.suppress(InvalidJob):  # accepted by another version
            spec = tasks.spec_of(job.spec, job.id)
            stdout, stderr = map(Path, self._places.output(job.id, len(job.attempts)))
            place, path = LocalWorkspace(stdout.parent), stdout.name
            if watched := solver.watch(spec):
                place, path = self._ordering.workspace(job), watched
            since = (attempt.started_at or 0.0) - self._ahead() - OLDER
            told = _File(place, path, since)
            alarm = solver.alarm(spec) if isinstance(solver, Warns) else None
            said = _File(LocalWorkspace(stderr.parent), stderr.name, since) if alarm else None
            return _Followed(attempt.id, told, reader, said, alarm)
        return None


class _File:
    """A file that grows, as far as it was read."""

    def __init__(self, workspace: LocalWorkspace, path: str, since: float) -> None:
        """`since`: what was changed last before that is of an earlier run."""
        self.path = path
        self._workspace = workspace
        self._since = since
        self._offset = 0

    def pieces(self) -> Iterator[bytes]:
        """What has come since the last time, or some of it. Raises InvalidRequest, OSError."""
        found = self._workspace.stat(self.path)
        if found is None or (not self._offset and found.modified < self._since):
            return
        for _ in range(CHUNKS):
            if self._offset >= found.size:
                return
            piece = self._workspace.read(self.path, self._offset, CHUNK)
            self._offset += len(piece)
            yield piece


class _Followed:
    """One attempt's files, as far as they were read. Read by one thread at a time."""

    def __init__(
        self,
        attempt: AttemptId,
        told: _File,
        reader: Reader,
        said: _File | None,
        alarm: Alarm | None,
    ) -> None:
        """`said`: what `alarm` reads, if there is one."""
        self.attempt = attempt
        self.progress: Progress | None = None
        self._told: Progress | None = None
        self._warning = ""
        self._sources: list[tuple[_File, Callable[[bytes], None]]] = [
            (told, lambda piece: self._take(reader.feed(piece)))
        ]
        if said is not None and alarm is not None:
            self._sources.append((said, lambda piece: self._warn(alarm.feed(piece))))

    def read(self) -> bool:
        """What has come since the last time. Is there a new progress?"""
        before = self.progress
        for source in tuple(self._sources):
            file, feed = source
            try:
                for piece in file.pieces():
                    feed(piece)
            except (InvalidRequest, OSError) as error:
                log.debug("progress not read", extra={"path": file.path, "error": str(error)})
            except Exception:  # somebody else's code: its fault costs this job its progress
                log.exception("a solver's reader failed", extra={"path": file.path})
                self._sources.remove(source)
        if self._told is not None or self._warning or before is not None:
            told = self._told or Progress()
            warning = f"warning: {self._warning}" if self._warning else ""
            text = ", ".join(filter(None, (warning, told.text)))
            self.progress = replace(told, text=text, warning=self._warning)
        return self.progress != before

    def _take(self, progress: Progress | None) -> None:
        self._told = progress or self._told

    def _warn(self, warning: str | None) -> None:
        self._warning = self._warning if warning is None else warning


def _runs(job: Job | None, followed: _Followed | None) -> bool:
    """Is it the attempt that was followed, if any was?"""
    if job is None or job.state is not JobState.RUNNING or job.live_attempt is None:
        return False
    return followed is None or followed.attempt == job.live_attempt.id
