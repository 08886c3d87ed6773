"""What nodes have and what jobs need of them, summed up for the oracle."""

from collections.abc import Mapping

from solveyard.model.resources import Allocation, Range, Resources, Share

Amounts = tuple[int, int, int, int]  #: cores, memory and disk in MiB, GPUs
Free = dict[str, list[int]]  #: node -> such amounts


def least(amount: int | Range) -> int:
    return amount if isinstance(amount, int) else amount.min


def most(amount: int | Range) -> int:
    return amount if isinstance(amount, int) else 10**9 if amount.max is None else amount.max


def fits(need: Resources, free: Free, capacity: Mapping[str, Amounts]) -> bool:
    """Could `need` be met by these nodes? Licences and counts aside."""
    able = {
        node: cores
        for node, (cores, memory, disk, gpus) in free.items()
        if memory >= need.memory and disk >= need.disk and gpus >= need.gpus
    }
    if need.whole_nodes:
        whole = [n for n in able if tuple(free[n]) == capacity[n] and able[n] >= least(need.cores)]
        return len(whole) >= least(need.nodes or 1)
    if need.nodes is not None:
        return sum(cores >= least(need.cores) for cores in able.values()) >= least(need.nodes)
    return bool(able) and sum(able.values()) >= least(need.cores)


def meets(need: Resources, allocation: Allocation, capacity: Mapping[str, Amounts]) -> bool:
    """Is this what was asked for?"""
    cores = {share.node: share.cores for share in allocation.shares}
    right = len(cores) == len(allocation.shares) and allocation.licences == need.licences
    right = right and allocation.counts == need.counts
    rest = (need.memory, need.disk, need.gpus)
    right = right and all(amounts_of(share)[1:] == rest for share in allocation.shares)
    if need.whole_nodes:
        right = right and all(cores[node] == capacity[node][0] for node in cores)
        return right and least(need.nodes or 1) <= len(cores) <= most(need.nodes or 1)
    if need.nodes is not None:
        right = right and least(need.nodes) <= len(cores) <= most(need.nodes)
        return right and all(least(need.cores) <= n <= most(need.cores) for n in cores.values())
    return right and least(need.cores) <= sum(cores.values()) <= most(need.cores)


def take(free: Free, share: Share) -> None:
    for place, amount in enumerate(amounts_of(share)):
        free[share.node][place] -= amount


def amounts_of(share: Share) -> Amounts:
    return share.cores, share.memory, share.disk, share.gpus
