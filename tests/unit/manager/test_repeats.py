"""A submission that is made again under its key."""

import pytest
from msgspec.structs import replace

from solveyard.core.lifecycle import REMEMBERED, evolve, unopened
from solveyard.core.roll import Roll
from solveyard.core.shelf import Shelf
from solveyard.manager.repeats import Repeats, Whose
from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.messages import AnyJobEvent, JobRetried, JobSubmitted


async def test_after_a_restart_an_array_is_answered_without_its_tasks() -> None:
    array = Job(
        id=JobId(3),
        spec=JobSpec(solver="command", array=ArraySpec(stop=2)),
        owner="eve",
        submitted_at=1.0,
        arrival=1,
        priority=0,
        state=JobState.RUNNING,
        key="k",
    )
    task = replace(unopened(array, 0), state=JobState.RUNNING)
    jobs = Roll(Shelf())
    jobs.update((job.id, job) for job in (array, task))

    async def submit() -> list[Job]:
        raise AssertionError("its jobs are there")

    assert await Repeats(jobs.values()).submit(Whose("eve", "k"), lambda: jobs, submit) == (
        [array],
        True,
    )


def job(number: int, owner: str, key: str) -> Job:
    return Job(
        id=JobId(number), spec=JobSpec(solver="command"), owner=owner, submitted_at=1.0,
        arrival=number, priority=0, state=JobState.QUEUED, key=key,
    )  # fmt: skip


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_job_that_is_submitted_anew_is_still_that_of_its_earlier_keys(
    restarted: bool,
) -> None:
    spec, made = JobSpec(solver="command", name="mesh"), job(1, "ann", "k1")
    events: list[AnyJobEvent] = [
        JobSubmitted(job=JobId(1), at=1.0, by="ann", spec=spec, arrival=1, key="k1"),
    ]
    for arrival, by, key in ((3, "ann", "k2"), (4, "bob", "k3"), (5, "eve", "")):
        events.append(JobRetried(job=JobId(1), at=1.0, by=by, spec=spec, arrival=arrival, key=key))
        renewed = evolve(replace(made, state=JobState.COMPLETED), events[-1])
        assert renewed is not None
        made = renewed
    together = job(2, "ann", "k1")
    jobs = Roll(Shelf())
    jobs.update((one.id, one) for one in (made, together))
    repeats = Repeats(jobs.values() if restarted else ())
    if not restarted:
        second = JobSubmitted(job=JobId(2), at=1.0, by="ann", spec=spec, arrival=2, key="k1")
        repeats.note([events[0], second, *events[1:]])

    async def submit() -> list[Job]:
        return []

    for whose, expected in (
        (Whose("ann", "k1"), ([made, together], True)),
        (Whose("ann", "k2"), ([made], True)),
        (Whose("bob", "k3"), ([made], True)),
        (Whose("bob", "k1"), ([], False)),
        (Whose("eve", ""), ([], False)),
    ):
        assert await repeats.submit(whose, lambda: jobs, submit) == expected


def test_a_job_forgets_its_oldest_keys() -> None:
    made = job(1, "ann", "k0")
    for number in range(1, REMEMBERED + 3):
        event = JobRetried(
            job=JobId(1), at=1.0, by="ann", spec=made.spec, arrival=number + 1, key=f"k{number}"
        )
        renewed = evolve(replace(made, state=JobState.COMPLETED), event)
        assert renewed is not None
        made = renewed
    assert [one.key for one in made.earlier] == [f"k{n}" for n in range(2, REMEMBERED + 2)]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_key_is_its_owners_own(restarted: bool) -> None:
    eve, ada = Whose("eve", "k"), Whose("ada", "k")
    taken = {eve: [job(1, "eve", "k")], ada: [job(2, "ada", "k"), job(3, "ada", "k")]}
    jobs = Roll(Shelf())
    jobs.update((one.id, one) for some in taken.values() for one in some)
    repeats = Repeats(jobs.values() if restarted else ())
    if not restarted:
        spec = JobSpec(solver="command")
        repeats.note([
            JobSubmitted(job=JobId(1), at=1.0, by="eve", spec=spec, arrival=1, key="k"),
            JobSubmitted(job=JobId(2), at=1.0, by="ada", spec=spec, arrival=2, key="k"),
            JobRetried(job=JobId(3), at=1.0, by="ada", spec=spec, arrival=3, key="k"),
        ])  # fmt: skip

    async def submit() -> list[Job]:
        return []

    for whose, expected in taken.items():
        assert await repeats.submit(whose, lambda: jobs, submit) == (expected, True)
    assert await repeats.submit(Whose("bob", "k"), lambda: jobs, submit) == ([], False)
