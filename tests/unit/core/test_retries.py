"""Jobs that try again by themselves."""

import pytest

from solveyard.model.jobs import JobState, Outcome, Reason, Usage
from solveyard.model.messages import Cancel, Ended, Retry, Ticked
from solveyard.model.policies import INFRASTRUCTURE_TRIES, RetryPolicy
from solveyard.model.resources import Resources
from unit.core.drive import Drive


def test_a_job_is_started_as_often_as_its_policy_says() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(tries=3))
    for tried in (1, 2):
        drive.end(job, Reason.EXIT_CODE)
        assert drive.job(job).tries == tried + 1
        assert drive.job(job).attempts[tried - 1].outcome.reason is Reason.EXIT_CODE
    drive.end(job, Reason.EXIT_CODE)
    assert drive.job(job).state is JobState.FAILED
    assert len(drive.launched()) == 3


def test_without_a_policy_nothing_is_started_again() -> None:
    drive = Drive()
    job = drive.one()
    drive.end(job, Reason.LOST)
    assert (drive.job(job).state, len(drive.launched())) == (JobState.FAILED, 1)


def test_the_pause_grows_and_somebody_else_may_run_meanwhile() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(tries=9, delay=10.0, factor=3.0, longest=50.0))
    for pause in (10.0, 30.0, 50.0, 50.0):
        drive.end(job, Reason.EXIT_CODE)
        assert drive.step.wake == drive.now + pause
        assert drive.why(job).startswith("its next try at 1970-01-01 00:0")
        other = drive.one()
        assert drive.launched()[-1] == other
        drive.end(other)
        drive.send(Ticked(), after=pause - 1.0)
        assert drive.job(job).state is JobState.QUEUED
        drive.send(Ticked(), after=1.0)
        assert drive.launched()[-1] == job


@pytest.mark.parametrize(
    ("reason", "cause", "again"),
    [
        (Reason.LICENCE, "", True),
        (Reason.CRITERIA, "hfss.mpi", True),
        (Reason.CRITERIA, "hfss.mpi.rank", True),
        (Reason.CRITERIA, "hfss.mpix", False),
        (Reason.CRITERIA, "hfss", False),
        (Reason.EXIT_CODE, "", False),
        (Reason.SUCCESS, "", False),
        (Reason.CANCELLED, "", False),
        (Reason.SHUTDOWN, "", False),
    ],
)
def test_only_the_named_reasons_and_causes_are_tried_again(
    reason: Reason, cause: str, again: bool
) -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(on=("licence", "hfss.mpi")))
    outcome = Outcome(reason=reason, cause=cause)
    drive.send(Ended(attempt=drive.attempt(job), outcome=outcome, usage=Usage()))
    assert (not drive.job(job).state.final) == again


def test_the_machine_s_mishaps_use_up_no_tries_but_are_not_endless() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(tries=2))
    for _ in range(INFRASTRUCTURE_TRIES):
        drive.end(job, Reason.NODE_FAILURE)
    assert (drive.job(job).tries, drive.job(job).mishaps) == (1, INFRASTRUCTURE_TRIES)
    drive.end(job, Reason.EXIT_CODE)
    assert drive.job(job).state is JobState.SUBMITTED
    drive.end(job, Reason.NODE_FAILURE)
    assert drive.job(job).state is JobState.FAILED


def test_after_running_out_of_memory_it_gets_more_as_long_as_a_machine_has_it() -> None:
    drive = Drive()
    policy = RetryPolicy(tries=9, memory_factor=1.5)
    job = drive.one(resources=Resources(memory=40), retry=policy)
    drive.end(job, Reason.OUT_OF_MEMORY)
    assert drive.launches[-1].placement.allocation.shares[0].memory == 60
    drive.end(job, Reason.OUT_OF_MEMORY)
    assert drive.launches[-1].placement.allocation.shares[0].memory == 90
    drive.end(job, Reason.OUT_OF_MEMORY)
    assert drive.job(job).state is JobState.FAILED


def test_it_gets_more_memory_after_no_other_failure() -> None:
    drive = Drive()
    policy = RetryPolicy(tries=3, memory_factor=2.0)
    job = drive.one(resources=Resources(memory=20), retry=policy)
    drive.end(job, Reason.EXIT_CODE)
    assert drive.job(job).need.memory == 20


def test_a_start_that_only_the_end_tells_is_kept_of_an_attempt_that_is_tried_again() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(tries=2))
    outcome = Outcome(reason=Reason.EXIT_CODE)
    report = Ended(attempt=drive.attempt(job), outcome=outcome, started_at=drive.now + 1.0)
    drive.send(report, after=5.0)
    assert drive.job(job).attempts[0].started_at == 101.0


def test_a_cancelled_job_is_not_tried_again_however_it_ends() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy())
    drive.send(Cancel(job=job))
    drive.end(job, Reason.EXIT_CODE)
    assert drive.job(job).state is JobState.FAILED


def test_a_pause_can_be_cancelled_and_a_retry_by_hand_begins_to_count_anew() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(tries=2, delay=60.0))
    drive.end(job, Reason.EXIT_CODE)
    drive.send(Cancel(job=job))
    assert drive.job(job).state is JobState.CANCELLED
    drive.send(Retry(job=job))
    assert (drive.job(job).tries, drive.job(job).state) == (1, JobState.SUBMITTED)


def test_a_restored_engine_keeps_the_pause() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(delay=60.0))
    drive.end(job, Reason.EXIT_CODE)
    fresh = drive.restored()
    assert fresh.handle(Ticked(), drive.now + 1.0).wake == drive.now + 60.0


def test_a_pause_between_tries_is_no_wait() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(delay=60.0), wait_limit=5.0)
    drive.end(job, Reason.EXIT_CODE)
    drive.send(Ticked(), after=60.0)
    assert drive.launched() == [job, job]
