"""What there is, node by node, what of it is free, and how a need is met from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from solveyard.model.resources import Allocation, Range, Resources, Share

_MANY = 10**9


@dataclass(slots=True)
class Amounts:
    """Cores, memory (MiB), disk (MiB) and GPUs of one node."""

    cores: int
    memory: int
    disk: int
    gpus: int

    def copy(self) -> "Amounts":
        return Amounts(self.cores, self.memory, self.disk, self.gpus)


@dataclass(slots=True)
class Node:
    name: str
    capacity: Amounts
    free: Amounts

    @property
    def untouched(self) -> bool:
        return self.free == self.capacity


@dataclass(slots=True)
class Machine:
    """The nodes behind one agent."""

    nodes: dict[str, Node]
    licences: dict[str, int]  #: capacity
    connected: bool = True


@dataclass(slots=True)
class Inventory:
    """All machines' nodes, and the licences and counts that have no place."""

    _asked: tuple[Resources, str] | None = None  #: the last misfit asked about, and the answer

    machines: dict[str, Machine] = field(default_factory=dict)
    _licences_taken: dict[str, int] = field(default_factory=dict)
    _counts_taken: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)  #: capacity of named counts

    def join(
        self,
        machine: str,
        nodes: Mapping[str, Resources],
        licences: Mapping[str, int],
        held: Iterable[Allocation],
    ) -> None:
        """Know `machine` by what it has now; `held` are the allocations on it."""
        self._asked = None
        known: dict[str, Node] = {}
        for name, capacity in nodes.items():
            cores = capacity.cores if isinstance(capacity.cores, int) else capacity.cores.min
            amounts = Amounts(cores, capacity.memory, capacity.disk, capacity.gpus)
            known[name] = Node(name, amounts, amounts.copy())
        self.machines[machine] = Machine(known, dict(licences))
        for allocation in held:
            self._shift(machine, allocation, -1, pool=False)

    def leave(self, machine: str) -> None:
        """Nothing can be placed there until it joins again; what it holds stays held."""
        if machine in self.machines:
            self.machines[machine].connected = False

    def connected(self, machine: str) -> bool:
        return machine in self.machines and self.machines[machine].connected

    def allocate(self, need: Resources, machine: str) -> Allocation | None:
        """How `need` could be met on `machine` now; takes nothing."""
        place = self.machines.get(machine)
        if place is None or not place.connected or not self._pool_has(need):
            return None
        return _fit(need, place.nodes.values())

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
        for name, seats in need.licences.items():
            if seats > (have := self._licence_capacity(name)):
                return f"it needs {seats} of licence {name}, and there are {have}"
        for name, amount in need.counts.items():
            if amount > (have := self.counts.get(name, 0)):
                return f"it needs {amount} of {name}, and there are {have}"
        for place in self.machines.values():
            empty = [Node(n.name, n.capacity, n.capacity) for n in place.nodes.values()]
            if _fit(need, empty) is not None:
                return ""
        return f"it needs {describe(need)}, and the machines have {self._describe()}"

    def missing(self, need: Resources) -> str:
        """What `need` waits for now, in words."""
        for name, seats in need.licences.items():
            free = self._licence_capacity(name) - self._licences_taken.get(name, 0)
            if seats > free:
                return f"{seats} of licence {name} ({free} free)"
        for name, amount in need.counts.items():
            free = self.counts.get(name, 0) - self._counts_taken.get(name, 0)
            if amount > free:
                return f"{amount} of {name} ({free} free)"
        free_cores = sum(
            max(0, node.free.cores)
            for place in self.machines.values()
            if place.connected
            for node in place.nodes.values()
        )
        return f"{describe(need)} ({_count(free_cores, 'core')} free)"

    def _licence_capacity(self, name: str) -> int:
        return sum(place.licences.get(name, 0) for place in self.machines.values())

    def _pool_has(self, need: Resources) -> bool:
        return all(
            seats <= self._licence_capacity(name) - self._licences_taken.get(name, 0)
            for name, seats in need.licences.items()
        ) and all(
            amount <= self.counts.get(name, 0) - self._counts_taken.get(name, 0)
            for name, amount in need.counts.items()
        )

    def _shift(self, machine: str, allocation: Allocation, sign: int, *, pool: bool = True) -> None:
        place = self.machines.get(machine)
        for share in allocation.shares if place is not None else ():
            assert place is not None
            node = place.nodes.get(share.node)
            if node is not None:
                free = node.free
                free.cores += sign * share.cores
                free.memory += sign * share.memory
                free.disk += sign * share.disk
                free.gpus += sign * share.gpus
        if pool:
            for name, seats in allocation.licences.items():
                self._licences_taken[name] = self._licences_taken.get(name, 0) - sign * seats
            for name, amount in allocation.counts.items():
                self._counts_taken[name] = self._counts_taken.get(name, 0) - sign * amount

    def _describe(self) -> str:
        nodes = [node for place in self.machines.values() for node in place.nodes.values()]
        largest = max(nodes, key=lambda node: node.capacity.cores, default=None)
        if largest is None:
            return "no node"
        return (
            f"{_count(len(nodes), 'node')}, the largest with "
            f"{_count(largest.capacity.cores, 'core')} and {largest.capacity.memory} MiB"
        )


