"""What a solve takes from a licence server: a seat, and HPC licences for cores and variations.

A solve has four cores included, and so has each variation that runs beside the first. A further
core takes one `anshpc` of the pool; packs, of one solve, give 8, 32, 128, 512 ... cores. A further
variation takes 8 `anshpc`, or a pack. HPC licences are not shared among solves.
"""

from solveyard.model.errors import InvalidJob
from solveyard.model.resources import Range, Resources
from solveyard.solvers.hfss.batch import HfssOptions

POOL, PACK = "anshpc", "anshpc_pack"
INCLUDED = 4  #: cores of each variation
_VARIATION = 8  #: of the pool


def cost(options: HfssOptions, need: Resources) -> dict[str, int]:
    """By feature, none that is 0. Raises InvalidJob where nobody knows how many cores it gets."""
    if options.run in {"batchsave", "batchextract"}:
        return {}
    return cost_of(
        cores(options, need),
        variations=options.variations,
        kind=options.hpc_licence or "pack",
        feature=options.licence,
    )


def cost_of(
    count: int, *, variations: int = 1, kind: str = "pack", feature: str = "elec_solve_hfss"
) -> dict[str, int]:
    """Of a solve on `count` cores; `kind` is "pool" or "pack"."""
    more, beside = max(0, count - INCLUDED * variations), variations - 1
    if kind == "pool":
        name, seats = POOL, more + _VARIATION * beside
    else:
        name, seats = PACK, packs(more) + beside
    return {feature: 1, name: seats} if seats else {feature: 1}


def cores(options: HfssOptions, need: Resources) -> int:
    """As many as ansysedt may use at the most."""
    if options.machines == "nodes":
        return sum(node.max_cores for node in options.machine_nodes) or _most(need)
    return _most(need)


def packs(more: int) -> int:
    """The smallest number that gives so many cores beyond those included."""
    count = 0
    while more > (2 * 4**count if count else 0):
        count += 1
    return count


def _most(need: Resources) -> int:
    most = need.cores.max if isinstance(need.cores, Range) else need.cores
    nodes = need.nodes.max if isinstance(need.nodes, Range) else need.nodes or 1
    if most is None or nodes is None:
        raise InvalidJob(
            "`resources`: licences can't be counted for any number of cores or nodes (give `max`)"
        )
    return most * nodes
