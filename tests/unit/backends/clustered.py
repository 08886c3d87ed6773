"""A cluster whose answers a test gives: Slurm's dialect, and no Slurm."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from solveyard.backends.base import Order, Report
from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import Entries
from solveyard.backends.batch.options import ClusterOptions
from solveyard.backends.batch.sharing import Shared
from solveyard.backends.dialects import slurm
from solveyard.backends.dialects.base import Answer, Call


class Told:
    """A host on which nothing runs."""

    commands = 0
    where = "login"
    silent = ""

    def __init__(self) -> None:
        self.called: list[str] = []  #: in order
        self.answer: Callable[[str], Answer] = lambda _: Answer(0)

    async def run(self, call: Call) -> Answer:
        self.called.append(" ".join(call.argv))
        return self.answer(self.called[-1])


class Picky(Shared):
    """Jobs whose folders are `bad` can't be sent."""

    def __init__(self) -> None:
        self.bad: dict[str, Exception] = {}
        self.sent: list[list[str]] = []  #: names of folders, one list each time

    async def send(self, orders: Sequence[Order], script: str, ending: str) -> None:
        names = [Path(order.command.directory).name for order in orders]
        for name in names:
            if name in self.bad:
                raise self.bad[name]
        self.sent.append(names)


class Following:
    """As much of a follower as the others need."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.answers.set()
        self.wanted = asyncio.Event()
        self.doubts: dict[str, str] = {}
        self.blocked: dict[str, str] = {}

    def doubt(self, why: str) -> None:
        raise AssertionError(why)


def cluster(host: Told, files: Shared, reports: list[Report]) -> Cluster:
    options = ClusterOptions(dialect="slurm", submit_rate=1000.0)
    return Cluster("far", options, slurm, host, files, Entries(), reports.append)
