"""Removal at a trickle, with a store, its turns and files."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from solveyard.core.retention import Policy
from solveyard.manager import retaining
from solveyard.manager.belongings import Belongings, delete
from solveyard.manager.claims import NOTHING, Named
from solveyard.manager.retaining import Retention
from solveyard.manager.turns import Turns
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import Conflict, UnknownJob
from solveyard.model.ids import task_id
from solveyard.model.jobs import Counter, Job, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.model.messages import Annotate, JobEnded, JobRemoved, MachineLeft
from solveyard.model.notices import Receiver
from solveyard.model.records import record
from solveyard.notify import Notices, Program, Recipient, View
from solveyard.places import StorePlaces
from solveyard.store.base import NOT_READ, Numbered
from solveyard.store.memory import MemoryStore


class Yard(NamedTuple):
    store: MemoryStore
    turns: Turns
    places: StorePlaces
    retention: Retention
    notices: Notices

    def there(self) -> set[int]:
        """The jobs of which there is a record."""
        return {job.id for job in self.store.load().jobs}

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0.001)  # the removal goes on in a thread


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def _no_trickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retaining, "PAUSE", 0.001)
    monkeypatch.setattr(retaining, "LOOK", 0.001)


@contextlib.asynccontextmanager
async def during(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        finally:
            task.cancel()


@contextlib.asynccontextmanager
async def yard(
    folder: Path,
    policy: Policy,
    *jobs: Job,
    recipients: Sequence[Recipient] = (),
    read: int = NOT_READ,
) -> AsyncIterator[Yard]:
    store, places = MemoryStore(), StorePlaces(folder)
    store.commit(
        [MachineLeft(at=float(n), machine="m") for n in range(1, 1300)],
        [*jobs, Counter(next=99)],
    )
    store.keep_notices([], read)
    turns = Turns(store, lambda: (), lambda first, events, actions: None)
    for job in jobs:
        places.job_folder(job.id).mkdir(parents=True)
        (places.job_folder(job.id) / "result").write_bytes(bytes(1000))
    view = View(turns.kept.look, lambda job: record(job, 0.0))
    notices = Notices(store, turns.last, recipients, view)
    retention = Retention(turns, store, Belongings(places), policy, notices)
    try:
        async with during(turns.run()):
            yield Yard(store, turns, places, retention, notices)
    finally:
        turns.close()
        notices.close()
        retention.close()


def running(one: Yard) -> contextlib.AbstractAsyncContextManager[None]:
    return during(one.retention.run())


def a_job(number: int, state: JobState = JobState.COMPLETED, **rest: object) -> Job:
    return Job(
        id=JobId(number),
        spec=JobSpec(solver="command", **rest),  # type: ignore[arg-type]  # its own fields
        owner="",
        submitted_at=1000.0 + number,
        arrival=number,
        priority=0,
        state=state,
        ended_at=1000.5 + number if state.final else None,
    )


async def test_what_is_too_many_goes_with_its_files_and_the_log_before_it(tmp_path: Path) -> None:
    jobs = [a_job(n) for n in (300, 301, 302)]
    kept = a_job(1, tags=("keep",))
    policy = Policy(keep_jobs=1, files=True)
    async with yard(tmp_path, policy, kept, *jobs) as one, running(one):
        await one.until(lambda: one.turns.first == 1300)
        assert one.there() == {1, 302}
        assert sorted(path.name for path in (tmp_path / "jobs").iterdir()) == ["1", "302"]
        removed = [event for _, event in one.store.all_events() if isinstance(event, JobRemoved)]
        assert [(event.job, event.by) for event in removed] == [
            (300, "retention"),
            (301, "retention"),
        ]
        assert one.store.load().last_number == 1301
        await one.until(lambda: one.store.load().first_number == one.turns.first)
        assert list((tmp_path / "removing").iterdir()) == []


async def test_records_alone_go_where_files_are_not_asked_for(tmp_path: Path) -> None:
    async with yard(tmp_path, Policy(max_age=5.0), a_job(1)) as one, running(one):
        await one.until(lambda: not one.there())
        assert (one.places.job_folder(JobId(1)) / "result").exists()


async def test_age_is_no_older_for_a_calendar_that_is_set_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a machine boots with a clock that is behind, and is set right."""
    async with yard(tmp_path, Policy(), a_job(1)) as one:
        ended = replace(a_job(2), submitted_at=one.turns.now(), ended_at=one.turns.now())
        one.store.commit([], [ended])
        calendar = time.time
        monkeypatch.setattr(time, "time", lambda: calendar() + 40 * 86400.0)
        going = await one.retention.going(Policy(max_age=30 * 86400.0))
        assert [ended.job for ended in going] == [1]


