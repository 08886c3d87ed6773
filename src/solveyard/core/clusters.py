"""The batch systems that jobs are forwarded to: each places its jobs itself, a bounded number."""

from collections.abc import Mapping

from solveyard.core.fitting import fewest
from solveyard.model.jobs import Job, JobState, Placement
from solveyard.model.messages import ClusterJoined
from solveyard.model.resources import Allocation, Resources, Share


class _Cluster:
    """One of them, as the engine knows it."""

    __slots__ = ("connected", "counts", "counts_taken", "most", "shared", "taken")

    def __init__(self) -> None:
        self.connected = False
        self.most = 0  #: jobs that may be with it at once
        self.taken = 0
        self.counts: Mapping[str, int] = {}
        self.counts_taken: dict[str, int] = {}
        self.shared: tuple[str, ...] = ()


class Clusters:
    """Which of them takes another job, and which job; licences there are its own business.

    A named count is held by whatever is with a cluster, be it that it waits there. The cluster has
    its own of it, or the pool of all machines is the cluster's, too: then a placement holds it.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Cluster] = {}
        self.taken = 0  #: jobs that are with any of them

    def join(self, joined: ClusterJoined) -> None:
        """It answers, and may have so many jobs at once."""
        cluster = self._of(joined.machine)
        cluster.connected, cluster.most = True, joined.most
        cluster.counts, cluster.shared = joined.counts, joined.shared

    def leave(self, name: str) -> None:
        """It doesn't answer: nothing is forwarded to it until it does."""
        self._of(name).connected = False

    def take(self, job: Job, placement: Placement) -> None:
        self._shift(job, placement, +1)

    def give(self, job: Job, placement: Placement) -> None:
        self._shift(job, placement, -1)

    def open(self) -> list[str]:
        """Those that take another job."""
        if not self._known:
            return []
        return [name for name in sorted(self._known) if not self.closed(name)]

    def closed(self, name: str) -> str:
        """What a job for it waits for, in words; "": nothing."""
        cluster = self._known.get(name)
        if cluster is None or not cluster.connected:
            return f"cluster {name} to answer"
        if cluster.taken >= cluster.most:
            return f"cluster {name}, which has {cluster.taken} jobs of {cluster.most} that it may"
        return ""

    def lacking(self, name: str, need: Resources, pool: Mapping[str, int]) -> str:
        """The count that a job waits for, in words; "": none. `pool`: what is free of all."""
        cluster = self._of(name)
        for count, amount in need.counts.items():
            have = cluster.counts.get(count, 0) - cluster.counts_taken.get(count, 0)
            free = pool.get(count, 0) if count in cluster.shared else have
            if amount > free:
                where = "here and there" if count in cluster.shared else f"on {name}"
                return f"{amount} of {count} ({free} free {where})"
        return ""

    def placement(self, task: Job) -> Placement:
        """Where a job for a cluster goes; its share is what it asks for, on nodes yet unknown."""
        name = task.spec.on
        shared = self._of(name).shared
        counts = {count: n for count, n in task.need.counts.items() if count in shared}
        return Placement(
            machine=name, allocation=_asked(name, task.need, counts), slot=0, forwarded=True
        )

    def _shift(self, job: Job, placement: Placement, sign: int) -> None:
        cluster = self._of(placement.machine)
        cluster.taken += sign
        self.taken += sign
        for count, amount in job.need.counts.items():
            if count not in placement.allocation.counts:
                taken = cluster.counts_taken.get(count, 0)
                cluster.counts_taken[count] = taken + sign * amount

    def _of(self, name: str) -> _Cluster:
        return self._known.setdefault(name, _Cluster())


def waits_elsewhere(job: Job) -> bool:
    """Is it in a batch system's line?"""
    attempt = job.live_attempt
    return job.state is JobState.SUBMITTED and attempt is not None and attempt.placement.forwarded


def _asked(name: str, need: Resources, counts: Mapping[str, int]) -> Allocation:
    """Without licences: a job that waits elsewhere holds none."""
    nodes = need.nodes if isinstance(need.nodes, int) else 1
    share = Share(node=name, cores=fewest(need), memory=need.memory, disk=need.disk, gpus=need.gpus)
    return Allocation(shares=(share,) * max(1, nodes), counts=counts)
