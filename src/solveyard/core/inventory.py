"""What there is, node by node, what of it is free, and how a need is met from it."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from solveyard.core.fitting import Amounts, Node, amounts_of, count, describe, fewest, fit, least
from solveyard.core.lacking import Lack, lack
from solveyard.core.numbering import Numbers
from solveyard.core.seats import Seats
from solveyard.model.messages import AgentJoined
from solveyard.model.resources import Allocation, Resources, Share


@dataclass(slots=True)
class Machine:
    """The nodes behind one agent."""

    nodes: dict[str, Node]
    licences: dict[str, int]  #: capacity
    counts: dict[str, int]  #: likewise
    connected: bool = True


@dataclass(slots=True)
class Inventory:
    """All machines' nodes, and the licences and counts that have no place."""

    _asked: tuple[Resources, str] | None = None  #: the last misfit asked about, and the answer

    machines: dict[str, Machine] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)  #: of the machines, in order
    _roomy: list[str] = field(default_factory=list)  #: those with a free core, in order
    seats: Seats = field(default_factory=Seats)
    _counts_taken: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)  #: capacity of named counts

    def join(self, joined: AgentJoined, held: Iterable[Allocation]) -> None:
        """Know a machine by what it has now; `held` are the allocations on it."""
        self._asked = None
        machine = joined.machine
        known: dict[str, Node] = {}
        for name, capacity in joined.nodes.items():
            cores = fewest(capacity)
            amounts = Amounts(cores, capacity.memory, capacity.disk, capacity.gpus)
            core_ids = Numbers(_ids(joined.core_ids.get(name, ()), cores))
            gpu_ids = Numbers(_ids(joined.gpu_ids.get(name, ()), capacity.gpus))
            known[name] = Node(name, amounts, amounts.copy(), core_ids, gpu_ids)
        self.machines[machine] = Machine(known, dict(joined.licences), dict(joined.counts))
        self.seats.count(place.licences for place in self.machines.values())
        self.counts.clear()
        for place in self.machines.values():
            for name, amount in place.counts.items():
                self.counts[name] = self.counts.get(name, 0) + amount
        self._names = sorted(self.machines)
        for allocation in held:
            self._shift(machine, allocation, -1, pool=False)
        self._note_room(machine)

    def leave(self, machine: str) -> None:
        """Nothing can be placed there until it joins again; what it holds stays held."""
        if machine in self.machines:
            self.machines[machine].connected = False

    def connected(self, machine: str) -> bool:
        return machine in self.machines and self.machines[machine].connected

    def allocate(self, need: Resources, machine: str) -> Allocation | None:
        """How `need` could be met on `machine` now; takes nothing."""
        place = self.machines.get(machine)
        if place is None or not place.connected or not self.has_pools(need):
            return None
        return fit(need, place.nodes.values())

    def candidates(self, need: Resources) -> tuple[str, ...]:
        """The machines that are worth a look, in order: those with a core, if it needs one."""
        return tuple(self._roomy if fewest(need) > 0 or need.whole_nodes else self._names)

    def booked(self, machine: str) -> tuple[int, int]:
        """Cores that are taken there, and all there are."""
        nodes = self.machines[machine].nodes.values()
        cores = sum(node.capacity.cores for node in nodes)
        return cores - sum(node.free.cores for node in nodes), cores

    def shadow(self) -> "Shadow":
        """What is free now, to be tried out on."""
        return Shadow(
            {
                name: {n.name: n.copy() for n in m.nodes.values()}
                for name, m in self.machines.items()
            },
            self.seats.now(),
            self.free(self.counts),
        )

    def free(self, counts: Iterable[str]) -> dict[str, int]:
        """How many are free of these."""
        return {n: self.counts.get(n, 0) - self._counts_taken.get(n, 0) for n in counts}

    def any_free(self) -> bool:
        """Is a core free anywhere?"""
        return any(self.machines[name].connected for name in self._roomy)

    @property
    def cores(self) -> int:
        """On all machines that have ever joined."""
        return sum(
            node.capacity.cores for place in self.machines.values() for node in place.nodes.values()
        )

    @property
    def largest(self) -> int:
        """The cores of the largest node, likewise."""
        nodes = (node for place in self.machines.values() for node in place.nodes.values())
        return max((node.capacity.cores for node in nodes), default=0)

    @property
    def nodes(self) -> int:
        """How many, likewise."""
        return sum(len(place.nodes) for place in self.machines.values())

    def take(self, machine: str, allocation: Allocation) -> None:
        self._shift(machine, allocation, -1)

    def give(self, machine: str, allocation: Allocation) -> None:
        self._shift(machine, allocation, +1)

    def misfit(self, need: Resources) -> str:
        """Why no known machine could ever meet `need`, in words; "" if one could."""
        if self._asked is None or self._asked[0] != need:
            self._asked = (need, self._misfit(need))
        return self._asked[1]

    def _misfit(self, need: Resources) -> str:
        if not self.machines:
            return ""
        if told := self.seats.misfit(need.licences):
            return told
        for name, amount in need.counts.items():
            if amount > (have := self.counts.get(name, 0)):
                return f"it needs {amount} of {name}, and there are {have}"
        for place in self.machines.values():
            empty = [Node(n.name, n.capacity, n.capacity) for n in place.nodes.values()]
            if fit(need, empty) is not None:
                return ""
        return f"it needs {describe(need)}, and the machines have {self._describe(need)}"

    def missing(self, need: Resources, machine: str) -> Lack:
        """What `need` waits for now on `machine`, "": on any, beside licences."""
        for name, free in self.free(need.counts).items():
            if (amount := need.counts[name]) > free:
                return Lack(f"{amount} of {name} ({free} free)", counted=name)
        places = [
            [amounts_of(node.free) for node in place.nodes.values()]
            for name, place in self.machines.items()
            if place.connected and machine in {"", name}
        ]
        return lack(need, places)

    def licences_seen(self) -> None:
        """There may be more or fewer of them by now."""
        self._asked = None

    def has_pools(self, need: Resources) -> bool:
        """Of what has no place."""
        return self.seats.has(need.licences) and all(
            amount <= self.counts.get(name, 0) - self._counts_taken.get(name, 0)
            for name, amount in need.counts.items()
        )

    def _shift(self, machine: str, allocation: Allocation, sign: int, *, pool: bool = True) -> None:
        place = self.machines.get(machine)
        for share in allocation.shares if place is not None else ():
            assert place is not None
            node = place.nodes.get(share.node)
            if node is not None:
                node.shift(share, sign)
        if place is not None:
            self._note_room(machine)
        if pool:
            self.seats.shift(allocation.licences, sign)
            for name, amount in allocation.counts.items():
                self._counts_taken[name] = self._counts_taken.get(name, 0) - sign * amount

    def _note_room(self, machine: str) -> None:
        nodes = self.machines[machine].nodes.values()
        place = bisect_left(self._roomy, machine)
        known = place < len(self._roomy) and self._roomy[place] == machine
        if any(node.free.cores > 0 for node in nodes):
            if not known:
                self._roomy.insert(place, machine)
        elif known:
            del self._roomy[place]

    def _describe(self, need: Resources) -> str:
        """What there is, as far as `need` asks for it."""
        nodes = [node for place in self.machines.values() for node in place.nodes.values()]
        largest = max(nodes, key=lambda node: node.capacity.cores, default=None)
        if largest is None:
            return "no node"
        told = (
            f"{count(len(nodes), 'node')}, the largest with "
            f"{count(largest.capacity.cores, 'core')} and {largest.capacity.memory} MiB"
        )
        if need.disk:
            told += f"; at most {max(n.capacity.disk for n in nodes)} MiB of disk on a node"
        if need.gpus:
            told += f"; at most {count(max(n.capacity.gpus for n in nodes), 'GPU')} on a node"
        return told