async def test_size_counts_files_and_what_waits_stays(tmp_path: Path) -> None:
    jobs = [a_job(1), a_job(2), a_job(3, JobState.HELD)]
    async with yard(tmp_path, Policy(), *jobs) as one:
        found = await one.retention.going(Policy(max_size=1500, files=True))
        assert [(ended.job, ended.size) for ended in found] == [(1, 1000)]
        assert [ended.job for ended in await one.retention.going(Policy(keep_jobs=0))] == [1, 2]


async def test_a_deletion_that_was_interrupted_is_finished_and_no_other_begun(
    tmp_path: Path,
) -> None:
    async with yard(tmp_path, Policy(), a_job(1), a_job(2)) as one:
        gone = one.places.job_folder(JobId(7))
        gone.mkdir()
        for job in (JobId(7), JobId(1)):
            Belongings(one.places).mark(job)
        async with running(one):
            await one.until(lambda: not list(one.places.removing.iterdir()))
            assert not gone.exists()
            assert (one.places.job_folder(JobId(1)) / "result").exists()
            assert one.there() == {1, 2}


async def test_files_that_can_not_be_removed_stay_marked_and_hinder_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    look = Belongings.pieces

    def pieces(mine: Belongings, job: JobId, named: Named = NOTHING) -> Iterator[Path]:
        if job == 1:
            raise PermissionError(13, "Permission denied")
        return look(mine, job, named)

    monkeypatch.setattr(Belongings, "pieces", pieces)
    policy = Policy(keep_jobs=0, files=True)
    async with yard(tmp_path, policy, *[a_job(n) for n in (1, 2)]) as one:
        gone = one.places.job_folder(JobId(3))
        gone.mkdir()
        async with running(one):
            await one.until(lambda: not one.there())
            await one.until(lambda: names(one.places.removing) == ["1"])
        Belongings(one.places).mark(JobId(3))
        async with running(one):  # as the next manager's
            await one.until(lambda: names(one.places.removing) == ["1"])
        assert names(one.places.jobs) == ["1"]
    told = [record for record in caplog.records if "files of a removed job stay" in record.message]
    assert [vars(record)["job"] for record in told] == [1, 1]


async def test_files_that_could_not_be_looked_at_are_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "AGAIN", 0.001)
    look, failed = Belongings.pieces, list[int]()

    def pieces(mine: Belongings, job: JobId, named: Named = NOTHING) -> Iterator[Path]:
        if not failed:
            failed.append(job)
            raise OSError(5, "Input/output error")
        return look(mine, job, named)

    monkeypatch.setattr(Belongings, "pieces", pieces)
    async with yard(tmp_path, Policy(), a_job(1)) as one, running(one):
        assert not await one.retention.remove(JobId(1), "me", files=True)
        await one.until(lambda: names(one.places.jobs) == names(one.places.removing) == [])
    assert failed == [1]


async def test_a_job_that_can_not_be_removed_hinders_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Belongings.mark

    def marked(mine: Belongings, job: JobId) -> None:
        if job == 1:
            raise PermissionError(13, "Permission denied")
        mark(mine, job)

    monkeypatch.setattr(Belongings, "mark", marked)
    policy = Policy(keep_jobs=0, files=True)
    async with yard(tmp_path, policy, a_job(1), a_job(2)) as one, running(one):
        await one.until(lambda: one.there() == {1})


async def test_of_two_removals_the_second_takes_nothing_from_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, begun = threading.Event(), threading.Event()

    def slowly(pieces: list[Path]) -> None:
        begun.set()
        assert may_go_on.wait(30)
        delete(pieces)

    monkeypatch.setattr(retaining, "delete", slowly)
    async with yard(tmp_path, Policy(), a_job(1)) as one:
        theirs = JobSpec(solver="command", directory=str(tmp_path / "jobs" / "1" / "deep"))
        refused = list[str]()

        async def too_late(*, files: bool) -> None:
            with pytest.raises(UnknownJob):
                await one.retention.remove(JobId(1), "ben", files=files)
            refused.append("")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.retention.remove(JobId(1), "ann", files=True))
            waiting = [tasks.create_task(too_late(files=files)) for files in (True, False)]
            await one.until(begun.is_set)
            await too_late(files=True)
            with pytest.raises(Conflict, match="in the folder of job 1"):
                await one.retention.spare([theirs])
            assert names(one.places.removing) == ["1"]
            may_go_on.set()
            await asyncio.wait(waiting)
        assert len(refused) == 3
        assert names(one.places.removing) == names(one.places.jobs) == []
        await one.retention.spare([theirs])


