"""Ended tasks leave the memory, and are as they were to whoever asks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from solveyard.backends.base import RawEnd
from solveyard.backends.here import LocalWorkspace
from solveyard.core.engine import Engine
from solveyard.manager import ondisk
from solveyard.manager.forwarding import Forwarding
from solveyard.manager.ordering import Ordering
from solveyard.manager.turns import Turns
from solveyard.manager.verdicts import Verdicts
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import StoreUnusable
from solveyard.model.ids import array_of, task_id
from solveyard.model.jobs import AttemptId, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.model.messages import (
    AgentJoined,
    Ended,
    Launch,
    Message,
    Remove,
    Retry,
    SpawnerJoined,
    Submit,
)
from solveyard.model.resources import Resources
from solveyard.places import StorePlaces
from solveyard.solvers.base import Exit
from solveyard.store.sqlite import SqliteStore
from unit.manager.living import living

SIZE = 6
ARRAY = JobId(1)


async def _end_told(engine: Engine, attempt: AttemptId) -> list[Message]:
    """What becomes of an end that is said again, of a task that is away."""

    class Again:
        async def observations(self) -> AsyncIterator[list[RawEnd]]:
            yield [RawEnd(attempt, Exit(code=0), "7", 1.0)]

        def forget_stranger(self, attempt: AttemptId) -> None:
            raise AssertionError(attempt)

    told: list[Message] = []
    judges = Verdicts(
        engine.attempt,
        lambda job: None,
        lambda job: LocalWorkspace(Path("/")),
        lambda job, number: ("", ""),
        told.append,
    )
    try:
        await judges.listen(Again())
    finally:
        judges.close()
    return told


class Life:
    """A store's turns, and a machine whose jobs end as soon as they are started."""

    def __init__(self, store: SqliteStore) -> None:
        self.failing = {1, 4}
        self.turns = Turns(store, lambda: (), lambda first, events, actions: self.work(actions))

    def join(self) -> None:
        nodes = {"a": Resources(cores=2, memory=100)}
        self.turns.put(AgentJoined(machine="m", nodes=nodes, boot_id="b"))
        self.turns.put(SpawnerJoined(machine="m", spawner=0, boot_id="b", ledger="l"))

    def work(self, actions: object) -> None:
        assert isinstance(actions, list | tuple)
        for launch in actions:
            if isinstance(launch, Launch):
                bad = (launch.job >> 40) - 1 in self.failing
                reason = Reason.EXIT_CODE if bad else Reason.SUCCESS
                self.turns.put(Ended(attempt=launch.attempt, outcome=Outcome(reason=reason)))

    async def over(self) -> None:
        async with asyncio.timeout(30):
            while not self.turns.jobs[ARRAY].state.final:
                await asyncio.sleep(0.001)  # the store's thread commits

    def states(self) -> str:
        """One letter a task."""
        found = [self.turns.kept.state(task_id(ARRAY, position)) for position in range(SIZE)]
        return "".join("-" if state is None else state[0] for state in found)

    def at_hand(self) -> int:
        """Tasks whose records are in memory, to those who ask and to the engine."""
        mine = [one for one in self.turns.jobs if array_of(one) is not None]
        theirs = [one for one in self.turns.engine.jobs if array_of(one) is not None]
        assert mine == theirs
        return len(mine)


async def swept(one: Life) -> None:
    spec = JobSpec(solver="command", array=ArraySpec(stop=SIZE), tags=("sweep",))
    assert await one.turns.ask(Submit(specs=(spec,), by="ada")) == [ARRAY]
    one.join()
    await one.over()


@pytest.fixture(autouse=True)
def _two_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ondisk, "AT_HAND", 2)
    monkeypatch.setattr(ondisk, "SHORT", 0)