def _ids(told: Sequence[int], count: int) -> Sequence[int]:
    """The lowest of what a machine says, where it names as many as it has; else 0, 1, 2 ..."""
    return sorted(set(told))[:count] if len(set(told)) >= count else range(count)


def _spared(free: Mapping[str, int], wanted: Mapping[str, int], kept: Mapping[str, int]) -> bool:
    return all(
        free.get(name, 0) - kept[name] >= amount
        for name, amount in wanted.items()
        if amount and kept.get(name)
    )


def _total(amounts: Iterable[Amounts | Share]) -> tuple[int, ...]:
    """Cores, memory, disk and GPUs, each summed up."""
    return tuple(map(sum, zip((0, 0, 0, 0), *map(amounts_of, amounts), strict=True)))


@dataclass(slots=True)
class Shadow:
    """What would be free: changed without changing anything."""

    nodes: dict[str, dict[str, Node]]  #: by machine and name
    licences: dict[str, int]
    counts: dict[str, int]

    def copy(self) -> "Shadow":
        nodes = {
            machine: {name: n.copy() for name, n in there.items()}
            for machine, there in self.nodes.items()
        }
        return Shadow(nodes, dict(self.licences), dict(self.counts))

    def with_licences(self, licences: dict[str, int]) -> "Shadow":
        """The same, with other licences."""
        return Shadow(self.nodes, licences, self.counts)

    def give(self, machine: str, allocation: Allocation, sign: int) -> None:
        """Free it, or with a negative sign take it."""
        there = self.nodes.get(machine, {})
        for share in allocation.shares:
            if (node := there.get(share.node)) is not None:
                node.shift(share, sign)
        for name, seats in allocation.licences.items():
            self.licences[name] = self.licences.get(name, 0) + sign * seats
        for name, amount in allocation.counts.items():
            self.counts[name] = self.counts.get(name, 0) + sign * amount

    def place(self, need: Resources, machine: str) -> Allocation | None:
        """Where the least of it would go."""
        return fit(least(need), self.nodes.get(machine, {}).values())

    def spares(
        self, machine: str, wanted: Allocation, at: str, kept: Allocation, *, alone: bool
    ) -> bool:
        """Is `wanted` free on `machine` beside what is `kept` on `at`, of whatever both take?

        `alone`: what is kept are whole nodes.
        """
        places = {share.node: share for share in kept.shares} if machine == at else {}
        for share in wanted.shares:
            if (other := places.get(share.node)) is None:
                continue
            free = self.nodes[machine][share.node].free
            if alone or share.alone or not free.spare(share, other):
                return False
        return self.spares_pools(wanted, kept)

    def spares_pools(self, wanted: Allocation, kept: Allocation) -> bool:
        """The same, of licences and counts alone."""
        return _spared(self.licences, wanted.licences, kept.licences) and _spared(
            self.counts, wanted.counts, kept.counts
        )

    def part(
        self, machine: str, wanted: Allocation, at: str, kept: Allocation, *, alone: bool
    ) -> float:
        """How much `wanted` takes on `machine` of all that the nodes have where `kept` is, `at`.

        Of what it takes most of, among what `kept` takes, too; `alone`: as for `spares`. Who takes
        no core of whole nodes stands in their way as who takes one.
        """
        if machine != at:
            return 0.0
        names = {share.node for share in kept.shares}
        shares = [share for share in wanted.shares if share.node in names]
        needed, had, taken = (
            _total(kept.shares),
            _total(self.nodes[at][name].capacity for name in names),
            _total(shares),
        )
        parts = zip(needed, had, taken, strict=True)
        part = max(
            (took / most for needs, most, took in parts if most and (alone or needs)), default=0.0
        )
        return max(part, 1.0 / max(1, had[0])) if alone and shares else part

    def fits(self, need: Resources, machine: str) -> bool:
        there = self.nodes.get(machine, {}).values()
        return self.has_pools(need) and fit(need, there) is not None

    def has_pools(self, need: Resources) -> bool:
        """Of what has no place."""
        return all(
            seats <= self.licences.get(name, 0) for name, seats in need.licences.items()
        ) and all(amount <= self.counts.get(name, 0) for name, amount in need.counts.items())
