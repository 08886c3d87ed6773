"""What becomes of the jobs of programs that died."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Limits
from solveyard.model.messages import (
    Cancel,
    EndSessions,
    Kill,
    Launch,
    Release,
    Retry,
    SetLimits,
    Submit,
)
from unit.core.drive import Drive

X = JobSpec(solver="x")


def taken(drive: Drive, session: str, *specs: JobSpec) -> list[JobId]:
    known = set(drive.engine.jobs)
    drive.send(Submit(specs=specs, session=session))
    return [job_id for job_id in drive.engine.jobs if job_id not in known]


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from("qhrsec")), max_size=8))
def test_of_dead_sessions_what_runs_is_ended_what_waits_is_held_and_all_else_goes_on(
    jobs: list[tuple[str, str]],
) -> None:
    """q: queued, h: held, s: submitted, r: running, e: ended, c: cancelled."""
    drive = Drive(cores=8)
    made = []
    for session, state in jobs:
        [job_id] = taken(drive, session, msgspec.structs.replace(X, hold=state in "qhc"))
        made.append(job_id)
        if state in "re":
            drive.start(job_id)
        if state == "e":
            drive.end(job_id)
        if state == "c":
            drive.send(Cancel(job=job_id))
    drive.send(SetLimits(limits=Limits(max_concurrent=0)))
    for job_id, (_, state) in zip(made, jobs, strict=True):
        if state == "q":
            drive.send(Release(job=job_id))
    before = {job_id: drive.job(job_id) for job_id in made}
    step = drive.send(EndSessions(sessions=("a",), grace=7.0))
    theirs = [job_id for job_id, (session, _) in zip(made, jobs, strict=True) if session == "a"]
    kills = [(one.attempt, one.grace) for one in step.actions if isinstance(one, Kill)]
    live = {JobState.SUBMITTED, JobState.RUNNING}
    assert kills == [
        (drive.attempt(job_id), 7.0) for job_id in theirs if before[job_id].state in live
    ]
    for job_id, old in before.items():
        new = drive.job(job_id)
        if job_id not in theirs:
            assert new == old
        elif old.state is JobState.QUEUED:
            assert new.state is JobState.HELD
        else:
            assert (new.state, new.cancel_requested) == (old.state, old.state in live)


def test_asked_again_it_changes_nothing_and_who_is_released_runs() -> None:
    drive = Drive(cores=1)
    running, waiting = taken(drive, "a", X, X)
    drive.start(running)
    drive.send(EndSessions(sessions=("a",)))
    assert drive.send(EndSessions(sessions=("a",))).events == []
    drive.end(running)
    drive.send(Release(job=waiting))
    assert drive.launched() == [running, waiting]


def test_an_array_is_ended_whole_where_it_has_begun_and_held_where_not() -> None:
    drive = Drive(cores=1)
    array = msgspec.structs.replace(X, array=ArraySpec(stop=3))
    [begun, *_] = taken(drive, "a", array)
    [waiting] = taken(drive, "a", array)
    step = drive.send(EndSessions(sessions=("a",)))
    assert len([one for one in step.actions if isinstance(one, Kill)]) == 1
    assert drive.job(begun).cancel_requested
    assert drive.job(waiting).state is JobState.HELD


def test_a_name_that_is_submitted_anew_belongs_to_its_new_session_and_a_retry_to_its_old() -> None:
    drive = Drive(cores=1)
    named = msgspec.structs.replace(X, name="n")
    [job] = taken(drive, "a", named)
    drive.end(job)
    drive.send(Retry(job=job))
    assert drive.job(job).session == "a"
    drive.end(job)
    drive.send(Submit(specs=(named,), session="b"))
    assert drive.job(job).session == "b"
    drive.end(job)
    drive.send(Submit(specs=(named,)))
    assert drive.job(job).session == ""


def test_a_record_of_before_sessions_were_noted_is_of_none() -> None:
    drive = Drive()
    [job_id] = taken(drive, "", X)
    text = msgspec.json.encode(drive.job(job_id))
    assert b"session" not in text
    assert msgspec.json.decode(text, type=Job).session == ""


def test_a_job_stays_within_the_folders_of_its_newest_submission_with_all_its_tasks() -> None:
    drive = Drive(cores=1)
    named = msgspec.structs.replace(X, name="n", directory="/p/d")
    drive.send(Submit(specs=(named,), within=("/p",)))
    [job] = drive.engine.jobs
    drive.end(job)
    step = drive.send(Retry(job=job))
    assert [one.within for one in step.actions if isinstance(one, Launch)] == [("/p",)]
    assert drive.job(job).bounds == ("/p",)
    drive.end(job)
    drive.send(Submit(specs=(named,)))  # by the owner, whom nothing binds
    assert drive.job(job).bounds == ()
    drive.end(job)
    several = msgspec.structs.replace(X, directory="/p/d", array=ArraySpec(stop=2))
    step = drive.send(Submit(specs=(several, X), within=("/p", "/q")))
    [launched] = [one for one in step.actions if isinstance(one, Launch)]
    assert launched.within == ("/p", "/q")
    assert drive.job(launched.job).bounds == ("/p", "/q")
    assert [one.bounds for one in drive.engine.jobs.values() if one.spec == X] == [()]  # its own
