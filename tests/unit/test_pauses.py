"""Long work on the loop lets others go on."""

import asyncio
import time

from solveyard.pauses import SHORT, Pauses


async def test_others_go_on_during_work_that_is_longer_than_a_piece():
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(other())
        pauses = Pauses()
        for _ in range(10):
            until = time.perf_counter() + 1.5 * SHORT
            while time.perf_counter() < until:
                pass
            await pauses.due()
        assert turns >= 10
        task.cancel()


async def test_short_work_is_not_interrupted():
    loop = asyncio.get_running_loop()
    went_on: list[int] = []
    pauses = Pauses()
    pauses._begun = loop.time() + 60  # however slow the machine is
    loop.call_soon(went_on.append, 1)
    for _ in range(100):
        await pauses.due()
    assert not went_on
