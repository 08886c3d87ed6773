"""The jobs as they are on disk: in memory, but for tasks of arrays that ended a while ago."""

from collections import deque

from solveyard import selecting
from solveyard.core.engine import Engine
from solveyard.core.shelf import Fetch, Shelf
from solveyard.model.errors import StoreUnusable
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import Job, JobId, JobState
from solveyard.store.base import State, Store
from solveyard.tally import Tally

#: Ended tasks of arrays whose records stay in memory: the latest, which people ask for.
AT_HAND = 1000


class OnDisk:
    """Changed by what was committed alone."""

    def __init__(self, store: Store, state: State) -> None:
        """`state` is the store's, without the tasks that have ended."""
        self.jobs = {job.id: job for job in state.jobs}  #: but for those on the shelf
        self.shelf = Shelf(_reader(store), store.ended_tasks())  #: ended tasks of arrays
        self.tally = Tally(state.jobs, self.shelf.counts)  #: of all of them
        self._ended: deque[JobId] = deque()  #: tasks that may go on the shelf, in time

    def look(self, job_id: JobId) -> Job | None:
        """Wherever it is kept; a task without a record as its array says. None: there is none.

        Raises StoreError.
        """
        return selecting.look(self.jobs, job_id, lambda one: self.shelf.get(one, self.jobs))

    def state(self, job_id: JobId) -> JobState | None:
        """The same one's state alone, which needs no look at the disk."""
        away = self.shelf.state(job_id)
        if away is None and (job := self.look(job_id)) is not None:
            return job.state
        return away

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
        elif (gone := self.jobs.pop(job_id, None)) is not None and gone.is_array:
            self._forget_tasks(gone)

    def tidy(self, engine: Engine) -> None:
        """Put the tasks away that ended before the latest, also for the engine, unless that knows
        more of them by now.
        """
        while len(self._ended) > AT_HAND:
            task = self._ended.popleft()
            job = self.jobs.get(task)
            if job is not None and job.state.final and engine.jobs.get(task) is job:
                self.shelf.put(task, job.state)
                del self.jobs[task]
                engine.put_away(task)

    def _forget_tasks(self, array: Job) -> None:
        assert array.spec.array is not None
        position = self.shelf.gap(array.id, 0)
        while position < len(array.spec.array):
            self.tally.change(self.jobs.pop(task_id(array.id, position), None), None)
            position = self.shelf.gap(array.id, position + 1)
        self.tally.forget(self.shelf.counts(array.id))
        self.shelf.clear(array.id)


def _reader(store: Store) -> Fetch:
    def fetch(task: JobId, array: Job) -> Job:
        found = store.tasks([task], array.spec)
        if not found:
            whose = f"at position {position_of(task)} of job {array.label}"
            raise StoreUnusable(f"the store lost the record of the task {whose}")
        return found[0]

    return fetch
