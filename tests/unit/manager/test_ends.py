"""Who waits for several jobs is told when the last of them has ended, and leaves nothing behind."""

import asyncio

from solveyard.manager.ends import Ends
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, Outcome, Reason
from solveyard.model.messages import CancelRequested, JobEnded, JobRemoved

SUCCESS = Outcome(reason=Reason.SUCCESS)


class Jobs:
    """Those that have not ended."""

    def __init__(self, *living: int) -> None:
        self.living = {*living}
        self.ends = Ends(self.living.__contains__)

    def end(self, *jobs: int) -> None:
        self.living -= {*jobs}
        self.ends.take([JobEnded(job=JobId(job), at=0.0, outcome=SUCCESS) for job in jobs])

    async def waits(self, *jobs: int, seconds: float | None = 20.0) -> asyncio.Task[bool]:
        task = asyncio.get_running_loop().create_task(self.ends.come([*map(JobId, jobs)], seconds))
        await asyncio.sleep(0)
        return task

    @property
    def awaited(self) -> int:
        return len(self.ends._awaited) + len(self.ends._tasks)


async def test_the_last_end_is_what_they_wait_for() -> None:
    jobs = Jobs(1, 2, 3)
    both, one, again = await jobs.waits(1, 3, 1, 9), await jobs.waits(1), await jobs.waits(3)
    jobs.end(1)
    assert await one
    await asyncio.sleep(0)
    assert (both.done(), again.done()) == (False, False)
    jobs.end(2)
    jobs.living.remove(3)
    jobs.ends.take([JobRemoved(job=JobId(3), at=0.0)])
    assert await both
    assert await again
    assert jobs.awaited == 0
    assert await jobs.ends.come([JobId(1), JobId(3)], None)


async def test_who_waited_long_enough_leaves_those_who_wait_on() -> None:
    jobs = Jobs(1, 2)
    other = await jobs.waits(2)
    assert not await jobs.ends.come([JobId(1), JobId(2)], 0.0)
    cancelled = await jobs.waits(1, 2)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert jobs.awaited == 1
    jobs.end(2)
    assert await other
    assert jobs.awaited == 0


async def test_tasks_end_with_their_array_or_as_it_is_cancelled() -> None:
    array = JobId(7)
    tasks = [task_id(array, position) for position in range(3)]
    jobs = Jobs(*tasks)
    assert not await jobs.ends.come(tasks, 0.0)
    assert jobs.awaited == 0
    first, all_three = await jobs.waits(tasks[0]), await jobs.waits(*tasks)
    jobs.living -= {tasks[0]}
    jobs.ends.take([CancelRequested(job=array, at=0.0, by="")])
    assert await first
    await asyncio.sleep(0)
    assert not all_three.done()
    jobs.living.clear()
    jobs.ends.take([JobEnded(job=array, at=0.0, outcome=SUCCESS)])
    assert await all_three
    assert jobs.awaited == 0
