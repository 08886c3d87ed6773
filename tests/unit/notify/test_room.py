"""From the log to the outbox to receivers, where a manager was cut off in between."""

import asyncio
import json
from collections.abc import Mapping

from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.model.messages import JobEnded
from solveyard.model.notices import ENDINGS, Notice, NoticeState, Receiver
from solveyard.model.records import record
from solveyard.notify import Notices, Recipient, View, payload
from solveyard.notify.delivering import AT_ONCE
from solveyard.notify.standing import receivers
from solveyard.store.base import Standing
from solveyard.store.memory import MemoryStore

JOB = Job(
    id=JobId(1), spec=JobSpec(solver="command", name="a", notify=("chat",)), owner="ann",
    submitted_at=1.0, arrival=1, priority=0, state=JobState.FAILED,
)  # fmt: skip


class Arriving:
    """A way that keeps what came, and fails `faults` times by a fault of ours."""

    kind = "webhook"

    def __init__(self, faults: int = 0) -> None:
        self.came: list[str] = []
        self.faults = faults

    async def deliver(self, notice: str, payload: bytes, variables: Mapping[str, str]) -> None:
        self.came.append(json.loads(payload)["id"])
        if len(self.came) <= self.faults:
            raise ZeroDivisionError


def begun(store: MemoryStore, way: Arriving | None) -> Notices:
    """As a manager begins: with what is on disk."""
    receiver = Receiver(name="chat", on=ENDINGS)
    recipients = [Recipient(receiver, way)] if way is not None else []
    view = View({JOB.id: JOB}.get, lambda job: record(job, 9.0))
    return Notices(store, store.load().last_number, recipients, view)


def old(number: int) -> Notice:
    return Notice(
        event=number, receiver="chat", job=JOB.id, label="a", ending=JobState.FAILED,
        reason=Reason.SIGNAL, at=1.0, payload=payload.test(str(number), "chat", 1.0),
    )  # fmt: skip


def end(store: MemoryStore) -> int:
    """A job ends, and nobody takes the event from there: the manager is gone."""
    outcome = Outcome(reason=Reason.SIGNAL)
    return store.commit([JobEnded(job=JOB.id, at=4e9, outcome=outcome)], [JOB])


async def settled(room: Notices, count: int) -> None:
    """Runs it until so many notices are delivered."""
    running = asyncio.get_running_loop().create_task(room.run())
    async with asyncio.timeout(60):
        while len(await room.recent("chat", NoticeState.DELIVERED, 9)) < count:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    room.close()


async def test_an_end_that_was_committed_and_not_looked_at_is_told_by_the_next_manager():
    store, way = MemoryStore(), Arriving()
    begun(store, way).close()
    number = end(store)
    await settled(begun(store, way), 1)
    assert way.came == [f"{store.uuid[:8]}.{number}.chat"]
    assert store.notices_read() == number


async def test_what_ended_before_anybody_wanted_to_know_is_never_told():
    store, way = MemoryStore(), Arriving()
    end(store)
    begun(store, way).close()
    begun(store, None).close()
    end(store)
    begun(store, way).close()
    number = end(store)
    await settled(begun(store, way), 1)
    assert way.came == [f"{store.uuid[:8]}.{number}.chat"]


async def test_a_fault_of_ours_is_a_try_that_failed_and_the_notice_comes_again():
    store, way = MemoryStore(), Arriving(faults=1)
    begun(store, way).close()
    end(store)
    await settled(begun(store, way), 1)
    assert len(way.came) == 2
    assert len(set(way.came)) == 1


async def test_a_receiver_that_is_gone_isnt_tried_with_what_is_too_old():
    store, way = MemoryStore(), Arriving(faults=99)
    begun(store, way).close()
    numbers = range(1, 8)
    store.keep_notices([old(number) for number in numbers])
    room = begun(store, way)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(room.run())
        while (await room.standings())[0].failed < len(numbers):
            await asyncio.sleep(0.01)
        running.cancel()
    room.close()
    assert len(way.came) == AT_ONCE
    assert {one.why for one in store.notices("chat")} == {
        "solveyard failed at this: ZeroDivisionError"
    }


def test_a_receiver_that_the_settings_forgot_is_listed_with_its_notices():
    pending = Standing({NoticeState.PENDING: 3}, "gone")
    (found,) = receivers([], {"old": pending})
    assert (found.name, found.way, found.pending, found.last_error) == ("old", None, 3, "gone")
