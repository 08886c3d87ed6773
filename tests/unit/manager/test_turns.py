"""Turns: who shares a commit, and who doesn't wait for it."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from solveyard.manager import clock
from solveyard.manager import turns as module
from solveyard.manager.turns import MANY, Turns
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import StoreFull
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, JobSpec, JobState, Limits, Record
from solveyard.model.messages import (
    Action,
    AgentJoined,
    AnyEvent,
    ClockSet,
    Hold,
    JobSubmitted,
    MachineLeft,
    Message,
    OfSeveral,
    Release,
    SetLimits,
    SpawnerJoined,
    Submit,
    Ticked,
)
from solveyard.model.resources import Resources
from solveyard.store.memory import MemoryStore

MESSAGES = 49
SUBMIT = Submit(specs=(JobSpec(solver="command", hold=True),), by="ada")


async def _busy_manager_is_asked() -> int:
    turns = Turns(MemoryStore(), lambda: (), lambda first, events, actions: None)
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
    turns = Turns(MemoryStore(), lambda: (), lambda first, events, actions: None)
    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(turns.ask(SUBMIT)) for _ in range(MESSAGES)]
            going = tasks.create_task(turns.run())
            ids = [(await one)[0] for one in asked]
            going.cancel()
        return ids
    finally:
        turns.close()


def test_requests_of_one_turn_are_granted_in_their_order() -> None:
    assert asyncio.run(_many_messages()) == [*range(1, MESSAGES + 1)]


async def _set_forward(monkeypatch: pytest.MonkeyPatch, store: MemoryStore) -> None:
    turns, calendar = Turns(store, lambda: (), lambda first, events, actions: None), time.time
    wish = Submit(specs=(JobSpec(solver="command", wait_limit=60.0),), by="ada")
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            await turns.ask(wish)
            monkeypatch.setattr(time, "time", lambda: calendar() + 3600.0)
            await turns.ask(wish)
            turns.put(Ticked())
            await turns.ask(wish)
            going.cancel()
    finally:
        turns.close()


def test_where_the_calendar_is_set_forward_stamps_follow_and_nobody_has_waited_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "STEADY", 0.0)
    store, begun = MemoryStore(), time.time()
    asyncio.run(_set_forward(monkeypatch, store))
    jobs = store.load().jobs
    assert [job.state for job in jobs] == [JobState.QUEUED] * 3
    assert [(job.submitted_at - begun) // 600 for job in jobs] == [0, 6, 6]


async def _leapt_once(monkeypatch: pytest.MonkeyPatch) -> list[ClockSet]:
    turns = Turns(MemoryStore(), lambda: (), lambda first, events, actions: None)
    take, told = turns.engine.take, list[ClockSet]()

    def taken(message: Message, now: float) -> object:
        told.extend([message] if isinstance(message, ClockSet) else [])
        return take(message, now)

    monkeypatch.setattr(turns.engine, "take", taken)
    calendar = time.time
    monkeypatch.setattr(time, "time", lambda: calendar() + 3600.0)
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            for most in range(5):
                await turns.ask(SetLimits(limits=Limits(max_concurrent=most)))
            going.cancel()
    finally:
        turns.close()
    return told


def test_the_engine_is_told_once_that_the_calendar_was_set_forward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "STEADY", 0.0)
    (told,) = asyncio.run(_leapt_once(monkeypatch))
    assert told.by == pytest.approx(3600.0, abs=60.0)


def test_a_store_from_a_time_to_come_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.commit([MachineLeft(at=time.time() + 86400.0, machine="m")], [])
    turns = Turns(store, lambda: (), lambda first, events, actions: None)
    turns.close()
    assert turns.ahead > 86000.0
    assert "of a time to come" in caplog.text


class _Threads(MemoryStore):
    """Knows which thread commits."""

    def __init__(self) -> None:
        super().__init__()
        self.loops: list[bool] = []

    def commit(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        self.loops.append(threading.current_thread() is threading.main_thread())
        return super().commit(events, records)


async def _committed_by_the_loop(submit: Submit, times: int) -> list[bool]:
    store = _Threads()
    turns = Turns(store, lambda: (), lambda first, events, actions: None)
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            for _ in range(times):
                await turns.ask(submit)
            going.cancel()
        return store.loops
    finally:
        turns.close()


def test_a_small_request_is_committed_by_the_loop_itself_where_the_disk_is_quick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUICK", 1e6)
    assert asyncio.run(_committed_by_the_loop(SUBMIT, 3)) == [True, True, True]
    large = Submit(specs=SUBMIT.specs * (module.INLINE + 1), by="ada")
    assert asyncio.run(_committed_by_the_loop(large, 1)) == [False]
    monkeypatch.setattr(module, "QUICK", 0.0)
    assert asyncio.run(_committed_by_the_loop(SUBMIT, 3)) == [False, False, False]


async def _asked_amid_many() -> tuple[JobId, list[JobId]]:
    commits: list[Sequence[AnyEvent]] = []
    turns = Turns(MemoryStore(), lambda: (), lambda first, events, actions: commits.append(events))
    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(MESSAGES):
                turns.put(SUBMIT)
            going = tasks.create_task(turns.run())
            await asyncio.sleep(0)
            (asked,) = await turns.ask(SUBMIT)
            while len(turns.jobs) <= MESSAGES:
                await asyncio.sleep(0)
            going.cancel()
        events = [event for turn in commits for event in turn]
        return asked, [event.job for event in events if isinstance(event, JobSubmitted)]
    finally:
        turns.close()


def test_a_long_turn_is_cut_short_for_who_waits_and_its_rest_comes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SLICE", -1.0)
    monkeypatch.setattr(module, "SHORT", -1.0)
    asked, jobs = asyncio.run(_asked_amid_many())
    assert asked < MESSAGES
    assert jobs == [*range(1, MESSAGES + 2)]


async def _many_at_once(jobs: int) -> tuple[list[int], list[AnyEvent], int]:
    firsts: list[int] = []
    told: list[AnyEvent] = []

    def committed(first: int, events: Sequence[AnyEvent], actions: Sequence[Action]) -> None:
        firsts.append(first - len(told))
        told.extend(events)

    turns = Turns(MemoryStore(), lambda: (), committed)
    seen: set[int] = set()
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            asked = tasks.create_task(turns.ask(Submit(specs=SUBMIT.specs * jobs, by="ada")))
            while not asked.done():
                seen.add(turns.engine.counter.next)
                await asyncio.sleep(0)
            while len(told) < jobs:
                await asyncio.sleep(0)
            going.cancel()
        return firsts, told, len(seen)
    finally:
        turns.close()


def test_a_large_submission_is_decided_and_told_in_parts_and_nobody_waits_for_all_of_it() -> None:
    jobs = 3 * module.PART + 1
    firsts, told, seen = asyncio.run(_many_at_once(jobs))
    assert firsts == [1, 1, 1, 1]
    assert [event.job for event in told if isinstance(event, JobSubmitted)] == [*range(1, jobs + 1)]
    assert seen > jobs // module.PART


class _Commits(MemoryStore):
    """Knows how many events each commit had."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def commit(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        self.sizes.append(len(events))
        return super().commit(events, records)


