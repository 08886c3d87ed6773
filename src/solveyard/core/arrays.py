"""What the tasks of each array come to: counts by state, the next to begin, the array's ending."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush

from solveyard.core.lifecycle import unopened
from solveyard.model.arrays import ranges
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import Job, JobId, JobState, Outcome, Reason

_LIVE = (JobState.SUBMITTED, JobState.RUNNING)
_NAMED = 20  #: runs of indices that an ending names


class Tray:
    """One array's tasks. Those below `next` have a record; of those above, some may."""

    __slots__ = ("ahead", "early", "next", "opened", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.next = 0
        self.opened: Counter[JobState] = Counter()  #: tasks with a record, by state
        self.early: list[int] = []  #: positions whose counterparts ended, a heap
        self.ahead = 0  #: those below it wait for counterparts that have a record, or have begun

    @property
    def live(self) -> int:
        """Tasks that are with a machine."""
        return sum(self.opened[state] for state in _LIVE)

    @property
    def unopened(self) -> int:
        return self.size - sum(self.opened.values())


class Arrays:
    """Follows every change of a task; `jobs` are all jobs, tasks with a record among them."""

    def __init__(self, jobs: Mapping[JobId, Job], decided: Callable[[Job], bool]) -> None:
        """`decided`: a task waits for nobody, or for what can't come any more."""
        self._jobs = jobs
        self._decided = decided
        self._pairs: dict[JobId, dict[JobId, None]] = {}  #: arrays that go on task by task
        self._trays: dict[JobId, Tray] = {}

    def replace(self, before: Job | None, after: Job | None) -> None:
        """A job has changed; None: it wasn't there before, or isn't any more."""
        job = after or before
        assert job is not None
        if job.spec.array is None:
            return
        array = array_of(job.id)
        if array is None:
            if before is not None and after is not None and before.closed != after.closed:
                for waiting in self.paired(job.id):
                    self._trays[waiting].ahead = 0
            if after is None:
                self._trays.pop(job.id, None)
                for other in _paired(job):
                    self._pairs[other].pop(job.id, None)
            elif before is None:
                self._trays[job.id] = Tray(len(job.spec.array))
                for other in _paired(job):
                    self._pair(job.id, other)
            return
        tray = self._trays.get(array)
        if tray is not None and (before is None or after is None or before.state != after.state):
            if before is not None:
                tray.opened[before.state] -= 1
            if after is not None:
                tray.opened[after.state] += 1
                if after.state.final and array in self._pairs:
                    self._counterpart_ended(array, position_of(job.id) or 0)

    def paired(self, array: JobId) -> list[JobId]:
        """Arrays each of whose tasks waits for its counterpart in this one."""
        return list(self._pairs.get(array, ()))

    def _pair(self, waiting: JobId, other: JobId) -> None:
        self._pairs.setdefault(other, {})[waiting] = None
        array = self._jobs.get(other)
        if array is not None and not array.state.final:  # else all have ended: it goes in order
            for task in self.tasks(array):
                if task.state.final:
                    heappush(self._trays[waiting].early, position_of(task.id) or 0)

    def _counterpart_ended(self, array: JobId, position: int) -> None:
        for waiting in self._pairs[array]:
            heappush(self._trays[waiting].early, position)

    def __contains__(self, array: JobId) -> bool:
        return array in self._trays

    def tray(self, array: JobId) -> Tray:
        return self._trays[array]

    def tasks(self, array: Job) -> Iterator[Job]:
        """Those with a record, by position."""
        for position in range(self._trays[array.id].size):
            task = self._jobs.get(task_id(array.id, position))
            if task is not None:
                yield task

    def candidate(self, array: Job) -> Job | None:
        """The next task to begin; None: each has a record.

        That is the first, or where each waits for its counterpart the first that needn't wait.
        """
        tray = self._trays[array.id]
        while tray.next < tray.size and task_id(array.id, tray.next) in self._jobs:
            tray.next += 1
        if tray.next == tray.size:
            return None
        first = unopened(array, tray.next)
        if self._decided(first):
            return first
        found = [self._early(array, tray), self._ahead(array, tray)]
        able = [position for position in found if position is not None]
        return unopened(array, min(able)) if able else first

    def _early(self, array: Job, tray: Tray) -> int | None:
        """The first whose counterpart has ended, with a record."""
        while tray.early:
            if self._may_begin(array, tray.early[0]):
                return tray.early[0]
            heappop(tray.early)  # it comes again should its counterpart end once more
        return None

    def _ahead(self, array: Job, tray: Tray) -> int | None:
        """The first whose counterpart was ended before it began, and so without a record."""
        others = (self._jobs.get(JobId(link.job)) for link in array.after if link.each)
        if not any(other is not None and other.closed for other in others):
            return None
        tray.ahead = max(tray.ahead, tray.next)
        while tray.ahead < tray.size:
            if self._may_begin(array, tray.ahead):
                return tray.ahead
            tray.ahead += 1
        return None

    def _may_begin(self, array: Job, position: int) -> bool:
        task = unopened(array, position)
        return task.id not in self._jobs and self._decided(task)

    def waits(self, array: Job) -> bool:
        """Does it have tasks to begin, be it held or not?"""
        return not (array.state.final or array.closed) and self._trays[array.id].unopened > 0

    def full(self, array: Job) -> bool:
        """Do as many of its tasks run as may at once?"""
        assert array.spec.array is not None
        most = array.spec.array.at_once
        return most is not None and self._trays[array.id].live >= most

    def counts(self, array: Job) -> dict[JobState, int]:
        """All of its tasks, by state."""
        tray = self._trays[array.id]
        found = dict.fromkeys(JobState, 0) | dict(tray.opened)
        found[unopened(array, 0).state] += tray.unopened
        return found

    def ending(self, array: Job) -> Outcome | None:
        """How the array as a whole has ended; None: some of its tasks haven't."""
        tray = self._trays[array.id]
        waiting = sum(tray.opened[state] for state in (JobState.HELD, JobState.QUEUED))
        if array.state.final or tray.live or waiting or (tray.unopened and not array.closed):
            return None
        failed = [task for task in self.tasks(array) if task.state is JobState.FAILED]
        if failed:
            first = failed[0].outcome
            assert first is not None
            named = _indices(array, failed)
            return Outcome(
                reason=first.reason,
                cause=first.cause,
                exit_code=first.exit_code,
                signal=first.signal,
                message=f"{len(failed)} of {tray.size} tasks failed: {array.label}[{named}]"
                f" (see them: solveyard show {failed[0].label})",
                evidence=(f"{failed[0].label}: {first.message}",),
            )
        done = tray.opened[JobState.COMPLETED]
        if done < tray.size:
            return Outcome(
                reason=Reason.CANCELLED,
                message=f"cancelled; {done} of {tray.size} tasks had succeeded",
            )
        return Outcome(reason=Reason.SUCCESS, message=f"all {tray.size} tasks succeeded")


def counted(array: Job, jobs: Mapping[JobId, Job]) -> dict[JobState, int]:
    """The tasks by state of an array that is not followed any more; `jobs` has their records."""
    assert array.spec.array is not None
    size = len(array.spec.array)
    ids = (task_id(array.id, position) for position in range(size))
    opened = Counter(jobs[one].state for one in ids if one in jobs)
    found = dict.fromkeys(JobState, 0) | dict(opened)
    found[unopened(array, 0).state] += size - opened.total()
    return found


def _paired(array: Job) -> list[JobId]:
    return [JobId(link.job) for link in array.after if link.each]


def _indices(array: Job, tasks: list[Job]) -> str:
    spec = array.spec.array
    assert spec is not None
    positions = [position for task in tasks if (position := position_of(task.id)) is not None]
    return ranges([spec.index(position) for position in positions], _NAMED)
