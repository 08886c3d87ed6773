"""What the manager reads of running jobs' files, and what it leaves."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from solveyard.manager import following
from solveyard.manager.following import Following
from solveyard.manager.ordering import Ordering
from solveyard.model.arrays import ArraySpec
from solveyard.model.ids import task_id
from solveyard.model.jobs import (
    Attempt,
    AttemptId,
    Job,
    JobId,
    JobSpec,
    JobState,
    Outcome,
    Placement,
    Reason,
)
from solveyard.model.messages import JobEnded, JobStarted
from solveyard.model.progress import Progress
from solveyard.model.resources import Allocation, Share
from solveyard.places import StorePlaces


class Yard:
    """Running jobs whose standard output is `write`n."""

    def __init__(self, folder: Path) -> None:
        self.places = StorePlaces(folder)
        self.jobs: dict[JobId, Job] = {}
        self.ahead = 0.0
        self.following = Following(
            self.jobs.get, Ordering(self.places), self.places, lambda: self.ahead
        )
        self.heard: list[tuple[int, str]] = []
        self.news = asyncio.Event()
        self.following.subscribe(self._hear)

    def _hear(self, job: Job, progress: Progress) -> None:
        self.heard.append((job.id, progress.text))
        self.news.set()

    def start(
        self, number: int, solver: str = "nec", attempt: int = 1, array: ArraySpec | None = None
    ) -> None:
        allocation = Allocation(shares=(Share(node="a", cores=1),))
        at = Placement(machine="here", allocation=allocation, slot=1)
        tries = tuple(
            Attempt(id=AttemptId(f"u.{number}.0.{n}"), placement=at, placed_at=1.0, started_at=1.0,
                    outcome=None if n == attempt else Outcome(reason=Reason.SIGNAL))
            for n in range(1, attempt + 1)
        )  # fmt: skip
        options = b'{"argv": ["x"]}' if solver == "command" else b"{}"
        self.jobs[JobId(number)] = Job(
            id=JobId(number), owner="me", submitted_at=1.0,
            spec=JobSpec(solver=solver, options=msgspec.Raw(options), array=array),
            arrival=1, priority=0, state=JobState.RUNNING, attempts=tries,
        )  # fmt: skip
        self.following.take([JobStarted(job=JobId(number), at=1.0, started_at=1.0)])

    def end(self, number: int) -> None:
        job = self.jobs[JobId(number)]
        self.jobs[job.id] = replace(job, state=JobState.COMPLETED)
        outcome = Outcome(reason=Reason.SUCCESS)
        self.following.take([JobEnded(job=job.id, at=2.0, outcome=outcome)])

    def output(self, number: int, attempt: int = 1) -> Path:
        place = Path(self.places.output(JobId(number), attempt)[0])
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def write(self, number: int, text: str, attempt: int = 1) -> None:
        with self.output(number, attempt).open("a") as file:
            file.write(text)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    monkeypatch.setattr(following, "PAUSE", 0.01)
    made = Yard(tmp_path)
    yield made
    made.following.close()


async def test_a_growing_file_is_read_on_and_each_news_is_told_once(yard: Yard) -> None:
    async with asyncio.TaskGroup() as tasks:
        runs = tasks.create_task(yard.following.run())
        yard.start(1)
        assert yard.following.progress(JobId(1)) is None
        yard.write(1, "frequency 1 of 4\nfreq")
        await yard.until(lambda: (1, "frequency 1 of 4") in yard.heard)
        yard.write(1, "uency 2 of 4\n")
        await yard.until(lambda: (1, "frequency 2 of 4") in yard.heard)
        told = yard.following.progress(JobId(1))
        assert told is not None
        assert told.fraction == 0.5
        yard.end(1)
        assert yard.following.progress(JobId(1)) is None
        runs.cancel()
    assert yard.heard == [(1, "frequency 1 of 4"), (1, "frequency 2 of 4")]


async def test_files_have_their_times_by_another_clock_than_jobs(yard: Yard) -> None:
    yard.start(1)
    yard.write(1, "frequency 1 of 4\n")
    os.utime(yard.output(1), (-3600.0, -3600.0))
    await yard.following._round()
    assert yard.heard == []
    yard.ahead = 3600.0
    yard.start(2)
    yard.write(2, "frequency 1 of 4\n")
    os.utime(yard.output(2), (-3600.0, -3600.0))
    await yard.following._round()
    assert yard.heard == [(2, "frequency 1 of 4")]


async def test_an_array_is_as_far_as_the_task_that_told_something_last(yard: Yard) -> None:
    array = ArraySpec(start=10, stop=40, step=10)
    sweep = JobId(5)
    for position in (0, 1):
        yard.start(task_id(sweep, position), array=array)
    assert yard.following.progress(sweep) is None
    for position, far in ((0, 2), (1, 3)):
        yard.write(task_id(sweep, position), f"frequency {far} of 4\n")
        await yard.following._round()
        told = yard.following.progress(sweep)
        assert told is not None
        assert told.text == f"task {10 + 10 * position}: frequency {far} of 4"
        assert told.fraction is None, "of one task, not of all"
    yard.end(task_id(sweep, 1))
    assert yard.following.progress(sweep) is None
    yard.write(task_id(sweep, 0), "frequency 3 of 4\n")
    await yard.following._round()
    told = yard.following.progress(sweep)
    assert told is not None
    assert told.text == "task 10: frequency 3 of 4"


async def test_another_attempt_is_read_from_its_own_beginning(yard: Yard) -> None:
    async with asyncio.TaskGroup() as tasks:
        runs = tasks.create_task(yard.following.run())
        yard.start(1)
        yard.write(1, "frequency 3 of 4\n")
        await yard.until(lambda: (1, "frequency 3 of 4") in yard.heard)
        yard.start(1, attempt=2)
        assert yard.following.progress(JobId(1)) is None
        yard.write(1, "frequency 1 of 4\n", attempt=2)
        await yard.until(lambda: (1, "frequency 1 of 4") in yard.heard)
        runs.cancel()


async def test_a_file_of_an_earlier_run_is_left_until_it_changes(yard: Yard) -> None:
    yard.write(1, "frequency 4 of 4\n")
    os.utime(yard.output(1), (-100, -100))
    yard.write(2, "frequency 1 of 9\n")
    async with asyncio.TaskGroup() as tasks:
        runs = tasks.create_task(yard.following.run())
        yard.start(1)
        yard.start(2)
        await yard.until(lambda: (2, "frequency 1 of 9") in yard.heard)
        yard.write(2, "frequency 2 of 9\n")
        await yard.until(lambda: (2, "frequency 2 of 9") in yard.heard)
        assert yard.following.progress(JobId(1)) is None
        runs.cancel()


async def test_a_round_looks_at_a_few_and_all_have_their_turn(yard: Yard) -> None:
    for number in range(1, 11):
        yard.start(number)
        yard.write(number, "frequency 1 of 2\n")
    for expected in (4, 8, 10):
        await yard.following._round()
        assert len(yard.heard) == expected
    assert {number for number, _ in yard.heard} == set(range(1, 11))


async def test_what_nobody_can_read_is_not_looked_at(yard: Yard) -> None:
    yard.start(1, "command")
    yard.start(2, "gone")
    await yard.following._round()
    assert not yard.following._followed
