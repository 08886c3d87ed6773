"""What the tasks of each array come to: counts by state, the next to begin, the array's ending."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from solveyard.core.dependencies import met
from solveyard.core.keyed import Keyed
from solveyard.core.lifecycle import unopened
from solveyard.core.search import Search
from solveyard.core.shelf import Shelf
from solveyard.model.arrays import ranges
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import FINAL, WAITING, Job, JobId, JobState, Outcome, Reason
from solveyard.model.policies import Link

_LIVE = (JobState.SUBMITTED, JobState.RUNNING)
_NAMED = 20  #: runs of indices that an ending names
#: Will a job of that number have what these links ask for? None: nobody knows yet.
Fate = Callable[[JobId, Sequence[Link]], bool | None]


class Tray:
    """One array's tasks. Those below `next` have a record; of those above, some may."""

    __slots__ = ("at_hand", "keyed", "lost", "next", "opened", "ready", "size")

    def __init__(self, size: int, away: Counter[JobState]) -> None:
        """`away`: its tasks that were put away, by state."""
        self.size = size
        self.next = 0
        self.opened = away  #: tasks with a record, by state
        self.at_hand: set[int] = set()  #: positions of those whose records weren't put away
        self.ready = Search()  #: whose counterparts have all ended, or one as it may not
        self.keyed = Keyed()  #: of these the ones whose own keys were busy
        self.lost = Search()  #: of these the ones that can never begin

    @property
    def live(self) -> int:
        """Tasks that are with a machine."""
        return sum(self.opened[state] for state in _LIVE)

    @property
    def unopened(self) -> int:
        return self.size - sum(self.opened.values())


