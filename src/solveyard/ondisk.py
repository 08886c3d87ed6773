"""The jobs as they are on disk: in memory, but for those that nobody needs for now.

That are tasks of arrays that ended a while ago, and jobs that wait far down the line.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from solveyard import selecting
from solveyard.core.engine import Engine
from solveyard.core.roll import Roll
from solveyard.core.shelf import Fetch, Reread, Shelf
from solveyard.model.errors import StoreUnusable
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import WAITING, Job, JobId, JobState
from solveyard.store.base import State, Store
from solveyard.tally import Tally

#: Ended tasks of arrays, and waiting jobs, whose records stay in memory: the latest of each,
#: which people ask for.
AT_HAND = 1000
#: The same of waiting jobs whose options are `SHORT`: they take little.
SHORT_AT_HAND = 20_000
SHORT = 256  #: bytes; shorter ones are
#: Of those that are put away so many are looked at at once.
SLICE = 200


class OnDisk:
    """Changed by what was committed alone."""

    def __init__(self, store: Store, state: State) -> None:
        """`state` is the store's, without the tasks that have ended."""
        self._ended: deque[JobId] = deque()  #: tasks that may go on the shelf, in time
        self._waiting: deque[JobId] = deque()  #: jobs that may, or have gone meanwhile
        self._short: deque[JobId] = deque()  #: those with short options
        self._directories: Counter[str] = Counter()  #: of jobs that wait there
        self._oldest = math.inf  #: submission of those; s since 1970
        self.shelf = Shelf(_reader(store), store.ended_tasks(), self._rereader(store))
        self.jobs = Roll(self.shelf)
        self.jobs.update((job.id, job) for job in state.jobs)
        self._note(job for job in state.jobs if _waits(job))
        self.tally = Tally(state.jobs, self.shelf.counts)  #: of all of them

    def look(self, job_id: JobId) -> Job | None:
        """Wherever it is kept; a task without a record as its array says. None: there is none.

        Raises StoreError.
        """
        return selecting.look(self.jobs, job_id, lambda one: self.shelf.get(one, self.jobs))

    def state(self, job_id: JobId) -> JobState | None:
        """The same one's state alone, which needs no look at the disk."""
        if (waits := self.shelf.waits(job_id)) is not None:
            return waits
        away = self.shelf.state(job_id)
        if away is None and (job := self.look(job_id)) is not None:
            return job.state
        return away

    def directories_away(self) -> list[str]:
        """The folders that the specifications of those name that wait on the shelf."""
        return list(self._directories)

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
            if job.state.final and array_of(job_id) is not None:
                self._ended.append(job_id)
            elif _waits(job):
                self._note([job])
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
            elif _waits(job) and engine.may_wait_away(job_id):
                self._oldest = min(self.oldest(), job.submitted_at)
                self._directories[job.spec.directory] += 1
                self.shelf.put_waiting(job_id, job.state)
            else:
                continue
            del self.jobs[job_id]
            engine.put_away(job_id)
            if index % SLICE == 0:
                yield

    def _note(self, waiting: Iterable[Job]) -> None:
        """They may go on the shelf, in time."""
        for job in waiting:
            short = len(bytes(job.spec.options)) < SHORT
            (self._short if short else self._waiting).append(job.id)

    def _old(self) -> Iterator[JobId]:
        bounds = ((self._ended, AT_HAND), (self._waiting, AT_HAND), (self._short, SHORT_AT_HAND))
        for some, most in bounds:
            while len(some) > most:
                yield some.popleft()

    def _rereader(self, store: Store) -> Reread:
        def reread(ids: Sequence[JobId]) -> Sequence[Job]:
            found = store.jobs(ids)
            if len(found) != len(ids):
                lost = min(set(ids) - {job.id for job in found})
                raise StoreUnusable(f"the store lost the record of job {lost}, which waited")
            self._note(found)  # they go again, in time
            for job in found:
                self._directories[job.spec.directory] -= 1
                if not self._directories[job.spec.directory]:
                    del self._directories[job.spec.directory]
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


def _waits(job: Job) -> bool:
    return job.state in WAITING and job.spec.array is None


def _reader(store: Store) -> Fetch:
    def fetch(task: JobId, array: Job) -> Job:
        found = store.tasks([task], array.spec)
        if not found:
            whose = f"at position {position_of(task)} of job {array.label}"
            raise StoreUnusable(f"the store lost the record of the task {whose}")
        return found[0]

    return fetch
