"""The jobs that wait: those that could go, in order, and those that something keeps aside.

An array stands in line once, with its next task. Those for a cluster have a line of their own.
"""

from collections.abc import Generator

from solveyard.core.arrays import Arrays
from solveyard.core.dependencies import Dependencies
from solveyard.core.leaps import Leaps
from solveyard.core.parting import PartedQueue
from solveyard.core.queues import Queue, Urgency
from solveyard.core.roll import Roll
from solveyard.core.waiting import Parking, Waits
from solveyard.model.ids import array_of
from solveyard.model.jobs import WAITING, Job, JobId, JobState
from solveyard.model.resources import Range

#: Jobs that are brought from the shelf at once, as they go next.
AHEAD = 100
#: Of those that wait for room in their array, so many are looked at for one that starts sooner.
_ALIKE = 16


class Line:
    """Each waiting job is in one place: the queue, or aside for one of the reasons below."""

    def __init__(
        self,
        jobs: Roll,
        arrays: Arrays,
        dependencies: Dependencies,
        leaps: Leaps,
        parted: PartedQueue | None = None,
    ) -> None:
        """`parted`: the queue of those that go here, where it matters whose they are."""
        self._jobs = jobs
        self._arrays = arrays
        self._dependencies = dependencies
        #: By the cluster that they are for; "": here.
        self._queues: dict[str, Queue | PartedQueue] = {"": parted or Queue()}
        self._parted = parted
        self._keys = Parking()  #: wait for an exclusive key
        self._misfits: dict[JobId, None] = {}  #: no known machine could run them
        #: By array, of whose tasks as many run as may: itself, and tasks with a record.
        self._full: dict[JobId, Queue] = {}
        self.pauses = Waits(leaps)  #: wait for the time of their next try
        self.doomed: list[JobId] = []  #: wait for what can't come any more: to be ended

    # In and out

    def file(self, job: Job) -> None:
        """Put it where it waits now, if it does."""
        self.take_out(job.id)
        self._put(job)

    def _put(self, job: Job) -> None:
        """One that is nowhere yet."""
        task: Job | None = job
        if job.is_array:
            task = self._arrays.candidate(job) if self._arrays.waits(job) else None
        elif job.state not in WAITING:
            task = None
        if task is None:
            return
        if task.after:
            self._dependencies.watch(job.id, task)
            if self._dependencies.waits(job.id):
                if self._dependencies.never(job.id) is not None:
                    self.doomed.append(job.id)
                return
        if job.state is JobState.HELD or job.held:
            return
        if job.not_before is not None:
            ended_at = job.attempts[-1].ended_at if job.attempts else None
            since = job.not_before if ended_at is None else ended_at
            self.pauses.begin(job.id, since, job.not_before)
        else:
            self._queue_of(job).add(job, task.id)

    def take_out(self, job_id: JobId) -> None:
        self._leave_queue(job_id)
        self._keys.discard(job_id)
        self._misfits.pop(job_id, None)
        self._leave_full(job_id)
        self.pauses.end(job_id)
        self._dependencies.discard(job_id)

    def changed(self, before: Job | None, after: Job | None) -> None:
        """A job has changed; None: it wasn't there before, or isn't any more."""
        job = after or before
        assert job is not None
        if after is not None and (after.state in WAITING or after.is_array):
            if before is None:
                self._put(after)
            else:
                self.file(after)
        elif before is not None and (before.state in WAITING or before.is_array):
            self.take_out(before.id)
        whole = array_of(job.id)
        array = self._jobs.get(whole) if whole is not None else None
        if array is not None and before is None:
            self.file(array)  # its next task is another
        self._let_others_in(job.id)
        if not self._dependencies.awaited:
            return
        if whole is not None:
            for paired in self._arrays.paired(whole):
                self.file(self._jobs[paired])  # another of its tasks may be the next
        others = [job.id]
        known = before is not None and after is not None and before.closed == after.closed
        if job.is_array and not known:  # so its tasks without a record are others, or are there now
            others += self._dependencies.watched_tasks(job.id)
            for paired in self._arrays.paired(job.id):
                self.file(self._jobs[paired])
        for other in others:
            for waiting in self._dependencies.changed(other):
                self.file(self._jobs[waiting])

    # Who goes

    def head(self, on: str = "") -> Urgency | None:
        queue = self._queues.get(on)
        return None if queue is None else queue.head()

    @property
    def by_urgency(self) -> bool:
        """Does it go by urgency alone, not by what owners have used?"""
        return self._parted is None

    def outranks(self, job: Job) -> bool:
        """Does the first go before `job`, which waits in a slot?"""
        return self._queues[""].outranks(job)

    def first(self, on: str = "") -> tuple[Job, Job] | None:
        """The job that goes next, and what would run: of an array, its next task."""
        queue = self._queues.get(on)
        while queue is not None and (job_id := queue.first()) is not None:
            if self._jobs.at_hand(job_id) is None:
                self._jobs.bring([job_id, *queue.after_first(AHEAD - 1)])
            found = self._candidate(job_id)
            if found is not None:
                return found
            queue.discard(job_id)
        return None

    def after_first(self, most: int, on: str = "") -> list[tuple[Job, Job]]:
        """Those that go there after the first, so many at most; as `first` has them."""
        ids = self._queues[on].after_first(most)
        self._jobs.bring(ids)
        found = [self._candidate(job_id) for job_id in ids]
        return [one for one in found if one is not None]

    def behind(self, on: str = "") -> Generator[tuple[Job, Job], None, None]:
        """Of each kind, but the first's, who goes there first, in order; as `first` has them.

        Of one that stands aside meanwhile the next one follows. Until it is closed nobody may ask
        who is first.
        """
        heads = self._queues[on].heads()
        try:
            next(heads, None)
            for entry in heads:
                if (found := self._candidate(entry.job)) is not None:
                    yield found
        finally:
            heads.close()

    def _candidate(self, job_id: JobId) -> tuple[Job, Job] | None:
        job = self._jobs[job_id]
        task = self._arrays.candidate(job) if job.is_array else job
        return None if task is None else (job, task)

    # Who stands aside

    def wait_for_key(self, job_id: JobId, key: str) -> None:
        self._leave_queue(job_id)
        self._keys.park(job_id, key)
        self._let_others_in(job_id)

    def key_is_free(self, key: str) -> None:
        for job_id in (*self._keys.freed(key), *self._arrays.key_is_free(key)):
            self.file(self._jobs[job_id])

    def wait_for_machine(self, job_id: JobId) -> None:
        self._leave_queue(job_id)
        self._misfits[job_id] = None
        self._let_others_in(job_id)

    def refit(self) -> None:
        """There is something else by now: who was a misfit may be none any more."""
        if self._parted is not None:
            self._parted.open_all()
        for job_id in [*self._misfits]:
            self.file(self._jobs[job_id])

    def wait_for_quota(self, owner: str) -> None:
        """Their first may not start, whatever is free; nobody of theirs goes before it."""
        if self._parted is not None:
            self._parted.shut(owner)

    def quota_moved(self, owner: str) -> None:
        """Something of theirs has ended."""
        if self._parted is not None:
            self._parted.open(owner)

    def wait_for_task(self, job: Job, task: Job) -> None:
        """For the end of one of its array's tasks; `task`: as `first` has it."""
        self._leave_queue(job.id)
        self._full.setdefault(array_of(job.id) or job.id, Queue()).add(job, task.id)

    def pause_over(self, job_id: JobId) -> None:
        """The time of its next try has come."""
        job = self._jobs[job_id]
        self._queue_of(job).add(job)

    # What is known of one

    def stands(self, job_id: JobId, on: str = "") -> bool:
        """Is it in the line of those that go there, with nothing that keeps it aside?"""
        return on in self._queues and job_id in self._queues[on]

    def waits_for_machine(self, job_id: JobId) -> bool:
        return job_id in self._misfits

    def place(self, job_id: JobId) -> int:
        """How many jobs go before it."""
        return sum(queue.place(job_id) for queue in self._queues.values())

    # Inside

    def _queue_of(self, job: Job) -> Queue | PartedQueue:
        return self._queues.setdefault(job.spec.on, Queue())

    def _let_others_in(self, task: JobId) -> None:
        """It has changed, or stands aside: is there room now for others of its array?

        Of those that start alike the most urgent goes back to the queue. There may be very many:
        the next one follows when it starts, or stands aside, too.
        """
        array = array_of(task)
        if array in self._full and not self._arrays.full(self._jobs[array]):
            kinds: dict[object, JobId] = {}
            for job_id in self._full[array].ahead(_ALIKE):
                kinds.setdefault(_kind(self._jobs[job_id]), job_id)
            for job_id in kinds.values():
                self.file(self._jobs[job_id])

    def _leave_full(self, job_id: JobId) -> None:
        array = array_of(job_id) or job_id
        if (waiting := self._full.get(array)) is not None:
            waiting.discard(job_id)
            if not waiting:
                del self._full[array]

    def _leave_queue(self, job_id: JobId) -> None:
        for queue in self._queues.values():
            queue.discard(job_id)


def _kind(job: Job) -> tuple[int, int | None, JobId | None]:
    """Those of an array that have it in common could start at the same time."""
    need = job.spec.resources
    shared = isinstance(need.cores, Range) or isinstance(need.nodes, Range)  # by their positions
    return job.priority, job.memory, job.id if shared else None
