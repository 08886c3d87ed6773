"""The batch systems that jobs are forwarded to: each places its jobs itself, a bounded number."""

from solveyard.model.jobs import Job, Placement
from solveyard.model.resources import Allocation, Resources, Share


class _Cluster:
    """One of them, as the engine knows it."""

    __slots__ = ("connected", "most", "taken")

    def __init__(self) -> None:
        self.connected = False
        self.most = 0  #: jobs that may be with it at once
        self.taken = 0


class Clusters:
    """Which of them takes another job; licences and counts there are its own business."""

    def __init__(self) -> None:
        self._known: dict[str, _Cluster] = {}
        self.taken = 0  #: jobs that are with any of them

    def join(self, name: str, most: int) -> None:
        """It answers, and may have so many jobs at once."""
        cluster = self._of(name)
        cluster.connected, cluster.most = True, most

    def leave(self, name: str) -> None:
        """It doesn't answer: nothing is forwarded to it until it does."""
        self._of(name).connected = False

    def take(self, name: str) -> None:
        self._of(name).taken += 1
        self.taken += 1

    def give(self, name: str) -> None:
        self._of(name).taken -= 1
        self.taken -= 1

    def open(self) -> list[str]:
        """Those that take another job."""
        return [name for name in sorted(self._known) if not self.closed(name)]

    def closed(self, name: str) -> str:
        """What a job for it waits for, in words; "": nothing."""
        cluster = self._known.get(name)
        if cluster is None or not cluster.connected:
            return f"cluster {name} to answer"
        if cluster.taken >= cluster.most:
            return f"cluster {name}, which has {cluster.taken} jobs of {cluster.most} that it may"
        return ""

    def _of(self, name: str) -> _Cluster:
        return self._known.setdefault(name, _Cluster())


def placement(task: Job) -> Placement:
    """Where a job for a cluster goes; its share is what it asks for, on nodes yet unknown."""
    name = task.spec.on
    return Placement(machine=name, allocation=_asked(name, task.need), slot=0, forwarded=True)


def _asked(name: str, need: Resources) -> Allocation:
    """Without licences and counts: a job that waits elsewhere holds none."""
    cores = need.cores if isinstance(need.cores, int) else need.cores.min
    nodes = need.nodes if isinstance(need.nodes, int) else 1
    share = Share(node=name, cores=cores, memory=need.memory, disk=need.disk, gpus=need.gpus)
    return Allocation(shares=(share,) * max(1, nodes))
