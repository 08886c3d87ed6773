"""How fast the shortest commands start, durably and with their output files kept."""

import datetime as dt
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.bare import Loop
from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, at_least, under
from benchmarks.room import Room
from benchmarks.service import Service
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.records import JobRecord

name = "launch"
sentence = "10 000 /bin/true, two at a time, submitted at once; over the bare C loop"

JOBS = 10_000
ROUNDS = 2

_TRUE = msgspec.Raw(b'{"argv":["/bin/true"]}')


class Round(NamedTuple):
    """One run of ours. CPU is that of our processes alone, in s for each job."""

    rate: float  #: launches/s, from the first start to the last end
    submitted: float  #: CPU of the manager until the submission was answered
    manager: float  #: CPU of the manager, all in all
    agent: float
    spawners: float

    @property
    def cpu(self) -> float:
        return self.manager + self.agent + self.spawners


def run(room: Room, jobs: int = JOBS) -> list[Figure]:
    loops = [_loop(room, jobs)]
    rounds: list[Round] = []
    for _ in range(ROUNDS):
        rounds.append(measured(room, jobs))
        loops.append(_loop(room, jobs))
    rate = statistics.median(each.rate for each in rounds)
    cpu = statistics.median(each.cpu for each in rounds)
    bare = statistics.median(each.rate for each in loops)
    bare_cpu = statistics.median(each.cpu for each in loops)
    return [
        Figure(
            name="launches",
            value=rate,
            unit="launches/s",
            ratio=rate / bare,
            target=at_least(0.6),
            goal=at_least(0.82),
        ),
        Figure(
            name="own CPU of a launch",
            value=cpu * 1e6,
            unit="µs",
            ratio=cpu / bare_cpu,
            goal=under(0.35),
        ),
    ]


def _loop(room: Room, jobs: int) -> Loop:
    loop = room.bare.launches(jobs)
    room.tell(f"C loop: {loop.rate:.0f} launches/s, {loop.cpu * 1e6:.0f} µs CPU each")
    return loop


def measured(room: Room, jobs: int) -> Round:
    """One run of ours, on a store of its own."""
    directory = room.fresh()
    specs = [JobSpec(solver="command", options=_TRUE, directory=str(directory))] * jobs
    with room.service() as service:
        begun = service.cpu()
        last = service.client.submit_many(specs)[-1]
        answered = service.cpu()
        service.client.wait([last.number])
        service.until(lambda: ended(service) == jobs, f"has ended {jobs} jobs", 0.01)
        manager, agent, *spawners = (
            (after - before) / jobs for before, after in zip(begun, service.cpu(), strict=True)
        )
        records = service.client.jobs(limit=None).jobs
    check(records, service.store, jobs)
    submitted = (answered[0] - begun[0]) / jobs
    found = Round(jobs / seconds(records), submitted, manager, agent, sum(spawners))
    room.tell(
        f"solveyard: {found.rate:.0f} launches/s, own CPU of each: manager"
        f" {found.manager * 1e6:.0f} µs ({found.submitted * 1e6:.0f} of it before the submission"
        f" was answered), agent {found.agent * 1e6:.0f} µs, spawners {found.spawners * 1e6:.0f} µs"
    )
    return found


def ended(service: Service) -> int:
    """Jobs and tasks so far."""
    queue = service.client.queue()
    return sum(count for state, count in queue.items() if JobState(state).final)


def seconds(records: Sequence[JobRecord]) -> float:
    """From the first start to the last end; an array starts with its submission."""
    starts = [_instant(each.started_at if each.tasks is None else each.submitted_at)
              for each in records]  # fmt: skip
    ends = [_instant(record.ended_at) for record in records]
    return (max(ends) - min(starts)).total_seconds()


def _instant(text: str | None) -> dt.datetime:
    if text is None:
        raise CannotMeasure("an ended job has no time of its start or end")
    return dt.datetime.fromisoformat(text)


def check(records: Sequence[JobRecord], store: Path, launches: int) -> None:
    """A launch counts only if it succeeded and its output was kept."""
    bad = next((each for each in records if each.state is not JobState.COMPLETED), None)
    if bad is not None:
        raise CannotMeasure(f"job {bad.number} ended as {bad.state}: {bad.message}")
    kept = sum(1 for path in (store / "output").rglob("*") if path.is_file())
    if kept != 2 * launches:
        raise CannotMeasure(f"{launches} jobs left {kept} output files, not two each")
