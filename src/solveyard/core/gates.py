"""Host limits: how busy a machine may be for another job to start there. They end no job."""

from dataclasses import dataclass, field

from solveyard.core.inventory import Inventory
from solveyard.model.jobs import Limits
from solveyard.model.messages import Sampled
from solveyard.model.resources import Allocation

_MIB = 1024  #: MiB in a GiB


@dataclass(slots=True)
class _Look:
    """The newest sample of a machine, and what was promised there that it can't show yet."""

    sample: Sampled
    ours: float  #: cores' worth of work that is our own
    before: list[Allocation] = field(default_factory=list)  #: placed shortly before it
    since: list[Allocation] = field(default_factory=list)


class Gates:
    """Looks at the samples in the step that places a job, so that no burst overshoots."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._looks: dict[str, _Look] = {}

    def sampled(self, sample: Sampled) -> None:
        if sample.machine not in self._inventory.machines:
            return
        last = self._looks.get(sample.machine)
        booked, _ = self._inventory.booked(sample.machine)
        ours = float(booked) if sample.ours is None else sample.ours
        self._looks[sample.machine] = _Look(sample, ours, last.since if last is not None else [])

    def forget(self, machine: str) -> None:
        """What it was like is of no use any more."""
        self._looks.pop(machine, None)

    def placed(self, machine: str, allocation: Allocation) -> None:
        if (look := self._looks.get(machine)) is not None:
            look.since.append(allocation)

    @staticmethod
    def set(limits: Limits) -> bool:
        """Is there one that could close?"""
        cpu = limits.max_cpu_percent
        memory = round((limits.min_memory_gb or 0.0) * _MIB)
        disk = round((limits.min_disk_gb or 0.0) * _MIB)
        return bool((cpu is not None and cpu < 100) or memory or disk)

    def closed(self, machine: str, wanted: Allocation | None, limits: Limits) -> str:
        """Why `wanted` may not start on `machine`, with the reading; "": it may.

        None: anything at all.
        """
        if not self.set(limits):
            return ""
        cpu = limits.max_cpu_percent
        memory = round((limits.min_memory_gb or 0.0) * _MIB)
        disk = round((limits.min_disk_gb or 0.0) * _MIB)
        look = self._looks.get(machine)
        if look is None:
            return f"the first look at how busy {machine} is, which the limits need"
        if cpu is not None and cpu < 100 and (busy := self._cpu(machine, look, cpu)):
            return busy
        given = (*look.before, *look.since, *(() if wanted is None else (wanted,)))
        shares = [share for one in given for share in one.shares]
        left = look.sample.memory_free - sum(share.memory for share in shares)
        if memory and left < memory:
            return (
                f"the limit min_memory_gb of {limits.min_memory_gb:g} GiB: {machine} would have"
                f" {max(0, left) / _MIB:.1f} GiB left"
            )
        left = look.sample.disk_free - sum(share.disk for share in shares)
        if disk and left < disk:
            return (
                f"the limit min_disk_gb of {limits.min_disk_gb:g} GiB: {machine} would have"
                f" {max(0, left) / _MIB:.1f} GiB left"
            )
        return ""

    def _cpu(self, machine: str, look: _Look, most: float) -> str:
        """Others' load as measured, and our own as booked: what we started counts once."""
        booked, cores = self._inventory.booked(machine)
        others = max(0.0, look.sample.cpu - look.ours)
        percent = 100.0 * (others + booked) / max(1, cores)
        if percent < most:
            return ""
        return (
            f"the limit max_cpu_percent of {most:g} %: {machine} is at {percent:.0f} %"
            f" ({booked} of {cores} cores booked, others use {others:.1f})"
        )
