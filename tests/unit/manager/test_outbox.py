"""The outbox: in order, but what is to be forgotten waits until people have heard of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from solveyard.model.jobs import AttemptId, Placement
from solveyard.model.messages import Action, Forget, Kill, Recall
from solveyard.model.resources import Allocation
from solveyard.ordering import Ordering
from solveyard.outbox import HEARD, Outbox
from solveyard.places import StorePlaces

PLACE = Placement(machine="m", allocation=Allocation(shares=()), slot=1, boot_id="b", ledger="l")
FORGET = Forget(attempt=AttemptId("u.1.0.1"), placement=PLACE)


class _Backend:
    """Writes down what it is asked."""

    def __init__(self, order: list[str]) -> None:
        self._order = order

    async def forget(self, forgets: Sequence[Forget]) -> None:
        self._order += ["forget"] * len(forgets)

    async def kill(self, kills: Sequence[Kill]) -> None:
        self._order += ["kill"] * len(kills)

    async def recall(self, recalls: Sequence[Recall]) -> None:
        self._order += ["recall"] * len(recalls)


async def _sent(actions: Sequence[Action], order: list[str], turns: int = 0) -> list[str]:
    """With somebody who hears of it after so many turns of the loop."""

    async def hear() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        order.append("heard")

    backend: Any = _Backend(order)
    outbox = Outbox(backend, Ordering(StorePlaces(Path())), lambda ended: None)
    async with asyncio.TaskGroup() as tasks:
        going = tasks.create_task(outbox.run())
        await asyncio.sleep(0)
        outbox.put(actions)
        if turns:
            tasks.create_task(hear())
        await outbox.flushed()
        await asyncio.sleep(0)
        going.cancel()
    return order


def test_who_waited_for_an_end_hears_of_it_before_its_machine_forgets_it() -> None:
    assert asyncio.run(_sent([FORGET], [], HEARD - 1)) == ["heard", "forget"]


def test_what_is_to_be_forgotten_goes_last_of_all_that_is_sent_together() -> None:
    kill = Kill(attempt=AttemptId("u.2.0.1"), placement=PLACE, grace=0.0, because="x")
    recall = Recall(attempt=AttemptId("u.3.0.1"), placement=PLACE)
    assert asyncio.run(_sent([FORGET, kill, FORGET, recall, kill], [])) == [
        "kill", "recall", "kill", "forget", "forget",
    ]  # fmt: skip
