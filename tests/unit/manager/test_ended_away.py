"""Jobs that ended a while ago leave the memory, and are as they were to whoever asks."""

from pathlib import Path

import pytest

from solveyard.manager import ondisk
from solveyard.manager.repeats import Repeats, Whose
from solveyard.model.errors import InvalidJob, StoreUnusable
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.messages import Annotate, EndSessions, Remove, Retry
from solveyard.model.policies import Dependency
from unit.manager.living import living
from unit.manager.test_waiting_away import MANY, Life, specs


@pytest.fixture(autouse=True)
def _two_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ondisk, "AT_HAND", 2)


async def ended(one: Life, key: str = "", session: str = "") -> list[JobId]:
    ids = await one.submit(*specs(), key=key, session=session)
    one.join()
    await one.over(MANY)
    return ids


async def test_the_latest_alone_stay_in_memory(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await ended(one)
        assert await one.tidied() == ids[-2:]
        assert {one.turns.kept.state(job) for job in ids} == {JobState.COMPLETED}
        assert +one.turns.kept.tally.states == {JobState.COMPLETED: MANY}
        assert one.turns.kept.tally.total("ada", None) == MANY
        assert one.turns.kept.shelf.waiting == 0
        assert sorted(one.turns.kept.directories_away()) == ["/d0", "/d1"]
        job = one.turns.jobs[ids[0]]
        assert (job.spec.name, job.state, len(job.attempts)) == ("n0", JobState.COMPLETED, 1)
        assert await one.tidied() == [ids[0], ids[-1]]


async def test_a_restart_reads_none_of_them_and_knows_all(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await ended(one)
        before = [one.turns.jobs[job] for job in ids]
    async with living(tmp_path, Life) as one:
        assert [*one.turns.jobs] == [*one.turns.engine.jobs] == []
        assert +one.turns.kept.tally.states == {JobState.COMPLETED: MANY}
        assert one.turns.kept.tally.total("ada", frozenset({JobState.COMPLETED})) == MANY
        assert one.turns.engine.names == {f"n{number}": job for number, job in enumerate(ids)}
        assert [one.turns.kept.look(job) for job in ids] == before
        assert [one.turns.engine.why(job) for job in ids] == [""] * MANY


async def test_a_name_is_still_taken_and_its_job_is_submitted_anew(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await ended(one)
    async with living(tmp_path, Life) as one:
        one.join()
        assert await one.submit(specs()[3]) == [ids[3]]
        await one.over(MANY)
        assert len(one.turns.jobs[ids[3]].attempts) == 2


async def test_one_is_retried_tagged_or_removed_as_any_other(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await ended(one)
        await one.tidied()
        await one.turns.ask(Annotate(job=ids[0], by="ada", tags=("keep",)))
        await one.tidied()
        await one.tidied()
        assert one.turns.kept.keeps(ids[0])
        assert not one.turns.kept.keeps(ids[1])
        await one.turns.ask(Retry(job=ids[1], by="ada"))
        await one.over(MANY)
        assert one.ran[-1] == ids[1]
        await one.turns.ask(Remove(job=ids[2], by="ada"))
        assert one.turns.kept.look(ids[2]) is None
        assert "n2" not in one.turns.engine.names
        assert +one.turns.kept.tally.states == {JobState.COMPLETED: MANY - 1}
    async with living(tmp_path, Life) as one:
        assert one.turns.kept.keeps(ids[0])
        assert one.turns.kept.state(ids[2]) is None


async def test_who_waits_for_one_begins_at_once(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        await ended(one)
    async with living(tmp_path, Life) as one:
        one.join()
        then = JobSpec(solver="command", after=(Dependency(job="n0"),))
        await one.submit(then)
        await one.over(MANY + 1)
        with pytest.raises(InvalidJob):
            await one.submit(JobSpec(solver="command", after=(Dependency(job="n99"),)))


async def test_who_submits_again_under_the_key_gets_them(tmp_path: Path) -> None:
    async def submit() -> list[Job]:
        raise AssertionError("they are there")

    async with living(tmp_path, Life) as one:
        ids = await ended(one, key="k")
    async with living(tmp_path, Life) as one:
        repeats = Repeats(one.turns.jobs.values(), one.turns.past())
        assert one.turns.past() == []
        found, known = await repeats.submit(Whose("ada", "k"), lambda: one.turns.jobs, submit)
        assert ([job.id for job in found], known) == (ids, True)


async def test_a_session_ends_without_them(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        ids = await ended(one, session="s")
        await one.tidied()
        await one.turns.ask(EndSessions(sessions=("s",), by="ada"))
        assert {one.turns.kept.state(job) for job in ids} == {JobState.COMPLETED}


async def test_a_record_that_the_store_lost_is_told_and_not_made_up(tmp_path: Path) -> None:
    async with living(tmp_path, Life) as one:
        await ended(one)
        await one.tidied()
        one.turns.kept.shelf.put_whole(JobId(99), JobState.FAILED)
        assert one.turns.kept.state(JobId(99)) is JobState.FAILED
        with pytest.raises(StoreUnusable, match="lost the record of job 99"):
            one.turns.kept.look(JobId(99))
