"""Jobs that an earlier manager sent to another host than the settings name by now."""

from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import Entry
from solveyard.backends.batch.witness import Witness
from solveyard.model.jobs import AttemptId
from solveyard.model.messages import Accepted, Stale


class Strays:
    """While neither the batch system nor the files there show such a job, nobody knows of it."""

    def __init__(self, cluster: Cluster, blocked: dict[AttemptId, str]) -> None:
        """`blocked`: what is told of those that wait."""
        self._cluster = cluster
        self._blocked = blocked

    def unseen(self, entry: Entry, seen: Witness) -> bool:
        """Is it one of them? The batch system doesn't know it."""
        if seen.there:
            self.seen(entry)
        if not entry.strays:
            return False
        told = (
            f"{entry.strays} to be seen again: it was sent there, and the settings of cluster"
            f" {self._cluster.name} say {self._cluster.host.where}"
        )
        if self._blocked.get(entry.attempt) != told:
            self._blocked[entry.attempt] = told
            self._cluster.report(Stale(attempt=entry.attempt))
        return True

    def seen(self, entry: Entry) -> None:
        """It is there: another name of the same machine, say."""
        if not entry.strays:
            return
        entry.strays = ""
        self._blocked.pop(entry.attempt, None)
        if entry.native_id:
            self._cluster.report(Accepted(attempt=entry.attempt, native_id=entry.native_id))
