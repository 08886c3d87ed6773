"""Jobs for a cluster have a line of their own; a batch system places them, a bounded number."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.engine import Engine
from solveyard.model.errors import Conflict, InvalidRequest
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Limits, Outcome, Reason, Usage
from solveyard.model.messages import (
    Accepted,
    AgentJoined,
    Ask,
    Cancel,
    ClockSet,
    ClusterJoined,
    ClusterLeft,
    Drain,
    Ended,
    Hold,
    JobStale,
    Kill,
    Launch,
    Message,
    Missing,
    Modify,
    Recalled,
    Release,
    SetLimits,
    SetPriority,
    Stale,
    Started,
    Submit,
    Ticked,
)
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Resources
from unit.core.drive import Drive

FAR = JobSpec(solver="x", on="far", resources=Resources(cores=500, licences={"hfss": 9}))
HERE = JobSpec(solver="x")


def drive(most: int = 2, cores: int = 1) -> Drive:
    driven = Drive(cores)
    driven.send(ClusterJoined(machine="far", most=most))
    return driven


def accept(driven: Drive, job: JobId, native_id: str = "7") -> None:
    driven.send(Accepted(attempt=driven.attempt(job), native_id=native_id))


def test_a_cluster_is_given_as_many_jobs_as_it_may_have_the_most_urgent_first() -> None:
    driven = drive(most=2)
    driven.send(ClusterLeft(machine="far"))
    urgent = msgspec.structs.replace(FAR, priority=1)
    first, second, third = driven.submit(FAR, FAR, urgent)
    assert driven.launched() == []
    driven.send(ClusterJoined(machine="far", most=2))
    assert driven.launched() == [third, first]
    assert driven.job(third).attempts[-1].placement.machine == "far"
    driven.start(third)
    driven.end(third)
    assert driven.launched() == [third, first, second]


def test_what_waits_for_a_cluster_delays_nobody_here_and_the_other_way_round() -> None:
    driven = drive(most=0)
    _, here = driven.submit(FAR, HERE)
    assert driven.launched() == [here]
    driven.send(ClusterJoined(machine="far", most=1))
    assert driven.launched()[1:] == [1]


def test_a_forwarded_job_needs_no_core_and_no_licence_here_and_counts_to_no_limit() -> None:
    driven = drive()
    driven.send(SetLimits(limits=Limits(max_concurrent=1)))
    far, here, waiting = driven.submit(FAR, HERE, HERE)
    assert driven.launched() == [far, here]
    assert driven.engine.inventory.booked("m") == (1, 1)
    assert driven.job(waiting).state is JobState.QUEUED
    assert "limit of 1" in driven.engine.why(waiting)


def test_it_is_submitted_until_the_batch_system_starts_it() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    assert driven.job(far).state is JobState.SUBMITTED
    assert driven.engine.why(far) == "far to take it"
    accept(driven, far)
    assert driven.job(far).attempts[-1].native_id == "7"
    assert driven.engine.why(far) == "far to start it"
    driven.start(far)
    assert driven.job(far).state is JobState.RUNNING


def test_what_can_not_be_seen_there_is_stale_and_keeps_its_place_until_it_is_seen() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    accept(driven, far)
    for _ in range(2):
        driven.send(Stale(attempt=driven.attempt(far)))
    assert driven.job(far).stale_since == driven.now
    assert driven.job(far).state is JobState.SUBMITTED
    accept(driven, far)
    assert driven.job(far).stale_since is None


def test_why_a_job_waits_for_a_cluster_is_told() -> None:
    driven = Drive()
    first, second = driven.submit(FAR, FAR)
    assert driven.engine.why(first) == "cluster far to answer"
    driven.send(ClusterJoined(machine="far", most=1))
    assert driven.engine.why(second) == "cluster far, which has 1 jobs of 1 that it may"


def bench(amount: int, on: str = "far") -> JobSpec:
    return JobSpec(solver="x", on=on, resources=Resources(counts={"bench": amount}))


def test_a_clusters_own_counts_are_held_by_what_is_with_it_and_delay_only_who_wants_them() -> None:
    driven = Drive()
    driven.send(ClusterJoined(machine="far", most=9, counts={"bench": 2}))
    first, second, small, other = driven.submit(bench(1), bench(2), bench(1), FAR)
    assert driven.launched() == [first, other]
    assert driven.engine.why(second, place=False) == "2 of bench (1 free on far)"
    assert driven.job(small).state is JobState.QUEUED, "it would delay the one before it"
    accept(driven, first)
    driven.end(first)
    assert driven.launched() == [first, other, second]
    driven.end(second)
    assert driven.launched() == [first, other, second, small]


def test_a_count_that_a_cluster_shares_is_taken_once_here_and_there() -> None:
    driven = Drive(cores=9)
    nodes = {"a": Resources(cores=9, memory=100)}
    driven.send(AgentJoined(machine="m", nodes=nodes, boot_id="boot", counts={"bench": 2}))
    driven.send(ClusterJoined(machine="far", most=9, shared=("bench",)))
    far, here = driven.submit(bench(1), bench(1, ""))
    late, later = driven.submit(bench(1), bench(1, ""))
    assert driven.launched() == [far, here]
    assert driven.engine.why(late, place=False) == "1 of bench (0 free here and there)"
    driven.end(here)
    assert driven.launched() == [far, here, late]
    driven.end(far)
    assert driven.launched() == [far, here, late, later]


def test_what_runs_in_a_cluster_started_by_its_own_clock_which_has_not_leapt() -> None:
    driven = Drive(cores=9)
    nodes = {"a": Resources(cores=9, memory=100)}
    driven.send(AgentJoined(machine="m", nodes=nodes, boot_id="boot", counts={"bench": 1}))
    driven.send(ClusterJoined(machine="far", most=9, shared=("bench",)))
    (far,) = driven.submit(msgspec.structs.replace(bench(1), time_limit=100.0))
    accept(driven, far)
    driven.send(ClockSet(at=driven.now + 1.0, by=3600.0), after=3601.0)
    driven.send(Started(attempt=driven.attempt(far), native_id="7", at=driven.now - 1.0))
    (here,) = driven.submit(bench(1, ""))
    assert "until 1970-01-01 01:03:50 UTC at the latest" in driven.why(here)


def test_a_cluster_that_answers_again_is_asked_for_all_that_it_has() -> None:
    driven = drive()
    far, other = driven.submit(FAR, FAR)
    accept(driven, far)
    driven.send(ClusterLeft(machine="far"))
    step = driven.send(Ticked(), after=10)
    assert [event.job for event in step.events if isinstance(event, JobStale)] == [far, other]
    step = driven.send(ClusterJoined(machine="far", most=2))
    attempts = (driven.attempt(far), driven.attempt(other))
    assert step.actions == [Ask(machine="far", spawner=0, attempts=attempts)]
    assert driven.job(far).stale_since is not None
    accept(driven, far)
    assert driven.job(far).stale_since is None


def test_a_job_that_the_cluster_was_never_given_is_sent_again_as_the_same_attempt() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    driven.send(Missing(attempt=driven.attempt(far), boot_id="", ledger=""))
    assert [launch.attempt for launch in driven.launches] == [driven.attempt(far)] * 2


def test_it_is_cancelled_once_the_batch_system_says_so() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    accept(driven, far)
    step = driven.send(Cancel(job=far))
    assert [type(action) for action in step.actions] == [Kill]
    assert driven.job(far).state is JobState.SUBMITTED
    driven.send(Ended(attempt=driven.attempt(far), outcome=Outcome(reason=Reason.CANCELLED)))
    assert driven.job(far).state is JobState.CANCELLED


def test_one_that_is_taken_back_before_it_was_sent_ends_as_cancelled() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    driven.send(Cancel(job=far))
    driven.send(Recalled(attempt=driven.attempt(far)))
    assert driven.job(far).state is JobState.CANCELLED


@pytest.mark.parametrize(
    ("said", "told"), [(90.0, 90.0), (99.0, 99.0), (99.25, 100.0), (100.5, 100.5), (4000.0, 101.0)]
)
def test_a_start_by_a_batch_systems_clock_is_before_now_and_not_in_the_second_before_its_launch(
    said: float, told: float
) -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    accept(driven, far)
    driven.send(Started(attempt=driven.attempt(far), native_id="7", at=said), after=1.0)
    assert driven.job(far).attempts[-1].started_at == told
    outcome = Outcome(reason=Reason.SUCCESS)
    usage = Usage(wall=10.0)
    driven.send(
        Ended(attempt=driven.attempt(far), outcome=outcome, started_at=said, usage=usage),
        after=10.0,
    )
    assert driven.job(far).attempts[-1].started_at == told


def test_a_hold_and_a_priority_reach_the_batch_system_while_the_job_waits_there() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    accept(driven, far)
    (action,) = driven.send(Hold(job=far)).actions
    assert isinstance(action, Modify)
    assert (action.held, action.priority) == (True, 0)
    assert driven.job(far).held
    assert "held" in driven.engine.why(far)
    (action,) = driven.send(SetPriority(job=far, priority=4)).actions
    assert isinstance(action, Modify)
    assert (action.held, action.priority) == (True, 4)
    accept(driven, far)
    assert [type(one) for one in driven.step.actions] == [Modify]  # it may not have been told
    for held, wish in ((True, Hold(job=far)), (False, Release(job=far)), (False, Release(job=far))):
        (action,) = driven.send(wish).actions  # whatever somebody did there meanwhile
        assert isinstance(action, Modify)
        assert action.held is held
    driven.start(far)
    with pytest.raises(Conflict, match="only a queued job"):
        driven.send(Hold(job=far))


def test_a_hold_before_the_batch_system_took_the_job_reaches_it_once_it_has() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    driven.send(Hold(job=far))
    accept(driven, far)
    (action,) = driven.step.actions
    assert isinstance(action, Modify)
    assert (action.held, action.priority) == (True, 0)


def test_a_held_job_that_comes_back_waits_held_until_it_is_released() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    driven.send(Hold(job=far))
    driven.send(Recalled(attempt=driven.attempt(far)))
    assert driven.job(far).state is JobState.QUEUED
    assert len(driven.launches) == 1
    driven.send(Release(job=far))
    assert len(driven.launches) == 2


def test_a_job_that_was_preempted_is_tried_again_there() -> None:
    driven = drive()
    spec = msgspec.structs.replace(FAR, retry=RetryPolicy(on=("preempted",), delay=1.0))
    (far,) = driven.submit(spec)
    driven.start(far)
    driven.end(far, Reason.PREEMPTED)
    assert driven.job(far).state is JobState.QUEUED
    driven.send(Ticked(), after=60)
    assert len(driven.launches) == 2


def test_a_stop_that_ends_what_runs_ends_what_was_forwarded_too() -> None:
    driven = drive()
    (far,) = driven.submit(FAR)
    step = driven.send(Drain(leave=True))
    assert step.actions == []
    step = driven.send(Drain(grace=3))
    assert [a.attempt for a in step.actions if isinstance(a, Kill)] == [driven.attempt(far)]


def kills(driven: Drive) -> list[str]:
    return [action.because for action in driven.step.actions if isinstance(action, Kill)]


def too_long(driven: Drive) -> JobId:
    """A job that has waited there for as long as it may."""
    far = driven.submit(msgspec.structs.replace(FAR, wait_limit=5.0))[0]
    accept(driven, far)
    assert driven.step.wake == driven.now + 5.0
    driven.send(Ticked(), after=4.9)
    assert kills(driven) == []
    driven.send(Ticked(), after=0.1)
    return far


def test_what_waits_in_a_batch_systems_line_for_too_long_is_taken_out_of_it() -> None:
    driven = drive()
    far = too_long(driven)
    assert kills(driven) == ["wait_limit"]
    assert driven.step.wake is None
    assert (driven.job(far).state, driven.job(far).cancel_requested) == (JobState.SUBMITTED, False)
    assert kills_after_a_restart(driven) == ["wait_limit"]
    accept(driven, far)  # it may not have been told
    assert kills(driven) == ["wait_limit"]
    driven.send(Ended(attempt=driven.attempt(far), outcome=Outcome(reason=Reason.WAIT_LIMIT)))
    assert (driven.job(far).state, driven.job(far).outcome.reason) == (
        JobState.FAILED,
        "wait_limit",
    )


def kills_after_a_restart(driven: Drive) -> list[str]:
    again = Drive(joined=False)
    again.engine, again.now = driven.restored(), driven.now
    again.send(Ticked())
    return kills(again)


def test_one_that_begins_in_time_or_meanwhile_goes_on() -> None:
    driven = drive()
    driven.start(driven.submit(msgspec.structs.replace(FAR, wait_limit=5.0))[0])
    driven.send(Ticked(), after=6.0)
    assert kills(driven) == []
    late = too_long(driven)
    driven.start(late)
    assert kills(driven) == []
    assert driven.job(late).state is JobState.RUNNING
    assert kills_after_a_restart(driven) == []


@pytest.mark.parametrize("never", [True, False])
def test_one_that_waited_for_too_long_and_never_left_ends_by_that(never: bool) -> None:
    driven = drive()
    far = too_long(driven)
    attempt = driven.attempt(far)
    missing = Missing(attempt=attempt, boot_id="", ledger="")
    driven.send(missing if never else Recalled(attempt=attempt))
    assert driven.job(far).outcome.reason is Reason.WAIT_LIMIT
    assert driven.launched() == [far]


@pytest.mark.parametrize("wish", [Cancel(job=JobId(1)), Drain()])
def test_who_is_ended_for_another_reason_has_not_waited_for_too_long(wish: Message) -> None:
    driven = drive()
    far = driven.submit(msgspec.structs.replace(FAR, wait_limit=5.0))[0]
    driven.send(wish)
    assert len(kills(driven)) == 1
    driven.send(Ticked(), after=6.0)
    assert kills(driven) == []
    accept(driven, far)
    assert kills(driven) == ["cancelled" if isinstance(wish, Cancel) else "shutdown"]


# Whatever happens

_KINDS = 12


def _message(engine: Engine, kind: int, index: int) -> Message:
    """Something that could be said next, chosen by two numbers."""
    jobs = [*engine.jobs.values()]
    job = jobs[index % len(jobs)] if jobs else None
    if job is None or kind == 0:
        near = msgspec.structs.replace(FAR, on="near")
        brief = msgspec.structs.replace(FAR, wait_limit=2.0)
        return Submit(specs=((FAR, HERE, near, bench(1), bench(2), brief)[index % 6],))
    attempt = job.attempts[-1] if job.attempts else None
    match kind:
        case 1:
            name = ("far", "near")[index % 2]
            return ClusterJoined(machine=name, most=index % 4, counts={"bench": 2})
        case 2:
            return ClusterLeft(machine=("far", "near")[index % 2])
        case 3:
            return Cancel(job=job.id)
        case 4:
            return Hold(job=job.id)
        case 5:
            return Release(job=job.id)
        case 6:
            return SetPriority(job=job.id, priority=index % 3)
        case _ if attempt is None:
            return Ticked()
        case 7:
            return Accepted(attempt=attempt.id, native_id=str(index))
        case 8:
            return Started(attempt=attempt.id, native_id=str(index), at=1.0)
        case 9:
            reason = (Reason.SUCCESS, Reason.PREEMPTED, Reason.CANCELLED)[index % 3]
            return Ended(attempt=attempt.id, outcome=Outcome(reason=reason))
        case 10:
            return Recalled(attempt=attempt.id)
        case _:
            return Missing(attempt=attempt.id, boot_id="", ledger="")


@given(told=st.lists(st.tuples(st.integers(0, _KINDS - 1), st.integers(0, 11)), max_size=60))
def test_no_order_of_messages_gives_a_cluster_more_than_it_may_have_or_one_job_twice(
    told: list[tuple[int, int]],
) -> None:
    driven = drive(most=1)
    most = {"far": 1, "near": 0}
    open_to = {"far"}
    sent: dict[str, set[str]] = {"far": set(), "near": set()}
    for kind, index in told:
        message = _message(driven.engine, kind, index)
        if isinstance(message, ClusterJoined):
            most[message.machine] = message.most
            open_to.add(message.machine)
        elif isinstance(message, ClusterLeft):
            open_to.discard(message.machine)
        before = {
            job.live_attempt.id
            for job in driven.engine.jobs.values()
            if job.live_attempt is not None
        }
        try:
            step = driven.send(message, after=0.5)
        except InvalidRequest:
            continue
        new = [a for a in step.actions if isinstance(a, Launch) and a.placement.forwarded]
        for launch in new:
            name = launch.placement.machine
            assert name in open_to or isinstance(message, Missing)
            assert launch.attempt not in sent[name] or isinstance(message, Missing)
            sent[name].add(launch.attempt)
        for name, limit in most.items():
            there = {
                job.live_attempt.id
                for job in driven.engine.jobs.values()
                if job.live_attempt is not None and job.live_attempt.placement.machine == name
            }
            assert len(there) <= limit or there <= before
        held = [
            job.spec.resources.counts.get("bench", 0)
            for job in driven.engine.jobs.values()
            if job.live_attempt is not None
        ]
        assert sum(held) <= 2
    _restored_is_the_same(driven)


def _restored_is_the_same(driven: Drive) -> None:
    """The same messages lead to the same from here, whichever engine hears them."""
    engine = driven.engine
    fresh = Engine("u", driven.restored().jobs.values(), engine.limits, engine.counter)
    assert fresh.jobs == engine.jobs
    joins: list[Message] = [ClusterJoined(machine="far", most=3, counts={"bench": 2})]
    joins += [ClusterJoined(machine="near", most=1)]
    for engine in (driven.engine, fresh):
        engine.handle(ClusterLeft(machine="far"), driven.now)
        engine.handle(ClusterLeft(machine="near"), driven.now)
        engine.handle(Ticked(), driven.now + 20)
    for at, message in enumerate(joins, 21):
        mine = driven.engine.handle(message, driven.now + at)
        theirs = fresh.handle(message, driven.now + at)
        assert mine.events == theirs.events
        assert _forwarded(mine.actions) == _forwarded(theirs.actions)


def _forwarded(actions: list[object]) -> list[object]:
    return [a for a in actions if isinstance(a, Ask) or (isinstance(a, Launch) and a.spec.on)]


def test_a_record_from_before_there_were_clusters_is_still_read() -> None:
    old = b'{"id":1,"spec":{"solver":"x"},"owner":"","submitted_at":1,"arrival":1,"priority":0'
    old += b',"state":"submitted","attempts":[{"id":"u.1.0.1","placed_at":1,"placement":'
    old += b'{"machine":"m","allocation":{"shares":[{"node":"a","cores":1}]},"slot":1}}]}'
    job = msgspec.json.decode(old, type=Job)
    engine = Engine("u", [job])
    assert not engine.jobs[JobId(1)].attempts[0].placement.forwarded


def test_a_job_for_here_waits_for_an_agent_though_a_cluster_answers() -> None:
    drive = Drive(joined=False)
    drive.send(ClusterJoined(machine="slurm", most=5))
    assert drive.why(drive.one()) == "a machine's agent to connect"