async def test_nobody_is_given_a_folder_that_is_being_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, begun = threading.Event(), threading.Event()

    def slowly(pieces: list[Path]) -> None:
        begun.set()
        assert may_go_on.wait(30)
        delete(pieces)

    monkeypatch.setattr(retaining, "delete", slowly)
    async with yard(tmp_path, Policy(), a_job(1), a_job(2)) as one:
        theirs, others = (JobSpec(solver="command", directory=str(tmp_path / "jobs" / name))
                          for name in ("1/deep", "2"))  # fmt: skip
        await one.retention.spare([theirs, others])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.retention.remove(JobId(1), "ann", files=True))
            await one.until(begun.is_set)
            await one.retention.spare([others])
            with pytest.raises(Conflict, match="in the folder of job 1"):
                await one.retention.spare([others, theirs])
            may_go_on.set()
        await one.retention.spare([theirs])


async def test_nobody_is_given_a_folder_whose_deletion_was_interrupted(tmp_path: Path) -> None:
    Belongings(StorePlaces(tmp_path)).mark(JobId(7))
    async with yard(tmp_path, Policy(), a_job(1)) as one:
        named = JobSpec(solver="command", directory=str(tmp_path / "jobs" / "7"))
        with pytest.raises(Conflict, match="in the folder of job 7"):
            await one.retention.spare([named])
        async with running(one):
            await one.until(lambda: not list(one.places.removing.iterdir()))
        await one.retention.spare([named])


@pytest.mark.parametrize("when", ["it runs", "it is submitted", "it ran", "its task runs"])
async def test_a_folder_stays_whose_name_has_just_become_a_link_to_it(
    when: str, tmp_path: Path
) -> None:
    """When its job runs, say."""
    named = tmp_path / "in1"
    named.mkdir()
    spec = JobSpec(solver="command", directory=str(named))
    theirs = a_job(5, JobState.HELD if when == "it is submitted" else JobState.RUNNING)
    theirs = replace(theirs, spec=spec)
    several = [theirs]
    if when == "its task runs":
        spec = replace(spec, directory=f"{tmp_path}/in{{{{index}}}}", array=ArraySpec(stop=3))
        several = [replace(theirs, spec=spec, id=i) for i in (JobId(5), task_id(JobId(5), 1))]
    async with yard(tmp_path, Policy(), a_job(1), a_job(2), *several) as one:
        await one.retention.remove(JobId(2), "ann", files=True)  # it is seen to be elsewhere
        named.rmdir()
        named.symlink_to(one.places.job_folder(JobId(1)))
        if when == "it is submitted":
            await one.retention.spare([spec])
        if when == "it ran":
            ended = replace(theirs, state=JobState.COMPLETED, ended_at=one.turns.now())
            one.turns.kept.change(theirs.id, ended)
        await one.retention.remove(JobId(1), "ann", files=True)
        assert (named / "result").exists()


async def test_nobody_is_given_a_folder_by_a_name_that_has_just_become_a_link(
    tmp_path: Path,
) -> None:
    Belongings(StorePlaces(tmp_path)).mark(JobId(7))
    named = tmp_path / "named"
    named.mkdir()
    spec = JobSpec(solver="command", directory=str(named))
    async with yard(tmp_path, Policy(), a_job(1)) as one:
        await one.retention.spare([spec])
        named.rmdir()
        named.symlink_to(one.places.job_folder(JobId(7)))
        with pytest.raises(Conflict, match="in the folder of job 7"):
            await one.retention.spare([spec])


