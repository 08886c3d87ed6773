"""A world for the engine: machines and spawners that do what they are told, in any order of news.

A spawner takes its orders in the order in which they were sent and answers in order, as over one
connection; what is on its way when the connection goes is lost. The world starts each attempt for
itself and keeps in a list what it started: that is what the engine is judged by.
"""

from collections import deque
from dataclasses import dataclass, field

from solveyard.model.jobs import AttemptId, JobSpec, Outcome, Placement, Reason, Usage
from solveyard.model.messages import (
    Accepted,
    Action,
    AgentJoined,
    AgentLeft,
    AnyObservation,
    Ask,
    Ended,
    Forget,
    Kill,
    Launch,
    Missing,
    Recall,
    Recalled,
    SpawnerJoined,
    SpawnerLeft,
    Started,
)
from solveyard.model.resources import Resources

LONG = 5.0  #: s, what a command takes that isn't brief
BRIEF = 0.02  #: s


@dataclass
class Running:
    spec: JobSpec
    placement: Placement
    because: Reason | None = None  #: it was told to end
    lost: bool = False  #: the spawner that started it died


class Spawner:
    """Starts commands, and keeps their ends until it is told to forget them."""

    def __init__(self, machine: "Machine", index: int) -> None:
        self.machine = machine
        self.index = index
        self.ledger = f"{machine.name}-{index}-1"
        self.connected = False
        self.inbox: deque[Action] = deque()
        self.outbox: deque[AnyObservation] = deque()
        self.waiting: dict[AttemptId, Launch] = {}
        self.after: dict[AttemptId, AttemptId | None] = {}
        self.running: dict[AttemptId, Running] = {}
        self.ends: dict[AttemptId, Ended] = {}
        self.forgotten: set[AttemptId] = set()

    # The connection

    def join(self) -> SpawnerJoined:
        self.connected = True
        self.outbox.extend(self.ends.values())
        return SpawnerJoined(
            machine=self.machine.name,
            spawner=self.index,
            boot_id=self.machine.boot_id,
            ledger=self.ledger,
        )

    def leave(self) -> SpawnerLeft:
        self.connected = False
        self.inbox.clear()
        self.outbox.clear()
        return SpawnerLeft(machine=self.machine.name, spawner=self.index)

    def _tell(self, message: AnyObservation) -> None:
        if self.connected:
            self.outbox.append(message)

    # Orders

    def obey(self) -> None:
        """Take the next order."""
        action = self.inbox.popleft()
        match action:
            case Launch():
                self._launch(action)
            case Recall():
                if self._withdraw(action.attempt):
                    self._tell(Recalled(attempt=action.attempt))
                elif not self._answer(action.attempt):
                    self._missing(action.attempt)
            case Kill():
                self._kill(action)
            case Forget():
                if self.ends.pop(action.attempt, None) is not None:
                    self.forgotten.add(action.attempt)
            case Ask():
                for attempt in action.attempts:
                    if attempt in self.waiting:
                        self._tell(Accepted(attempt=attempt, native_id=""))
                    elif not self._answer(attempt):
                        self._missing(attempt)

    def _launch(self, launch: Launch) -> None:
        if launch.attempt in self.waiting or self._answer(launch.attempt):
            return
        ahead = launch.after
        known = ahead is not None and (ahead in self.waiting or ahead in self.running)
        self.waiting[launch.attempt] = launch
        self.after[launch.attempt] = ahead if known else None
        self._start_ready()

    def _kill(self, kill: Kill) -> None:
        because = Reason.SHUTDOWN if kill.because == "shutdown" else Reason.CANCELLED
        run = self.running.get(kill.attempt)
        if run is not None:
            run.because = run.because or because
        elif self._withdraw(kill.attempt):
            self._end(Ended(attempt=kill.attempt, outcome=Outcome(reason=because)))
        elif not self._answer(kill.attempt):
            self._missing(kill.attempt)

    def _missing(self, attempt: AttemptId) -> None:
        boot_id = self.machine.boot_id
        self._tell(Missing(attempt=attempt, boot_id=boot_id, ledger=self.ledger))

    def _answer(self, attempt: AttemptId) -> bool:
        """Say what the attempt did last; False: nothing."""
        if attempt in self.running:
            self._tell(Started(attempt=attempt, native_id=_pid(attempt), at=1.0))
        elif attempt in self.ends:
            self._tell(self.ends[attempt])
        else:
            return attempt in self.forgotten
        return True

    def _withdraw(self, attempt: AttemptId) -> bool:
        if self.waiting.pop(attempt, None) is None:
            return False
        ahead = self.after.pop(attempt)
        self.after.update({a: ahead for a, before in self.after.items() if before == attempt})
        self._start_ready()
        return True

    # What commands do

    def _start_ready(self) -> None:
        for attempt in [a for a, ahead in self.after.items() if ahead is None]:
            launch = self.waiting.pop(attempt)
            del self.after[attempt]
            self.machine.started.append(attempt)
            self.running[attempt] = Running(launch.spec, launch.placement)
            self._tell(Started(attempt=attempt, native_id=_pid(attempt), at=1.0))

    def finish(self, attempt: AttemptId, reason: Reason, wall: float) -> None:
        """A command ends by itself, or as it was told to."""
        run = self.running.pop(attempt)
        reason = Reason.LOST if run.lost else run.because or reason
        ended = Ended(
            attempt=attempt,
            outcome=Outcome(reason=reason),
            usage=Usage(wall=wall),
            native_id=_pid(attempt),
            started_at=1.0,
        )
        self._end(ended)

    def _end(self, ended: Ended) -> None:
        self.ends[ended.attempt] = ended
        self._tell(ended)
        self.after = {a: None if b == ended.attempt else b for a, b in self.after.items()}
        self._start_ready()

    def die(self) -> None:
        """Killed, and replaced by one that reads the same ledger; what ran goes on, unheard."""
        self.waiting.clear()
        self.after.clear()
        for run in self.running.values():
            run.lost = True

    def crash(self, *, ledger_gone: bool) -> None:
        """The machine went down with all that ran."""
        self.die()
        for attempt in list(self.running):
            self.finish(attempt, Reason.LOST, LONG)
        if ledger_gone:
            self.ledger += "+"
            self.ends.clear()
            self.forgotten.clear()