async def _changed_at_once(tasks: int) -> tuple[list[int], set[JobState | None]]:
    store = _Commits()
    turns = Turns(store, lambda: (), lambda first, events, actions: None)
    array = JobSpec(solver="command", array=ArraySpec(stop=tasks))
    try:
        async with asyncio.TaskGroup() as group:
            going = group.create_task(turns.run())
            [job] = await turns.ask(Submit(specs=(array,), by="ada"))
            ids = tuple(task_id(job, position) for position in range(tasks))
            hold = group.create_task(turns.ask(OfSeveral(jobs=ids, wish=Hold(job=job))))
            await asyncio.sleep(0)
            release = group.create_task(turns.ask(Release(job=ids[-1])))
            await hold
            await release
            states = {turns.kept.state(one) for one in ids[:-1]}
            assert turns.kept.state(ids[-1]) is JobState.QUEUED
            going.cancel()
        return store.sizes, states
    finally:
        turns.close()


def test_a_wish_for_many_is_on_disk_as_a_whole_when_it_is_answered_and_none_overtakes_it() -> None:
    tasks = 3 * module.TURN + 1
    sizes, states = asyncio.run(_changed_at_once(tasks))
    assert states == {JobState.HELD}
    assert sum(sizes) == 1 + tasks + 1
    assert max(sizes) >= tasks


