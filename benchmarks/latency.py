"""How long one job takes from its submission to its result, when nothing else is to be done."""

import statistics
import time

import msgspec

from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, under
from benchmarks.room import Room
from benchmarks.samples import percentile
from solveyard.client.sync import Client
from solveyard.model.jobs import JobSpec, JobState

name = "latency"
sentence = "one /bin/true at a time over the private socket; over one spawn and one fsync"

JOBS = 200
WARM_UP = 10

_TRUE = msgspec.Raw(b'{"argv":["/bin/true"]}')


def run(room: Room, jobs: int = JOBS) -> list[Figure]:
    spec = JobSpec(solver="command", options=_TRUE, directory=str(room.fresh()))
    before = room.bare.singles(jobs)
    with room.service() as service:
        for _ in range(WARM_UP):
            _result(service.client, spec)
        times = [_result(service.client, spec) for _ in range(jobs)]
    bare = statistics.median(before + room.bare.singles(jobs))
    p50, p99 = percentile(times, 50), percentile(times, 99)
    room.tell(f"one spawn and one fsync: {bare * 1e3:.2f} ms")
    return [
        Figure(
            name="submission to result, p50",
            value=p50 * 1e3,
            unit="ms",
            ratio=p50 / bare,
            goal=under(4),
        ),
        Figure(
            name="submission to result, p99",
            value=p99 * 1e3,
            unit="ms",
            ratio=p99 / bare,
            goal=under(10),
        ),
    ]


def _result(client: Client, spec: JobSpec) -> float:
    """Submit it and wait for its end; s."""
    begun = time.perf_counter()
    job = client.submit(spec)
    client.wait([job.number])
    taken = time.perf_counter() - begun
    state = client.job(job.number).state
    if state is not JobState.COMPLETED:
        raise CannotMeasure(f"job {job.number} is {state}, not completed")
    return taken
