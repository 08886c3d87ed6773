"""What a waiting job costs in the manager's memory."""

import hashlib

import msgspec

from benchmarks.figures import Figure, Judged, under
from benchmarks.room import Room
from solveyard.model.jobs import JobSpec

name = "memory"
sentence = "100 000 waiting jobs, all different, of 500 bytes each: growth of the manager"

JOBS = 100_000
BULK = 10_000
WARM_UP = 1_000  #: jobs before the first look: what is loaded once is no job's
SPEC_SIZE = 500  #: bytes as JSON


def run(room: Room, jobs: int = JOBS) -> list[Figure]:
    with room.service() as service:
        service.client.submit_many([spec(-1 - number) for number in range(WARM_UP)])
        before = service.manager.memory_info().rss
        for start in range(0, jobs, BULK):
            bulk = range(start, min(start + BULK, jobs))
            service.client.submit_many([spec(number) for number in bulk])
            room.tell(f"{bulk.stop} jobs wait")
        grown = service.manager.memory_info().rss - before
    return [
        Figure(
            name="memory of a waiting job",
            value=grown / jobs / 1000,
            unit="kB",
            goal=under(0.8),
            judged=Judged.AMOUNT,
        )
    ]


def spec(number: int) -> JobSpec:
    """A held job unlike all others, of SPEC_SIZE bytes."""
    digest = hashlib.shake_256(str(number).encode())

    def made(letters: int) -> JobSpec:
        seed = digest.hexdigest(letters)[:letters]
        options = {"argv": ["/bin/true", "--seed", seed], "env": {"CASE": str(number)}}
        return JobSpec(
            solver="command",
            options=msgspec.Raw(msgspec.json.encode(options)),
            directory="/",
            hold=True,
        )

    return made(SPEC_SIZE - len(msgspec.json.encode(made(0))))
