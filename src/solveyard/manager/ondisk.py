"""The jobs as they are on disk: in memory, but for those that nobody needs for now.

That are jobs and tasks that ended a while ago, and jobs that wait far down the line.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from solveyard.core import retention
from solveyard.core.engine import Engine
from solveyard.core.roll import Roll
from solveyard.core.shelf import Fetch, Reread, Shelf
from solveyard.manager import selecting
from solveyard.manager.tally import Tally
from solveyard.model.errors import StoreUnusable
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import WAITING, Job, JobId, JobState
from solveyard.store.base import State, Store

#: Ended tasks of arrays, ended jobs, and waiting ones whose records stay in memory: the latest of
#: each, which people ask for.
AT_HAND = 1000
#: The same of waiting jobs whose options are `SHORT`: they take little.
SHORT_AT_HAND = 20_000
SHORT = 64  #: bytes; shorter ones are: a command and a few words
#: Of those that are put away so many are looked at at once.
SLICE = 200


class OnDisk:
    """Changed by what was committed alone."""

    def __init__(self, store: Store, state: State) -> None:
        """`state` is the store's, without the records of those that have ended."""
        self._tasks: deque[JobId] = deque()  #: ended ones that may go on the shelf, in time
        self._ended: deque[JobId] = deque()  #: jobs that may, or have gone meanwhile
        self._waiting: deque[JobId] = deque()  #: the same of those that wait
        self._short: deque[JobId] = deque()  #: those with short options
        self._directories: Counter[str] = Counter()  #: of whole jobs that are there
        self._oldest = math.inf  #: submission of those that wait there; s since 1970
        self._kept_away: set[JobId] = set()  #: those there that are to be kept
        self.shelf = Shelf(_reader(store), store.ended_tasks(), self._rereader(store))
        self.jobs = Roll(self.shelf)
        self.jobs.update((job.id, job) for job in state.jobs)
        self._note(job for job in state.jobs if _whole(job))
        self.tally = Tally(state.jobs, self.shelf.counts)  #: of all of them
        for one in state.past:
            self.shelf.put_whole(one.id, one.state)
            self._put_down(one.id, one.directory, one.tags)
            self.tally.add_whole(one.owner, one.state)

    def look(self, job_id: JobId) -> Job | None:
        """Wherever it is kept; a task without a record as its array says. None: there is none.

        Raises StoreError.
        """
        return selecting.look(self.jobs, job_id, lambda one: self.shelf.get(one, self.jobs))

    def state(self, job_id: JobId) -> JobState | None:
        """The same one's state alone, which needs no look at the disk."""
        if (whole := self.shelf.whole(job_id)) is not None:
            return whole
        away = self.shelf.state(job_id)
        if away is None and (job := self.look(job_id)) is not None:
            return job.state
        return away

    def directories_away(self) -> list[str]:
        """The folders that the specifications of those name that are on the shelf."""
        return list(self._directories)

    def keeps(self, job_id: JobId) -> bool:
        """Does somebody want this job, which is no task, kept whatever the retention says?"""
        job = self.jobs.at_hand(job_id)
        return job_id in self._kept_away if job is None else retention.wanted(job.spec.tags)

    def oldest(self) -> float:
        """No job that waits on the shelf was submitted before; s since 1970, or infinite."""
        return self._oldest if self.shelf.waiting else math.inf

    def change(self, job_id: JobId, job: Job | None) -> None:
        """It is on disk as `job` now; None: it was removed, with all its tasks."""
        away = self.shelf.state(job_id)
        if away is not None and job is not None:
            self.tally.come_back(away, job)
            self.shelf.take(job_id)
        else:
            self.tally.change(self.jobs.get(job_id), job)
        if job is not None:
            self.jobs[job_id] = job
            if _whole(job):
                self._note([job])
            elif job.state.final and array_of(job_id) is not None:
                self._tasks.append(job_id)
        elif (gone := self.jobs.pop(job_id, None)) is not None and gone.is_array:
            self._forget_tasks(gone)

    def tidy(self, engine: Engine) -> Iterator[None]:
        """Put those away that came before the latest, also for the engine, unless that knows more
        of them by now. With pauses, in which nothing may be decided.
        """
        for index, job_id in enumerate(self._old(), 1):
            job = self.jobs.at_hand(job_id)
            if job is None or engine.jobs.at_hand(job_id) is not job:
                continue
            if job.state.final and array_of(job_id) is not None:
                self.shelf.put(job_id, job.state)
            elif _whole(job) and (job.state.final or engine.may_wait_away(job_id)):
                if not job.state.final:
                    self._oldest = min(self.oldest(), job.submitted_at)
                self._put_down(job_id, job.spec.directory, job.spec.tags)
                self.shelf.put_whole(job_id, job.state)
            else:
                continue
            del self.jobs[job_id]
            engine.put_away(job_id)
            if index % SLICE == 0:
                yield

    def _note(self, whole: Iterable[Job]) -> None:
        """They may go on the shelf, in time."""
        for job in whole:
            if job.state.final:
                self._ended.append(job.id)
            elif len(bytes(job.spec.options)) < SHORT:
                self._short.append(job.id)
            else:
                self._waiting.append(job.id)

    def _put_down(self, job_id: JobId, directory: str, tags: Sequence[str]) -> None:
        """What is asked of whole jobs on the shelf beside their states."""
        self._directories[directory] += 1
        if retention.wanted(tags):
            self._kept_away.add(job_id)

    def _take_up(self, job: Job) -> None:
        self._kept_away.discard(job.id)
        self._directories[job.spec.directory] -= 1
        if not self._directories[job.spec.directory]:
            del self._directories[job.spec.directory]

    def _old(self) -> Iterator[JobId]:
        ended = (self._tasks, AT_HAND), (self._ended, AT_HAND)
        for some, most in (*ended, (self._waiting, AT_HAND), (self._short, SHORT_AT_HAND)):
            while len(some) > most:
                yield some.popleft()

    def _rereader(self, store: Store) -> Reread:
        def reread(ids: Sequence[JobId]) -> Sequence[Job]:
            found = store.jobs(ids)
            if len(found) != len(ids):
                lost = min(set(ids) - {job.id for job in found})
                raise StoreUnusable(f"the store lost the record of job {lost}")
            self._note(found)  # they go again, in time
            for job in found:
                self._take_up(job)
            return found

        return reread

    def _forget_tasks(self, array: Job) -> None:
        assert array.spec.array is not None
        position = self.shelf.gap(array.id, 0)
        while position < len(array.spec.array):
            self.tally.change(self.jobs.pop(task_id(array.id, position), None), None)
            position = self.shelf.gap(array.id, position + 1)
        self.tally.forget(self.shelf.counts(array.id))
        self.shelf.clear(array.id)


def _whole(job: Job) -> bool:
    """Is it no task and no array, and does it wait, or has it ended?"""
    return job.spec.array is None and (job.state in WAITING or job.state.final)


def _reader(store: Store) -> Fetch:
    def fetch(task: JobId, array: Job) -> Job:
        found = store.tasks([task], array.spec)
        if not found:
            whose = f"at position {position_of(task)} of job {array.label}"
            raise StoreUnusable(f"the store lost the record of the task {whose}")
        return found[0]

    return fetch
