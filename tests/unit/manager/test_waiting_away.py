"""Jobs that wait far down the line leave the memory, and are as they were to whoever asks."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from solveyard.manager import ondisk
from solveyard.manager.repeats import Repeats, Whose
from solveyard.manager.turns import Turns
from solveyard.model.errors import StoreUnusable
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Limits, Outcome, Reason
from solveyard.model.messages import (
    AgentJoined,
    Cancel,
    Ended,
    EndSessions,
    Launch,
    Release,
    SetLimits,
    SetPriority,
    SpawnerJoined,
    Submit,
)
from solveyard.model.policies import Dependency
from solveyard.model.resources import Resources
from solveyard.store.sqlite import SqliteStore
from unit.manager.living import living

MANY = 8


class Life:
    """A store's turns, and a machine whose jobs end as soon as they are started."""

    def __init__(self, store: SqliteStore) -> None:
        self.ran: list[JobId] = []
        self.most = 1000  #: a limit that is changed so that something is committed
        self.turns = Turns(store, lambda: (), lambda first, events, actions: self.work(actions))

    def join(self) -> None:
        nodes = {"a": Resources(cores=1, memory=100)}
        self.turns.put(AgentJoined(machine="m", nodes=nodes, boot_id="b"))
        self.turns.put(SpawnerJoined(machine="m", spawner=0, boot_id="b", ledger="l"))

    def work(self, actions: object) -> None:
        assert isinstance(actions, list | tuple)
        for launch in actions:
            if isinstance(launch, Launch):
                self.ran.append(launch.job)
                done = Outcome(reason=Reason.SUCCESS)
                self.turns.put(Ended(attempt=launch.attempt, outcome=done))

    async def submit(self, *specs: JobSpec, key: str = "", session: str = "") -> list[JobId]:
        asked = Submit(specs=specs, by="ada", key=key, session=session)
        return await self.turns.ask(asked)

    async def tidied(self) -> list[JobId]:
        """What is at hand after one more commit, to those who ask and to the engine."""
        self.most += 1
        limits = Limits(max_concurrent=self.most)
        await self.turns.ask(SetLimits(limits=limits, only=("max_concurrent",)))
        assert [*self.turns.jobs] == [*self.turns.engine.jobs]
        return sorted(self.turns.jobs)

    async def over(self, count: int) -> None:
        async with asyncio.timeout(30):
            while self.turns.kept.tally.states[JobState.COMPLETED] < count:
                await asyncio.sleep(0.001)  # the store's thread commits


def specs(hold: bool = False) -> list[JobSpec]:
    return [
        JobSpec(solver="command", name=f"n{number}", directory=f"/d{number % 2}", hold=hold)
        for number in range(MANY)
    ]


@pytest.fixture(autouse=True)
def _two_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ondisk, "AT_HAND", 2)
    monkeypatch.setattr(ondisk, "SHORT", 0)


async def test_more_stay_of_those_with_short_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ondisk, "SHORT", 256)
    monkeypatch.setattr(ondisk, "SHORT_AT_HAND", 3)
    short, long = (msgspec.Raw(b'{"argv":["%s"]}' % (b"x" * size)) for size in (200, 300))
    given = [JobSpec(solver="command", options=o, hold=True) for o in (short, long) * 5]
    async with living(tmp_path, Life) as one:
        ids = await one.submit(*given)
        assert await one.tidied() == [ids[4], *ids[6:]]


@pytest.mark.parametrize("hold", [False, True])
async def test_the_latest_alone_stay_in_memory(tmp_path: Path, hold: bool) -> None:
    async with living(tmp_path, Life) as one:
        ids = await one.submit(*specs(hold))
        before = [one.turns.jobs[job] for job in ids]
        assert await one.tidied() == ids[-2:]
        kept = one.turns.kept
        state = JobState.HELD if hold else JobState.QUEUED
        assert {kept.state(job) for job in ids} == {one.turns.engine.state(ids[0])} == {state}
        assert kept.tally.states[state] == MANY
        assert sorted(kept.directories_away()) == ["/d0", "/d1"]
        assert kept.oldest() == min(job.submitted_at for job in before)
        assert len(kept.jobs) == 2  # none of that brought one back
        assert [kept.look(job) for job in ids] == before
        assert kept.directories_away() == []
        assert kept.oldest() == float("inf")


async def test_all_of_them_run_in_their_order(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await one.submit(*specs())
        assert await one.tidied() == ids[-2:]
        await one.turns.ask(SetPriority(job=ids[3], priority=5, by="ada"))
        one.join()
        await one.over(MANY)
        assert one.ran == [ids[3], *ids[:3], *ids[4:]]
        assert +one.turns.kept.tally.states == {JobState.COMPLETED: MANY}
    async with living(tmp_path, Life) as one:
        assert {one.turns.kept.state(job) for job in ids} == {JobState.COMPLETED}


async def test_one_that_is_away_is_cancelled_or_released_as_any_other(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        held = await one.submit(*specs(hold=True))
        await one.submit(JobSpec(solver="command"), JobSpec(solver="command"))
        await one.tidied()
        await one.turns.ask(Cancel(job=held[0], by="ada"))
        await one.turns.ask(Release(job=held[1], by="ada"))
        one.join()
        await one.over(3)
        assert one.turns.jobs[held[0]].state is JobState.CANCELLED
        assert held[1] in one.ran
        assert one.turns.kept.tally.states[JobState.HELD] == MANY - 2


async def test_a_job_may_wait_for_one_that_is_away(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        first, *_ = await one.submit(*specs())
        await one.tidied()
        after = JobSpec(solver="command", after=(Dependency(job="n0"),), priority=9)
        (then,) = await one.submit(after)
        assert one.turns.kept.state(first) is JobState.QUEUED
        one.join()
        await one.over(MANY + 1)
        assert one.ran[:2] == [first, then]


async def test_who_submits_again_under_the_key_gets_them(tmp_path: Path) -> None:
    async def submit() -> list[Job]:
        raise AssertionError("they are there")

    async with living(tmp_path, Life) as one:
        ids = await one.submit(*specs(), key="k")
        repeats = Repeats(one.turns.jobs.values())
        await one.tidied()
        found, known = await repeats.submit(Whose("ada", "k"), lambda: one.turns.jobs, submit)
        assert ([job.id for job in found], known) == (ids, True)


async def test_those_of_a_session_stay_and_end_with_it(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await one.submit(*specs(), session="s")
        assert await one.tidied() == ids
        await one.turns.ask(EndSessions(sessions=("s",), by="ada"))
        assert {one.turns.kept.state(job) for job in ids} == {JobState.HELD}


async def test_a_restart_knows_them_and_puts_them_away_again(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await one.submit(*specs())
        await one.tidied()
    async with living(tmp_path, Life) as one:
        one.most += 1
        assert await one.tidied() == ids[-2:]
        assert one.turns.kept.tally.states[JobState.QUEUED] == MANY


async def test_a_record_that_the_store_lost_is_told_and_not_made_up(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        await one.submit(*specs())
        await one.tidied()
        one.turns.kept.shelf.put_whole(JobId(99), JobState.QUEUED)
        with pytest.raises(StoreUnusable, match="lost the record of job 99"):
            one.turns.kept.look(JobId(99))
