"""Where a job goes that doesn't say so itself: the first rule that fits it decides, else here."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from msgspec.structs import replace

from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Range, Resources

HERE = "here"  #: this machine, as a job or a rule says it


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Fits a job that has all of what it names; amounts are the least that the job asks for."""

    on: str  #: a cluster, or HERE
    solvers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  #: any of them
    names: tuple[str, ...] = ()  #: patterns
    users: tuple[str, ...] = ()
    cores: int = 0  #: on all its nodes
    nodes: int = 0
    memory: int = 0  #: MiB, on each node
    gpus: int = 0  #: on each node
    time: float = 0.0  #: s of running; a job without a limit fits

    def fits(self, spec: JobSpec, owner: str) -> bool:
        return (
            (not self.solvers or spec.solver in self.solvers)
            and (not self.tags or not set(self.tags).isdisjoint(spec.tags))
            and (not self.names or any(fnmatchcase(spec.name, one) for one in self.names))
            and (not self.users or owner in self.users)
            and (spec.time_limit is None or spec.time_limit >= self.time)
            and self._fits(spec.resources)
        )

    def _fits(self, need: Resources) -> bool:
        nodes = 1 if need.nodes is None else _least(need.nodes)
        return (
            _least(need.cores) * max(1, nodes) >= self.cores
            and nodes >= self.nodes
            and need.memory >= self.memory
            and need.gpus >= self.gpus
        )


def decided(spec: JobSpec, owner: str, rules: Sequence[Rule]) -> tuple[JobSpec, int | None]:
    """The job with the place where it runs, and which rule decided; None: it said so, or none."""
    if spec.on:
        return (replace(spec, on="") if spec.on == HERE else spec), None
    for place, rule in enumerate(rules):
        if rule.fits(spec, owner):
            return (spec if rule.on == HERE else replace(spec, on=rule.on)), place
    return spec, None


def _least(amount: int | Range) -> int:
    return amount if isinstance(amount, int) else amount.min
