"""What a decision costs as there is more of everything: the engine alone, its agents simulated."""

import time
from collections import deque

from benchmarks.figures import Figure, Judged
from benchmarks.room import Room
from solveyard.core.engine import Engine, Step
from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.model.messages import AgentJoined, Ended, Launch, SpawnerJoined, Started, Submit
from solveyard.model.resources import Resources
from solveyard.model.shares import Shares

name = "scale"
sentence = "own CPU of a decision, by how much waits and how many agents and owners there are"

CORES = 128
SPAWNERS = 2  #: of each agent
TURNS = 2000  #: ends that are measured, each of which lets the next job start
WIDE_TURNS = 20  #: the same, before the wide job has its place
QUEUED = (1_000, 10_000, 100_000, 1_000_000)  #: tasks of one array
DISTINCT = (1_000, 10_000, 100_000, 1_000_000)
AGENTS = (1, 10, 100, 1000)
OWNERS = (1, 10, 100, 1000)

_SUCCESS = Outcome(reason=Reason.SUCCESS)
_ONE = JobSpec(solver="x")


class Site:
    """An engine and agents that start what they are told and say so."""

    def __init__(self, agents: int, shares: Shares | None = None) -> None:
        self.engine = Engine("u", shares=shares or Shares())
        self.running: deque[Launch] = deque()
        self.now = 0.0
        for number in range(agents):
            machine = f"m{number:04}"
            node = {machine: Resources(cores=CORES)}
            self.take(AgentJoined(machine=machine, nodes=node, boot_id="b"))
            for spawner in range(SPAWNERS):
                self.take(SpawnerJoined(machine=machine, spawner=spawner, boot_id="b", ledger="l"))

    def take(self, message: AgentJoined | SpawnerJoined | Submit | Ended | Started) -> Step:
        self.now += 0.001
        step = self.engine.handle(message, self.now)
        self.running.extend(action for action in step.actions if isinstance(action, Launch))
        return step

    def end_oldest(self) -> None:
        """It had started, too."""
        attempt = self.running.popleft().attempt
        self.take(Started(attempt=attempt, at=self.now))
        self.take(Ended(attempt=attempt, outcome=_SUCCESS))

    def turns(self, many: int = TURNS) -> float:
        """CPU for each job that ends and lets another start; us."""
        begun = time.process_time()
        for _ in range(many):
            self.end_oldest()
        return (time.process_time() - begun) / many * 1e6


def array(queued: int, agents: int = 1) -> tuple[float, float, float]:
    """CPU to accept it without agents, ms; for each start with them, and of a turn, us.

    So many are queued when all cores are taken.
    """
    spec = JobSpec(solver="x", array=ArraySpec(stop=queued + agents * CORES + TURNS))
    begun = time.process_time()
    Site(0).take(Submit(specs=(spec,)))
    accepted = time.process_time() - begun
    site = Site(agents)
    begun = time.process_time()
    site.take(Submit(specs=(spec,)))
    started = (time.process_time() - begun) / (agents * CORES)
    return accepted * 1e3, started * 1e6, site.turns()


def distinct(queued: int, owners: int = 1, *, fair: bool = False) -> tuple[float, float]:
    """CPU to accept each job, and of a turn; us."""
    site = Site(1, Shares(fair=fair))
    each = (queued + CORES + TURNS) // owners + 1
    begun = time.process_time()
    for owner in range(owners):
        site.take(Submit(specs=(_ONE,) * each, by=f"owner-{owner}"))
    accepted = (time.process_time() - begun) / (each * owners)
    return accepted * 1e6, site.turns()


def behind_a_wide_one(agents: int) -> float:
    """CPU of a turn while one that needs a whole node is the first in line; us."""
    site = Site(agents)
    site.take(Submit(specs=(JobSpec(solver="x", array=ArraySpec(stop=2 * agents * CORES)),)))
    wide = JobSpec(solver="x", resources=Resources(cores=CORES), priority=1)
    site.take(Submit(specs=(wide,)))
    return site.turns(WIDE_TURNS)


def run(room: Room) -> list[Figure]:
    found: list[Figure] = []

    def tell(what: str, value: float, unit: str = "us") -> None:
        room.tell(f"{what}: {value:.3g} {unit}")
        found.append(Figure(name=what, value=value, unit=unit, judged=Judged.TIME))

    for queued in QUEUED:
        accepted, _, turn = array(queued)
        tell(f"array of {queued}, accepted", accepted, "ms")
        tell(f"array of {queued}, an end and a start", turn)
    for queued in DISTINCT:
        accepted, turn = distinct(queued)
        tell(f"{queued} distinct jobs, each accepted", accepted)
        tell(f"{queued} distinct jobs, an end and a start", turn)
    for agents in AGENTS:
        _, started, turn = array(1_000_000, agents)
        tell(f"{agents} agents of {CORES} cores, each start of a burst", started)
        tell(f"{agents} agents of {CORES} cores, an end and a start", turn)
    for agents in AGENTS[:3]:
        what = f"{agents} agents of {CORES} cores, an end while a wide job is the first in line"
        tell(what, behind_a_wide_one(agents))
    for owners in OWNERS:
        _, turn = distinct(100_000, owners, fair=True)
        tell(f"fair shares among {owners} owners, an end and a start", turn)
    return found
