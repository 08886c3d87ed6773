"""A door that closes lets go who waits."""

import asyncio

import pytest

from solveyard.doors.closing import Closing
from solveyard.model.errors import ManagerUnavailable


async def _waits(closing: Closing, seconds: float | None = None) -> str:
    async with closing.not_yet():
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
        return "never"


def test_who_waits_is_let_go_when_the_door_closes_and_whoever_comes_later_at_once() -> None:
    async def refused(closing: Closing) -> bool:
        with pytest.raises(ManagerUnavailable, match="solveyard serve"):
            await _waits(closing)
        return True

    async def case() -> None:
        closing = Closing()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(refused(closing))
            await asyncio.sleep(0)
            closing.set()
        assert await asyncio.wait_for(refused(closing), 60)

    asyncio.run(case())


def test_what_ends_by_itself_is_not_taken_for_the_doors_end() -> None:
    async def case() -> None:
        closing = Closing()
        with pytest.raises(TimeoutError):
            await _waits(closing, 0.0)
        async with closing.not_yet():
            pass
        with pytest.raises(KeyError):
            async with closing.not_yet():
                raise KeyError
        closing.set()

    asyncio.run(case())
