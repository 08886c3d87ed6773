"""Commands as a machine's kernel knows them, and the agent's platform on top of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulation.loops import AgentLoop
from simulation.world import World
from solveyard.agent.platform.base import Child, End, Order, Platform, Row, Tree

if TYPE_CHECKING:
    from simulation.machines import Machine

SHIFT = 100  #: start times are numbers of ticks, this many in a second


@dataclass(eq=False)
class Process:
    pid: int
    attempt: str
    start: float
    obstinate: bool  #: TERM doesn't end it
    parent: "SimulatedPlatform"
    dead: bool = False
    code: int | None = None
    signal: int | None = None


class SimulatedPlatform(Platform):
    """As one spawner sees its machine. Commands are `run SECONDS CODE [obstinate]`."""

    adopts = True

    def __init__(self, machine: "Machine", loop: AgentLoop) -> None:
        self.machine = machine
        self.loop = loop
        self._world: World = machine.world
        self._ended: list[Process] = []

    def open(self, wakeup: object) -> None:
        pass

    def boot_id(self) -> str:
        return self.machine.boot_id

    def spawn(self, order: Order) -> Child:
        machine = self.machine
        self._world.boundary(f"spawn {order.attempt}")
        pid = machine.next_pid()
        _, seconds, codes, *obstinate = order.argv
        tries = int(order.env["SOLVEYARD_TRY"])
        code = int(codes.split(",")[min(tries, len(codes.split(","))) - 1])
        process = Process(pid, order.attempt, round(self._world.now * SHIFT), bool(obstinate), self)
        machine.processes[pid] = process
        machine.judge.started(order, machine.name)
        self._world.at(float(seconds), self._over, process, code, None)
        self._world.boundary(f"spawned {order.attempt}")
        return Child(pid, f"{process.start}:{process.start}")

    def reap(self) -> list[End]:
        ended, self._ended = self._ended, []
        for process in ended:
            self.machine.processes.pop(process.pid, None)
        return [End(p.pid, p.code, p.signal, 0.01, 5) for p in ended]

    def table(self) -> dict[int, Row]:
        return {
            pid: Row(1, pid, pid, process.start, process.dead)
            for pid, process in self.machine.processes.items()
        }

    def age(self, start: float) -> float:
        return self._world.now - start / SHIFT

    def marks(self, pids: Iterable[int]) -> dict[int, str]:
        return {pid: self.machine.processes[pid].attempt for pid in pids}

    def leftovers(self, tree: Tree, *, alone: bool) -> bool:
        return False

    def members(self, tree: Tree, *, alone: bool) -> set[int]:
        known = self.machine.processes.items()
        return {pid for pid, one in known if one.attempt == tree.attempt and not one.dead}

    def signal(self, pids: Iterable[int], name: str) -> None:
        for pid in pids:
            process = self.machine.processes[pid]
            if name == "KILL" or (name == "TERM" and not process.obstinate):
                number = 9 if name == "KILL" else 15
                self._world.at(0.001, self._over, process, None, number)

    def signal_group(self, pid: int, name: str) -> None:
        self.signal([pid], name)

    def _over(self, process: Process, code: int | None, signal: int | None) -> None:
        """It has ended: its parent is told, or nobody where that is dead."""
        machine = self.machine
        if process.dead or machine.processes.get(process.pid) is not process:
            return
        process.dead, process.code, process.signal = True, code, signal
        machine.judge.ended(process.attempt, code, signal)
        self._world.note(f"over {process.attempt} {code} {signal}")
        if process.parent.loop.dead:
            del machine.processes[process.pid]
        else:
            process.parent._ended.append(process)
            process.parent.loop.send(b"c")
