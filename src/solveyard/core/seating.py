"""Which attempts are with which spawner: slots, seats, exclusive keys, and what is taken back."""

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter

from solveyard.core.crowd import Crowd
from solveyard.core.inventory import Inventory
from solveyard.core.leaps import Leaps
from solveyard.core.queues import Urgency, urgency
from solveyard.core.reservation import Holder
from solveyard.core.slots import (
    AHEAD,
    PATIENCE,
    Member,
    Pace,
    Seat,
    Slot,
    alike,
    may_follow,
)
from solveyard.model.jobs import Attempt, AttemptId, Job, JobId, Placement
from solveyard.model.messages import Launch, Recall, SpawnerJoined, SpawnerLeft
from solveyard.model.resources import Allocation

#: A spawner that has been away so long makes its jobs stale; s.
STALE_AFTER = 10.0


class Seating:
    """Everything that holds an allocation, and the spawners that it's with."""

    def __init__(
        self, jobs: Mapping[JobId, Job], inventory: Inventory, pace: Pace, leaps: Leaps
    ) -> None:
        self._jobs = jobs
        self._inventory = inventory
        self._pace = pace
        self._leaps = leaps
        self._slots: dict[int, Slot] = {}
        self._on: dict[str, dict[int, Slot]] = {}  #: the same by machine
        self._crowd = Crowd()
        self._head: Urgency | None = None  #: that none of them came after, when last looked
        self._seats: dict[tuple[str, int], Seat] = {}
        self._spawners: dict[str, list[int]] = {}  #: by machine, in order
        self._away: dict[tuple[str, int], Seat] = {}  #: not connected, and not told as stale yet
        self._busy: Counter[tuple[str, int]] = Counter()  #: slots, by spawner
        self._recalled: set[AttemptId] = set()  #: asked back, without an answer yet
        self._unsure: set[AttemptId] = set()  #: asked for, since their spawner has joined
        self.keys: dict[str, JobId] = {}  #: exclusive key to the job that holds it

    def __len__(self) -> int:
        """How many allocations are held."""
        return len(self._slots)

    @property
    def any_connected(self) -> bool:
        """Is there a spawner of a machine's, as opposed to a cluster's, to be told?"""
        machines = self._inventory.machines
        return any(one.connected for (at, _), one in self._seats.items() if at in machines)

    def restore(self) -> None:
        """All jobs are in: know the spawners that hold attempts, though not yet connected."""
        self._slots = dict(sorted(self._slots.items()))  # as they came: it decides between equals
        self._on.clear()
        for number, slot in self._slots.items():
            at = slot.placement
            self._on.setdefault(at.machine, {})[number] = slot
            key = (at.machine, at.spawner)
            if key not in self._seats:
                self._sit(key, Seat(at.boot_id, at.ledger))

    # Who comes and goes

    def joined(self, joined: SpawnerJoined, now: float) -> tuple[AttemptId, ...]:
        """The attempts that this spawner should know, in order."""
        key = (joined.machine, joined.spawner)
        self._sit(key, Seat(joined.boot_id, joined.ledger, connected=True))
        attempts = tuple(member.attempt for slot in self._at(*key) for member in slot.members)
        self._recalled.difference_update(attempts)  # a recall may be lost with its connection
        self._unsure.update(attempts)
        self._head = None  # some may have to be taken back anew
        for slot in self._at(*key):
            slot.moved_at = now  # nobody knows what happened while it was away
            if len(slot.members) > 1:
                self._crowd.keep(slot)
        return attempts

    def left(self, left: SpawnerLeft, now: float) -> None:
        seat = self._seats.get((left.machine, left.spawner))
        if seat is not None and seat.connected:
            seat.connected = False
            seat.left_at = now
            self._away[left.machine, left.spawner] = seat

    def seat(self, job: Job, placement: Placement) -> None:
        """`job` holds this now, or waits in its slot."""
        slot = self._slots.get(placement.slot)
        if slot is None:
            slot = self._slots[placement.slot] = Slot(placement, job.need)
            self._on.setdefault(placement.machine, {})[placement.slot] = slot
            self._busy[placement.machine, placement.spawner] += 1
            self._inventory.take(placement.machine, placement.allocation)
        slot.add(job)
        if len(slot.members) > 1:
            self._crowd.keep(slot)
        for key in job.keys:
            self.keys[key] = job.id

    def unseat(self, job: Job, attempt: Attempt, ended_at: float | None) -> None:
        placement = attempt.placement
        slot = self._slots[placement.slot]
        slot.discard(attempt.id)
        if ended_at is not None:
            slot.moved_at = ended_at
        self._recalled.discard(attempt.id)
        self._unsure.discard(attempt.id)
        if len(slot.members) > 1:
            self._crowd.keep(slot)
        else:
            self._crowd.discard(slot)
        if not slot.members:
            del self._slots[placement.slot], self._on[placement.machine][placement.slot]
            self._busy[placement.machine, placement.spawner] -= 1
            self._inventory.give(placement.machine, placement.allocation)
        for key in job.keys:
            self.keys.pop(key, None)

    def heard(self, attempt: AttemptId) -> bool:
        """Its spawner knows it. Was that in doubt?"""
        doubted = attempt in self._unsure
        self._unsure.discard(attempt)
        return doubted

    def may_launch_again(self, attempt: Attempt) -> bool:
        """Its spawner, asked, has never seen it: could it be sent once more as it is?

        Not where others share its slot: they may have gone on without it.
        """
        slot = self._slots[attempt.placement.slot]
        return len(slot.members) == 1 and attempt.id not in self._recalled

    # What there is

    def machine(self, name: str) -> list[Allocation]:
        """The allocations that are held there."""
        return [slot.placement.allocation for slot in self._on.get(name, {}).values()]

    def holding(self) -> list[Job]:
        """The jobs that hold an allocation, and those that wait in a slot for one."""
        return [self._jobs[m.job] for slot in self._slots.values() for m in slot.members]

    def running(self) -> Iterator[Job]:
        """Of each allocation here the job that runs, or is about to."""
        for slot in self._slots.values():
            if not slot.placement.forwarded:
                yield self._jobs[slot.members[0].job]

    def holders(self, first: Urgency | None) -> Iterator[Holder]:
        """What is held, and until when at the longest; who of them is more urgent than `first`.

        None: nobody is.
        """
        for number, slot in self._slots.items():
            job = self._jobs[slot.members[0].job]
            attempt = job.attempts[-1]
            begun = attempt.started_at if attempt.started_at is not None else slot.moved_at
            if attempt.started_at is None or not slot.placement.forwarded:
                begun = self._leaps.later(begun)  # by our clock, and not a batch system's
            yield Holder(
                machine=slot.placement.machine,
                allocation=slot.placement.allocation,
                until=over_by(job, begun),
                slot=number,
                placed_at=attempt.placed_at,
                ahead=first is not None and urgency(job) < first,
                passed=attempt.placement.passed,
            )

    def oldest(self) -> float:
        """When the first of those that hold something was placed; s since 1970, inf: none does."""
        firsts = (slot.members[0].placed_at for slot in self._slots.values())
        return min(firsts, default=float("inf"))

    def licences(self) -> Iterator[tuple[float, Mapping[str, int]]]:
        """Since when who holds which."""
        for slot in self._slots.values():
            if slot.placement.allocation.licences:
                yield slot.members[0].placed_at, slot.placement.allocation.licences

    def busy_key(self, job: Job) -> str | None:
        """An exclusive key of it that another job holds."""
        return next((key for key in job.keys if key in self.keys), None)

    def launch(self, job: Job) -> Launch:
        attempt = job.attempts[-1]
        return Launch(
            job=job.id,
            attempt=attempt.id,
            spec=job.spec,
            placement=attempt.placement,
            after=self._slots[attempt.placement.slot].before(attempt.id),
            brief=self._pace.brief(job.spec) is not None,
            session=job.session,
            within=job.within,
        )

    # Where there is a place

    def place(self, machine: str, allocation: Allocation) -> Placement | None:
        """With the spawner there that has the least to do; None: none is connected."""
        spawners = self._spawners.get(machine, ())
        able = [one for one in spawners if self._seats[machine, one].connected]
        if not able:
            return None
        spawner = min(able, key=lambda one: self._busy[machine, one])
        seat = self._seats[machine, spawner]
        return Placement(
            machine=machine,
            allocation=allocation,
            slot=0,
            spawner=spawner,
            boot_id=seat.boot_id,
            ledger=seat.ledger,
        )

    def follow(self, job: Job, now: float) -> Placement | None:
        """A place behind a brief job with the same needs, for one that presumably is brief, too."""
        seconds = self._pace.presumably(job.spec)
        if seconds is None or not may_follow(job.spec):
            return None
        best: Slot | None = None
        for slot in self._slots.values():
            if slot.moved_at + PATIENCE <= now or len(slot.members) * seconds >= AHEAD:
                continue
            shorter = best is None or len(slot.members) < len(best.members)
            if shorter and self._leads(slot, job):
                best = slot
        if best is None:
            return None
        at = best.placement
        return Placement(
            machine=at.machine,
            allocation=at.allocation,
            slot=at.slot,
            turn=best.members[-1].turn + 1,
            spawner=at.spawner,
            boot_id=at.boot_id,
            ledger=at.ledger,
        )

    # What is taken back

    def recall_all(self) -> list[Recall]:
        return [r for slot in self._crowd for r in self._recall(slot, slot.waiting)]

    def recall_outranked(
        self, head: Urgency | None, outranks: Callable[[Job], bool], *, ordered: bool
    ) -> list[Recall]:
        """Successors that would start before the first in line, `head`, which `outranks` them.

        `ordered`: the line goes by urgency alone. Then each of them was first in it, so there is
        nobody to look at unless somebody more urgent has come since.
        """
        before, self._head = self._head, head
        if not self._crowd or head is None:
            return []
        if ordered and before is not None and head >= before:
            return []
        recalls: list[Recall] = []
        for slot in self._crowd:
            if outranks(self._jobs[slot.members[-1].job]):
                outranked = [m for m in slot.waiting if outranks(self._jobs[m.job])]
                recalls += self._recall(slot, outranked)
        return recalls

    def recall_successor(self, job: Job) -> list[Recall]:
        """`job`, where it waits in a slot: it is less urgent than it was."""
        attempt = job.live_attempt
        slot = self._slots[attempt.placement.slot] if attempt is not None else None
        if slot is None:
            return []
        return self._recall(slot, [member for member in slot.waiting if member.job == job.id])

    def recall_impatient(self, now: float) -> list[Recall]:
        """Successors whose predecessor takes longer than was foreseen."""
        late = self._crowd.impatient(now)
        return [r for slot in late for r in self._recall(slot, slot.waiting)]

    # What time does

    def wakes(self) -> Iterator[float]:
        """When time alone causes something."""
        for slot in self._crowd:
            if any(member.attempt not in self._recalled for member in slot.waiting):
                yield slot.moved_at + PATIENCE
        for seat in self._away.values():
            if seat.left_at is not None:
                yield seat.left_at + STALE_AFTER

    def gone_stale(self, now: float) -> list[JobId]:
        """Jobs whose spawner has been away too long; each is told once."""
        stale: list[JobId] = []
        if not self._away:
            return stale
        for (machine, spawner), seat in sorted(self._away.items(), key=itemgetter(0)):
            if seat.left_at is None:
                seat.left_at = now
            if seat.left_at + STALE_AFTER <= now:
                seat.stale = True
                del self._away[machine, spawner]
                stale += [
                    member.job
                    for slot in self._at(machine, spawner)
                    for member in slot.members
                    if self._jobs[member.job].stale_since is None
                ]
        return stale

    # Inside

    def _sit(self, key: tuple[str, int], seat: Seat) -> None:
        if key not in self._seats:
            insort(self._spawners.setdefault(key[0], []), key[1])
        self._seats[key] = seat
        self._away.pop(key, None)
        if not seat.connected:
            self._away[key] = seat

    def _at(self, machine: str, spawner: int) -> Iterator[Slot]:
        for slot in self._on.get(machine, {}).values():
            if slot.placement.spawner == spawner:
                yield slot

    def _leads(self, slot: Slot, job: Job) -> bool:
        """May `job`, which presumably is brief, wait behind those that are there?"""
        seat = self._seats.get((slot.placement.machine, slot.placement.spawner))
        last = slot.members[-1]
        tail = self._jobs[last.job]
        leaving = last.attempt in self._recalled or tail.cancel_requested
        if len(slot.members) > 1 and (leaving or last.attempt in self._unsure):
            return False  # who follows one that the spawner doesn't have starts at once
        return (
            seat is not None
            and seat.connected
            and self._inventory.connected(slot.placement.machine)
            and (seat.boot_id, seat.ledger) == (slot.placement.boot_id, slot.placement.ledger)
            and slot.need == job.need
            and may_follow(tail.spec)
            and not self._pace.reads_later(tail.spec)
            and (alike(tail.spec, job.spec) or self._pace.presumably(tail.spec) is not None)
        )

    def _recall(self, slot: Slot, members: list[Member]) -> list[Recall]:
        fresh = [m for m in members if m.attempt not in self._recalled]
        self._recalled.update(m.attempt for m in fresh)
        return [Recall(attempt=m.attempt, placement=slot.placement) for m in reversed(fresh)]


def over_by(job: Job, begun: float) -> float:
    """When `job` has ended at the latest, by its time limit; s since 1970, inf: nobody knows."""
    limit = job.spec.time_limit
    return float("inf") if limit is None else begun + limit + job.spec.grace