def test_the_latest_ended_tasks_alone_stay_in_memory(tmp_path: Path) -> None:
    async def told() -> None:
        async with living(tmp_path, Life) as one:
            await swept(one)
            await one.turns.ask(Submit(specs=(JobSpec(solver="command", hold=True),), by="ada"))
            assert one.at_hand() == 2
            assert one.states() == "cfccfc"
            assert one.turns.kept.tally.states[JobState.COMPLETED] == 4
            assert one.turns.kept.tally.states[JobState.QUEUED] == 0
            assert one.turns.kept.tally.states[JobState.HELD] == 1
            task = one.turns.kept.look(task_id(ARRAY, 0))
            assert task is not None
            assert (task.state, task.spec.tags) == (JobState.COMPLETED, ("sweep",))
            assert len(task.attempts) == 1

    asyncio.run(told())


def test_a_restart_reads_none_of_them_and_knows_all(tmp_path: Path) -> None:
    async def told() -> None:
        async with living(tmp_path, Life) as one:
            await swept(one)
            before = [one.turns.kept.look(task_id(ARRAY, position)) for position in range(SIZE)]
        async with living(tmp_path, Life) as one:
            assert one.at_hand() == 0
            assert one.states() == "cfccfc"
            assert [one.turns.kept.look(task_id(ARRAY, p)) for p in range(SIZE)] == before
            assert +one.turns.kept.tally.states == {JobState.COMPLETED: 4, JobState.FAILED: 2}

    asyncio.run(told())


def test_what_failed_is_retried_after_a_restart(tmp_path: Path) -> None:
    async def told() -> None:
        async with living(tmp_path, Life) as one:
            await swept(one)
        async with living(tmp_path, Life) as one:
            one.failing = {4}
            one.join()
            await one.turns.ask(Retry(job=ARRAY, by="ada"))
            await one.over()
            assert one.states() == "ccccfc"
            outcome = one.turns.jobs[ARRAY].outcome
            assert outcome is not None
            assert outcome.message.startswith("1 of 6 tasks failed: 1[4]")
            tried = one.turns.kept.look(task_id(ARRAY, 1))
            assert tried is not None
            assert len(tried.attempts) == 2
            assert +one.turns.kept.tally.states == {JobState.COMPLETED: 5, JobState.FAILED: 1}

    asyncio.run(told())


def test_a_removed_array_leaves_nothing(tmp_path: Path) -> None:
    async def told() -> None:
        async with living(tmp_path, Life) as one:
            await swept(one)
            await one.turns.ask(Remove(job=ARRAY, by="ada"))
            assert one.turns.jobs == {}
            assert one.states() == "-" * SIZE
            assert not +one.turns.kept.tally.states
            assert one.turns.kept.shelf.counts(ARRAY) == {}

    asyncio.run(told())


def test_a_record_that_the_store_lost_is_told_and_not_made_up(tmp_path: Path) -> None:
    async def told() -> None:
        async with living(tmp_path, Life) as one:
            await swept(one)
            one.turns.kept.shelf.put(task_id(ARRAY, SIZE + 3), JobState.COMPLETED)
            with pytest.raises(StoreUnusable, match="lost"):
                one.turns.kept.shelf.get(task_id(ARRAY, SIZE + 3), one.turns.jobs)

    asyncio.run(told())


def test_while_a_record_cannot_be_read_an_end_is_neither_taken_nor_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told() -> None:
        async with living(tmp_path, Life) as one:
            await swept(one)
            task = one.turns.kept.look(task_id(ARRAY, 0))
            assert task is not None
            attempt = task.attempts[0].id
        async with living(tmp_path, Life) as one:
            engine = one.turns.engine
            again = await _end_told(engine, attempt)
            assert [one.attempt for one in again if isinstance(one, Ended)] == [attempt]
            monkeypatch.setattr(SqliteStore, "tasks", _broken)
            assert await _end_told(engine, attempt) == []
            forwarding = Forwarding(Ordering(StorePlaces(tmp_path)), {}, ())
            assert not forwarding.is_over(engine, attempt)
            assert forwarding.remembered(engine, attempt) is None

    asyncio.run(told())


def _broken(*_: object) -> NoReturn:
    raise StoreUnusable("the disk is broken")
