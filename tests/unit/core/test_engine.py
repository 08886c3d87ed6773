"""What the engine decides, case by case."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.errors import Conflict, InvalidJob, UnknownJob
from solveyard.model.jobs import AttemptId, JobId, JobSpec, JobState, Limits, Outcome, Reason, Usage
from solveyard.model.messages import (
    Accepted,
    AgentLeft,
    Ask,
    Cancel,
    ClockSet,
    Drain,
    Ended,
    EvidenceAdded,
    Forget,
    Hold,
    JobConfirmed,
    JobStale,
    Kill,
    Launch,
    Missing,
    Release,
    Remove,
    Retry,
    SetLimits,
    SetPriority,
    SpawnerJoined,
    Started,
    Submit,
    Ticked,
)
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Resources
from unit.core.drive import Drive

X = JobSpec(solver="x")


def missing(drive: Drive, job_id: JobId, boot_id: str = "boot", ledger: str = "ledger") -> None:
    drive.send(Missing(attempt=drive.attempt(job_id), boot_id=boot_id, ledger=ledger))


# Order


@given(priorities=st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_larger_priorities_go_first_and_equal_ones_in_order_of_arrival(
    priorities: list[int],
) -> None:
    drive = Drive(joined=False)
    jobs = drive.submit(*(JobSpec(solver="x", priority=each) for each in priorities))
    drive.join()
    while drive.engine.jobs[drive.launched()[-1]].state is JobState.SUBMITTED:
        drive.end(drive.launched()[-1])
    assert drive.launched() == sorted(jobs, key=lambda job: (-priorities[jobs.index(job)], job))


def test_of_ends_that_came_together_none_is_decided_by_alone() -> None:
    drive = Drive(cores=2)
    first = drive.submit(X, X)
    wide = drive.one(resources=Resources(cores=2), priority=1)
    small = drive.one()
    ends = [Ended(attempt=drive.attempt(j), outcome=Outcome(reason=Reason.SUCCESS)) for j in first]
    taken = [drive.engine.take(end, drive.now) for end in ends]
    assert [type(action) for step in taken for action in step.actions] == [Forget, Forget]
    step = drive.engine.conclude()
    assert [action.job for action in step.actions if isinstance(action, Launch)] == [wide]
    assert drive.job(small).state is JobState.QUEUED
    assert drive.engine.conclude().events == []


def test_a_refusal_takes_nothing_from_what_came_before_it() -> None:
    drive = Drive()
    (job,) = drive.submit(X)
    outcome = Outcome(reason=Reason.SUCCESS)
    taken = drive.engine.take(Ended(attempt=drive.attempt(job), outcome=outcome), drive.now)
    with pytest.raises(UnknownJob):
        drive.engine.take(Cancel(job=JobId(99)), drive.now)
    assert len(taken.events) == 1
    assert drive.engine.conclude().events == []
    assert drive.job(job).state is JobState.COMPLETED


def test_a_changed_priority_changes_the_turn() -> None:
    drive = Drive()
    first, second, third = drive.submit(X, X, X)
    drive.send(SetPriority(job=third, priority=1))
    drive.end(first)
    drive.end(third)
    assert drive.launched() == [first, third, second]


def test_jobs_with_one_key_run_one_after_the_other_and_delay_nobody() -> None:
    drive = Drive(cores=4)
    first, second = drive.one(exclusive=("p", "q")), drive.one(exclusive=("q",))
    other = drive.one()
    assert drive.launched() == [first, other]
    assert drive.why(second) == f"'q', which job {first} holds"
    drive.end(first)
    assert drive.launched() == [first, other, second]


def test_a_job_that_no_machine_can_run_stands_aside_until_one_joins() -> None:
    drive = Drive(joined=False)
    large, small = drive.submit(JobSpec(solver="x", resources=Resources(cores=8)), X)
    drive.join()
    assert drive.launched() == [small]
    assert drive.why(large).startswith("a machine that can run it: it needs 8 cores")
    drive.end(small)
    drive.cores = 8
    drive.join()
    assert drive.launched() == [small, large]


def test_no_more_jobs_run_than_the_limit_says() -> None:
    drive = Drive(cores=4)
    drive.send(SetLimits(limits=Limits(max_concurrent=2)))
    jobs = drive.submit(X, X, X)
    assert drive.launched() == jobs[:2]
    assert drive.why(jobs[2]) == "the limit of 2 jobs at once"
    drive.send(SetLimits(limits=Limits()))
    assert drive.launched() == jobs


# Waiting


def test_a_job_that_has_waited_too_long_ends_with_what_it_waited_for() -> None:
    drive = Drive()
    busy, waiting = drive.one(), drive.one(wait_limit=5.0)
    assert drive.step.wake == 105.0
    drive.send(Ticked(), after=4.9)
    assert drive.job(waiting).state is JobState.QUEUED
    drive.send(Ticked(), after=0.1)
    outcome = drive.job(waiting).outcome
    assert outcome is not None
    assert outcome.reason is Reason.WAIT_LIMIT
    assert outcome.message == "it waited 5 s and had not started"
    assert outcome.evidence == ("it waited for 1 core (0 cores free), held by job 1",)
    assert drive.job(busy).state is JobState.SUBMITTED
    assert drive.send(Ticked()).wake is None


def test_what_a_job_has_waited_for_reads_alike_before_and_after_a_restart() -> None:
    """Which jobs were found to stand aside, and so go before nobody, is not remembered."""
    drive = Drive()
    for fields in ({"exclusive": ("p",)}, {"exclusive": ("p",)}, {"priority": 1}):
        drive.one(**fields)
    waiting = drive.one(priority=-1, wait_limit=5.0)
    restored = Drive(joined=False)
    restored.engine = drive.restored()
    restored.join()
    for each in (drive, restored):
        each.send(Ticked(), after=5.0)
        outcome = each.job(waiting).outcome
        assert outcome is not None
        assert outcome.evidence == ("it waited for its turn: more urgent jobs wait, too",)


def test_a_wait_limit_bounds_a_hold_too_and_a_retry_waits_anew() -> None:
    drive = Drive(joined=False)
    job = drive.one(wait_limit=5.0, hold=True)
    drive.send(Ticked(), after=5.0)
    assert drive.job(job).state is JobState.FAILED
    drive.send(Retry(job=job), after=1.0)
    assert (drive.job(job).state, drive.step.wake) == (JobState.QUEUED, 111.0)


def test_a_leap_of_the_clock_is_no_wait() -> None:
    drive = Drive(joined=False)
    job = drive.one(wait_limit=5.0)
    leap = ClockSet(at=drive.now + 1.0, by=3600.0)
    for _ in range(2):  # it's told again after a fault
        drive.send(leap, after=3601.0 if drive.now < 3600.0 else 0.0)
    assert drive.step.wake == drive.now + 4.0
    drive.send(SetPriority(job=job, priority=1))
    later = drive.one(wait_limit=5.0)
    drive.send(Ticked(), after=3.9)
    assert drive.job(job).state is JobState.QUEUED
    drive.send(Ticked(), after=0.1)
    assert drive.job(job).state is JobState.FAILED
    drive.send(Ticked(), after=0.9)
    assert drive.job(later).state is JobState.QUEUED
    drive.send(Ticked(), after=0.1)
    assert drive.job(later).state is JobState.FAILED


def test_a_leap_of_the_clock_shortens_no_pause_before_a_try() -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(tries=2, delay=10.0), wait_limit=60.0)
    drive.start(job)
    drive.end(job, Reason.EXIT_CODE)
    leap = ClockSet(at=drive.now + 1.0, by=3600.0)
    drive.send(leap, after=3601.0)
    assert drive.job(job).state is JobState.QUEUED
    assert drive.step.wake == drive.now + 9.0
    drive.send(Ticked(), after=9.0)
    assert drive.job(job).state is JobState.SUBMITTED


@pytest.mark.parametrize(("said", "told"), [(90.0, 100.0), (100.5, 100.5), (4000.0, 101.0)])
def test_a_start_is_after_its_launch_and_before_now_by_whatever_clock(
    said: float, told: float
) -> None:
    drive = Drive()
    job = drive.one()
    drive.send(Started(attempt=drive.attempt(job), native_id="7", at=said), after=1.0)
    assert drive.job(job).attempts[-1].started_at == told
    end = Ended(attempt=drive.attempt(job), outcome=Outcome(reason=Reason.SUCCESS), started_at=said)
    drive.send(end)
    assert drive.job(job).attempts[-1].started_at == told


@pytest.mark.parametrize("reason", [Reason.SUCCESS, Reason.EXIT_CODE])
def test_a_start_that_was_told_stands_when_the_end_tells_of_it_by_a_clock_ahead(
    reason: Reason,
) -> None:
    drive = Drive()
    job = drive.one(retry=RetryPolicy(tries=2, delay=10.0))
    ahead = drive.now + 4000.0
    drive.send(Started(attempt=drive.attempt(job), native_id="7", at=ahead), after=1.0)
    outcome = Outcome(reason=reason)
    drive.send(Ended(attempt=drive.attempt(job), outcome=outcome, started_at=ahead), after=600.0)
    attempt = drive.job(job).attempts[0]
    assert (attempt.started_at, attempt.ended_at) == (101.0, 701.0)


def test_of_a_start_that_only_the_end_tells_the_run_time_is_kept_where_clocks_differ() -> None:
    drive = Drive()
    job = drive.one()
    drive.send(
        Ended(
            attempt=drive.attempt(job),
            outcome=Outcome(reason=Reason.SUCCESS),
            started_at=drive.now + 4000.0,
            usage=Usage(wall=50.0),
        ),
        after=60.0,
    )
    attempt = drive.job(job).attempts[-1]
    assert (attempt.started_at, attempt.ended_at) == (110.0, 160.0)


def test_a_leap_of_the_clock_is_no_time_that_a_job_ran() -> None:
    drive = Drive()
    job = drive.one(time_limit=100.0)
    drive.start(job)
    waiting = drive.one()
    drive.send(ClockSet(at=drive.now + 1.0, by=3600.0), after=3601.0)
    assert "until 1970-01-01 01:03:50 UTC at the latest" in drive.why(waiting)
    measured = drive.engine.scheduler.measured
    assert measured(drive.job(job), drive.now) == drive.now - 3600.0
    assert measured(drive.job(waiting), drive.now) == drive.now


def test_a_job_that_started_in_time_is_left_alone() -> None:
    drive = Drive()
    job = drive.one(wait_limit=5.0)
    drive.send(Ticked(), after=50.0)
    assert drive.job(job).state is JobState.SUBMITTED


# People


def test_a_held_job_starts_when_it_is_released() -> None:
    drive = Drive()
    job = drive.one(hold=True)
    assert (drive.launched(), drive.why(job)) == ([], "somebody to release it: it is held")
    drive.send(Release(job=job))
    assert drive.launched() == [job]
    with pytest.raises(Conflict, match="only a queued job can be held"):
        drive.send(Hold(job=job))


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_when_it_is_gone() -> None:
    drive = Drive()
    running, waiting = drive.submit(X, X)
    drive.start(running)
    drive.send(Cancel(job=waiting, by="eve"))
    outcome = drive.job(waiting).outcome
    assert outcome is not None
    assert outcome.message == "cancelled by eve before it started"
    drive.send(Cancel(job=running, grace=1.0))
    at = drive.job(running).attempts[-1].placement
    kill = Kill(attempt=drive.attempt(running), placement=at, grace=1.0, because="cancelled")
    assert drive.step.actions == [kill]
    assert drive.job(running).state is JobState.RUNNING
    drive.end(running, Reason.CANCELLED)
    assert drive.job(running).state is JobState.CANCELLED


def test_a_cancel_that_could_not_be_told_is_told_when_the_machine_answers() -> None:
    drive = Drive()
    job = drive.one()
    drive.leave()
    drive.send(Cancel(job=job))
    drive.join()
    for news in (Accepted(attempt=drive.attempt(job), native_id=""),
                 Started(attempt=drive.attempt(job))):  # fmt: skip
        drive.send(news)
        assert [type(action) for action in drive.step.actions] == [Kill]


def test_a_cancelled_job_that_was_never_seen_is_not_launched_again() -> None:
    drive = Drive()
    job = drive.one()
    drive.leave()
    drive.send(Cancel(job=job))
    drive.join()
    missing(drive, job)
    assert (drive.job(job).state, len(drive.launches)) == (JobState.CANCELLED, 1)


def test_a_retry_is_a_new_attempt_beside_the_old() -> None:
    drive = Drive()
    job = drive.one()
    drive.end(job, Reason.EXIT_CODE)
    first = drive.job(job).attempts[0]
    drive.send(Retry(job=job))
    drive.end(job)
    assert drive.job(job).attempts[0] == first
    assert [each.id for each in drive.job(job).attempts] == [f"u.{job}.0.1", f"u.{job}.0.2"]
    assert drive.job(job).state is JobState.COMPLETED


def test_a_late_report_of_an_old_attempt_does_not_end_the_new_one() -> None:
    drive = Drive()
    job = drive.one()
    old = drive.attempt(job)
    drive.end(job, Reason.EXIT_CODE)
    drive.send(Retry(job=job))
    step = drive.send(Ended(attempt=old, outcome=Outcome(reason=Reason.SUCCESS)))
    assert (step.events, [type(action) for action in step.actions]) == ([], [Forget])
    assert drive.job(job).state is JobState.SUBMITTED


def test_a_name_submitted_again_is_refused_before_the_end_and_a_new_attempt_after_it() -> None:
    drive = Drive()
    job = drive.one(name="dipole")
    with pytest.raises(Conflict, match=f"is job {job}'s, which is submitted"):
        drive.one(name="dipole")
    drive.end(job)
    assert drive.submit(JobSpec(solver="x", name="dipole", priority=7)) == []
    assert (drive.job(job).priority, len(drive.job(job).attempts)) == (7, 2)


def test_a_removed_job_leaves_its_name_but_not_its_number() -> None:
    drive = Drive()
    job = drive.one(name="dipole")
    with pytest.raises(Conflict, match="cancel it before you remove it"):
        drive.send(Remove(job=job))
    drive.end(job)
    drive.send(Remove(job=job))
    assert drive.one(name="dipole") > job
    with pytest.raises(UnknownJob, match=f"there is no job {job}"):
        drive.send(Cancel(job=job))


def test_a_new_jobs_number_is_no_other_jobs_name() -> None:
    drive = Drive()
    called = [JobSpec(solver="x", name=name) for name in ("3", "4", "7")]
    drive.send(Submit(specs=tuple(called), any_name=True))
    assert drive.engine.names == {"3": 1, "4": 2, "7": 5}
    assert drive.submit(X, X) == [6, 8]
    assert drive.restored().counter.next == 9
    drive.send(Submit(specs=(JobSpec(solver="x", name="9"), X), any_name=True))
    assert (drive.engine.names["9"], max(drive.engine.jobs)) == (9, 10)  # its own name is no other


def test_a_submission_is_taken_whole_or_not_at_all() -> None:
    drive = Drive()
    with pytest.raises(InvalidJob, match=r"job 2 of 2: this job could never run: it needs 2 cores"):
        drive.send(Submit(specs=(X, JobSpec(solver="x", resources=Resources(cores=2)))))
    with pytest.raises(Conflict, match=r"job 2 of 2: the name 'a' is given twice"):
        drive.send(Submit(specs=(JobSpec(solver="x", name="a"),) * 2))
    with pytest.raises(InvalidJob, match=r"^the name 'last' reads like a selection"):
        drive.one(name="last")
    assert (drive.engine.jobs, drive.engine.names, drive.engine.counter.next) == ({}, {}, 1)


# Machines


def test_what_was_never_seen_is_launched_again_under_the_same_id() -> None:
    drive = Drive()
    job = drive.one()
    drive.leave()
    drive.join()
    assert drive.step.actions == [Ask(machine="m", spawner=0, attempts=(drive.attempt(job),))]
    missing(drive, job)
    first, second = drive.launches
    assert first == second


@pytest.mark.parametrize(
    ("boot_id", "ledger", "evidence"),
    [
        ("boot", "new", "the ledger that would know is gone"),
        ("new", "ledger", "the machine was rebooted after the launch, and its ledger has no start"),
    ],
)
def test_what_another_boot_or_ledger_never_saw_is_lost_and_never_sent_again(
    boot_id: str, ledger: str, evidence: str
) -> None:
    drive = Drive()
    job = drive.one()
    drive.leave()
    drive.join(boot_id, ledger)
    missing(drive, job, boot_id, ledger)
    outcome = drive.job(job).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.evidence) == (Reason.LOST, (evidence,))
    assert len(drive.launches) == 1


def test_what_had_started_and_is_not_known_any_more_is_lost() -> None:
    drive = Drive()
    job = drive.one()
    drive.start(job)
    missing(drive, job)
    outcome = drive.job(job).outcome
    assert outcome is not None
    assert outcome.evidence == ("it had started, and its spawner's ledger doesn't know it",)


def test_an_end_that_is_heard_after_all_is_added_to_a_lost_attempt_once() -> None:
    drive = Drive()
    job = drive.one()
    attempt = drive.attempt(job)
    missing(drive, job, ledger="new")
    told = drive.job(job).outcome
    late = Ended(attempt=attempt, outcome=Outcome(reason=Reason.SUCCESS, message="fine"))
    assert [type(event) for event in drive.send(late).events] == [EvidenceAdded]
    assert drive.send(late).events == []
    assert [type(action) for action in drive.step.actions] == [Forget]
    assert drive.job(job).outcome == told
    assert drive.job(job).attempts[0].notes == ("reported later: success, fine",)


def test_a_machine_that_is_away_for_ten_seconds_makes_its_jobs_stale_and_keeps_their_place() -> (
    None
):
    drive = Drive()
    job, waiting = drive.submit(X, X)
    drive.start(job)
    assert drive.leave().wake == 110.0
    assert drive.send(Ticked(), after=9.9).events == []
    assert [type(event) for event in drive.send(Ticked(), after=0.1).events] == [JobStale]
    assert drive.send(Ticked(), after=100.0).events == []
    assert (drive.job(job).state, drive.job(job).stale_since) == (JobState.RUNNING, 110.0)
    assert drive.why(waiting) == "a machine's agent to connect"
    drive.join()
    assert [type(event) for event in drive.start(job).events] == [JobConfirmed]
    assert drive.job(job).stale_since is None


def test_a_stale_job_that_was_never_seen_is_confirmed_before_it_is_launched_again() -> None:
    drive = Drive()
    job = drive.one()
    drive.leave()
    drive.send(Ticked(), after=10.0)
    drive.join()
    missing(drive, job)
    assert (drive.job(job).stale_since, len(drive.launches)) == (None, 2)


def test_nothing_is_placed_on_a_machine_whose_agent_has_left() -> None:
    drive = Drive()
    drive.send(AgentLeft(machine="m"))
    job = drive.one()
    assert (drive.launches, drive.why(job)) == ([], "1 core (0 cores free)")


def test_the_backends_id_is_kept_when_a_start_does_not_repeat_it() -> None:
    drive = Drive()
    job = drive.one()
    drive.send(Accepted(attempt=drive.attempt(job), native_id="4711"))
    drive.send(Started(attempt=drive.attempt(job)))
    drive.send(Accepted(attempt=drive.attempt(job), native_id="4712"))
    assert drive.job(job).attempts[0].native_id == "4711"


# Stopping


def test_draining_starts_nothing_more_and_ends_what_runs() -> None:
    drive = Drive()
    running, waiting = drive.submit(X, X)
    drive.start(running)
    drive.send(Drain(grace=3.0))
    kills = [action for action in drive.step.actions if isinstance(action, Kill)]
    assert [(kill.attempt, kill.grace, kill.because) for kill in kills] == [
        (drive.attempt(running), 3.0, "shutdown")
    ]
    drive.end(running, Reason.SHUTDOWN)
    assert drive.job(running).state is JobState.CANCELLED
    assert (drive.job(waiting).state, drive.launched()) == (JobState.QUEUED, [running])
    assert drive.why(waiting) == "the manager, which is stopping, to be started again"


def test_draining_can_leave_what_runs() -> None:
    drive = Drive()
    job = drive.one()
    assert drive.send(Drain(leave=True)).actions == []
    drive.leave()
    drive.join()
    missing(drive, job)
    assert (drive.job(job).state, len(drive.launches)) == (JobState.QUEUED, 1)


def test_a_machine_that_was_away_is_told_to_end_what_runs_when_it_is_back() -> None:
    drive = Drive()
    job = drive.one()
    drive.leave()
    drive.send(Drain(grace=3.0))
    drive.join()
    assert [type(action) for action in drive.start(job).actions] == [Kill]


@pytest.mark.parametrize("attempt", ["", "u", "v.1.0.1", "u.1.0.2", "u.2.0.1", "u.1.0.x", "u.1.0"])
def test_reports_of_attempts_that_are_none_of_ours_change_nothing(attempt: str) -> None:
    drive = Drive()
    drive.one()
    for news in (
        Ended(attempt=AttemptId(attempt), outcome=Outcome(reason=Reason.SUCCESS)),
        Missing(attempt=AttemptId(attempt), boot_id="", ledger=""),
        Started(attempt=AttemptId(attempt)),
    ):
        assert drive.send(news)[:2] == ([], [])


def test_a_spawner_is_asked_for_its_attempts_alone() -> None:
    drive = Drive(cores=4)
    drive.send(SpawnerJoined(machine="m", spawner=1, boot_id="boot", ledger="other"))
    jobs = drive.submit(X, X, X)
    spawners = [drive.job(job).attempts[0].placement.spawner for job in jobs]
    assert sorted(spawners) == [0, 0, 1]
    asked = drive.send(SpawnerJoined(machine="m", spawner=1, boot_id="boot", ledger="other"))
    alone = drive.attempt(jobs[spawners.index(1)])
    assert asked.actions == [Ask(machine="m", spawner=1, attempts=(alone,))]


def test_options_come_out_as_they_went_in() -> None:
    drive = Drive()
    job = drive.one(options=msgspec.Raw(b'{"argv": ["true"]}'))
    assert bytes(drive.launches[0].spec.options) == b'{"argv": ["true"]}'
    assert drive.job(job).spec.options == drive.launches[0].spec.options


# Changes asked for again, because an answer was lost


def test_a_retry_that_is_repeated_with_its_key_is_one_retry() -> None:
    drive = Drive()
    job = drive.one()
    drive.end(job)
    drive.send(Retry(job=job, key="a"))
    drive.end(job)
    drive.send(Retry(job=job, key="b"))
    drive.end(job)
    for key in ("a", "b"):
        assert drive.send(Retry(job=job, key=key)).events == []
    assert len(drive.job(job).attempts) == 3
    drive.send(Retry(job=job))
    assert len(drive.job(job).attempts) == 4


@pytest.mark.parametrize("running", [False, True])
def test_a_cancel_that_is_repeated_spares_the_attempt_after_it(running: bool) -> None:
    drive = Drive(joined=running)
    job = drive.one()
    drive.send(Cancel(job=job, key="a"))
    if running:
        drive.end(job, Reason.CANCELLED)
    drive.send(Retry(job=job, key="b"))
    drive.send(Cancel(job=job, key="a"))
    assert not drive.job(job).cancel_requested
    assert drive.job(job).state is (JobState.SUBMITTED if running else JobState.QUEUED)


def test_a_hold_that_is_repeated_undoes_no_release_and_a_job_remembers_some_keys_alone() -> None:
    drive = Drive(joined=False)
    job = drive.one()
    drive.send(Hold(job=job, key="a"))
    drive.send(Release(job=job, key="b"))
    drive.send(Hold(job=job, key="a"))
    assert drive.job(job).state is JobState.QUEUED
    for number in range(40):
        drive.send(SetPriority(job=job, priority=number + 1, key=f"n{number}"))
    assert drive.job(job).granted == tuple(f"n{number}" for number in range(24, 40))