def describe(need: Resources) -> str:
    """A need in words: "4 cores on each of 2 nodes, 2000 MiB"."""
    parts = []
    if need.whole_nodes:
        parts.append(f"{_amount(need.nodes or 1, 'whole node')}")
    elif need.nodes is not None:
        parts.append(f"{_amount(need.cores, 'core')} on each of {_amount(need.nodes, 'node')}")
    else:
        parts.append(_amount(need.cores, "core"))
    if need.memory:
        parts.append(f"{need.memory} MiB of memory")
    if need.disk:
        parts.append(f"{need.disk} MiB of disk")
    if need.gpus:
        parts.append(_count(need.gpus, "GPU"))
    return ", ".join(parts)


def _amount(amount: int | Range, noun: str) -> str:
    if isinstance(amount, int):
        return _count(amount, noun)
    return f"{amount.min} to {amount.max or 'any number of'} {noun}s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bounds(amount: int | Range) -> tuple[int, int]:
    if isinstance(amount, int):
        return amount, amount
    return amount.min, _MANY if amount.max is None else amount.max


def _fit(need: Resources, nodes: Iterable[Node]) -> Allocation | None:
    """First fit, in the nodes' order; a job without `nodes` goes to one node where it can."""
    if need.nodes is not None or need.whole_nodes:
        shares = _fit_nodes(need, nodes)
    else:
        shares = _fit_cores(need, list(nodes))
    if shares is None:
        return None
    return Allocation(shares=tuple(shares), licences=need.licences, counts=need.counts)


def _has_rest(need: Resources, free: Amounts) -> bool:
    """Everything but the cores."""
    return need.memory <= free.memory and need.disk <= free.disk and need.gpus <= free.gpus


def _share(need: Resources, node: Node, cores: int) -> Share:
    return Share(node=node.name, cores=cores, memory=need.memory, disk=need.disk, gpus=need.gpus)


def _fit_nodes(need: Resources, nodes: Iterable[Node]) -> list[Share] | None:
    low, high = _bounds(1 if need.nodes is None else need.nodes)
    least, most = _bounds(need.cores)
    shares: list[Share] = []
    for node in nodes:
        if len(shares) == high:
            break
        if not _has_rest(need, node.free):
            continue
        if need.whole_nodes:
            if node.untouched and node.free.cores >= (least if isinstance(need.cores, int) else 1):
                shares.append(_share(need, node, node.free.cores))
        elif node.free.cores >= least:
            shares.append(_share(need, node, min(most, node.free.cores)))
    return shares if len(shares) >= max(low, 1) else None


def _fit_cores(need: Resources, nodes: list[Node]) -> list[Share] | None:
    if len(nodes) == 1 and isinstance(need.cores, int):  # much the commonest
        fits = need.cores <= nodes[0].free.cores and _has_rest(need, nodes[0].free)
        return [_share(need, nodes[0], need.cores)] if fits else None
    least, most = _bounds(need.cores)
    fitting = [node for node in nodes if _has_rest(need, node.free)]
    for node in fitting:
        if node.free.cores >= most:
            return [_share(need, node, most)]
    shares: list[Share] = []
    wanted = most
    for node in fitting:
        cores = min(wanted, node.free.cores)
        if cores > 0:
            shares.append(_share(need, node, cores))
            wanted -= cores
    gathered = sum(share.cores for share in shares)
    return shares if shares and gathered >= least else None
