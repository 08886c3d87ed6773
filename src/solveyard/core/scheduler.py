"""Who goes next, and where. Pure: the same jobs and the same machines give the same plan."""

from collections.abc import Iterable
from contextlib import closing
from itertools import islice

from msgspec.structs import replace

from solveyard.core.arrays import Arrays, has_own_keys
from solveyard.core.clusters import Clusters, waits_elsewhere
from solveyard.core.dependencies import Dependencies, Known
from solveyard.core.gates import Gates
from solveyard.core.inventory import Inventory
from solveyard.core.leaps import Leaps
from solveyard.core.line import Line
from solveyard.core.needs import Needs
from solveyard.core.parting import PartedQueue
from solveyard.core.queues import urgency
from solveyard.core.reservation import Reservation, reserve
from solveyard.core.roll import Roll
from solveyard.core.seating import Seating, over_by
from solveyard.core.shares import Owners
from solveyard.core.shelf import Shelf
from solveyard.core.slots import Pace, alike
from solveyard.core.waiting import Waits
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import WAITING, Job, JobId, JobState, Limits, Passed, Placement
from solveyard.model.messages import AgentJoined, LicencesSeen
from solveyard.model.resources import Resources
from solveyard.model.shares import NO_SHARES, Shares, Spent

#: Kinds of jobs behind the first that are tried in a gap.
LOOKAHEAD = 64
#: So many are looked at for these: some lack a licence, or a quota keeps them.
FARTHEST = 1024