async def test_nobody_is_given_a_folder_that_can_not_be_looked_at_while_others_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Belongings(StorePlaces(tmp_path)).mark(JobId(7))
    spec = JobSpec(solver="command", directory="/far/away")

    def refused(mine: Belongings, jobs: object, named: Named) -> None:
        raise PermissionError(13, "Permission denied", "/far/away")

    monkeypatch.setattr(Belongings, "claimed", refused)
    async with yard(tmp_path, Policy(), a_job(1)) as one:
        with pytest.raises(Conflict, match=r"/far/away can't be looked at \(Permission denied\)"):
            await one.retention.spare([spec])


async def test_a_job_whose_size_is_not_known_hinders_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Belongings.size

    def size(mine: Belongings, job: JobId) -> int:
        if job == 1:
            raise PermissionError(13, "Permission denied")
        return look(mine, job)

    monkeypatch.setattr(Belongings, "size", size)
    policy = Policy(keep_jobs=0, files=True)
    async with yard(tmp_path, policy, *[a_job(n) for n in (1, 2)]) as one, running(one):
        await one.until(lambda: one.there() == {1})


async def test_a_refused_removal_leaves_files_and_no_mark(tmp_path: Path) -> None:
    async with yard(tmp_path, Policy(), a_job(1, JobState.HELD)) as one:
        with pytest.raises(Conflict):
            await one.retention.remove(JobId(1), "ann", files=True)
        with pytest.raises(UnknownJob):
            await one.retention.remove(JobId(9), "ann", files=True)
        assert (one.places.job_folder(JobId(1)) / "result").exists()
        assert Belongings(one.places).marked() == []


async def test_removal_waits_while_jobs_are_launched_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "CALM", 1e9)
    monkeypatch.setattr(retaining, "PATIENCE", 1e9)
    async with yard(tmp_path, Policy(keep_jobs=0), a_job(1)) as one:
        one.retention.launched()
        async with running(one):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await one.until(lambda: not one.there())
        monkeypatch.setattr(retaining, "PATIENCE", 0.01)
        async with running(one):
            await one.until(lambda: not one.there())


CHAT = Recipient(Receiver(name="chat", on=frozenset({"ended"}), always=True), Program(("true",)))


async def test_a_job_stays_until_the_notice_of_its_end_is_in_the_outbox(tmp_path: Path) -> None:
    job = a_job(1)
    async with yard(tmp_path, Policy(), job, recipients=[CHAT]) as one:
        end = JobEnded(job=job.id, at=2.0, outcome=Outcome(reason=Reason.SUCCESS))
        last = one.turns.last = one.store.commit([end], [])
        one.notices.take([Numbered(last, end)])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.retention.remove(job.id, "ann", files=False))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await one.until(lambda: not one.there())
            async with during(one.notices.run()):
                await one.until(lambda: not one.there())
        assert [notice.event for notice in one.store.notices("chat")] == [last]


async def test_the_log_stays_from_where_it_was_read_for_notices(tmp_path: Path) -> None:
    policy, held = Policy(max_age=1e8), a_job(900, JobState.HELD)
    async with (
        yard(tmp_path, policy, held, recipients=[CHAT], read=700) as one,
        running(one),
    ):
        await one.until(lambda: one.turns.first > 700)
        assert one.turns.first == 701
        async with during(one.notices.run()):
            await one.until(lambda: one.turns.first > 701)


async def test_the_log_stays_from_the_oldest_ended_job_that_is_there(tmp_path: Path) -> None:
    old = replace(a_job(1), submitted_at=700.5, ended_at=800.0)
    async with yard(tmp_path, Policy(keep_jobs=5), old) as one, running(one):
        await one.until(lambda: one.turns.first > 700)
        assert one.turns.first == 701


async def test_what_is_to_be_kept_by_now_stays_with_its_files(tmp_path: Path) -> None:
    """Many are found at once, and go one by one: somebody may say so meanwhile."""
    jobs = [a_job(n) for n in range(1, 9)]
    async with yard(tmp_path, Policy(keep_jobs=0, files=True), *jobs) as one:
        async with running(one):
            await one.until(lambda: 1 not in one.there())
            await one.turns.ask(Annotate(job=JobId(5), add_tags=("keep",)))
            await one.until(lambda: one.there() == {5})
            await one.until(lambda: not list(one.places.removing.iterdir()))
        assert (one.places.job_folder(JobId(5)) / "result").exists()
        with pytest.raises(Conflict, match="job 5 is to be kept"):
            await one.retention.remove(JobId(5), "retention", files=True, spare=True)
        await one.retention.remove(JobId(5), "ann", files=True)
        assert not one.there()
