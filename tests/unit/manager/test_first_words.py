"""Waiting for what a batch system says first of a job."""

import asyncio

import pytest
from msgspec.structs import replace

from solveyard.manager.first_words import FirstWords
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
from solveyard.model.messages import AnyEvent, JobAccepted, JobEnded, JobRecalled, JobStale
from solveyard.model.resources import Allocation, Share

ONE = JobId(1)
PLACED = Attempt(
    id=AttemptId(f"{'0' * 32}.1.0.1"),
    placement=Placement(
        machine="far", allocation=Allocation(shares=(Share(node="far", cores=1),)), slot=1,
        forwarded=True,
    ),
    placed_at=1.0,
)  # fmt: skip
JOB = Job(
    id=ONE, spec=JobSpec(solver="command", on="far"), owner="eve", submitted_at=1.0, arrival=1,
    priority=0, state=JobState.SUBMITTED, attempts=(PLACED,),
)  # fmt: skip
HERE = replace(PLACED.placement, forwarded=False)
LONG = 1000.0


@pytest.mark.parametrize(
    "event",
    [
        JobAccepted(job=ONE, at=2.0, native_id="7"),
        JobEnded(job=ONE, at=2.0, outcome=Outcome(reason=Reason.LAUNCH)),
        JobRecalled(job=ONE, at=2.0),
        JobStale(job=ONE, at=2.0),
    ],
)
async def test_it_is_over_with_the_first_word_and_wakes_all_who_wait(event: AnyEvent) -> None:
    words = FirstWords({ONE: JOB}.get)
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(words.heard(ONE, LONG)) for _ in range(2)]
        await asyncio.sleep(0)
        words.take([replace(event, job=JobId(2))])
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        words.take([event])
    assert [wait.result() for wait in waits] == [True, True]


async def test_nobody_waits_longer_than_given() -> None:
    words = FirstWords({ONE: JOB}.get)
    assert not await words.heard(ONE, 0.01)
    words.take([JobAccepted(job=ONE, at=2.0, native_id="7")])


@pytest.mark.parametrize(
    "job",
    [
        None,
        replace(JOB, state=JobState.QUEUED, attempts=()),
        replace(JOB, attempts=(replace(PLACED, native_id="7"),)),
        replace(JOB, attempts=(replace(PLACED, withdrawn=True),)),
        replace(JOB, stale_since=2.0),
        replace(JOB, attempts=(replace(PLACED, placement=HERE),)),
    ],
)  # fmt: skip
async def test_where_no_word_is_expected_nobody_waits(job: Job | None) -> None:
    words = FirstWords(lambda _: job)
    assert await words.heard(ONE, LONG)
