"""The manager: the real one, with its real turns, outbox, backend and ordering, in one life after
another on a store that keeps what was committed and nothing else.

Threads are done without, and folders of outputs are not made: nothing else is replaced.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from simulation.disk import Disk
from simulation.judge import Judge
from simulation.loops import ManagerLoop
from simulation.machines import TOKEN, AgentProcess
from simulation.network import AgentSocket, Connection
from simulation.world import Crash, World
from solveyard.backends.agents import Agents
from solveyard.backends.offers import Offer
from solveyard.manager.manager import Manager
from solveyard.model.errors import StoreFull
from solveyard.model.jobs import Record
from solveyard.model.messages import AnyEvent
from solveyard.store import codec
from solveyard.store.memory import MemoryStore

T = TypeVar("T")
UUID = "0123456789abcdef0123456789abcdef"
LICENCES = {"hfss": 2}


class Durable(MemoryStore):
    """What is on disk: it survives every crash."""

    def __init__(self) -> None:
        super().__init__()
        self._uuid = UUID


class Opened:
    """The store as one life of the manager has it; nobody knows the fate of a commit that hangs."""

    def __init__(self, world: World, disk: Durable, judge: Judge) -> None:
        self.fails_until = 0.0
        self._world = world
        self._disk = disk
        self._judge = judge

    def __getattr__(self, name: str) -> Any:  # Any: all that is not `commit` is the disk's own
        return getattr(self._disk, name)

    def commit(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        data = b"".join(codec.encode(event) for event in events)
        self._world.boundary("commit", data)
        if self._world.now < self.fails_until:
            raise StoreFull("the disk is full")
        last = self._disk.commit(events, records)
        self._judge.committed(events, records)
        self._world.boundary("synced")
        return last


class InlineWorkers:
    """As `solveyard.workers.Workers`, without threads: each call takes some time."""

    world: World

    def __init__(self, name: str, count: int = 1) -> None:
        self._slow = name == "store-writer"

    async def call(self, function: Callable[[], T]) -> T:
        if self._slow:
            await asyncio.sleep(self.world.delay())
        try:
            result = function()
        except Crash:
            await asyncio.get_running_loop().create_future()  # for ever
            raise
        if self._slow:
            await asyncio.sleep(self.world.delay())
        return result

    def post(self, function: Callable[[], T], done: Callable[[T], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.world.delay(), lambda: done(function()))

    def close(self) -> None:
        pass


class SimulatedAgents(Agents):
    """Connections are handed to it, instead of listened for."""

    async def run(self) -> None:
        await self._keep_time()


class _StartedElsewhere:
    """As much of the local agent as the manager needs, whose processes the world has."""

    machine = "m0"
    failing = None

    def connected(self) -> None:
        """It is."""


class Life:
    """One process of the manager, from its start to its death."""

    def __init__(self, service: "Service") -> None:
        world = service.world
        self.loop = ManagerLoop(world)
        self.store = Opened(world, service.store, service.judge)
        self.agents = SimulatedAgents(
            "", UUID, _StartedElsewhere(),  # type: ignore[arg-type]
            offer=Offer(licences=LICENCES), token=TOKEN,
        )  # fmt: skip
        self.connections: list[Connection] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.manager = self.loop.inside(self._manager)
        self.start(self.manager.run)

    @property
    def dead(self) -> bool:
        return self.loop.dead

    def _manager(self) -> Manager:
        return Manager(self.store, Path("/simulated"), self.agents)  # type: ignore[arg-type]

    def start(self, coroutine: Callable[..., Any], *arguments: object) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = self.loop.inside(
            lambda: self.loop.create_task(coroutine(*arguments))
        )
        self._tasks = [one for one in self._tasks if not one.done()]
        self._tasks.append(task)
        return task

    def serve(self, connection: Connection) -> None:
        self.connections.append(connection)
        self.start(self.agents._serve, connection.reader, connection.writer)

    def kill(self) -> None:
        self.loop.dead = True
        for connection in self.connections:
            connection.to_agent.end()


class Service:
    """The manager's lives, one after another."""

    def __init__(self, world: World, judge: Judge) -> None:
        self.world = world
        self.judge = judge
        self.disk = Disk(world)
        self.store = Durable()
        self.life: Life | None = None
        self.processes: dict[str, Callable[[], AgentProcess | None]] = {}
        self._buried: list[Life] = []

    @property
    def up(self) -> bool:
        return self.life is not None and not self.life.dead

    def start(self) -> None:
        if not self.up:
            self.bury()
            self.world.note("the manager starts")
            self.life = Life(self)

    def kill(self, back: float) -> None:
        """It starts again `back` seconds later."""
        if self.life is not None and not self.life.dead:
            self.world.note("the manager is killed")
            self.life.kill()
            self._buried.append(self.life)
            self.world.at(0.0, self.bury)
            self.world.at(back, self.start)

    def bury(self) -> None:
        """End what the dead ones had begun; they do nothing any more."""
        while self._buried:
            life = self._buried.pop()
            life.loop.kill(life._tasks)

    def dial(self, end: AgentSocket) -> AgentSocket | None:
        """An agent's process connects; None: nobody listens."""
        if self.life is None or self.life.dead:
            return None
        Connection(self.world, self.life, end)
        return end
