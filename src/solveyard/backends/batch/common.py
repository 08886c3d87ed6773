"""What the loops of one cluster's backend have in common."""

from collections.abc import Callable
from typing import NamedTuple

from solveyard.backends.base import Report
from solveyard.backends.batch.entries import Entries
from solveyard.backends.batch.options import ClusterOptions
from solveyard.backends.batch.sharing import Files
from solveyard.backends.dialects.base import Answer, Call, Dialect, missing
from solveyard.backends.dialects.script import heard, within
from solveyard.backends.hosts.base import Host


class Cluster(NamedTuple):
    name: str
    options: ClusterOptions
    dialect: Dialect
    host: Host
    files: Files
    entries: Entries
    report: Callable[[Report], None]

    async def run(self, call: Call) -> Answer:
        """One of its client commands, with the modules and the prologue that it needs."""
        return heard(await self.host.run(within(call, self.options.site)))

    def absent(self, call: Call, answer: Answer) -> str:
        """That a client command isn't there, where, and the way out; "": it is."""
        program = missing(call, answer)
        if not program:
            return ""
        return (
            f"there is no {program} on the PATH of {self.host.where}, which cluster {self.name}"
            f" needs (set `clusters.{self.name}.prologue` so that it's found)"
        )
