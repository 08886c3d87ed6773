"""What a job needs of all that there is, and whether it may ever have that."""

from msgspec.structs import replace

from solveyard.core.fitting import fewest
from solveyard.core.inventory import Inventory
from solveyard.core.shares import Owners
from solveyard.core.sharing import share
from solveyard.model.ids import position_of
from solveyard.model.jobs import Job, JobId, JobSpec
from solveyard.model.resources import Range, Resources

_REMEMBERED = 4096  #: jobs that are known to be no misfits


class Needs:
    """Needs of jobs, with what machines, licences and quotas have to say of them."""

    def __init__(self, inventory: Inventory, owners: Owners) -> None:
        self._inventory = inventory
        self._owners = owners
        self._fitting: set[JobId] = set()  #: some that are known to be no misfits

    def forget(self) -> None:
        """There is something else by now."""
        self._fitting.clear()

    def of(self, task: Job) -> Resources:
        """What it needs, of all that there is now, and of what its owner may have."""
        need = self._shared(task.need, task.spec, position_of(task.id) or 0)
        return self._owners.within(task.owner, need)

    def over_quota(self, task: Job) -> str:
        """Why its owner's quota keeps it, with the reading; "": it doesn't."""
        if task.spec.on or not self._owners.bounded(task.owner):
            return ""
        return self._owners.closed(task.owner, self.fewest(self.of(task)))

    def never_by_quota(self, task: Job) -> str:
        """Why its owner's quota never lets it run, in words; "": it may."""
        if task.spec.on or not self._owners.bounded(task.owner):
            return ""
        return self._owners.misfit(task.owner, self.fewest(self.of(task)))

    def misfit_of_quota(self, owner: str, spec: JobSpec) -> str:
        """Why their quota never lets it run, in words; "": it may."""
        return "" if spec.on else self._owners.misfit(owner, self.fewest(spec.resources))

    def fewest(self, need: Resources) -> int:
        """Cores that it takes at least; whole nodes count as the largest that there are."""
        cores = fewest(need)
        if need.whole_nodes:
            cores = max(cores, self._inventory.largest)
        nodes = 1 if need.nodes is None else need.nodes
        return cores * (nodes if isinstance(nodes, int) else nodes.min)

    def misfit(self, task: Job) -> str:
        """Why no known machine could ever run it, in words; "" if one could, or a cluster may."""
        return "" if task.spec.on else self._misfit(self.of(task), task.need)

    def misfit_of(self, spec: JobSpec) -> str:
        """The same, of what is only asked for yet."""
        return (
            "" if spec.on else self._misfit(self._shared(spec.resources, spec, 0), spec.resources)
        )

    def fits(self, job: Job, task: Job) -> bool:
        """Is it no misfit? Looked up once for each in line, as long as nothing else is there."""
        if job.id not in self._fitting:
            if self.misfit(task):
                return False
            if len(self._fitting) >= _REMEMBERED:
                self._fitting.clear()
            self._fitting.add(job.id)
        return True

    def _shared(self, need: Resources, spec: JobSpec, position: int) -> Resources:
        if isinstance(need.cores, int) and need.nodes is None:
            return need
        tasks = len(spec.array) if spec.array is not None else 1
        if isinstance(need.cores, Range) and need.cores.split is not None:
            need = replace(need, cores=share(need.cores, position, tasks, self._inventory.cores))
        if isinstance(need.nodes, Range) and need.nodes.split is not None:
            need = replace(need, nodes=share(need.nodes, position, tasks, self._inventory.nodes))
        return need

    def _misfit(self, need: Resources, asked: Resources) -> str:
        if not self._inventory.machines:
            return ""
        if need.cores == 0 and asked.cores != 0:
            return f"its share of {self._inventory.cores} cores comes to none"
        if need.nodes == 0 and asked.nodes != 0:
            return f"its share of {self._inventory.nodes} nodes comes to none"
        return self._inventory.misfit(need)