class Full(MemoryStore):
    """Once, a commit of jobs finds no room; somebody asks for another meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[asyncio.Task[list[JobId]]] = []
        self.also: Callable[[], asyncio.Task[list[JobId]]] | None = None

    def commit(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        if events and self.also is not None:
            ask, self.also = self.also, None
            self.meanwhile.append(ask())
            raise StoreFull("no room")
        return super().commit(events, records)


async def _refused_twice() -> list[JobId]:
    store = Full()
    turns = Turns(store, lambda: (), lambda first, events, actions: None)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())

            def ask() -> asyncio.Task[list[JobId]]:
                """In the loop, from the store's thread."""

                async def another() -> asyncio.Task[list[JobId]]:
                    asking = tasks.create_task(_error_or_jobs(turns))
                    await asyncio.sleep(0)
                    return asking

                return asyncio.run_coroutine_threadsafe(another(), loop).result(60)

            store.also = ask
            with pytest.raises(StoreFull):
                await turns.ask(SUBMIT)
            assert await store.meanwhile[0] == []
            while turns.blocked is not None:  # it looks again by itself
                await asyncio.sleep(0.01)
            granted = await turns.ask(SUBMIT)
            going.cancel()
        assert [*turns.jobs] == granted
        return granted
    finally:
        turns.close()


async def _error_or_jobs(turns: Turns) -> list[JobId]:
    """No jobs where it is refused for want of room."""
    try:
        return await turns.ask(SUBMIT)
    except StoreFull:
        return []


def test_what_was_refused_while_the_store_was_full_is_not_granted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUICK", 0.0)  # in the store's thread
    monkeypatch.setattr(module, "STORE_RETRY", 0.05)
    assert asyncio.run(_refused_twice()) == [1]


async def _askers(store: MemoryStore, rounds: int, hops: Sequence[int]) -> None:
    """Each asks so often, and comes back so many turns of the loop after its answer."""
    turns = Turns(store, lambda: (), lambda first, events, actions: None)

    async def asks(hops: int) -> None:
        for _ in range(rounds):
            for _ in range(hops):
                await asyncio.sleep(0)
            await turns.ask(SUBMIT)

    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            async with asyncio.TaskGroup() as clients:
                for one in hops:
                    clients.create_task(asks(one))
            going.cancel()
    finally:
        turns.close()


def test_those_who_ask_at_the_same_time_share_a_commit_though_some_come_a_little_later() -> None:
    store = _Threads()
    asyncio.run(_askers(store, 10, [1, 2, 3, 3, 4, 4, 5, 5]))
    assert 10 <= len(store.loops) <= 14


def test_who_asks_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDED", 10**9)
    asyncio.run(_askers(_Threads(), 5, [2]))


async def _order_after_a_commit() -> list[str]:
    """Of what is to be done, and of an answer."""
    order: list[str] = []

    def committed(first: int, events: Sequence[AnyEvent], actions: Sequence[Action]) -> None:
        if actions:  # the outbox is woken, and has a connection flushed
            soon = asyncio.get_running_loop().call_soon
            soon(soon, order.append, "left")

    turns = Turns(MemoryStore(), lambda: (), committed)
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            nodes = {"a": Resources(cores=1)}
            turns.put(AgentJoined(machine="m", nodes=nodes, boot_id="b"))
            turns.put(SpawnerJoined(machine="m", spawner=0, boot_id="b", ledger="l"))
            await turns.ask(SUBMIT)
            await turns.ask(Submit(specs=(JobSpec(solver="command"),), by="ada"))
            order.append("answered")
            going.cancel()
        return order
    finally:
        turns.close()


def test_what_is_to_be_done_leaves_before_the_answer_is_made() -> None:
    assert asyncio.run(_order_after_a_commit()) == ["left", "answered"]
