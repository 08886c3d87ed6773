"""What is made of a job that runs and doesn't move."""

import pytest

from solveyard.model.jobs import JobId
from solveyard.model.messages import Cancel, EvidenceAdded, Kill, Quiet, Started
from solveyard.model.policies import HangWatch
from unit.core.drive import Drive


def running(drive: Drive, hang: HangWatch | None) -> JobId:
    job = drive.one(hang=hang, grace=7.0)
    drive.send(Started(attempt=drive.attempt(job), native_id="12"))
    return job


def quiet(drive: Drive, job: JobId, seconds: float) -> list[Kill]:
    step = drive.send(Quiet(attempt=drive.attempt(job), seconds=seconds), after=1.0)
    return [action for action in step.actions if isinstance(action, Kill)]


def notes(drive: Drive, job: JobId) -> tuple[str, ...]:
    return drive.job(job).attempts[-1].notes


def test_it_is_told_once_and_left_alone_where_it_says_nothing_of_an_end() -> None:
    drive = Drive()
    job = running(drive, HangWatch(after=60))
    assert quiet(drive, job, 59.0) == []
    assert notes(drive, job) == ()
    for seconds in (61.0, 62.0):
        assert quiet(drive, job, seconds) == []
    [note] = notes(drive, job)
    assert note == "no line, no CPU and no growth for 60 s, since 1970-01-01T00:00:41.000Z"
    assert not any(isinstance(event, EvidenceAdded) for event in drive.step.events)


def test_it_is_ended_for_its_hang_with_its_own_grace() -> None:
    drive = Drive()
    job = running(drive, HangWatch(after=60, end=True))
    [kill] = quiet(drive, job, 61.0)
    assert (kill.because, kill.grace, kill.attempt) == ("hang", 7.0, drive.attempt(job))


@pytest.mark.parametrize("hang", [None, HangWatch(after=100, end=True)])
def test_nobody_ends_what_did_not_ask_or_was_not_quiet_for_long_enough(
    hang: HangWatch | None,
) -> None:
    drive = Drive()
    job = running(drive, hang)
    assert quiet(drive, job, 61.0) == []
    assert notes(drive, job) == ()


def test_a_job_that_is_being_cancelled_ends_as_cancelled() -> None:
    drive = Drive()
    job = running(drive, HangWatch(after=60, end=True))
    drive.send(Cancel(job=job))
    assert quiet(drive, job, 61.0) == []
    drive.end(job)
    assert drive.send(Quiet(attempt=drive.attempt(job), seconds=99.0)).actions == []
