"""The board: all jobs, every index over them, and the one way in which a job changes."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from solveyard.core.clusters import waits_elsewhere
from solveyard.core.lifecycle import evolve, unopened
from solveyard.core.roll import Roll
from solveyard.core.scheduler import Scheduler
from solveyard.core.shelf import Shelf
from solveyard.core.slots import Pace
from solveyard.model.errors import UnknownJob
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import (
    WAITING,
    Attempt,
    AttemptId,
    Counter,
    Job,
    JobId,
    JobState,
    Limits,
    Outcome,
)
from solveyard.model.messages import (
    WAITED,
    Action,
    AnyEvent,
    AnyJobEvent,
    Ended,
    JobEnded,
    Kill,
    Modify,
    Started,
)
from solveyard.model.shares import Shares, Spent


class Board:
    """What the engine knows, and what the step under way has led to so far."""

    def __init__(
        self,
        store_uuid: str,
        jobs: Iterable[Job],
        limits: Limits,
        counter: Counter,
        pace: Pace,
        shares: Shares,
        spent: Iterable[Spent],
        shelf: Shelf,
        names: Mapping[str, JobId],
    ) -> None:
        """`names`: of jobs that are on the shelf."""
        self.uuid = store_uuid
        self.jobs = Roll(shelf)
        self.shelf = shelf
        self.names: dict[str, JobId] = dict(names)
        self.limits = limits
        self.counter = counter
        self.draining = False
        self.ending: float | None = None  #: draining ends what runs, with this grace; s
        self.scheduler = Scheduler(self.jobs, self.shelf, self, pace, shares, spent)
        self.now = 0.0
        self.events: list[AnyEvent] = []
        self.actions: list[Action] = []
        for job in jobs:
            self._replace(None, job)
        self.scheduler.restore()

    def begin(self, now: float) -> None:
        """A new step."""
        self.now = now
        self.scheduler.owners.begin(now)

    def record(self, event: AnyJobEvent) -> None:
        """Something has happened to a job: change it, and tell."""
        before = self.jobs.get(event.job) or self.shelf.get(event.job, self.jobs)
        after = evolve(before if before is not None else self.look(event.job), event)
        if after is None and before is not None and before.is_array:
            for task in [*self.scheduler.arrays.tasks(before)]:
                self._replace(task, None)
        self._replace(before, after)
        self.events.append(event)

    def end(
        self,
        job: Job,
        outcome: Outcome,
        *,
        by: str = "",
        key: str = "",
        report: Ended | None = None,
    ) -> None:
        """`report` is what its machine said of its end, if it did; `by` and `key` the request's.

        An array's waiting tasks end with it, and it ends with the last of its tasks.
        """
        if job.is_array:
            for task in [*self.scheduler.arrays.tasks(job)]:
                if task.state in WAITING:
                    self.record(JobEnded(job=task.id, at=self.now, by=by, outcome=outcome))
        self.record(
            JobEnded(
                job=job.id,
                at=self.now,
                by=by,
                key=key,
                outcome=outcome,
                usage=report.usage if report else None,
                native_id=report.native_id if report else "",
                started_at=self.began(job, report) if report else None,
            )
        )
        if (array := self.array(job)) is not None:
            self.settle(array, by=by)

    def began(self, job: Job, report: Started | Ended) -> float | None:
        """When the attempt that lives began: as its machine said, but after its launch and before
        now, by whatever clock. What was told of it stands; so does a batch system's own time, but
        before now, and after the launch where it tells no more than the second.
        """
        said = report.at if isinstance(report, Started) else report.started_at
        attempt = job.live_attempt
        if said is None or attempt is None:
            return said
        if attempt.started_at is not None and not attempt.placement.forwarded:
            return attempt.started_at
        ran = 0.0
        if isinstance(report, Ended) and report.usage is not None and said > self.now:
            ran = report.usage.wall
        said = min(said, self.now - ran)
        if attempt.placement.forwarded and said + 1.0 <= attempt.placed_at:
            return said
        return max(said, attempt.placed_at)

    def settle(self, array: Job, *, by: str = "") -> None:
        """End an array of which all tasks have ended."""
        outcome = self.scheduler.arrays.ending(array)
        if outcome is not None:
            self.record(JobEnded(job=array.id, at=self.now, by=by, outcome=outcome))

    def kill(self, job: Job, grace: float | None, because: str) -> None:
        """Have its tree ended; `grace` None: as its specification says."""
        attempt = job.live_attempt
        if attempt is not None:
            self.actions.append(
                Kill(
                    attempt=attempt.id,
                    placement=attempt.placement,
                    grace=job.spec.grace if grace is None else grace,
                    because=because,
                )
            )

    def kill_overdue(self, job: Job) -> None:
        """Have its batch system drop it from its line, where it has waited there for too long."""
        asked = job.cancel_requested or self.ending is not None
        if not asked and self.scheduler.overdue(job, self.now):
            self.kill(job, None, WAITED)

    def modify(self, job: Job) -> None:
        """Have its batch system know its hold and its priority, while it waits there."""
        attempt = job.live_attempt
        if waits_elsewhere(job) and attempt is not None:
            self.actions.append(
                Modify(
                    attempt=attempt.id,
                    placement=attempt.placement,
                    held=job.held,
                    priority=job.priority,
                )
            )

    def next(self, what: str) -> int:
        """The next number of that counter, which isn't the jobs' own."""
        number: int = getattr(self.counter, what)
        self.counter = replace(self.counter, **{what: number + 1})
        return number

    def take(self, number: JobId) -> None:
        """A new job has it; no other gets it, nor one that was passed over."""
        assert number >= self.counter.next
        self.counter = replace(self.counter, next=number + 1)

    def look(self, job_id: JobId) -> Job | None:
        """A job, or a task, be it that nothing has happened to it alone; None: there is none."""
        job = self.jobs.get(job_id)
        position = position_of(job_id)
        if job is not None or position is None:
            return job
        array = self.jobs.get(array_of(job_id) or JobId(0))
        if array is None or array.spec.array is None or position >= len(array.spec.array):
            return None
        return self.shelf.get(job_id, self.jobs) or unopened(array, position)

    def state(self, job_id: JobId) -> JobState | None:
        """The same job's state alone, which needs no look at the disk."""
        if (whole := self.shelf.whole(job_id)) is not None:
            return whole
        job = self.jobs.get(job_id)
        if job is None and array_of(job_id) in self.jobs:
            away = self.shelf.state(job_id)
            if away is not None:
                return away
        job = job or self.look(job_id)
        return None if job is None else job.state

    def put_away(self, job_id: JobId) -> None:
        """A job that waits in line, or that has ended: it is on the shelf as it is here."""
        del self.jobs[job_id]
        if position_of(job_id) is not None:
            self.scheduler.arrays.put_away(job_id)

    def may_wait_away(self, job_id: JobId) -> bool:
        """Does it only wait its turn, or for somebody's word?"""
        job = self.jobs[job_id]
        if job.session or job.after:
            return False
        return job.state is JobState.HELD or self.scheduler.line.stands(job_id)

    def array(self, job: Job) -> Job | None:
        """The array whose task `job` is; None: it's no task."""
        whole = array_of(job.id)
        return None if whole is None else self.jobs.get(whole)

    def known(self, job_id: JobId) -> Job:
        """Raises UnknownJob."""
        job = self.look(job_id)
        if job is None:
            raise UnknownJob(f"there is no job {job_id}")
        return job

    def attempt(self, attempt_id: AttemptId) -> tuple[Job, Attempt] | None:
        """Whose it is; None for one of another store, or of a job that was removed."""
        try:
            uuid, number, task, index = attempt_id.split(".")
            job: Job | None = self.jobs[JobId(int(number))]
            if job is not None and job.is_array:
                task_number = task_id(job.id, int(task))
                job = self.jobs.get(task_number) or self.shelf.get(task_number, self.jobs)
            if job is None:
                return None
            attempt = job.attempts[int(index) - 1]
        except (ValueError, LookupError):
            return None
        return (job, attempt) if uuid == self.uuid and attempt.id == attempt_id else None

    def _replace(self, before: Job | None, after: Job | None) -> None:
        """Put `after` in the place of `before`, in every index."""
        if after is not None:
            self.jobs[after.id] = after
            if before is None and after.spec.name and position_of(after.id) is None:
                self.names[after.spec.name] = after.id
        elif before is not None:
            del self.jobs[before.id]
            if before.spec.name and position_of(before.id) is None:
                del self.names[before.spec.name]
        self.scheduler.replace(before, after)
