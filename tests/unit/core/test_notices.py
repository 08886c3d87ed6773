"""Which ends are told to whom."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.core import notices
from solveyard.model.arrays import ArraySpec
from solveyard.model.ids import task_id
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.model.messages import (
    CancelRequested,
    JobEnded,
    JobRemoved,
    JobRequeued,
    JobRetried,
)
from solveyard.model.notices import ENDINGS, Receiver

SPEC = JobSpec(solver="command", notify=("chat",), tags=("night",))


def job(spec: JobSpec = SPEC, number: int = 1) -> Job:
    return Job(
        id=JobId(number), spec=spec, owner="ann", submitted_at=1.0, arrival=1, priority=0,
        state=JobState.FAILED,
    )  # fmt: skip


def ended(reason: Reason, number: int = 1) -> JobEnded:
    return JobEnded(job=JobId(number), at=5.0, outcome=Outcome(reason=reason))


def receiver(*on: str, name: str = "chat", tags: str = "", **more: Any) -> Receiver:
    return Receiver(name=name, on=frozenset(on), tags=frozenset(tags.split()), **more)


@pytest.mark.parametrize(
    ("reason", "on", "heard"),
    [
        (Reason.SUCCESS, "completed", True),
        (Reason.SUCCESS, "success", True),
        (Reason.SUCCESS, "failed", False),
        (Reason.TIME_LIMIT, "failed", True),
        (Reason.TIME_LIMIT, "time_limit", True),
        (Reason.TIME_LIMIT, "exit_code", False),
        (Reason.CANCELLED, "cancelled", True),
        (Reason.CANCELLED, "failed", False),
        (Reason.SHUTDOWN, "cancelled", True),
        (Reason.SHUTDOWN, "shutdown", True),
        (Reason.LOST, "failed", True),
        (Reason.LOST, "lost", True),
    ],
)
def test_a_receiver_hears_of_the_states_and_reasons_that_it_chose(reason, on, heard):
    assert bool(notices.wanted(ended(reason), job(), [receiver(on)])) is heard


@given(st.sampled_from(Reason), st.sampled_from([ENDINGS, {"ended"}]))
def test_who_chose_everything_hears_once_of_every_end(reason, everything):
    assert notices.wanted(ended(reason), job(), [receiver(*everything)]) == ["chat"]


def test_nobody_hears_of_a_job_that_names_nobody_unless_it_always_hears():
    quiet = job(JobSpec(solver="command"))
    two = [receiver("failed"), receiver("failed", name="all", always=True)]
    assert notices.wanted(ended(Reason.SIGNAL), quiet, two) == ["all"]
    assert notices.wanted(ended(Reason.SIGNAL), job(), two) == ["chat", "all"]


def test_a_receiver_with_tags_hears_of_jobs_that_have_one_of_them():
    assert notices.wanted(ended(Reason.SIGNAL), job(), [receiver("failed", tags="day night")])
    assert not notices.wanted(ended(Reason.SIGNAL), job(), [receiver("failed", tags="day")])


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        ({"names": ("sweep-*",)}, True),
        ({"names": ("Sweep-*", "mesh", "*8")}, False),
        ({"users": frozenset({"ann"})}, True),
        ({"users": frozenset({"bob"})}, False),
        ({"users": frozenset({"ann"}), "names": ("mesh",)}, False),
    ],
)
def test_a_receiver_hears_of_the_names_and_users_that_it_chose(filters, heard):
    named = job(JobSpec(solver="command", name="sweep-7", notify=("chat",)))
    found = notices.wanted(ended(Reason.SIGNAL), named, [receiver("ended", **filters)])
    assert bool(found) is heard


def test_an_array_is_told_as_a_whole_and_its_tasks_never():
    array = job(JobSpec(solver="command", notify=("chat",), array=ArraySpec(stop=50)))
    all_ = [receiver(*ENDINGS)]
    assert notices.wanted(ended(Reason.EXIT_CODE), array, all_) == ["chat"]
    for position in (0, 49):
        task = ended(Reason.EXIT_CODE, task_id(JobId(1), position))
        assert not notices.told(task)
        assert notices.wanted(task, array, all_) == []


def test_what_ends_nothing_is_told_to_nobody():
    failed = Outcome(reason=Reason.SIGNAL)
    for event in (
        JobRequeued(job=JobId(1), at=1.0, outcome=failed, tries=2, not_before=1.0),
        JobRetried(job=JobId(1), at=1.0, arrival=2),
        CancelRequested(job=JobId(1), at=1.0),
        JobRemoved(job=JobId(1), at=1.0),
    ):
        assert not notices.told(event)


@given(st.integers(1, 200), st.floats(0, 1))
def test_chance_takes_at_most_a_quarter_off_a_pause(tries, chance):
    assert 0.75 * notices.pause(tries, 0.0) <= notices.pause(tries, chance) <= 600.0


def test_tries_come_at_longer_pauses_up_to_ten_minutes_for_a_day():
    now, tries, pauses = 100.0, 0, []
    while (following := notices.next_try(100.0, tries := tries + 1, now, 0.0)) is not None:
        pauses.append(following - now)
        now = following
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses == sorted(pauses)
    assert max(pauses) == 600.0
    assert 86_400 - 600 < sum(pauses) <= 86_400
