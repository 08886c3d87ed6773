"""How a need is met from nodes, in the nodes' order, and how it reads in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from solveyard.core.numbering import Numbers
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

    def spare(self, share: Share, kept: Share) -> bool:
        """Is there `share` beside `kept`, of whatever both take?"""
        return (
            (not (share.cores and kept.cores) or self.cores - kept.cores >= share.cores)
            and (not (share.memory and kept.memory) or self.memory - kept.memory >= share.memory)
            and (not (share.disk and kept.disk) or self.disk - kept.disk >= share.disk)
            and (not (share.gpus and kept.gpus) or self.gpus - kept.gpus >= share.gpus)
        )

    def shift(self, share: Share, sign: int) -> None:
        """Add it, or with a negative sign take it away."""
        self.cores += sign * share.cores
        self.memory += sign * share.memory
        self.disk += sign * share.disk
        self.gpus += sign * share.gpus


@dataclass(slots=True)
class Node:
    name: str
    capacity: Amounts
    free: Amounts
    core_ids: Numbers | None = None  #: None: what is only tried out needs none
    gpu_ids: Numbers | None = None
    shares: int = 0  #: that are held there; some may take no core
    closed: int = 0  #: of these the ones that suffer nobody beside them

    def copy(self) -> "Node":
        """To be tried out on."""
        free = self.free.copy()
        return Node(self.name, self.capacity, free, shares=self.shares, closed=self.closed)

    def shift(self, share: Share, sign: int) -> None:
        """Give it back, or with a negative sign take it."""
        self.free.shift(share, sign)
        self.shares -= sign
        self.closed -= sign * share.alone
        if share.core_ids and self.core_ids is not None:
            self.core_ids.shift(share.core_ids, sign)
        if share.gpu_ids and self.gpu_ids is not None:
            self.gpu_ids.shift(share.gpu_ids, sign)

    @property
    def untouched(self) -> bool:
        return self.free == self.capacity and not self.shares


def amounts_of(there: Amounts | Share) -> tuple[int, int, int, int]:
    return there.cores, there.memory, there.disk, there.gpus


def describe(need: Resources) -> str:
    """A need in words: "4 cores on each of 2 nodes, 2000 MiB of memory"."""
    return ", ".join(filter(None, worded(need))) or "0 cores"


def worded(need: Resources) -> tuple[str, str, str, str]:
    """What it needs of each of `amounts_of`, in words; "" of what it needs nothing."""
    if need.whole_nodes:
        cores = _amount(need.nodes or 1, "whole node")
    elif need.nodes is not None:
        cores = f"{_amount(need.cores, 'core')} on each of {_amount(need.nodes, 'node')}"
    else:
        cores = _amount(need.cores, "core") if need.cores else ""
    return (
        cores,
        f"{need.memory} MiB of memory" if need.memory else "",
        f"{need.disk} MiB of disk" if need.disk else "",
        count(need.gpus, "GPU") if need.gpus else "",
    )


def free_words(place: int, free: int) -> str:
    """So much is free of what has this place in `amounts_of`."""
    return f"{free} MiB" if place in {1, 2} else count(free, "core" if place == 0 else "GPU")


def _amount(amount: int | Range, noun: str) -> str:
    if isinstance(amount, int):
        return count(amount, noun)
    return f"{amount.min} to {amount.max or 'any number of'} {noun}s"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bounds(amount: int | Range) -> tuple[int, int]:
    if isinstance(amount, int):
        return amount, amount
    return amount.min, _MANY if amount.max is None else amount.max


def fewest(need: Resources) -> int:
    """Cores: where a node is asked for, on each."""
    return _bounds(need.cores)[0]


def least(need: Resources) -> Resources:
    """The same without ranges: the fewest cores, on the fewest nodes."""
    return replace(need, cores=fewest(need), nodes=need.nodes and _bounds(need.nodes)[0])


def fit(need: Resources, nodes: Iterable[Node]) -> Allocation | None:
    """First fit, in the nodes' order; a job without `nodes` goes to one node where it can."""
    if need.nodes is not None or need.whole_nodes:
        shares = _fit_nodes(need, nodes)
    else:
        shares = _fit_cores(need, list(nodes))
    if shares is None:
        return None
    return Allocation(shares=tuple(shares), licences=need.licences, counts=need.counts)


def _has_rest(need: Resources, node: Node) -> bool:
    """Everything but the cores."""
    free = node.free
    rest = need.memory <= free.memory and need.disk <= free.disk and need.gpus <= free.gpus
    return rest and not node.closed


def _share(need: Resources, node: Node, cores: int) -> Share:
    """By their numbers, the lowest that are free."""
    return Share(
        node=node.name,
        cores=cores,
        memory=need.memory,
        disk=need.disk,
        gpus=need.gpus,
        core_ids=() if node.core_ids is None else node.core_ids.lowest(cores),
        gpu_ids=() if node.gpu_ids is None or not need.gpus else node.gpu_ids.lowest(need.gpus),
        alone=need.whole_nodes,
    )


def _fit_nodes(need: Resources, nodes: Iterable[Node]) -> list[Share] | None:
    low, high = _bounds(1 if need.nodes is None else need.nodes)
    least, most = _bounds(need.cores)
    shares: list[Share] = []
    for node in nodes:
        if len(shares) == high:
            break
        if not _has_rest(need, node):
            continue
        if need.whole_nodes:
            if node.untouched and node.free.cores >= (least if isinstance(need.cores, int) else 1):
                shares.append(_share(need, node, node.free.cores))
        elif node.free.cores >= least:
            shares.append(_share(need, node, min(most, node.free.cores)))
    return shares if len(shares) >= max(low, 1) else None


def _fit_cores(need: Resources, nodes: list[Node]) -> list[Share] | None:
    if len(nodes) == 1 and isinstance(need.cores, int):  # much the commonest
        fits = need.cores <= nodes[0].free.cores and _has_rest(need, nodes[0])
        return [_share(need, nodes[0], need.cores)] if fits else None
    least, most = _bounds(need.cores)
    fitting = [node for node in nodes if _has_rest(need, node)]
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
