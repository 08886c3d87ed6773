"""Running totals of jobs, so that nobody counts a hundred thousand to answer one question."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from solveyard.core.lifecycle import unopened
from solveyard.model.ids import array_of
from solveyard.model.jobs import Job, JobId, JobState


def _none(_: JobId) -> Mapping[JobState, int]:
    return {}


class Tally:
    """How many jobs and tasks there are of each kind; an array counts as its tasks."""

    def __init__(
        self, jobs: Iterable[Job] = (), away: Callable[[JobId], Mapping[JobState, int]] = _none
    ) -> None:
        """Arrays come before their tasks. `away`: tasks of an array that have ended and are not
        among `jobs`, by state.
        """
        self.states: Counter[JobState] = Counter()
        self.queued: Counter[int] = Counter()  #: by priority; none that is 0
        self._whole: Counter[tuple[str, JobState]] = Counter()  #: by owner; an array is one
        self._unopened: dict[JobId, tuple[Job, int]] = {}  #: arrays, and tasks without a record
        for job in jobs:
            self.change(None, job)
            if job.is_array:
                self._put_away(job.id, away(job.id))

    def change(self, before: Job | None, after: Job | None) -> None:
        """One job was `before` and is `after`; None: it wasn't there, or is there no more."""
        job = after or before
        if job is None:
            return
        array = array_of(job.id)
        if array is None:
            self._count_whole(before, -1)
            self._count_whole(after, 1)
        if job.is_array:
            self._change_array(job.id, after)
            return
        if before is None and array is not None:
            whole, number = self._unopened[array]
            self._add(unopened(whole, 0), -1)
            self._unopened[array] = whole, number - 1
        self._add(before, -1)
        self._add(after, 1)

    def add_whole(self, owner: str, state: JobState) -> None:
        """A job, no task and no array, that has ended and is away."""
        self.states[state] += 1
        self._whole[owner, state] += 1

    def come_back(self, before: JobState, after: Job) -> None:
        """A task that was away, in state `before`, is `after` by now."""
        self.states[before] -= 1
        self._add(after, 1)

    def forget(self, away: Mapping[JobState, int]) -> None:
        """So many tasks of an array that is gone are gone with it."""
        for state, number in away.items():
            self.states[state] -= number

    def _put_away(self, array: JobId, away: Mapping[JobState, int]) -> None:
        whole, number = self._unopened[array]
        ended = sum(away.values())
        self._add(unopened(whole, 0), -ended)
        self._unopened[array] = whole, number - ended
        for state, count in away.items():
            self.states[state] += count

    def total(self, owner: str | None, states: frozenset[JobState] | None) -> int:
        """How many jobs they have, an array as one; None: whoever, or whichever."""
        return sum(
            number
            for (one, state), number in self._whole.items()
            if (owner is None or one == owner) and (states is None or state in states)
        )

    def _count_whole(self, job: Job | None, number: int) -> None:
        if job is not None:
            key = job.owner, job.state
            self._whole[key] += number
            if not self._whole[key]:
                del self._whole[key]

    def _change_array(self, array: JobId, after: Job | None) -> None:
        known = self._unopened.pop(array, None)
        if known is not None:
            self._add(unopened(known[0], 0), -known[1])
        if after is not None and after.spec.array is not None:
            number = known[1] if known is not None else len(after.spec.array)
            self._add(unopened(after, 0), number)
            self._unopened[array] = after, number

    def _add(self, job: Job | None, number: int) -> None:
        if job is None:
            return
        self.states[job.state] += number
        if job.state is JobState.QUEUED:
            self.queued[job.priority] += number
            if not self.queued[job.priority]:
                del self.queued[job.priority]
