"""How soon a manager is ready again on a store with a long past."""

import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, Judged, under
from benchmarks.room import Room
from solveyard.model.jobs import (
    Attempt,
    AttemptId,
    Counter,
    Job,
    JobId,
    JobSpec,
    JobState,
    Outcome,
    Placement,
    Reason,
    Usage,
)
from solveyard.model.messages import AnyEvent, JobEnded, JobPlaced, JobStarted, JobSubmitted
from solveyard.model.resources import Allocation, Resources, Share
from solveyard.store.database import FILE
from solveyard.store.sqlite import SqliteStore

name = "restart"
sentence = "from the start of the process until ready, with 100 000 ended jobs in the store"

JOBS = 100_000
ROUNDS = 3
_SLICE = 2000  #: jobs in one commit
BEGUN = 1.7e9  #: s since 1970 at which the first was submitted
PACE = 0.01  #: s from one to the next


def run(room: Room, jobs: int = JOBS) -> list[Figure]:
    store = room.fresh() / "store"
    fill(store, jobs)
    room.tell(f"the store holds {jobs} ended jobs")
    bare: list[float] = []
    ours: list[float] = []
    for _ in range(ROUNDS):
        bare.append(_bare(store / FILE))
        with room.service(store) as service:
            ours.append(service.ready_after)
        room.tell(f"bare loop {bare[-1]:.2f} s, manager ready after {ours[-1]:.2f} s")
    taken = statistics.median(ours)
    return [
        Figure(
            name="restart until ready",
            value=taken,
            unit="s",
            ratio=taken / statistics.median(bare),
            goal=under(3),
            judged=Judged.TIME,
        )
    ]


def fill(folder: Path, jobs: int) -> None:
    """Make a store with `jobs` ended jobs and their events, as a manager would have left it."""
    store = SqliteStore.open(folder)
    try:
        for start in range(1, jobs + 1, _SLICE):
            numbers = range(start, min(start + _SLICE, jobs + 1))
            ended = [_ended_job(store.uuid, number) for number in numbers]
            events = [event for job in ended for event in _events(job)]
            store.commit(events, [*ended, Counter(next=3 * numbers.stop)])
        store.checkpoint()
    finally:
        store.close()


def attempt(uuid: str, number: int, submitted: float) -> Attempt:
    """One that went well, of a job or task."""
    return Attempt(
        id=AttemptId(f"{uuid}.{number}.0.1"),
        placement=Placement(
            machine="here",
            allocation=Allocation(shares=(Share(node="here", cores=1),)),
            slot=3 * number + 2,
            spawner=number % 2,
            boot_id="0" * 32,
            ledger="0" * 32,
        ),
        placed_at=submitted + 1,
        native_id=str(number),
        started_at=submitted + 2,
        ended_at=submitted + 3,
        outcome=Outcome(reason=Reason.SUCCESS, exit_code=0, evidence=("exit status 0",)),
        usage=Usage(wall=1.0, cpu=0.9, peak_memory=120),
    )


def _ended_job(uuid: str, number: int) -> Job:
    submitted = BEGUN + number * PACE
    name = f"case-{number:06}"
    options = {
        "argv": ["python3", "solve.py", "--frequency", f"{1e6 * number:.0f}"],
        "env": {"CASE": name, "OMP_NUM_THREADS": "1"},
        "outputs": ["result.s1p"],
    }
    tried = attempt(uuid, number, submitted)
    return Job(
        id=JobId(3 * number),
        spec=JobSpec(
            solver="command",
            options=msgspec.Raw(msgspec.json.encode(options)),
            name=name,
            resources=Resources(cores=1, memory=256),
            directory=f"/projects/antenna/{name}",
            time_limit=3600.0,
            tags=("antenna", "sweep"),
        ),
        owner="engineer",
        submitted_at=submitted,
        arrival=3 * number + 1,
        priority=0,
        state=JobState.COMPLETED,
        waiting_since=submitted,
        attempts=(tried,),
        outcome=tried.outcome,
        ended_at=tried.ended_at,
    )


def _events(job: Job) -> Iterator[AnyEvent]:
    [tried] = job.attempts
    at = job.submitted_at
    yield JobSubmitted(at=at, by=job.owner, job=job.id, spec=job.spec, arrival=job.arrival)
    yield JobPlaced(at=at + 1, job=job.id, attempt=tried.id, placement=tried.placement)
    yield JobStarted(at=at + 2, job=job.id, native_id=tried.native_id, started_at=at + 2)
    if tried.outcome is not None:
        yield JobEnded(at=at + 3, job=job.id, outcome=tried.outcome, usage=tried.usage)


def _bare(database: Path) -> float:
    """Read and decode each job's row, and keep nothing; s."""
    begun = time.perf_counter()
    sqlite = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        query = "SELECT job.body, spec.body FROM job JOIN spec ON spec.job = job.id ORDER BY job.id"
        for bodies in sqlite.execute(query):
            for body in bodies:
                msgspec.json.decode(body)
    finally:
        sqlite.close()
    return time.perf_counter() - begun