class Scheduler:
    """The indexes over all jobs: what waits, what holds what, and the next job to start.

    `replace` keeps them in step with the jobs; it is called for every change of a job.
    """

    def __init__(
        self,
        jobs: Roll,
        shelf: Shelf,
        known: Known,
        pace: Pace,
        shares: Shares = NO_SHARES,
        spent: Iterable[Spent] = (),
    ) -> None:
        self._jobs = jobs
        self.pace = pace
        self.inventory = Inventory()
        self.clusters = Clusters()
        self.gates = Gates(self.inventory)
        self._leaps = Leaps()
        self.deadlines = Waits(self._leaps)  #: of jobs that wait no longer than that
        self.dependencies = Dependencies(known)
        self.arrays = Arrays(jobs, shelf, self.dependencies.fate)
        self.owners = Owners(shares, spent, jobs, self.arrays, self._leaps)
        self.needs = Needs(self.inventory, self.owners)
        parted = PartedQueue(self.owners) if shares.decides else None
        self.line = Line(jobs, self.arrays, self.dependencies, self._leaps, parted)
        self.seating = Seating(jobs, self.inventory, pace, self._leaps)
        self._sorted = True  #: misfits were looked for since machines or licences last changed
        self.moved = True  #: something has changed that may let a job start
        self._coreless = 0  #: jobs that wait for no core, and arrays of such tasks

    # What changes

    def replace(self, before: Job | None, after: Job | None) -> None:
        """A job has changed; None: it wasn't there before, or isn't any more."""
        old = before.live_attempt if before is not None else None
        new = after.live_attempt if after is not None else None
        self.arrays.replace(before, after)
        if self.owners.shares.decides:
            self.owners.replace(before, after)
        if old is not None and (new is None or new.id != old.id):
            assert before is not None
            ended_at = None if after is None else after.attempts[-1].ended_at
            self.moved = True
            self.seating.unseat(before, old, ended_at)
            if old.placement.forwarded:
                self.clusters.give(before, old.placement)
            for key in before.keys:
                self.line.key_is_free(key)
            self.line.quota_moved(before.owner)
        if new is not None and (old is None or new.id != old.id):
            assert after is not None
            self.seating.seat(after, new.placement)
            self.gates.placed(new.placement.machine, new.placement.allocation)
            if new.placement.forwarded:
                self.clusters.take(after, new.placement)
        self.line.changed(before, after)
        queued = JobState.QUEUED
        if after is not None and (after.state is queued or after.state.final or after.is_array):
            self.moved = True  # an end may be what others wait for
        elif before is None or before.state is queued:
            self.moved = True  # of a task's first record: another of its array is the next
        self._coreless += _needs_no_core(after) - _needs_no_core(before)
        self._set_deadline(before, after)

    def restore(self) -> None:
        """All jobs are in."""
        self.seating.restore()

    def machine_joined(self, joined: AgentJoined) -> None:
        held = self.seating.machine(joined.machine)
        self.inventory.join(joined, held)
        self.gates.forget(joined.machine)
        self._refit()
        self.moved = True

    def licences_seen(self, report: LicencesSeen) -> None:
        if self.inventory.seats.seen(report, self.seating.licences()):
            self.inventory.licences_seen()
            self._refit()
        self.moved = True

    def _refit(self) -> None:
        """There is something else by now."""
        self.needs.forget()
        self._sorted = False
        self.line.refit()

    # What starts

    def next_start(self, limits: Limits, now: float) -> tuple[Job, Placement] | None:
        """The job or task that goes next and its place; slot 0 in a placement asks for a new one.

        The most urgent that could run goes first. One that doesn't fit yet gets a reservation,
        which says who may start before; one that waits for a key, or that no known machine could
        run, stands aside. Each cluster has a line of its own.
        """
        for name in self.clusters.open():
            if (task := self._first_for(name)) is not None:
                return task, self.clusters.placement(task)
        taken, gated = self.all_taken(limits), self.gates.set(limits)
        if taken and gated:
            return None
        while (first := self.line.first()) is not None:
            job, task = first
            if self._aside(job, task):
                continue
            if self.needs.over_quota(task):
                if self.needs.never_by_quota(task):
                    self.line.wait_for_machine(job.id)
                else:
                    self.line.wait_for_quota(task.owner)
                continue
            need = self.needs.of(task)
            if not taken and (placement := self._place(need, limits)) is not None:
                return task, placement
            if not self.needs.fits(job, task):
                self.line.wait_for_machine(job.id)
                continue
            alone = gated or self.owners.bounded(task.owner)
            follow = None if alone else self.seating.follow(task, now)
            if follow is not None or taken:
                return (task, follow) if follow is not None else None
            return self._fill_gap(task, limits, now)
        return None

    def next_like(self, before: Job, now: float) -> tuple[Job, Placement] | None:
        """The next one, and its place, right after `before`, which waits in a slot: what keeps or
        lets in the one does so with the other, where all is alike. None: not known so quickly.
        """
        first = self.line.first()
        if first is None:
            return None
        job, task = first
        same = task.owner == before.owner and task.need == before.need
        if not same or not isinstance(task.need.cores, int) or task.need.nodes is not None:
            return None
        if not alike(task.spec, before.spec) or self._aside(job, task):
            return None
        follow = self.seating.follow(task, now)
        return None if follow is None else (task, follow)

    def _first_for(self, cluster: str) -> Job | None:
        while (first := self.line.first(cluster)) is not None:
            job, task = first
            if self._aside(job, task):
                continue
            return task if not self.lacking(task) else self._behind(cluster, task)
        return None

    def _behind(self, cluster: str, first: Job) -> Job | None:
        """One that goes after the first, which waits for a count, and asks for none of its."""
        with closing(self.line.behind(cluster)) as line:
            for job, task in islice(line, FARTHEST):
                if task.need.counts.keys() & first.need.counts.keys() or self.lacking(task):
                    continue
                if not self._aside(job, task):
                    return task
        return None

    def lacking(self, task: Job) -> str:
        """The count that one for a cluster waits for, in words; "": none."""
        counts = task.need.counts
        return self.clusters.lacking(task.spec.on, task.need, self.inventory.free(counts))

    def all_taken(self, limits: Limits) -> bool:
        """Do as many jobs run here as may at once?"""
        most = limits.max_concurrent
        return most is not None and len(self.seating) - self.clusters.taken >= most

    def _aside(self, job: Job, task: Job) -> bool:
        """Have it stand aside where it can't start, whatever is free."""
        if (key := self.seating.busy_key(task)) is not None:
            if not (job.is_array and has_own_keys(job) and self._another(job, task, key)):
                self.line.wait_for_key(job.id, key)
            return True
        if self.most_at_once(job) is not None:
            self.line.wait_for_task(job, task)
            return True
        return False

    def _another(self, array: Job, task: Job, key: str | None) -> bool:
        """Does it go on with another than this task, which waits for a key of its own?"""
        for _ in range(FARTHEST):
            if key is None:
                self.line.file(array)
                return True
            self.arrays.park(task, key)
            following = self.arrays.candidate(array)
            if following is None or following.id == task.id:
                return False
            task, key = following, self.seating.busy_key(following)
        return False

    def most_at_once(self, job: Job) -> int | None:
        """So many tasks of its array, or of itself, may run at once, and do; None: not so."""
        if job.spec.array is None or job.spec.array.at_once is None:
            return None
        array = job if job.is_array else self.array(job)
        return job.spec.array.at_once if self.arrays.full(array) else None

    def _place(
        self,
        need: Resources,
        limits: Limits,
        reserved: Reservation | None = None,
        until: float = 0,
        *,
        equal: bool = False,
    ) -> Placement | None:
        """`equal`: it's as urgent as the one that has `reserved`, but for its arrival."""
        lent: Placement | None = None
        for machine in self.inventory.candidates(need):
            allocation = self.inventory.allocate(need, machine)
            if allocation is None or self.gates.closed(machine, allocation, limits):
                continue
            passed: Passed | None = None
            if reserved is not None and not reserved.admits(
                machine, allocation, until, equal=equal
            ):
                passed = reserved.lend(machine, allocation) if equal and lent is None else None
                if passed is None:
                    continue
            if (placement := self.seating.place(machine, allocation)) is not None:
                if passed is None:
                    return placement
                lent = replace(placement, passed=passed)
        return lent

    def _fill_gap(self, first: Job, limits: Limits, now: float) -> tuple[Job, Placement] | None:
        """One that goes after the first, and delays it by no more than its reservation lends."""
        room = self.inventory.any_free() or self._coreless
        if not room and self._sorted:
            return None
        able = self._in_sight(first)
        if not (room and able):
            return None
        reserved = self.reservation(first)
        equals = None if self.owners.shares.fair else first.priority
        failed: list[tuple[Resources, float, bool]] = []
        for task, other in able:
            until, equal = over_by(task, now), task.priority == equals
            tried = (other, until, equal)
            if tried in failed:
                continue
            placement = self._place(other, limits, reserved, until, equal=equal)
            if placement is not None:
                return task, placement
            failed.append(tried)
        return None

    def _in_sight(self, first: Job) -> list[tuple[Job, Resources]]:
        """Those behind the first that may start, as far as quotas, licences and counts go, with
        what they need, in the order in which they fill gaps.

        Of one priority the widest goes first: narrow ones fill what is left over. Where nobody has
        come since all that runs began, and these are the last, it is the one of the longest limit,
        so that it isn't what runs alone in the end. With fair shares the line's order stays.
        """
        able: list[tuple[Job, Resources]] = []
        kept: set[str] = set()  #: owners whose quota keeps one of these, and so those behind it
        passed = {first.owner}  #: owners who have one before these
        need = self.needs.of(first)
        with closing(self.line.behind()) as line:
            for job, task in islice(line, FARTHEST):
                if task.owner in kept or self._aside(job, task):
                    continue
                if self.needs.over_quota(task):
                    if self.needs.never_by_quota(task):
                        self.line.wait_for_machine(job.id)
                        continue
                    kept.add(task.owner)
                    if task.owner not in passed:
                        self.line.wait_for_quota(task.owner)
                elif not self.needs.fits(job, task):
                    self.line.wait_for_machine(job.id)
                else:
                    passed.add(task.owner)
                    other = self.needs.of(task)
                    if other != need and self.inventory.has_pools(other):
                        able.append((task, other))
                if len(able) == LOOKAHEAD:
                    break
        self._sorted = True
        if self.owners.shares.fair:
            return able
        last = self._are_last(first)

        def rank(one: tuple[Job, Resources]) -> tuple[float, ...]:
            task, other = one
            length = task.spec.time_limit or 0.0
            return (-task.priority, -length if last else 0.0, -self.needs.fewest(other))

        return sorted(able, key=rank)

    def _are_last(self, first: Job) -> bool:
        """Are these few all, and has nobody come since all that runs began?"""
        oldest = self.seating.oldest()
        if first.waiting_since >= oldest:
            return False
        line = self.line.after_first(LOOKAHEAD)
        while any(self._aside(job, task) for job, task in line):
            line = self.line.after_first(LOOKAHEAD)
        if len(line) == LOOKAHEAD:
            return False
        return not any(job.is_array or task.waiting_since >= oldest for job, task in line)

    def reservation(self, first: Job) -> Reservation:
        """Of the first in line."""
        ordered = None if self.owners.shares.fair else urgency(first)  # else it's first by share
        held = self.seating.holders(ordered)
        return reserve(first.id, self.needs.of(first), self.inventory, held, first.waiting_since)

    def array(self, task: Job) -> Job:
        return self._jobs[array_of(task.id) or task.id]

    def has_record(self, job: Job) -> bool:
        """False: it is a task that nothing has happened to."""
        return position_of(job.id) is None or self._jobs.at_hand(job.id) is not None

    def label(self, job_id: JobId) -> str:
        return self._jobs[job_id].label

    # What time does

    def leapt(self, at: float, by: float) -> None:
        """The clock told `at`, and then so much more: that is no time that anything took."""
        if self._leaps.add(at, by):
            self.deadlines.leapt()
            self.line.pauses.leapt()
            self.owners.leapt()
            self.moved = True

    def measured(self, job: Job, now: float) -> float:
        """`now` without the leaps since `job` began, for who tells how long it has been running."""
        attempt = job.attempt
        if attempt is None or attempt.started_at is None or attempt.placement.forwarded:
            return now
        return now - self._leaps.since(attempt.started_at)

    def overdue(self, job: Job, now: float) -> bool:
        """Has it waited in a batch system's line for longer than it may?"""
        limit, since = job.spec.wait_limit, job.waiting_since
        if limit is None or position_of(job.id) is not None or not waits_elsewhere(job):
            return False
        return since + limit + self._leaps.since(since) <= now

    def wake(self) -> float | None:
        """When time alone causes something next."""
        next_ones = (self.deadlines.next(), self.line.pauses.next())
        times = [*self.seating.wakes(), *(at for at in next_ones if at is not None)]
        return min(times, default=None)

    # Inside

    def _set_deadline(self, before: Job | None, after: Job | None) -> None:
        """A task has none: its array's is over with the first that is placed, or ends them all."""
        job = after or before
        assert job is not None
        if position_of(job.id) is not None:
            return
        limit = None if after is None else after.spec.wait_limit
        if after is not None and limit is not None and _waits(after):
            since = after.waiting_since
            self.deadlines.begin(after.id, since, since + limit)
        elif before is not None and before.spec.wait_limit is not None:
            self.deadlines.end(before.id)


def _waits(job: Job) -> bool:
    """Here, or in a batch system's line."""
    return job.state in WAITING or waits_elsewhere(job)


def _needs_no_core(job: Job | None) -> bool:
    """Does it wait, or have tasks that may, that start here though all cores are taken?"""
    if job is None or job.spec.resources.cores != 0:
        return False
    if job.spec.resources.whole_nodes or job.spec.on:
        return False
    return job.state is JobState.QUEUED or (job.is_array and not job.state.final)
