"""The manager's turns when the store, or solveyard itself, fails: nothing half kept."""

import asyncio
import contextlib

import msgspec
import pytest

from solveyard.manager.turns import Turns
from solveyard.model.errors import InternalFault, StoreFull
from solveyard.model.jobs import JobSpec
from solveyard.model.messages import AgentJoined, Cancel, SpawnerJoined, Submit
from solveyard.model.resources import Resources
from solveyard.store.memory import MemoryStore

SPEC = JobSpec(solver="command", options=msgspec.Raw(b'{"argv":["true"]}'))
MACHINES = [
    AgentJoined(machine="here", nodes={"here": Resources(cores=1)}, boot_id="b"),
    SpawnerJoined(machine="here", spawner=0, boot_id="b", ledger="l"),
]


class Trouble(MemoryStore):
    """A store that fails when it's told to."""

    failure: Exception | None = None

    def commit(self, events, records):
        if self.failure is not None:
            raise self.failure
        return super().commit(events, records)


@contextlib.asynccontextmanager
async def turning(store, monkeypatch):
    monkeypatch.setattr("solveyard.manager.turns.STORE_RETRY", 0.01)
    done = []
    turns = Turns(
        store, lambda: MACHINES, lambda first, events, actions: done.append((events, actions))
    )
    for message in MACHINES:
        turns.put(message)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(turns.run())
        yield turns, done
        running.cancel()
    turns.close()


def launches(done):
    return [a.attempt for _, actions in done for a in actions if type(a).__name__ == "Launch"]


async def test_a_refused_commit_keeps_nothing_and_the_next_goes_on(monkeypatch):
    store = Trouble()
    async with turning(store, monkeypatch) as (turns, done):
        store.failure = StoreFull("no space")
        with pytest.raises(StoreFull, match="no space"):
            await turns.ask(Submit(specs=(SPEC,)))
        with pytest.raises(StoreFull):
            await turns.ask(Submit(specs=(SPEC,)))
        assert launches(done) == []
        assert store.load().jobs == []
        store.failure = None
        async with asyncio.timeout(10):
            while turns.blocked is not None:
                await asyncio.sleep(0.01)
        [job] = await turns.ask(Submit(specs=(SPEC,)))
        assert job == 1
        assert len(launches(done)) == 1


async def test_what_was_launched_before_is_kept_when_the_engine_is_rebuilt(monkeypatch):
    store = Trouble()
    async with turning(store, monkeypatch) as (turns, done):
        [job] = await turns.ask(Submit(specs=(SPEC,)))
        store.failure = StoreFull("no space")
        with pytest.raises(StoreFull):
            await turns.ask(Cancel(job=job))
        assert not turns.jobs[job].cancel_requested
        store.failure = None
        async with asyncio.timeout(10):
            while turns.blocked is not None:
                await asyncio.sleep(0.01)
        await turns.ask(Cancel(job=job))
        assert turns.jobs[job].cancel_requested
        assert len(launches(done)) == 1


async def test_a_fault_in_the_engine_is_told_and_survived(monkeypatch):
    store = Trouble()
    async with turning(store, monkeypatch) as (turns, _):
        [first] = await turns.ask(Submit(specs=(SPEC,)))
        monkeypatch.setattr(turns.engine._board, "kill", None)
        with pytest.raises(InternalFault, match="report"):
            await turns.ask(Cancel(job=first))
        async with asyncio.timeout(10):
            while turns.blocked is not None:
                await asyncio.sleep(0.01)
        assert not turns.jobs[first].cancel_requested
        [second] = await turns.ask(Submit(specs=(SPEC,)))
        assert second == first + 1


async def test_what_can_not_be_written_is_told_and_survived(monkeypatch):
    store = Trouble()
    async with turning(store, monkeypatch) as (turns, _):
        store.failure = UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        with pytest.raises(InternalFault, match="could not write"):
            await turns.ask(Submit(specs=(SPEC,)))
        store.failure = None
        async with asyncio.timeout(10):
            while turns.blocked is not None:
                await asyncio.sleep(0.01)
        assert await turns.ask(Submit(specs=(SPEC,))) == [1]
