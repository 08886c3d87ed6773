"""The outbox: in order, but what is to be forgotten waits until people have heard of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from solveyard.backends.base import Order
from solveyard.manager import outbox as module
from solveyard.manager.ordering import Ordering
from solveyard.manager.outbox import HEARD, Outbox
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Placement, Reason
from solveyard.model.messages import Action, Ended, Forget, Kill, Launch, Recall
from solveyard.model.resources import Allocation, Share
from solveyard.places import StorePlaces

HERE = Allocation(shares=(Share(node="m", cores=1),))
PLACE = Placement(machine="m", allocation=HERE, slot=1, boot_id="b", ledger="l")
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


def _launch(number: int) -> Launch:
    spec = JobSpec(solver="command", options=msgspec.Raw(b'{"argv":["true"]}'), directory="/")
    attempt = AttemptId(f"u.{number}.0.1")
    return Launch(job=JobId(number), attempt=attempt, spec=spec, placement=PLACE)


class _Ordering(Ordering):
    """Its disk is full, or its solver fails, until that is over."""

    trouble: Exception | None = None

    def order(self, launch: Launch, *, shard: bool = True) -> Order:
        if self.trouble is not None and launch.job == 1:
            raise self.trouble
        return super().order(launch, shard=shard)


class _Launches(_Backend):
    async def submit(self, orders: Sequence[Order]) -> None:
        self._order += [f"launch {order.launch.job}" for order in orders]


async def _through(tmp_path: Path, trouble: Exception, then: Sequence[Action]) -> Any:
    """What was sent until the trouble was over, then; and what couldn't be."""
    sent: list[str] = []
    unable: list[Ended] = []
    ordering = _Ordering(StorePlaces(tmp_path))
    ordering.trouble = trouble
    backend: Any = _Launches(sent)
    outbox = Outbox(backend, ordering, unable.append)
    async with asyncio.TaskGroup() as tasks:
        going = tasks.create_task(outbox.run())
        outbox.put([_launch(1), _launch(2), *then])
        await outbox.flushed()
        before = list(sent)
        ordering.trouble = None
        await asyncio.sleep(0.05)
        await outbox.flushed()
        going.cancel()
    return before, sent[len(before) :], unable


def test_where_the_disk_is_full_a_launch_waits_and_the_others_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.01)
    full = OSError(28, "No space left on device")
    found = asyncio.run(_through(tmp_path, full, ()))
    assert found == (["launch 2"], ["launch 1"], [])


def test_who_is_killed_meanwhile_never_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.01)
    full = OSError(28, "No space left on device")
    kill = Kill(attempt=AttemptId("u.1.0.1"), placement=PLACE, grace=0.0, because="cancelled")
    found = asyncio.run(_through(tmp_path, full, [kill]))
    assert found == (["launch 2", "kill"], [], [])


def test_a_solver_that_fails_fails_its_own_job_and_what_it_says_stays_in_the_log(
    tmp_path: Path,
) -> None:
    sent, _, [end] = asyncio.run(_through(tmp_path, RuntimeError("hunter2"), ()))
    assert sent == ["launch 2"]
    assert end.outcome.reason is Reason.LAUNCH
    assert "RuntimeError" in end.outcome.message
    assert "hunter2" not in end.outcome.message
