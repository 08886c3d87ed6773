"""Countable resources: what a job needs, what a node has, what is left of it."""

from collections.abc import Mapping

import msgspec

MOST_CORES = 100_000  #: of one machine; each has a number, and is looked at by it


class Range(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Any number from `min` to `max`; the engine takes the largest that fits.

    With `split`, the tasks of one array share all cores, or all nodes, as QCG-PilotJob's two
    iteration schedulers do: "rounds" ("maximum-iters") gives each round's tasks an equal part, at
    least `min` each; "parts" ("split-into") gives each task total // `parts`.
    """

    min: int = 1
    max: int | None = None  #: None: as many as there are
    split: str | None = None  #: "rounds" or "parts"
    parts: int | None = None  #: None: one for each task

    def __post_init__(self) -> None:
        if self.min < 0 or (self.max is not None and self.max < self.min):
            raise ValueError(f"range {self.min}..{self.max} is empty or negative")
        if self.split not in {None, "rounds", "parts"}:
            raise ValueError(f"cores can be split by 'rounds' or 'parts', not {self.split!r}")
        if self.parts is not None and (self.split != "parts" or self.parts < 1):
            raise ValueError("`parts` goes with split 'parts', and is at least 1")


class Resources(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Amounts of each countable resource; need, capacity and remainder are of this one type.

    As a need: with `nodes`, the other amounts are for each node; without, `cores` may be
    gathered from several nodes, and memory, disk and gpus are wanted on each of them.
    Licences and counts are always for the whole job.
    """

    cores: int | Range = 1
    nodes: int | Range | None = None  #: None: wherever the cores are
    whole_nodes: bool = False  #: every core of each node, and nobody else there
    memory: int = 0  #: MiB
    disk: int = 0  #: MiB of scratch space
    gpus: int = 0
    licences: Mapping[str, int] = {}  #: feature to seats
    counts: Mapping[str, int] = {}  #: any named count, e.g. {"test_bench": 1}

    def __post_init__(self) -> None:
        plain = self.nodes is None and not self.licences and not self.counts  # as most are
        cores = self.cores if isinstance(self.cores, int) else -1
        if plain and min(cores, self.memory, self.disk, self.gpus) >= 0:
            return
        for name in ("cores", "nodes", "memory", "disk", "gpus"):
            value = getattr(self, name)
            if isinstance(value, int) and value < 0:
                raise ValueError(f"`{name}` is {value}; it can't be negative")
        for name, amounts in (("licences", self.licences), ("counts", self.counts)):
            for key, value in amounts.items():
                if value < 0:
                    raise ValueError(f"`{name}.{key}` is {value}; it can't be negative")


ONE_CORE = Resources()


class Share(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What an allocation holds on one node."""

    node: str
    cores: int
    memory: int = 0  #: MiB
    disk: int = 0  #: MiB
    gpus: int = 0
    core_ids: tuple[int, ...] = ()  #: their numbers on the node; a processor's where it tells them
    gpu_ids: tuple[int, ...] = ()
    alone: bool = False  #: it's the whole node's: nobody else may be there


class Allocation(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What one job was given: a share of each of its nodes, and of what has no place."""

    shares: tuple[Share, ...]
    licences: Mapping[str, int] = {}
    counts: Mapping[str, int] = {}

    @property
    def cores(self) -> int:
        return sum(share.cores for share in self.shares)
