"""Our states and reasons in the documents' seven words."""

import pytest

from solveyard.core.lifecycle import ENDED_STATE
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
from solveyard.model.records import record
from solveyard.model.resources import Allocation
from solveyard.pyedb.statuses import JobStatus, status


def job(state: JobState, native_id: str = "", reason: Reason | None = None) -> Job:
    placement = Placement(machine="m", allocation=Allocation(shares=()), slot=1)
    attempt = Attempt(
        id=AttemptId("u.1.0.1"), placement=placement, placed_at=1.0, native_id=native_id
    )
    return Job(
        id=JobId(1),
        spec=JobSpec(solver="x"),
        owner="me",
        submitted_at=0.0,
        arrival=1,
        priority=0,
        state=state,
        attempts=(attempt,) if native_id else (),
        outcome=Outcome(reason=reason) if reason else None,
    )


@pytest.mark.parametrize(
    ("state", "native_id", "word"),
    [
        (JobState.HELD, "", "queued"),
        (JobState.QUEUED, "", "queued"),
        (JobState.SUBMITTED, "", "queued"),  # on its way to this machine
        (JobState.SUBMITTED, "42", "scheduled"),  # a batch system has it
        (JobState.RUNNING, "42", "running"),
        (JobState.COMPLETED, "42", "completed"),
        (JobState.FAILED, "42", "failed"),
        (JobState.CANCELLED, "42", "cancelled"),
    ],
)
def test_each_state_has_one_of_the_documents_words(
    state: JobState, native_id: str, word: str
) -> None:
    assert status(record(job(state, native_id), 2.0)) == word == JobStatus(word)


def test_what_is_lost_has_failed_and_only_a_wish_cancels() -> None:
    ends = {reason: ENDED_STATE.get(reason, JobState.FAILED) for reason in Reason}
    assert status(record(job(ends[Reason.LOST], "42", Reason.LOST), 2.0)) == "failed"
    assert {reason for reason, state in ends.items() if state is JobState.COMPLETED} == {
        Reason.SUCCESS
    }
    assert Reason.CANCELLED in ends
    assert ends[Reason.CANCELLED] is JobState.CANCELLED
