"""Machines: real spawners on simulated disks, processes and connections.

The supervisor is a stand-in, since it is all processes and sockets: it dials, presents itself as
the real one does, tells samples, and starts another spawner where one has died.
"""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulation.judge import Judge
from simulation.loops import AgentLoop
from simulation.network import AgentSocket, Connection
from simulation.processes import SimulatedPlatform
from simulation.world import Crash, World
from solveyard.agent.connection import Connection as Dialler
from solveyard.agent.connection import Owner
from solveyard.agent.identity import Identity
from solveyard.agent.ledger import Ledger
from solveyard.agent.spawner import Spawner
from solveyard.wire.frames import Message

if TYPE_CHECKING:
    from simulation.service import Service

LINGER = 60.0  #: s that an idle spawner waits for a manager
SAMPLE = 5.0  #: s
TOKEN = "simulated"


class JudgedLedger(Ledger):
    """What it is told to forget has to be on the manager's disk."""

    judge: Judge

    def forget(self, attempts: Iterable[str]) -> None:
        attempts = list(attempts)
        self.judge.forgotten(attempts)
        super().forget(attempts)


class AgentProcess:
    """What all processes of an agent have: a loop, and connections that die with it."""

    def __init__(self, machine: "Machine", name: str) -> None:
        self.machine = machine
        self.loop = AgentLoop(machine.world, name)
        self.loop.stopped = self._stopped
        self.sockets: list[AgentSocket] = []

    @property
    def alive(self) -> bool:
        return not self.loop.dead

    @property
    def connection(self) -> Connection | None:
        return self.sockets[-1].connection if self.sockets else None

    def start(self) -> None:
        if not self.alive:
            return
        with contextlib.suppress(Crash):
            self.machine.world.inside(self.loop, self._start)

    def _start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        self.loop.dead = True
        self._stopped()

    def _stopped(self) -> None:
        for end in self.sockets:
            end.close()
        self.machine.gone(self)

    def identity(self) -> Identity:
        return Identity(self.machine.name, self.machine.boot_id, "1", lambda: TOKEN)


class SpawnerProcess(AgentProcess):
    def __init__(self, machine: "Machine", index: int) -> None:
        super().__init__(machine, f"{machine.name}.{index}")
        self.index = index
        self.platform = SimulatedPlatform(machine, self.loop)
        self.ledger: JudgedLedger | None = None
        self.spawner: Spawner | None = None

    def _start(self) -> None:
        machine = self.machine
        self.ledger = JudgedLedger(f"{machine.name}/ledger-{self.index}")
        self.ledger.judge = machine.judge
        self.spawner = Spawner(
            self.loop, self.platform, self.ledger, self.identity(),  # type: ignore[arg-type]
            f"unix:{self.loop.name}", self.index, LINGER,
        )  # fmt: skip
        self.spawner.start()
        self.loop.turn_soon()


class AgentStandIn(AgentProcess, Owner):
    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine, machine.name)
        self._dialler = Dialler(self.loop, f"unix:{machine.name}", self)  # type: ignore[arg-type]

    def _start(self) -> None:
        self.machine.start_spawners()
        self._dialler.dial()
        self.loop.later(SAMPLE, self._sample)
        self.loop.turn_soon()

    def hello(self) -> Message:
        machine = self.machine
        message = self.identity().hello("agent")
        message.update(
            cores=machine.cores,
            memory=1000,
            disk=1000,
            processors=list(range(machine.cores)),
            gpus=[],
            spawners=machine.spawner_count,
        )
        return message

    def receive(self, message: Message) -> None:
        pass

    def joined(self) -> None:
        pass

    def behind(self) -> None:
        pass

    def away(self, seconds: float) -> None:
        pass

    def _sample(self) -> None:
        cpu = self.machine.world.random.choice([0.0, 0.0, 30.0, 100.0])
        sample = {"t": "sample", "cpu": cpu, "ours": 0.0, "memory_free": 900, "disk_free": 900}
        self._dialler.send(sample)
        self.loop.later(SAMPLE, self._sample)


class Machine:
    def __init__(
        self, world: World, judge: Judge, service: "Service", name: str, cores: int, spawners: int
    ) -> None:
        self.world = world
        self.judge = judge
        self.service = service
        self.name = name
        self.cores = cores
        self.spawner_count = spawners
        self.boots = 1
        self.up = False
        self.processes: dict[int, object] = {}
        self.agent: AgentStandIn | None = None
        self.spawners: dict[int, SpawnerProcess] = {}
        self._pid = 100

    @property
    def boot_id(self) -> str:
        return f"{self.name}-boot-{self.boots}"

    def next_pid(self) -> int:
        self._pid += 1
        return self._pid

    @property
    def everybody(self) -> list[AgentProcess]:
        """The processes of its agent that are alive."""
        known = [self.agent, *self.spawners.values()]
        return [one for one in known if one is not None and one.alive]

    def boot(self) -> None:
        self.up = True
        self.start_agent()

    def start_agent(self) -> None:
        if self.up and (self.agent is None or not self.agent.alive):
            self.agent = AgentStandIn(self)
            self.agent.start()

    def look(self) -> None:
        """Its supervisor, if there is one, starts who is dead."""
        if self.up and self.agent is not None and self.agent.alive:
            self.start_spawners()

    def start_spawners(self) -> None:
        for index in range(self.spawner_count):
            present = self.spawners.get(index)
            if self.up and (present is None or not present.alive):
                self.spawners[index] = SpawnerProcess(self, index)
                self.world.soon(self.spawners[index].start)

    def kill(self, process: AgentProcess) -> None:
        self.world.note(f"killed {process.loop.name}")
        process.kill()

    def gone(self, process: AgentProcess) -> None:
        """One has ended. The manager, or the agent, starts another after some time."""
        again = self.start_agent if process is self.agent else self.look
        self.world.at(self.world.random.choice([0.05, 0.5, 5.0]), again)

    def crash(self) -> None:
        """Power is lost, and comes back."""
        self.world.note(f"crashed {self.name}")
        self.judge.machine_crashed(self)
        for process in self.everybody:
            process.kill()
        self.processes.clear()
        self.service.disk.lose_power(self.name)
        self.boots += 1
        self.up = False
        self.world.at(self.world.random.choice([0.5, 5.0, 40.0]), self.boot)
