"""Turns: who shares a commit, and who doesn't wait for it."""

import asyncio

import pytest

from solveyard import turns as module
from solveyard.model.jobs import JobSpec
from solveyard.model.messages import Submit, Ticked
from solveyard.store.memory import MemoryStore
from solveyard.turns import MANY, Turns

SUBMIT = Submit(specs=(JobSpec(solver="command", hold=True),), by="ada")


async def _busy_manager_is_asked() -> int:
    turns = Turns(MemoryStore(), lambda: (), lambda events, actions: None)
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            for _ in range(MANY):
                turns.put(Ticked())
            first = await turns.ask(SUBMIT)
            turns.put(Ticked())  # begins to wait for more
            await asyncio.sleep(0)
            async with asyncio.timeout(60):
                second = await turns.ask(SUBMIT)
            going.cancel()
        return len({*first, *second})
    finally:
        turns.close()


def test_who_waits_for_an_answer_does_not_wait_for_more_reports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GROUP", 1e6)
    assert asyncio.run(_busy_manager_is_asked()) == 2


async def _many_messages() -> list[int]:
    turns = Turns(MemoryStore(), lambda: (), lambda events, actions: None)
    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(turns.ask(SUBMIT)) for _ in range(3 * module.SLICE + 1)]
            going = tasks.create_task(turns.run())
            ids = [(await one)[0] for one in asked]
            going.cancel()
        return ids
    finally:
        turns.close()


def test_requests_of_one_turn_are_granted_in_their_order() -> None:
    assert asyncio.run(_many_messages()) == [*range(1, 3 * module.SLICE + 2)]
