"""What a job costs as there are more of them, by how they depend on one another."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from benchmarks import launch
from benchmarks.figures import Figure, at_least, under
from benchmarks.room import Room
from benchmarks.service import Service
from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import Dependency

name = "growth"
sentence = "own CPU of a job in crowds of 100 to 100 000, by shape; 100 000 launches over 10 000's"

COUNTS = (100, 1000, 10_000, 100_000)
CHAIN = 3000
LEAST = 1000  #: jobs that are measured of each size: small crowds come one after the other

_TRUE = msgspec.Raw(b'{"argv":["/bin/true"]}')


def flat(count: int, prefix: str) -> list[JobSpec]:
    return [_spec()] * count


def array(count: int, prefix: str) -> list[JobSpec]:
    return [_spec(array=ArraySpec(stop=count))]


def fan_in(count: int, prefix: str) -> list[JobSpec]:
    """All but one, then that one."""
    before = [_spec(name=f"{prefix}-{number}") for number in range(count - 1)]
    return [*before, _spec(after=_after(job.name for job in before))]


def diamond(count: int, prefix: str) -> list[JobSpec]:
    """One, then all but two, then the last."""
    first = _spec(name=f"{prefix}-first")
    middle = [
        _spec(name=f"{prefix}-{number}", after=_after([first.name])) for number in range(count - 2)
    ]
    return [first, *middle, _spec(after=_after(job.name for job in middle))]


def chain(count: int, prefix: str) -> list[JobSpec]:
    """One after the other."""
    names = [f"{prefix}-{number}" for number in range(count)]
    return [
        _spec(name=one, after=_after(names[max(0, number - 1) : number]))
        for number, one in enumerate(names)
    ]


def _spec(name: str = "", **fields: Any) -> JobSpec:
    return JobSpec(solver="command", options=_TRUE, name=name, **fields)


def _after(names: Iterable[str]) -> tuple[Dependency, ...]:
    return tuple(Dependency(job=one) for one in names)


Shape = Callable[[int, str], list[JobSpec]]  #: how many jobs, and what their names begin with
SHAPES: Mapping[str, Shape] = {
    "flat": flat,
    "array": array,
    "fan-in": fan_in,
    "diamond": diamond,
}


class Crowd(NamedTuple):
    """So many at once; of each job."""

    count: int
    rate: float  #: jobs/s, from the first start to the last end; of an array from its submission
    cpu: float  #: of our processes, s


def run(
    room: Room, counts: Sequence[int] = COUNTS, links: int = CHAIN, least: int = LEAST
) -> list[Figure]:
    figures: list[Figure] = []
    crowds = {
        shape: [_crowd(room, shape, make, count, least) for count in counts]
        for shape, make in SHAPES.items()
    }
    crowds["chain"] = [
        _crowd(room, "chain", chain, count, least)
        for count in (*(n for n in counts if n < links), links)
    ]
    for shape, found in crowds.items():
        dearest, cheapest = (pick(found, key=lambda crowd: crowd.cpu) for pick in (max, min))
        figures.append(
            Figure(
                name=f"own CPU of a job, {shape}, {found[0].count} to {found[-1].count}: the"
                f" dearest ({dearest.count}) over the cheapest ({cheapest.count})",
                value=dearest.cpu * 1e6,
                unit="µs",
                ratio=dearest.cpu / cheapest.cpu,
                goal=under(1.2),
            )
        )
    *_, fewer, most = crowds["flat"]
    linked = crowds["chain"][-1]
    return [
        *figures,
        Figure(
            name=f"launches of {most.count} over those of {fewer.count}",
            value=most.rate,
            unit="launches/s",
            ratio=most.rate / fewer.rate,
            goal=at_least(0.95),
        ),
        Figure(
            name=f"a chain of {links} over as fast as a flat crowd goes",
            value=linked.rate,
            unit="jobs/s",
            ratio=linked.rate / fewer.rate,
            goal=at_least(0.25),
        ),
    ]


def _crowd(room: Room, shape: str, make: Shape, count: int, least: int) -> Crowd:
    crowds = [make(count, f"crowd{number}") for number in range(max(1, least // count))]
    warm_up = flat(least, "")
    with room.service() as service:
        _through(service, warm_up, least)
        begun = sum(service.cpu())
        for number, specs in enumerate(crowds, 1):
            _through(service, specs, least + number * count)
        cpu = sum(service.cpu()) - begun
        records = sorted(service.client.jobs(limit=None).jobs, key=lambda record: record.number)
    launch.check(records, service.store, least + len(crowds) * count)
    each = len(crowds[0])
    taken = sum(launch.seconds(records[at : at + each]) for at in range(least, len(records), each))
    jobs = len(crowds) * count
    found = Crowd(count, jobs / taken, cpu / jobs)
    room.tell(
        f"{shape} of {count}: {found.rate:.0f} jobs/s, own CPU of each {found.cpu * 1e6:.0f} µs"
    )
    return found


def _through(service: Service, specs: list[JobSpec], ended: int) -> None:
    """Have them run; so many have ended then."""
    last = service.client.submit_many(specs)[-1]
    service.client.wait([last.number])
    told = f"has ended {ended} jobs"
    service.until(lambda: launch.ended(service) == ended, told, 0.01)
