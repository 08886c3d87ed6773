"""What the engine is judged by: books kept from its messages and events, and sums over them.

Nothing here calls the core: not its inventory, not its queue, not its table of transitions.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from solveyard.model.jobs import AttemptId, JobId, JobSpec, JobState, Limits, Placement, Reason
from solveyard.model.messages import (
    AgentJoined,
    AgentLeft,
    AnyEvent,
    ArrayBegun,
    CancelRequested,
    Ended,
    JobEnded,
    JobEvent,
    JobHeld,
    JobPlaced,
    JobRecalled,
    JobReleased,
    JobRemoved,
    JobRequeued,
    JobRetried,
    JobStarted,
    JobSubmitted,
    LimitsChanged,
    Message,
    PriorityChanged,
    Sampled,
    SpawnerJoined,
    SpawnerLeft,
)
from solveyard.model.policies import Link
from solveyard.model.resources import Resources, Share
from solveyard.model.shares import NO_SHARES, Quota, Shares
from unit.core.amounts import Amounts, Free, amounts_of, fits, least, meets, take

WAITING = {JobState.HELD, JobState.QUEUED}
LIVE = {JobState.SUBMITTED, JobState.RUNNING}
TASKS = 2**40  #: a task's number is its array's, and so many times its place from 1


@dataclass
class Entry:
    """A job, an array or a task, as the events tell it."""

    id: JobId
    spec: JobSpec
    arrival: int
    priority: int
    state: JobState
    since: float  #: when it began to wait
    attempt: AttemptId | None = None
    placement: Placement | None = None
    after: tuple[Link, ...] = ()
    not_before: float = 0.0
    tries: int = 1
    held: bool = False  #: an array that begins no more tasks
    closed: bool = False  #: an array whose other tasks are cancelled
    owner: str = ""
    placed: float = 0.0  #: when its newest attempt was

    @property
    def is_array(self) -> bool:
        return self.spec.array is not None and self.id < TASKS

    @property
    def keys(self) -> list[str]:
        """What it excludes; in the keys of an array is each task's index, from 0."""
        return [key.replace("{{index}}", str(self.id // TASKS - 1)) for key in self.spec.exclusive]

    @property
    def array(self) -> JobId:
        """Whose task it is; 0: it's none."""
        return JobId(self.id % TASKS) if self.id >= TASKS else JobId(0)


@dataclass
class Books:
    """All jobs and machines, as messages and events tell them."""

    entries: dict[JobId, Entry] = field(default_factory=dict)
    machines: dict[str, AgentJoined] = field(default_factory=dict)
    connected: set[str] = field(default_factory=set)
    seats: set[tuple[str, int]] = field(default_factory=set)
    limits: Limits = field(default_factory=Limits)
    capacity: dict[str, dict[str, Amounts]] = field(default_factory=dict)  #: by machine and node
    samples: dict[str, Sampled] = field(default_factory=dict)
    #: by machine, what was placed before and since its last sample, after the one before that
    promised: dict[str, tuple[list[Share], list[Share]]] = field(default_factory=dict)
    shares: Shares = NO_SHARES
    spent: list[tuple[str, float, float]] = field(default_factory=list)  #: who, how much, when
    now: float = 0.0
    ids: set[object] = field(default_factory=set)  #: every id that there ever was
    removed: int = 0
    solvers_brief: int = 0  #: the same, whatever their options; all jobs have one solver
    brief: dict[bytes, int] = field(default_factory=dict)  #: brief ends in a row, by options

    def restart(self) -> None:
        """The engine has died; the new one has heard of no machine."""
        self.machines.clear()
        self.capacity.clear()
        self.samples.clear()
        self.promised.clear()
        self.connected.clear()
        self.seats.clear()

    def hear(self, message: Message) -> None:
        """Before the engine does."""
        match message:
            case AgentJoined():
                self.machines[message.machine] = message
                self.capacity[message.machine] = {
                    name: (least(node.cores), node.memory, node.disk, node.gpus)
                    for name, node in message.nodes.items()
                }
                self.samples.pop(message.machine, None)
                self.promised.pop(message.machine, None)
                self.connected.add(message.machine)
            case AgentLeft():
                self.connected.discard(message.machine)
            case Sampled(machine=machine) if machine in self.machines:
                self.samples[machine] = message
                self.promised[machine] = (self.promised.get(machine, ([], []))[1], [])
            case SpawnerJoined():
                self.seats.add((message.machine, message.spawner))
            case SpawnerLeft():
                self.seats.discard((message.machine, message.spawner))
            case Ended(usage=usage, outcome=outcome) if usage is not None:
                for entry in self.entries.values():
                    if entry.attempt == message.attempt and outcome.reason is Reason.SUCCESS:
                        shape = bytes(entry.spec.options)
                        brief = usage.wall < 0.025
                        self.brief[shape] = self.brief.get(shape, 0) + 1 if brief else 0
                        self.solvers_brief = self.solvers_brief + 1 if brief else 0
            case _:
                pass

    def note(self, event: AnyEvent) -> None:
        self.now = event.at
        if isinstance(event, JobEvent) and event.job >= TASKS and event.job not in self.entries:
            self._new_id(event.job)
            array = self.entries[JobId(event.job % TASKS)]
            self.entries[event.job] = self.unopened(array, event.job)
        match event:
            case JobSubmitted(job=job, spec=spec, arrival=arrival):
                self._new_id(job)
                state = JobState.HELD if spec.hold else JobState.QUEUED
                self.entries[job] = Entry(
                    job,
                    spec,
                    arrival,
                    spec.priority,
                    state,
                    event.at,
                    after=event.after,
                    owner=event.by,
                )
            case ArrayBegun(job=job):
                assert self.entries[job].is_array
                self._move(job, JobState.QUEUED, JobState.RUNNING)
            case CancelRequested(job=job):
                self.entries[job].closed = self.entries[job].is_array
            case JobRequeued(job=job):
                entry = self.entries[job]
                policy = entry.spec.retry
                assert policy is not None
                assert entry.state in LIVE
                assert entry.tries < policy.tries or event.outcome.reason is Reason.LOST
                assert event.tries == entry.tries + (event.outcome.reason is not Reason.LOST)
                self._charge(entry, event)
                entry.state, entry.tries = JobState.QUEUED, event.tries
                entry.since = entry.not_before = event.not_before
                self._free(job)
            case JobRetried(job=job):
                entry = self.entries[job]
                assert entry.state in {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}
                entry.arrival, entry.since = event.arrival, event.at
                entry.state, entry.tries, entry.not_before = JobState.QUEUED, 1, 0.0
                entry.held, entry.closed = False, event.closed
                if event.spec is not None:
                    entry.after, entry.owner = event.after, event.by
                    entry.spec, entry.priority = event.spec, event.spec.priority
                    entry.state = JobState.HELD if event.spec.hold else JobState.QUEUED
            case JobHeld(job=job) | JobReleased(job=job) if self.entries[job].state not in WAITING:
                assert self.entries[job].is_array
                assert self.entries[job].state is JobState.RUNNING
                self.entries[job].held = isinstance(event, JobHeld)
            case JobHeld(job=job):
                self._move(job, JobState.QUEUED, JobState.HELD)
            case JobReleased(job=job):
                self._move(job, JobState.HELD, JobState.QUEUED)
            case PriorityChanged(job=job, priority=priority):
                self.entries[job].priority = priority
            case JobPlaced(job=job, attempt=attempt, placement=placement):
                self.judge_placing(self.entries[job], placement)
                if placement.machine in self.promised:
                    self.promised[placement.machine][1].extend(placement.allocation.shares)
                self._new_id(attempt)
                self._move(job, JobState.QUEUED, JobState.SUBMITTED)
                self.entries[job].attempt, self.entries[job].placement = attempt, placement
                self.entries[job].placed = event.at
            case JobRecalled(job=job):
                self._move(job, JobState.SUBMITTED, JobState.QUEUED)
                self._free(job)
            case JobStarted(job=job):
                self._move(job, JobState.SUBMITTED, JobState.RUNNING)
            case JobEnded(job=job, outcome=outcome):
                ended = {
                    Reason.SUCCESS: JobState.COMPLETED,
                    Reason.CANCELLED: JobState.CANCELLED,
                    Reason.SHUTDOWN: JobState.CANCELLED,
                }.get(outcome.reason, JobState.FAILED)
                entry = self.entries[job]
                assert not entry.state.final, "an end was reported over an end"
                begun = entry.is_array and entry.state is JobState.RUNNING
                if outcome.reason is Reason.WAIT_LIMIT and not begun:
                    assert entry.state in WAITING
                    assert self.overdue(self.entries.get(entry.array, entry), event.at)
                if entry.is_array:
                    self.judge_array(entry, ended)
                    entry.closed = entry.closed or entry.state is not JobState.RUNNING
                self._charge(entry, event)
                entry.state = ended
                self._free(job)
            case JobRemoved(job=job):
                for gone in [i for i, e in self.entries.items() if job in {i, e.array}]:
                    assert self.entries.pop(gone).state.final
                    self.removed += 1
            case LimitsChanged(limits=limits):
                self.limits = limits
            case _:
                pass

    def _new_id(self, name: object) -> None:
        assert name not in self.ids, f"{name} was given twice"
        self.ids.add(name)

    def _move(self, job: JobId, here: JobState, there: JobState) -> None:
        assert self.entries[job].state is here
        self.entries[job].state = there

    def _free(self, job: JobId) -> None:
        self.entries[job].attempt = self.entries[job].placement = None

    def _charge(self, entry: Entry, event: JobEnded | JobRequeued) -> None:
        if entry.placement is not None:
            wall = event.at - entry.placed if event.usage is None else event.usage.wall
            amount = entry.placement.allocation.cores * wall
            self.spent.append((entry.owner, amount, event.at))

    # Owners

    def rank(self, entry: Entry) -> tuple[int, float, int, int]:
        lead = self.lead(entry.owner) if self.shares.fair else 0.0
        return (-entry.priority, lead, entry.arrival, entry.id)

    def lead(self, owner: str) -> float:
        """What they have used for their weight, and a minute for each core that they hold."""
        life = self.shares.half_life
        used = sum(a * 0.5 ** ((self.now - at) / life) for who, a, at in self.spent if who == owner)
        for entry, placement in self.holding:
            if entry.owner == owner:
                used += placement.allocation.cores * (self.now - entry.placed + 60)
        return round(used / self.shares.weights.get(owner, 1.0), 3)

    def over_quota(self, entry: Entry) -> bool:
        quota = self.shares.quotas.get(entry.owner, Quota())
        held = [at.allocation.cores for other, at in self.holding if other.owner == entry.owner]
        cores = least(entry.spec.resources.cores) * least(entry.spec.resources.nodes or 1)
        too_many = quota.running is not None and len(held) >= quota.running
        return too_many or (quota.cores is not None and sum(held) + cores > quota.cores)

    def admitted(self, owner: str, wanted: Iterable[JobSpec]) -> bool:
        quota = self.shares.quotas.get(owner, Quota())
        new, cores = 0, 0
        for spec in wanted:
            new += 1 if spec.array is None else len(spec.array)
            cores = max(cores, least(spec.resources.cores) * least(spec.resources.nodes or 1))
        if quota.cores is not None and cores > quota.cores:
            return False
        waiting = [e for e in self.entries.values() if e.owner == owner and not e.is_array]
        count = sum(entry.state in WAITING for entry in waiting)
        for array in [e for e in self.entries.values() if e.owner == owner and e.is_array]:
            fresh = [task for task in self.tasks(array) if task.id not in self.entries]
            count += sum(task.state in WAITING for task in fresh)
        return quota.waiting is None or count + new <= quota.waiting

    # Arrays, and who waits for whom

    def unopened(self, array: Entry, job: JobId) -> Entry:
        """A task that nothing has happened to."""
        waiting = JobState.HELD if array.held or array.state is JobState.HELD else JobState.QUEUED
        state = JobState.CANCELLED if array.closed else waiting
        return Entry(
            job,
            array.spec,
            array.arrival,
            array.priority,
            state,
            array.since,
            after=array.after,
            owner=array.owner,
        )

    def tasks(self, array: Entry) -> list[Entry]:
        """All of them, begun or not."""
        assert array.spec.array is not None
        ids = [JobId(array.id + (n + 1) * TASKS) for n in range(len(array.spec.array))]
        return [self.entries.get(i) or self.unopened(array, i) for i in ids]

    def look(self, job: int) -> Entry | None:
        if job >= TASKS and JobId(job) not in self.entries:
            array = self.entries.get(JobId(job % TASKS))
            return None if array is None else self.unopened(array, JobId(job))
        return self.entries.get(JobId(job))

    def meant(self, link: Link, entry: Entry) -> JobId:
        """Of pairs the task at the same place."""
        return JobId(link.job + entry.id // TASKS * TASKS if link.each else link.job)

    def met(self, link: Link, entry: Entry) -> bool:
        other = self.look(self.meant(link, entry))
        if other is None or not other.state.final:
            return other is None
        return link.on == "end" or (other.state is JobState.COMPLETED) == (link.on == "success")

    def doomed(self, entry: Entry) -> bool:
        """It waits for what can't come any more. Of an array, pairs are its tasks' own."""
        links = [link for link in entry.after if not (link.each and entry.is_array)]
        others = [(link, self.look(self.meant(link, entry))) for link in links]
        return any(
            o is not None and o.state.final and not self.met(link, entry) for link, o in others
        )

    def decided(self, entry: Entry) -> bool:
        """It waits for nobody any more, or for ever."""
        return self.doomed(entry) or all(self.met(link, entry) for link in entry.after)

    def judge_array(self, array: Entry, ended: JobState) -> None:
        """Once each task has ended, as these did."""
        if array.state is not JobState.RUNNING:
            assert not any(task.state in LIVE for task in self.tasks(array))
            return
        states = {task.state for task in self.tasks(array)}
        assert all(state.final for state in states), "an array ended before its tasks"
        worst = [
            s for s in (JobState.FAILED, JobState.CANCELLED, JobState.COMPLETED) if s in states
        ]
        assert ended is worst[0]

    # Sums

    @property
    def holding(self) -> Iterator[tuple[Entry, Placement]]:
        for entry in self.entries.values():
            if entry.placement is not None:
                yield entry, entry.placement

    @property
    def slots(self) -> dict[int, Placement]:
        return {placement.slot: placement for _, placement in self.holding}

    def free(self, machine: str) -> Free:
        left = {name: list(amounts) for name, amounts in self.capacity[machine].items()}
        for placement in self.slots.values():
            if placement.machine == machine:
                for share in placement.allocation.shares:
                    take(left, share)
        return left

    def pool_has(self, need: Resources, held: Iterable[Placement]) -> bool:
        """Of what has no place, beside what these hold."""
        taken = [at.allocation for at in held] if need.licences or need.counts else []
        for name, amount in need.licences.items():
            there = sum(machine.licences.get(name, 0) for machine in self.machines.values())
            if sum(one.licences.get(name, 0) for one in taken) + amount > there:
                return False
        for name, amount in need.counts.items():
            there = sum(machine.counts.get(name, 0) for machine in self.machines.values())
            if sum(one.counts.get(name, 0) for one in taken) + amount > there:
                return False
        return True

    def busy_key(self, entry: Entry) -> bool:
        held = (key for other, _ in self.holding for key in other.keys)
        return bool(entry.keys) and any(key in entry.keys for key in held)

    def possible(self, need: Resources) -> bool:
        """On some machine that is known, with nothing on it."""
        if not self.pool_has(need, ()):
            return False
        nodes = self.capacity.values()
        return any(fits(need, {n: list(a) for n, a in of.items()}, of) for of in nodes)

    def room(self, need: Resources) -> bool:
        """For a new allocation, now."""
        most_jobs = self.limits.max_concurrent
        if most_jobs is not None and len(self.slots) >= most_jobs:
            return False
        if not self.pool_has(need, self.slots.values()):
            return False
        ready = {machine for machine, _ in self.seats} & self.connected
        able = [m for m in ready if not self.gated(m, need)]
        return any(fits(need, self.free(m), self.capacity[m]) for m in able)

    def gated(self, machine: str, need: Resources) -> bool:
        """Might it be too busy for this, on however many of its nodes?"""
        most = self.limits.max_cpu_percent
        if not self.any_gate:
            return False
        if machine not in self.samples:
            return True
        sample, nodes = self.samples[machine], self.capacity[machine]
        if most is not None and most < 100:
            cores = sum(amounts[0] for amounts in nodes.values())
            booked = cores - sum(left[0] for left in self.free(machine).values())
            if 100 * (max(0.0, sample.cpu - (sample.ours or 0.0)) + booked) / cores >= most:
                return True
        return self.short(machine, len(nodes) * need.memory, len(nodes) * need.disk)

    @property
    def any_gate(self) -> bool:
        limits = self.limits
        cpu = limits.max_cpu_percent
        return bool(limits.min_memory_gb or limits.min_disk_gb or (cpu and cpu < 100))

    def short(self, machine: str, memory: int, disk: int) -> bool:
        """Too little would be left of what is free, once all has its share that was promised.

        A sample shows what was promised before the sample before it.
        """
        promised = [share for one in self.promised.get(machine, ()) for share in one]
        memory += sum(share.memory for share in promised)
        disk += sum(share.disk for share in promised)
        sample, limits = self.samples[machine], self.limits
        kept = (1024 * (limits.min_memory_gb or 0.0), 1024 * (limits.min_disk_gb or 0.0))
        short_of_memory = kept[0] and sample.memory_free - memory < kept[0]
        return bool(short_of_memory or (kept[1] and sample.disk_free - disk < kept[1]))

    def turn(self) -> list[Entry]:
        """Jobs and tasks that don't stand aside, the most urgent first; of arrays the next task."""
        line = [
            e
            for e in self.entries.values()
            if e.state is JobState.QUEUED
            and not e.is_array
            and not (e.array and self.full(self.entries[e.array]))
        ]
        for array in [e for e in self.entries.values() if e.is_array and not e.state.final]:
            fresh = [task for task in self.tasks(array) if task.id not in self.entries]
            first = next((t for t in fresh if self.decided(t) and not self.busy_key(t)), None)
            if first is not None and first.state is JobState.QUEUED and not self.full(array):
                line.append(first)
        able = [
            e
            for e in line
            if e.not_before <= self.now
            and all(self.met(link, e) for link in e.after)
            and not self.busy_key(e)
            and self.possible(e.spec.resources)
        ]
        return self.within_quotas(sorted(able, key=self.rank))

    def full(self, array: Entry) -> bool:
        """Do as many of its tasks run as may at once?"""
        most = array.spec.array.at_once if array.spec.array is not None else None
        return most is not None and sum(t.state in LIVE for t in self.tasks(array)) >= most

    def within_quotas(self, line: list[Entry]) -> list[Entry]:
        """Who is kept by their quota lets nobody of theirs pass."""
        if not self.shares.quotas:
            return line
        kept: set[str] = set()
        able = []
        for entry in line:
            if entry.owner not in kept and self.over_quota(entry):
                kept.add(entry.owner)
            if entry.owner not in kept:
                able.append(entry)
        return able

    def overdue(self, entry: Entry, now: float) -> bool:
        """Tasks are never: the limit is their array's."""
        limit = entry.spec.wait_limit if not entry.array else None
        return entry.state in WAITING and limit is not None and entry.since + limit <= now

    # Judgement

    def judge_placing(self, entry: Entry, placement: Placement) -> None:
        need, machine = entry.spec.resources, placement.machine
        first, slots = self.turn()[0], self.slots
        assert not self.busy_key(entry), "two jobs hold one key"
        if entry.array:
            assert not self.entries[entry.array].held, "a held array goes on"
            assert not self.full(self.entries[entry.array]), "too many of its tasks run at once"
        if first.id != entry.id:
            assert placement.slot not in slots
            self.judge_overtaking(first, entry, placement)
        else:
            assert placement.passed is None
        assert (machine, placement.spawner) in self.seats
        assert machine in self.connected
        assert meets(need, placement.allocation, self.capacity[machine])
        if placement.slot not in slots:
            self._new_id(("slot", placement.slot))
            most_jobs = self.limits.max_concurrent
            assert most_jobs is None or len(slots) < most_jobs, "too many run at once"
            assert self.pool_has(need, slots.values())
            left = self.free(machine)
            for share in placement.allocation.shares:
                take(left, share)
            assert all(amount >= 0 for amounts in left.values() for amount in amounts)
            self.judge_gates(placement)
            self.judge_numbers(placement)
            return
        assert not self.room(need), "it could have started at once"
        members = [other for other, at in self.holding if at.slot == placement.slot]
        assert not self.any_gate
        assert all(other.spec.resources == need for other in members)
        assert not need.licences
        assert not need.counts
        ends = self.brief.get(bytes(entry.spec.options), self.solvers_brief)
        assert ends >= 4, "it isn't known to be brief"
        assert len(members) * 0.02 <= 0.05 + 1e-9, "too much work is handed out ahead"

    def judge_gates(self, placement: Placement) -> None:
        """Its machine is not too busy for just what it was given."""
        assert not self.gated(placement.machine, Resources(cores=0))
        if self.any_gate:
            shares = placement.allocation.shares
            memory, disk = sum(s.memory for s in shares), sum(s.disk for s in shares)
            assert not self.short(placement.machine, memory, disk), "too little is left free"

    def judge_numbers(self, placement: Placement) -> None:
        """Its cores and GPUs have numbers that the node has and nobody else was given there."""
        machine = self.machines[placement.machine]
        held = [
            share
            for at in self.slots.values()
            for share in (at.allocation.shares if at.machine == placement.machine else ())
        ]
        for share in placement.allocation.shares:
            beside = [other for other in held if other.node == share.node]
            taken = {number for other in beside for number in other.core_ids}
            free = [one for one in machine.core_ids[share.node] if one not in taken]
            assert list(share.core_ids) == free[: share.cores], "not the lowest that are free"
            taken = {number for other in beside for number in other.gpu_ids}
            free = [one for one in machine.gpu_ids[share.node] if one not in taken]
            assert list(share.gpu_ids) == free[: share.gpus], "not the lowest that are free"

    def judge_overtaking(self, first: Entry, entry: Entry, placement: Placement) -> None:
        """Nothing here has a time limit: what holds something now ends first, oldest first.

        Once that has let the first in line fit, it must fit with the newcomer beside it; on any
        machine whose agent is there, since its spawners soon are. For a while it's enough for a
        less urgent one that it fits once all that is more urgent has ended. To one that is as
        urgent the first lends its place for a while.
        """
        need = first.spec.resources
        assert not self.room(need), "a more urgent job was passed over"
        if placement.passed is not None:
            assert entry.priority == first.priority, "a less urgent job was lent a place"
            self.judge_lending(first, placement)
            return
        if entry.priority < first.priority and self.fits_late(first, placement):
            return
        slots = self.slots
        for kept in range(len(slots)):
            gone = sorted(slots)[: kept + 1]
            held = {n: at for n, at in slots.items() if n not in gone}
            able = [m for m in self.connected if self.room_beside(need, m, held)]
            if able:
                beside = {**held, 10**9: placement}
                fits_still = [m for m in able if self.room_beside(need, m, beside)]
                assert fits_still, "the first in line is delayed"
                return
        # No machine that is there could run it, or what keeps it isn't ours.
        pools = Resources(cores=0, licences=need.licences, counts=need.counts)
        assert self.pool_has(pools, [placement]), "the first in line never gets its seats"

    def judge_lending(self, first: Entry, placement: Placement) -> None:
        """As much as its nodes have twice, and one more; none of the licences and counts."""
        assert not self.shares.fair
        assert placement.passed is not None
        assert placement.passed.job == first.id
        others = [at.passed for _, at in self.holding if at.passed is not None]
        before = max((one.lent for one in others if one.job == first.id), default=0.0)
        assert before < 2.0, "a place was lent for too long"
        part = placement.passed.lent - before
        need, wanted = first.spec.resources, placement.allocation
        assert any(abs(part - one) < 1e-9 for one in self.parts(need, placement)), "it counts wrong"
        shared = Resources(
            cores=0,
            licences={n: a for n, a in need.licences.items() if n in wanted.licences},
            counts={n: a for n, a in need.counts.items() if n in wanted.counts},
        )
        assert self.pool_has(shared, [*self.slots.values(), placement]), "a seat was lent"

    def parts(self, need: Resources, placement: Placement) -> Iterator[float]:
        """What it takes on some of its machine's nodes, of all that they have and `need` asks for.

        Whole nodes ask for everything, and who takes no core there counts as who takes one.
        """
        capacity = self.capacity[placement.machine]
        asked = (1, need.memory, need.disk, need.gpus)
        if isinstance(need.cores, int) and not need.whole_nodes:
            asked = (need.cores, *asked[1:])
        for many in range(1, len(capacity) + 1):
            for nodes in combinations(capacity, many):
                shares = [s for s in placement.allocation.shares if s.node in nodes]
                ratios = []
                for which, wants in enumerate(asked):
                    there = sum(capacity[node][which] for node in nodes)
                    if there and (wants or need.whole_nodes):
                        ratios.append(sum(amounts_of(s)[which] for s in shares) / there)
                if need.whole_nodes and shares:
                    ratios.append(1 / max(1, sum(capacity[node][0] for node in nodes)))
                part = max(ratios, default=0.0)
                if part > 0:
                    yield part

    def fits_late(self, first: Entry, placement: Placement) -> bool:
        """Fewer than half have started since it came to be the first, and it fits then."""
        holders: dict[int, tuple[int, Entry]] = {}
        for entry, at in self.holding:
            if at.slot not in holders or at.turn < holders[at.slot][0]:
                holders[at.slot] = (at.turn, entry)
        ahead = [n for n, (_, e) in holders.items() if self.rank(e) < self.rank(first)]
        if not ahead or self.shares.fair:
            return False
        later = [n for n in holders if n > max(ahead) and holders[n][1].placed >= first.since]
        if 2 * len(later) >= len(holders):
            return False
        held = {n: at for n, at in self.slots.items() if n not in ahead} | {10**9: placement}
        need = first.spec.resources
        return any(self.room_beside(need, machine, held) for machine in self.connected)

    def room_beside(self, need: Resources, machine: str, held: Mapping[int, Placement]) -> bool:
        """On `machine`, where these allocations are all that are held."""
        if not self.pool_has(need, held.values()):
            return False
        left = {name: list(amounts) for name, amounts in self.capacity[machine].items()}
        for at in held.values():
            for share in at.allocation.shares if at.machine == machine else ():
                take(left, share)
        return fits(need, left, self.capacity[machine])

    def judge_rest(self) -> None:
        """After a step of an engine that starts jobs: whoever could start has started."""
        turn = self.turn()
        arrays = [e for e in self.entries.values() if e.is_array and not e.state.final]
        everyone = [*self.entries.values(), *(task for one in arrays for task in self.tasks(one))]
        waiting = [e for e in everyone if e.state in WAITING]
        assert not any(self.doomed(entry) for entry in waiting), "it waits for ever"
        assert not turn or not self.room(turn[0].spec.resources), "the first in the queue fits"
