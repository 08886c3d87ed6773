"""Who goes next, and where. Pure: the same jobs and the same machines give the same plan."""

from collections.abc import Iterator, Mapping

from solveyard.core.inventory import Inventory
from solveyard.core.slots import AHEAD, PATIENCE, Member, Pace, Seat, Slot, may_follow
from solveyard.core.waiting import Deadlines, Parking, Queue, urgency
from solveyard.model.jobs import Attempt, AttemptId, Job, JobId, JobState, Limits, Placement
from solveyard.model.messages import AgentJoined, Launch, Recall, SpawnerJoined, SpawnerLeft

#: A spawner that has been away so long makes its jobs stale; s.
STALE_AFTER = 10.0


class Scheduler:
    """The indexes over all jobs: what waits, what holds what, and the next job to start.

    `replace` keeps them in step with the jobs; it is called for every change of a job.
    """

    def __init__(self, jobs: Mapping[JobId, Job], pace: Pace) -> None:
        self._jobs = jobs
        self.pace = pace
        self.inventory = Inventory()
        self.deadlines = Deadlines()
        self._queue = Queue()
        self._parking = Parking()
        self._misfits: dict[JobId, None] = {}
        self._fits: JobId | None = None  #: the queue's first, when it is known to be no misfit
        self._keys: dict[str, JobId] = {}  #: exclusive key to the job that holds it
        self._slots: dict[int, Slot] = {}
        self._seats: dict[tuple[str, int], Seat] = {}
        self._recalled: set[AttemptId] = set()  #: asked back, without an answer yet
        self._unsure: set[AttemptId] = set()  #: asked for, since their spawner has joined
        self.moved = True  #: something has changed that may let a job start

    # What changes

    def replace(self, before: Job | None, after: Job | None) -> None:
        """A job has changed; None: it wasn't there before, or isn't any more."""
        old = before.live_attempt if before is not None else None
        new = after.live_attempt if after is not None else None
        if old is not None and (new is None or new.id != old.id):
            assert before is not None
            ended_at = None if after is None else after.attempts[-1].ended_at
            self._leave_slot(before, old, ended_at)
        if new is not None and (old is None or new.id != old.id):
            assert after is not None
            self._join_slot(after, new.placement)
        was_queued = before is not None and before.state is JobState.QUEUED
        if after is not None and after.state is JobState.QUEUED:
            if after.id not in self._parking and after.id not in self._misfits:
                self._queue.add(after)
            self.moved = True
        elif was_queued:
            assert before is not None
            self.moved = True
            self._queue.discard(before.id)
            self._parking.discard(before.id)
            self._misfits.pop(before.id, None)
        self._set_deadline(before, after)

    def restore(self) -> None:
        """All jobs are in: know the spawners that hold attempts, though not yet connected."""
        self._slots = dict(sorted(self._slots.items()))  # as they came: it decides between equals
        for slot in self._slots.values():
            at = slot.placement
            self._seats.setdefault((at.machine, at.spawner), Seat(at.boot_id, at.ledger))

    def machine_joined(self, joined: AgentJoined) -> None:
        held = [
            slot.placement.allocation
            for slot in self._slots.values()
            if slot.placement.machine == joined.machine
        ]
        self.inventory.join(joined.machine, joined.nodes, joined.licences, held)
        self._fits = None
        self.moved = True
        for job_id in self._misfits:
            self._queue.add(self._jobs[job_id])
        self._misfits.clear()

    def spawner_joined(self, joined: SpawnerJoined, now: float) -> tuple[AttemptId, ...]:
        """The attempts that it should know, in order."""
        self.moved = True
        key = (joined.machine, joined.spawner)
        self._seats[key] = Seat(joined.boot_id, joined.ledger, connected=True)
        attempts = tuple(member.attempt for slot in self._at(*key) for member in slot.members)
        self._recalled.difference_update(attempts)  # a recall may be lost with its connection
        self._unsure.update(attempts)
        for slot in self._at(*key):
            slot.moved_at = now  # nobody knows what happened while it was away
        return attempts

    def spawner_left(self, left: SpawnerLeft, now: float) -> None:
        seat = self._seats.get((left.machine, left.spawner))
        if seat is not None and seat.connected:
            seat.connected = False
            seat.left_at = now

    # What starts

    def next_start(self, limits: Limits, now: float) -> tuple[Job, Placement] | None:
        """The job that goes next and its place; slot 0 in a placement asks for a new one.

        The most urgent job that could run goes first. One that doesn't fit yet stops all
        behind it, so that small jobs can't starve a large one; one that waits for a key, or
        that no known machine could run, stands aside.
        """
        while (job_id := self._queue.first()) is not None:
            job = self._jobs[job_id]
            if (key := self._busy_key(job)) is not None:
                self._queue.discard(job_id)
                self._parking.park(job_id, key)
                continue
            if limits.max_concurrent is not None and len(self._slots) >= limits.max_concurrent:
                return None
            if (placement := self._place(job)) is not None:
                return job, placement
            if self._fits != job_id and self.inventory.misfit(job.spec.resources):
                self._queue.discard(job_id)
                self._misfits[job_id] = None
                continue
            self._fits = job_id
            follow = self._follow(job, now) if limits.max_concurrent is None else None
            return None if follow is None else (job, follow)
        return None

    def launch(self, job: Job) -> Launch:
        attempt = job.attempts[-1]
        return Launch(
            job=job.id,
            attempt=attempt.id,
            spec=job.spec,
            placement=attempt.placement,
            after=self._slots[attempt.placement.slot].before(attempt.id),
            brief=self.pace.brief(job.spec) is not None,
        )

    def heard(self, attempt: AttemptId) -> None:
        """Its spawner knows it."""
        if attempt in self._unsure:
            self._unsure.discard(attempt)
            self.moved = True

    def may_launch_again(self, attempt: Attempt) -> bool:
        """Its spawner, asked, has never seen it: could it be sent once more as it is?

        Not where others share its slot: they may have gone on without it.
        """
        slot = self._slots[attempt.placement.slot]
        return len(slot.members) == 1 and attempt.id not in self._recalled

    def holding(self) -> list[Job]:
        """The jobs that hold an allocation, and those that wait in a slot for one."""
        return [self._jobs[m.job] for slot in self._slots.values() for m in slot.members]

    # What is taken back

    def recall_all(self) -> list[Recall]:
        return [r for slot in self._slots.values() for r in self._recall(slot, slot.waiting)]

    def recall_outranked(self) -> list[Recall]:
        """Successors that would start before a more urgent job that waits in the queue."""
        first = self._queue.first()
        if first is None:
            return []
        head = urgency(self._jobs[first])
        recalls: list[Recall] = []
        for slot in self._slots.values():
            if len(slot.members) > 1 and urgency(self._jobs[slot.members[-1].job]) > head:
                outranked = [m for m in slot.waiting if urgency(self._jobs[m.job]) > head]
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
        recalls: list[Recall] = []
        for slot in self._slots.values():
            if len(slot.members) > 1 and slot.moved_at + PATIENCE <= now:
                recalls += self._recall(slot, slot.waiting)
        return recalls

    # What time does

    def wake(self) -> float | None:
        """When time alone causes something next."""
        times = [
            slot.moved_at + PATIENCE
            for slot in self._slots.values()
            if any(member.attempt not in self._recalled for member in slot.waiting)
        ]
        times += [
            seat.left_at + STALE_AFTER
            for seat in self._seats.values()
            if seat.left_at is not None and not seat.stale
        ]
        if (deadline := self.deadlines.next()) is not None:
            times.append(deadline)
        return min(times, default=None)

    def gone_stale(self, now: float) -> list[JobId]:
        """Jobs whose spawner has been away too long; each is told once."""
        stale: list[JobId] = []
        for (machine, spawner), seat in self._seats.items():
            if seat.connected or seat.stale:
                continue
            if seat.left_at is None:
                seat.left_at = now
            if seat.left_at + STALE_AFTER <= now:
                seat.stale = True
                stale += [
                    member.job
                    for slot in self._at(machine, spawner)
                    for member in slot.members
                    if self._jobs[member.job].stale_since is None
                ]
        return stale

    # Why a job waits

    def why(self, job: Job, limits: Limits, *, draining: bool, place: bool) -> str:
        if job.state is JobState.HELD:
            return "somebody to release it: it is held"
        if job.state is JobState.SUBMITTED:
            return "its machine to start it"
        if job.state is not JobState.QUEUED:
            return ""
        if draining:
            return "the manager, which is stopping, to be started again"
        if (key := self._busy_key(job)) is not None:
            return f"{key!r}, which job {self._keys[key]} holds"
        if not any(seat.connected for seat in self._seats.values()):
            return "a machine's agent to connect"
        if misfit := self.inventory.misfit(job.spec.resources):
            return f"a machine that can run it: {misfit}"
        if limits.max_concurrent is not None and len(self._slots) >= limits.max_concurrent:
            return f"the limit of {limits.max_concurrent} jobs at once"
        if job.id != self._queue.first() and not place:
            return "its turn: more urgent jobs wait, too"
        if ahead := self._queue.place(job):
            return f"its turn: {ahead} of the waiting jobs go before it"
        return self.inventory.missing(job.spec.resources)

    # Inside

    def _at(self, machine: str, spawner: int) -> Iterator[Slot]:
        for slot in self._slots.values():
            if slot.placement.machine == machine and slot.placement.spawner == spawner:
                yield slot

    def _busy_key(self, job: Job) -> str | None:
        return next((key for key in job.spec.exclusive if key in self._keys), None)

    def _place(self, job: Job) -> Placement | None:
        for machine in sorted(self.inventory.machines):
            spawner = self._least_busy(machine)
            if spawner is None:
                continue
            allocation = self.inventory.allocate(job.spec.resources, machine)
            if allocation is not None:
                seat = self._seats[machine, spawner]
                return Placement(
                    machine=machine,
                    allocation=allocation,
                    slot=0,
                    spawner=spawner,
                    boot_id=seat.boot_id,
                    ledger=seat.ledger,
                )
        return None

    def _least_busy(self, machine: str) -> int | None:
        busy = {s: 0 for (m, s), seat in self._seats.items() if m == machine and seat.connected}
        for slot in self._slots.values():
            if slot.placement.machine == machine and slot.placement.spawner in busy:
                busy[slot.placement.spawner] += 1
        return min(sorted(busy), key=busy.__getitem__, default=None)

    def _follow(self, job: Job, now: float) -> Placement | None:
        """A place behind a brief job with the same needs."""
        seconds = self.pace.brief(job.spec)
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

    def _leads(self, slot: Slot, job: Job) -> bool:
        seat = self._seats.get((slot.placement.machine, slot.placement.spawner))
        last = slot.members[-1]
        tail = self._jobs[last.job]
        leaving = last.attempt in self._recalled or tail.cancel_requested
        if len(slot.members) > 1 and (leaving or last.attempt in self._unsure):
            return False  # who follows one that the spawner doesn't have starts at once
        return (
            seat is not None
            and seat.connected
            and self.inventory.connected(slot.placement.machine)
            and (seat.boot_id, seat.ledger) == (slot.placement.boot_id, slot.placement.ledger)
            and slot.need == job.spec.resources
            and may_follow(tail.spec)
            and self.pace.brief(tail.spec) is not None
        )

    def _recall(self, slot: Slot, members: list[Member]) -> list[Recall]:
        fresh = [m for m in members if m.attempt not in self._recalled]
        self._recalled.update(m.attempt for m in fresh)
        return [Recall(attempt=m.attempt, placement=slot.placement) for m in reversed(fresh)]

    def _join_slot(self, job: Job, placement: Placement) -> None:
        slot = self._slots.get(placement.slot)
        if slot is None:
            slot = self._slots[placement.slot] = Slot(placement, job.spec.resources)
            self.inventory.take(placement.machine, placement.allocation)
        slot.add(job)
        for key in job.spec.exclusive:
            self._keys[key] = job.id

    def _leave_slot(self, job: Job, attempt: Attempt, ended_at: float | None) -> None:
        self.moved = True
        placement = attempt.placement
        slot = self._slots[placement.slot]
        slot.discard(attempt.id)
        if ended_at is not None:
            slot.moved_at = ended_at
        self._recalled.discard(attempt.id)
        self._unsure.discard(attempt.id)
        if not slot.members:
            del self._slots[placement.slot]
            self.inventory.give(placement.machine, placement.allocation)
        for key in job.spec.exclusive:
            self._keys.pop(key, None)
            for freed in self._parking.freed(key):
                self._queue.add(self._jobs[freed])

    def _set_deadline(self, before: Job | None, after: Job | None) -> None:
        if after is None or after.state not in {JobState.QUEUED, JobState.HELD}:
            if before is not None and before.spec.wait_limit is not None:
                self.deadlines.set(before.id, None)
        elif after.spec.wait_limit is not None:
            self.deadlines.set(after.id, after.waiting_since + after.spec.wait_limit)
        elif before is not None and before.spec.wait_limit is not None:
            self.deadlines.set(after.id, None)