@dataclass
class Machine:
    name: str
    nodes: dict[str, tuple[int, int, int, int]]  #: cores, memory and disk in MiB, GPUs
    licences: dict[str, int]
    counts: dict[str, int]
    spawners: list[Spawner] = field(default_factory=list)
    connected: bool = False
    boots: int = 1
    started: list[AttemptId] = field(default_factory=list)  #: every start there ever was

    def __post_init__(self) -> None:
        self.spawners = [Spawner(self, index) for index in range(2)]

    @property
    def boot_id(self) -> str:
        return f"{self.name}-boot-{self.boots}"

    def join(self) -> AgentJoined:
        self.connected = True
        nodes = {
            name: Resources(cores=cores, memory=memory, disk=disk, gpus=gpus)
            for name, (cores, memory, disk, gpus) in self.nodes.items()
        }
        return AgentJoined(
            machine=self.name,
            nodes=nodes,
            boot_id=self.boot_id,
            licences=self.licences,
            counts=self.counts,
            core_ids={name: self._numbers(amounts[0]) for name, amounts in self.nodes.items()},
            gpu_ids={name: self._numbers(amounts[3]) for name, amounts in self.nodes.items()},
        )

    def _numbers(self, amount: int) -> tuple[int, ...]:
        first = self.boots % 3  # after another boot it may have others
        return tuple(range(first, first + 2 * amount, 2))

    def leave(self) -> AgentLeft:
        self.connected = False
        return AgentLeft(machine=self.name)


class World:
    """Two machines, two spawners on each."""

    def __init__(self) -> None:
        self.machines = {
            "m": Machine(
                "m", {"a": (4, 100, 40, 2), "b": (4, 100, 20, 1)}, {"hfss": 2}, {"bench": 1}
            ),
            "n": Machine("n", {"c": (2, 50, 20, 0)}, {"hfss": 1}, {"bench": 1}),
        }
        self.spawners = {
            (machine.name, spawner.index): spawner
            for machine in self.machines.values()
            for spawner in machine.spawners
        }

    def perform(self, actions: list[Action]) -> None:
        """Send them; to a spawner that is away nothing is sent."""
        for action in actions:
            if isinstance(action, Ask):
                spawner = self.spawners[action.machine, action.spawner]
            else:
                spawner = self.spawners[action.placement.machine, action.placement.spawner]
            if spawner.connected:
                spawner.inbox.append(action)

    @property
    def running(self) -> dict[AttemptId, Running]:
        return {a: run for spawner in self.spawners.values() for a, run in spawner.running.items()}

    @property
    def started(self) -> list[AttemptId]:
        return [a for machine in self.machines.values() for a in machine.started]

    def lose_manager(self) -> None:
        """Every connection is gone: the manager has died."""
        for machine in self.machines.values():
            machine.leave()
        for spawner in self.spawners.values():
            spawner.leave()


def _pid(attempt: AttemptId) -> str:
    return f"pid of {attempt}"
