"""What a manager with nothing to do takes from the machine."""

import time

import msgspec

from benchmarks.figures import Figure, Judged, under
from benchmarks.room import Room
from solveyard.model.jobs import JobSpec

name = "idle"
sentence = "CPU of manager, agent and spawners in 20 s without work"

SECONDS = 20.0
SETTLING = 3.0  #: s after its last job

_TRUE = msgspec.Raw(b'{"argv":["/bin/true"]}')


def run(room: Room, seconds: float = SECONDS) -> list[Figure]:
    with room.service() as service:
        spec = JobSpec(solver="command", options=_TRUE, directory=str(room.fresh()))
        service.client.wait([service.client.submit(spec).number])
        service.client.close()
        time.sleep(SETTLING)
        begun, before = time.perf_counter(), service.cpu()
        time.sleep(seconds)
        after, taken = service.cpu(), time.perf_counter() - begun
    used = [100 * (b - a) / taken for a, b in zip(before, after, strict=True)]
    room.tell(
        f"manager {used[0]:.2f} %, agent {used[1]:.2f} %, spawners "
        + ", ".join(f"{each:.2f} %" for each in used[2:])
    )
    return [
        Figure(
            name="idle CPU, all processes",
            value=sum(used),
            unit="% of one core",
            goal=under(0.2),
            judged=Judged.TIME,
        )
    ]
