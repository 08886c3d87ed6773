"""A submission that is made again under its key."""

from msgspec.structs import replace

from solveyard.core.lifecycle import unopened
from solveyard.core.roll import Roll
from solveyard.core.shelf import Shelf
from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.repeats import Repeats


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

    assert await Repeats(jobs.values()).submit("k", lambda: jobs, submit) == ([array], True)
