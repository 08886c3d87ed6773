"""How well the scheduler fills a machine: a campaign on the engine alone, in simulated time."""

import heapq
import random
from typing import NamedTuple

from benchmarks.figures import Figure, Judged, under
from benchmarks.room import Room
from solveyard.core.engine import Engine, Step
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Outcome, Reason
from solveyard.model.messages import (
    AgentJoined,
    Ended,
    Launch,
    SpawnerJoined,
    Started,
    Submit,
)
from solveyard.model.resources import Resources

name = "makespan"
sentence = "the length of a mixed campaign on the engine alone, over the least that it can be"

JOBS = 1000
SEEDS = 5
CORES = 64
SEATS = 8  #: of one licence
LICENSED = 0.2  #: of the jobs
MEDIAN, SPREAD = 60.0, 1.0  #: s; the deviation of the length's logarithm
LIMIT = 2.0  #: time limits, where there are some, over the length that a job then has


_SUCCESS = Outcome(reason=Reason.SUCCESS)


class Planned(NamedTuple):
    """A job, and what nobody knows before it has run."""

    spec: JobSpec
    seconds: float


def campaign(seed: int, *, limited: bool = False) -> list[Planned]:
    """With `limited` each job has a time limit, and so the engine knows its end at the latest."""
    draw = random.Random(seed)
    planned = []
    for _ in range(JOBS):
        seconds = draw.lognormvariate(0.0, SPREAD) * MEDIAN
        licences = {"hfss": 1} if draw.random() < LICENSED else {}
        cores = draw.randint(1, 16)
        need = Resources(cores=cores, licences=licences)
        limit = LIMIT * seconds if limited else None
        planned.append(Planned(JobSpec(solver="x", resources=need, time_limit=limit), seconds))
    return planned


def bound(planned: list[Planned]) -> float:
    """No schedule is shorter: all cores busy, or all seats, or the longest job alone; s."""
    cores = seats = 0.0
    for spec, seconds in planned:
        assert isinstance(spec.resources.cores, int)
        cores += spec.resources.cores * seconds
        seats += spec.resources.licences.get("hfss", 0) * seconds
    return max(cores / CORES, seats / SEATS, *(seconds for _, seconds in planned))


def makespan(planned: list[Planned]) -> float:
    """From the submission of all to the end of the last, as the engine has it; s."""
    engine, now = Engine("u"), 0.0
    running: list[tuple[float, AttemptId]] = []
    lengths: dict[JobId, float] = {}

    def take(step: Step) -> None:
        for action in step.actions:
            if isinstance(action, Launch):
                heapq.heappush(running, (now + lengths[action.job], action.attempt))
                engine.handle(Started(attempt=action.attempt, at=now), now)

    nodes = {"a": Resources(cores=CORES)}
    joined = AgentJoined(machine="m", nodes=nodes, boot_id="b", licences={"hfss": SEATS})
    step = engine.handle(Submit(specs=tuple(spec for spec, _ in planned)), now)
    lengths = {event.job: one.seconds for event, one in zip(step.events, planned, strict=True)}
    engine.handle(SpawnerJoined(machine="m", spawner=0, boot_id="b", ledger="l"), now)
    take(engine.handle(joined, now))
    while running:
        now, attempt = heapq.heappop(running)
        take(engine.handle(Ended(attempt=attempt, outcome=_SUCCESS), now))
    assert all(job.state.final for job in engine.jobs.values())
    return now


def run(room: Room) -> list[Figure]:
    return [
        _figure(room, "nothing known of their lengths", limited=False),
        _figure(room, "time limits of twice their lengths", limited=True),
    ]


def _figure(room: Room, what: str, *, limited: bool) -> Figure:
    ratios = []
    for seed in range(SEEDS):
        planned = campaign(seed, limited=limited)
        took, least = makespan(planned), bound(planned)
        room.tell(f"campaign {seed}, {what}: {took:.0f} s, at least {least:.0f} s")
        ratios.append(took / least)
    mean = sum(ratios) / len(ratios)
    return Figure(
        name=f"makespan of {JOBS} mixed jobs over its lower bound, {what}",
        value=mean,
        unit="",
        goal=under(1.03),
        judged=Judged.AMOUNT,
    )
