"""What a need waits for, and how much of that somebody holds."""

from collections.abc import Sequence
from typing import NamedTuple

from solveyard.core.fitting import amounts_of, count, describe, fewest, free_words, worded
from solveyard.model.resources import Allocation, Resources

_CORES = 0  #: their place in `amounts_of`


class Lack(NamedTuple):
    """What there isn't enough of now."""

    told: str  #: "1 GPU (0 GPUs free)"
    counted: str = ""  #: a named count
    of: tuple[int, ...] = ()  #: else places in `amounts_of`; none: only all of it together lacks

    def held(self, allocation: Allocation) -> int:
        """How much of it `allocation` has; 1 where only all together lacks."""
        if self.counted:
            return allocation.counts.get(self.counted, 0)
        sums = (sum(amounts_of(share)[place] for share in allocation.shares) for place in self.of)
        return max(sums, default=1)


def lack(need: Resources, machines: Sequence[Sequence[tuple[int, ...]]]) -> Lack:
    """Of what has a place.

    `machines`: what is free on each node of each, as `amounts_of` has it.
    """
    nodes = [node for there in machines for node in there]
    cores = [sum(max(0, free[_CORES]) for free in there) for there in machines]
    most = [max(0, *amounts) for amounts in zip((0, 0, 0, 0), *nodes, strict=True)]
    if need.nodes is None:  # they may be gathered from several nodes of a machine
        most[_CORES] = max(cores, default=0)
    wanted = (fewest(need), need.memory, need.disk, need.gpus)
    short = [place for place, asked in enumerate(wanted) if asked > most[place]]
    if need.whole_nodes:
        return Lack(f"{describe(need)} ({count(sum(cores), 'core')} free)")
    if not short:
        where = "on one node" if need.nodes in {None, 1} else "on as many nodes"
        return Lack(f"{describe(need)} (not free together {where})")
    words = worded(need)
    told = ", ".join(words[place] for place in short)
    free = " and ".join(free_words(place, most[place]) for place in short)
    return Lack(f"{told} ({free} free)", of=tuple(short))