class Arrays:
    """Follows every change of a task; `jobs` are all jobs, tasks with a record among them, but
    for those that were put away on the `shelf`.
    """

    def __init__(self, jobs: Mapping[JobId, Job], shelf: Shelf, fate: Fate) -> None:
        self._jobs = jobs
        self._shelf = shelf
        self._fate = fate
        self._pairs: dict[JobId, dict[JobId, None]] = {}  #: arrays that go on task by task
        self._trays: dict[JobId, Tray] = {}
        self._keyed: dict[str, dict[JobId, None]] = {}  #: arrays whose tasks wait for it

    def replace(self, before: Job | None, after: Job | None) -> None:
        """A job has changed; None: it wasn't there before, or isn't any more."""
        job = after or before
        assert job is not None
        if job.spec.array is None:
            return
        array, position = array_of(job.id), position_of(job.id)
        if array is None or position is None:
            self._replace_whole(before, after)
        elif (tray := self._trays.get(array)) is not None:
            if after is None:
                tray.at_hand.discard(position)
            else:
                tray.at_hand.add(position)
            if before is None or after is None or before.state != after.state:
                self._recount(tray, before, after)
                if after is not None and after.state.final and array in self._pairs:
                    self._counterpart_ended(array, position)

    @staticmethod
    def _recount(tray: Tray, before: Job | None, after: Job | None) -> None:
        if before is not None:
            tray.opened[before.state] -= 1
        if after is not None:
            tray.opened[after.state] += 1

    def _replace_whole(self, before: Job | None, after: Job | None) -> None:
        if before is None:
            assert after is not None
            assert after.spec.array is not None
            self._trays[after.id] = Tray(len(after.spec.array), self._shelf.counts(after.id))
            for other in _paired(after):
                self._pair(after.id, other)
            for waiting in self.paired(after.id):  # they came before it
                self._pair(waiting, after.id)
            self._look_anew(after.id)
        elif after is None:
            self._trays.pop(before.id, None)
            for other in _paired(before):
                self._pairs[other].pop(before.id, None)
            self._look_anew(before.id)
        else:
            if before.closed != after.closed or before.state.final != after.state.final:
                self._look_anew(after.id)
            if before.state.final and not after.state.final:  # so it isn't in order any more
                for waiting in self.paired(after.id):
                    self._pair(waiting, after.id)

    def put_away(self, task: JobId) -> None:
        """It has ended, and its record is on the shelf alone from now on."""
        tray = self._trays.get(array_of(task) or task)
        if tray is not None:
            tray.at_hand.discard(position_of(task) or 0)

    def paired(self, array: JobId) -> list[JobId]:
        """Arrays each of whose tasks waits for its counterpart in this one."""
        return list(self._pairs.get(array, ()))

    def _pair(self, waiting: JobId, other: JobId) -> None:
        self._pairs.setdefault(other, {})[waiting] = None
        array, tray = self._jobs.get(other), self._trays[waiting]
        if array is None:
            return
        links = [link for link in _links(self._jobs[waiting]) if link.job == other]
        wrong = {state for state in FINAL if not all(met(state, link) for link in links)}
        for position in self.ended(array, wrong):
            tray.lost.tell(position)
        if not array.state.final:  # else all have ended: it goes in order
            for position in self.ended(array, FINAL):
                tray.ready.tell(position)

    def _counterpart_ended(self, array: JobId, position: int) -> None:
        for waiting in self._pairs[array]:
            self._trays[waiting].ready.tell(position)
            self._trays[waiting].lost.tell(position)

    def _look_anew(self, array: JobId) -> None:
        """Its tasks without a record are others, or have all ended."""
        for waiting in self.paired(array):
            self._trays[waiting].ready.anew()
            self._trays[waiting].lost.anew()

    def __contains__(self, array: JobId) -> bool:
        return array in self._trays

    def tray(self, array: JobId) -> Tray:
        return self._trays[array]

    def tasks(self, array: Job) -> Iterator[Job]:
        """Those with a record that wasn't put away, by position: all that have not ended."""
        for position in sorted(self._trays[array.id].at_hand):
            yield self._jobs[task_id(array.id, position)]

    def ended(self, array: Job, states: Collection[JobState]) -> list[int]:
        """The positions of those that have ended in one of `states`, in order."""
        at_hand = self._trays[array.id].at_hand
        away = [one for one in self._shelf.positions(array.id, states) if one not in at_hand]
        here = [position_of(task.id) or 0 for task in self.tasks(array) if task.state in states]
        return sorted([*away, *here])

    def candidate(self, array: Job) -> Job | None:
        """The next task to begin; None: each has a record.

        That is the first, or where each waits for its counterpart the first that needn't: whom
        all tasks wait for makes no difference. Where tasks have keys of their own it is the first
        that isn't known to wait for one. One that can never begin is before all others.
        """
        tray = self._trays[array.id]
        while (found := self._shelf.gap(array.id, tray.next)) in tray.at_hand:
            tray.next = found + 1
        tray.next = found
        if found >= tray.size:
            return None
        links, own = _links(array), has_own_keys(array)
        position = self._able(array, tray, links) if links or own else None
        return unopened(array, tray.next if position is None else position)

    def _able(self, array: Job, tray: Tray, links: Sequence[Link]) -> int | None:
        """The first that waits for no counterpart any more, nor for a key of its own, or that is
        lost.
        """
        others = [(self._jobs.get(JobId(link.job)), link) for link in links]

        def lost(position: int) -> bool:
            task = task_id(array.id, position)
            return self._without_record(array, position) and self._fate(task, links) is False

        def ready(position: int) -> bool:
            return position not in tray.keyed and decided(position)

        def decided(position: int) -> bool:
            task = task_id(array.id, position)
            return self._without_record(array, position) and self._fate(task, links) is not None

        # Nobody tells of counterparts that ended before they began, or that were removed.
        cut = any(o is not None and o.closed and link.on == "success" for o, link in others)
        found = tray.lost.first(lost, tray.next, tray.size if cut else 0)
        if found is not None:
            return found
        over = not links or any(o is None or o.closed or o.state.final for o, _ in others)
        found = tray.ready.first(ready, tray.next, tray.size if over else 0)
        again = tray.keyed.first(decided)
        return min((one for one in (found, again) if one is not None), default=None)

    def park(self, task: Job, key: str) -> None:
        """It has no record, and waits for a key of its own."""
        array = array_of(task.id) or task.id
        self._trays[array].keyed.park(position_of(task.id) or 0, key)
        self._keyed.setdefault(key, {})[array] = None

    def key_is_free(self, key: str) -> list[JobId]:
        """The arrays one of whose tasks may be the next by that."""
        arrays = [one for one in self._keyed.pop(key, ()) if one in self._trays]
        for array in arrays:
            self._trays[array].keyed.freed(key)
        return arrays

    def _without_record(self, array: Job, position: int) -> bool:
        if position in self._trays[array.id].at_hand:
            return False
        return self._shelf.state(task_id(array.id, position)) is None

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
        waiting = sum(tray.opened[state] for state in WAITING)
        if array.state.final or tray.live or waiting or (tray.unopened and not array.closed):
            return None
        if tray.opened[JobState.FAILED]:
            return self._failure(array, self.ended(array, {JobState.FAILED}))
        done = tray.opened[JobState.COMPLETED]
        if done < tray.size:
            return Outcome(
                reason=Reason.CANCELLED,
                message=f"cancelled; {done} of {tray.size} tasks had succeeded",
            )
        return Outcome(reason=Reason.SUCCESS, message=f"all {tray.size} tasks succeeded")

    def _failure(self, array: Job, failed: list[int]) -> Outcome:
        assert array.spec.array is not None
        number = task_id(array.id, failed[0])
        first = self._jobs.get(number) or self._shelf.get(number, self._jobs)
        assert first is not None
        assert first.outcome is not None
        named = ranges([array.spec.array.index(position) for position in failed], _NAMED)
        return Outcome(
            reason=first.outcome.reason,
            cause=first.outcome.cause,
            exit_code=first.outcome.exit_code,
            signal=first.outcome.signal,
            message=f"{len(failed)} of {len(array.spec.array)} tasks failed:"
            f" {array.label}[{named}] (see them: solveyard show {first.label})",
            evidence=(f"{first.label}: {first.outcome.message}",),
        )


def counted(array: Job, jobs: Mapping[JobId, Job], shelf: Shelf) -> dict[JobState, int]:
    """The tasks by state of an array that is not followed any more; each record is in `jobs`,
    or was put away.
    """
    assert array.spec.array is not None
    size = len(array.spec.array)
    ids = (task_id(array.id, position) for position in range(size))
    opened = shelf.counts(array.id) + Counter(jobs[one].state for one in ids if one in jobs)
    found = dict.fromkeys(JobState, 0) | dict(opened)
    found[unopened(array, 0).state] += size - opened.total()
    return found


def has_own_keys(array: Job) -> bool:
    """Do its tasks exclude each something else?"""
    return any("{{" in key for key in array.spec.exclusive)


def _links(array: Job) -> list[Link]:
    """Those by which each of its tasks waits for its counterpart."""
    return [link for link in array.after if link.each]


def _paired(array: Job) -> list[JobId]:
    return [JobId(link.job) for link in _links(array)]
