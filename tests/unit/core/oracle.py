"""What the engine is judged by: books kept from its messages and events, and sums over them.

Nothing here calls the core: not its inventory, not its queue, not its table of transitions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from solveyard.model.jobs import AttemptId, JobId, JobSpec, JobState, Limits, Placement, Reason
from solveyard.model.messages import (
    AgentJoined,
    AgentLeft,
    AnyEvent,
    Ended,
    JobEnded,
    JobHeld,
    JobPlaced,
    JobRecalled,
    JobReleased,
    JobRemoved,
    JobRetried,
    JobStarted,
    JobSubmitted,
    LimitsChanged,
    Message,
    PriorityChanged,
    SpawnerJoined,
    SpawnerLeft,
)
from solveyard.model.resources import Allocation, Range, Resources, Share

WAITING = {JobState.HELD, JobState.QUEUED}
Free = dict[str, list[int]]  #: node -> [cores, memory]


@dataclass
class Entry:
    """A job, as the events tell it."""

    spec: JobSpec
    arrival: int
    priority: int
    state: JobState
    since: float  #: when it began to wait
    attempt: AttemptId | None = None
    placement: Placement | None = None

    @property
    def rank(self) -> tuple[int, int]:
        return (-self.priority, self.arrival)


def least(amount: int | Range) -> int:
    return amount if isinstance(amount, int) else amount.min


def most(amount: int | Range) -> int:
    return amount if isinstance(amount, int) else 10**9 if amount.max is None else amount.max


def fits(need: Resources, free: Free, capacity: Mapping[str, tuple[int, int]]) -> bool:
    """Could `need` be met by these nodes? Licences aside."""
    able = {node: cores for node, (cores, memory) in free.items() if memory >= need.memory}
    if need.whole_nodes:
        whole = [n for n in able if tuple(free[n]) == capacity[n] and able[n] >= least(need.cores)]
        return len(whole) >= least(need.nodes or 1)
    if need.nodes is not None:
        return sum(cores >= least(need.cores) for cores in able.values()) >= least(need.nodes)
    return sum(able.values()) >= least(need.cores)


def meets(need: Resources, allocation: Allocation, capacity: Mapping[str, tuple[int, int]]) -> bool:
    """Is this what was asked for?"""
    cores = {share.node: share.cores for share in allocation.shares}
    right = len(cores) == len(allocation.shares) and allocation.licences == need.licences
    right = right and all(share.memory == need.memory for share in allocation.shares)
    if need.whole_nodes:
        right = right and all(cores[node] == capacity[node][0] for node in cores)
        return right and least(need.nodes or 1) <= len(cores) <= most(need.nodes or 1)
    if need.nodes is not None:
        right = right and least(need.nodes) <= len(cores) <= most(need.nodes)
        return right and all(least(need.cores) <= n <= most(need.cores) for n in cores.values())
    return right and least(need.cores) <= sum(cores.values()) <= most(need.cores)


@dataclass
class Books:
    """All jobs and machines, as messages and events tell them."""

    entries: dict[JobId, Entry] = field(default_factory=dict)
    machines: dict[str, AgentJoined] = field(default_factory=dict)
    connected: set[str] = field(default_factory=set)
    seats: set[tuple[str, int]] = field(default_factory=set)
    limits: Limits = field(default_factory=Limits)
    ids: set[object] = field(default_factory=set)  #: every id that there ever was
    removed: int = 0
    brief: dict[bytes, int] = field(default_factory=dict)  #: brief ends in a row, by options

    def restart(self) -> None:
        """The engine has died; the new one has heard of no machine."""
        self.machines.clear()
        self.connected.clear()
        self.seats.clear()

    def hear(self, message: Message) -> None:
        """Before the engine does."""
        match message:
            case AgentJoined():
                self.machines[message.machine] = message
                self.connected.add(message.machine)
            case AgentLeft():
                self.connected.discard(message.machine)
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
            case _:
                pass

    def note(self, event: AnyEvent) -> None:
        match event:
            case JobSubmitted(job=job, spec=spec, arrival=arrival):
                self._new_id(job)
                state = JobState.HELD if spec.hold else JobState.QUEUED
                self.entries[job] = Entry(spec, arrival, spec.priority, state, event.at)
            case JobRetried(job=job):
                entry = self.entries[job]
                assert entry.state in {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}
                entry.arrival, entry.since = event.arrival, event.at
                entry.state = JobState.QUEUED
                if event.spec is not None:
                    entry.spec, entry.priority = event.spec, event.spec.priority
                    entry.state = JobState.HELD if event.spec.hold else JobState.QUEUED
            case JobHeld(job=job):
                self._move(job, JobState.QUEUED, JobState.HELD)
            case JobReleased(job=job):
                self._move(job, JobState.HELD, JobState.QUEUED)
            case PriorityChanged(job=job, priority=priority):
                self.entries[job].priority = priority
            case JobPlaced(job=job, attempt=attempt, placement=placement):
                self.judge_placing(self.entries[job], placement)
                self._new_id(attempt)
                self._move(job, JobState.QUEUED, JobState.SUBMITTED)
                self.entries[job].attempt, self.entries[job].placement = attempt, placement
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
                if outcome.reason is Reason.WAIT_LIMIT:
                    assert entry.state in WAITING
                    assert self.overdue(entry, event.at)
                entry.state = ended
                self._free(job)
            case JobRemoved(job=job):
                assert self.entries.pop(job).state.final
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
        left = {n: [int(c), memory] for n, (c, memory) in self.capacity(machine).items()}
        for placement in self.slots.values():
            if placement.machine == machine:
                for share in placement.allocation.shares:
                    take(left, share)
        return left

    def capacity(self, machine: str) -> dict[str, tuple[int, int]]:
        nodes = self.machines[machine].nodes
        return {name: (least(node.cores), node.memory) for name, node in nodes.items()}

    def licences(self, name: str) -> tuple[int, int]:
        """How many there are, and how many are held."""
        there = sum(machine.licences.get(name, 0) for machine in self.machines.values())
        held = sum(p.allocation.licences.get(name, 0) for p in self.slots.values())
        return there, held

    def busy_key(self, entry: Entry) -> bool:
        held = [key for other, _ in self.holding for key in other.spec.exclusive]
        return any(key in held for key in entry.spec.exclusive)

    def possible(self, need: Resources) -> bool:
        """On some machine that is known, with nothing on it."""
        if any(seats > self.licences(name)[0] for name, seats in need.licences.items()):
            return False
        empty = {m: {n: list(c) for n, c in self.capacity(m).items()} for m in self.machines}
        return any(fits(need, empty[m], self.capacity(m)) for m in self.machines)

    def room(self, need: Resources) -> bool:
        """For a new allocation, now."""
        most_jobs = self.limits.max_concurrent
        if most_jobs is not None and len(self.slots) >= most_jobs:
            return False
        for name, seats in need.licences.items():
            there, held = self.licences(name)
            if held + seats > there:
                return False
        ready = {machine for machine, _ in self.seats} & self.connected
        return any(fits(need, self.free(m), self.capacity(m)) for m in ready)

    def turn(self) -> list[Entry]:
        """The queued jobs that don't stand aside, the most urgent first."""
        queued = [e for e in self.entries.values() if e.state is JobState.QUEUED]
        able = [e for e in queued if not self.busy_key(e) and self.possible(e.spec.resources)]
        return sorted(able, key=lambda entry: entry.rank)

    def overdue(self, entry: Entry, now: float) -> bool:
        limit = entry.spec.wait_limit
        return entry.state in WAITING and limit is not None and entry.since + limit <= now

    # Judgement

    def judge_placing(self, entry: Entry, placement: Placement) -> None:
        need, machine = entry.spec.resources, placement.machine
        assert not self.busy_key(entry), "two jobs hold one key"
        if self.turn()[0] is not entry:
            assert placement.slot not in self.slots
            self.judge_overtaking(entry, placement)
        assert (machine, placement.spawner) in self.seats
        assert machine in self.connected
        assert meets(need, placement.allocation, self.capacity(machine))
        if placement.slot not in self.slots:
            self._new_id(("slot", placement.slot))
            assert self.room(need)
            left = self.free(machine)
            for share in placement.allocation.shares:
                take(left, share)
            assert all(amount >= 0 for amounts in left.values() for amount in amounts)
            return
        assert not self.room(need), "it could have started at once"
        members = [other for other, at in self.holding if at.slot == placement.slot]
        assert self.limits.max_concurrent is None
        assert all(other.spec.resources == need for other in members)
        assert not entry.spec.exclusive
        assert not need.licences
        assert self.brief.get(bytes(entry.spec.options), 0) >= 4, "it isn't known to be brief"
        assert len(members) * 0.02 <= 0.05 + 1e-9, "too much work is handed out ahead"

    def judge_overtaking(self, entry: Entry, placement: Placement) -> None:
        """Nothing here has a time limit: what holds something now ends first, oldest first.

        Once that has let the first in line fit, it must fit with the newcomer beside it.
        """
        first = self.turn()[0].spec.resources
        assert not self.room(first), "a more urgent job was passed over"
        ready = {machine for machine, _ in self.seats} & self.connected
        for kept in range(len(self.slots)):
            gone = sorted(self.slots)[: kept + 1]
            held = {n: at for n, at in self.slots.items() if n not in gone}
            able = [m for m in ready if self.room_beside(first, m, held)]
            if able:
                beside = {**held, 10**9: placement}
                fits_still = [m for m in able if self.room_beside(first, m, beside)]
                assert fits_still, "the first in line is delayed"
                return
        raise AssertionError("nobody knows what the first in line waits for")

    def room_beside(self, need: Resources, machine: str, held: Mapping[int, Placement]) -> bool:
        """On `machine`, where these allocations are all that are held."""
        for name, seats in need.licences.items():
            taken = sum(at.allocation.licences.get(name, 0) for at in held.values())
            if taken + seats > self.licences(name)[0]:
                return False
        left = {n: [int(c), memory] for n, (c, memory) in self.capacity(machine).items()}
        for at in held.values():
            for share in at.allocation.shares if at.machine == machine else ():
                take(left, share)
        return fits(need, left, self.capacity(machine))

    def judge_rest(self) -> None:
        """After a step of an engine that starts jobs: whoever could start has started."""
        turn = self.turn()
        assert not turn or not self.room(turn[0].spec.resources), "the first in the queue fits"


def take(free: Free, share: Share) -> None:
    free[share.node][0] -= share.cores
    free[share.node][1] -= share.memory
