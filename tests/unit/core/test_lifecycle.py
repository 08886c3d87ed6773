"""The table of transitions is complete, and each event does what its name says."""

import re
import typing
from itertools import product

import pytest
from msgspec.structs import replace

from solveyard.core.lifecycle import BY_EVENT, ENDED_STATE, TRANSITIONS, evolve
from solveyard.model.errors import IllegalTransition
from solveyard.model.jobs import (
    AttemptId,
    Job,
    JobId,
    JobSpec,
    JobState,
    Outcome,
    Placement,
    Reason,
)
from solveyard.model.messages import (
    AnyJobEvent,
    ArrayBegun,
    CancelRequested,
    EvidenceAdded,
    JobAccepted,
    JobAnnotated,
    JobConfirmed,
    JobEnded,
    JobEvent,
    JobHeld,
    JobPlaced,
    JobRecalled,
    JobReleased,
    JobRemoved,
    JobRequeued,
    JobRetried,
    JobStale,
    JobStarted,
    JobSubmitted,
    PriorityChanged,
)
from solveyard.model.resources import Allocation

S = JobState
ID = JobId(1)
AT = AttemptId("u.1.0.1")
HERE = Placement(machine="m", allocation=Allocation(shares=()), slot=1)
SUCCESS = Outcome(reason=Reason.SUCCESS)
EVENTS: dict[type[JobEvent], AnyJobEvent] = {
    JobSubmitted: JobSubmitted(job=ID, at=1.0, by="eve", spec=JobSpec(solver="x"), arrival=1),
    ArrayBegun: ArrayBegun(job=ID, at=2.0),
    JobHeld: JobHeld(job=ID, at=2.0),
    JobReleased: JobReleased(job=ID, at=2.0),
    PriorityChanged: PriorityChanged(job=ID, at=2.0, priority=5),
    JobAnnotated: JobAnnotated(job=ID, at=2.0, tags=("a",), note="n"),
    JobPlaced: JobPlaced(job=ID, at=2.0, attempt=AT, placement=HERE),
    JobRecalled: JobRecalled(job=ID, at=2.0),
    JobAccepted: JobAccepted(job=ID, at=2.0, native_id="4711"),
    JobStarted: JobStarted(job=ID, at=2.0, started_at=2.0),
    JobStale: JobStale(job=ID, at=2.0),
    JobConfirmed: JobConfirmed(job=ID, at=2.0),
    CancelRequested: CancelRequested(job=ID, at=2.0),
    JobEnded: JobEnded(job=ID, at=3.0, outcome=SUCCESS),
    JobRequeued: JobRequeued(
        job=ID, at=3.0, outcome=Outcome(reason=Reason.EXIT_CODE), tries=2, not_before=9.0
    ),
    JobRetried: JobRetried(job=ID, at=4.0, arrival=9),
    EvidenceAdded: EvidenceAdded(job=ID, at=4.0, attempt=AT, note="late"),
    JobRemoved: JobRemoved(job=ID, at=5.0),
}
#: What may happen to a job in each state, and where it leads.
LEGAL: dict[JobState | None, dict[type[JobEvent], JobState | None]] = {
    None: {JobSubmitted: S.QUEUED},
    S.HELD: {
        JobReleased: S.QUEUED, PriorityChanged: S.HELD, JobEnded: S.COMPLETED,
        EvidenceAdded: S.HELD,
    },
    S.QUEUED: {
        ArrayBegun: S.RUNNING, JobHeld: S.HELD, JobPlaced: S.SUBMITTED, PriorityChanged: S.QUEUED,
        JobEnded: S.COMPLETED, EvidenceAdded: S.QUEUED, JobReleased: S.QUEUED,
    },
    S.SUBMITTED: {
        JobAccepted: S.SUBMITTED, JobStarted: S.RUNNING, JobRecalled: S.QUEUED,
        CancelRequested: S.SUBMITTED, PriorityChanged: S.SUBMITTED, JobStale: S.SUBMITTED,
        JobConfirmed: S.SUBMITTED, JobEnded: S.COMPLETED, EvidenceAdded: S.SUBMITTED,
        JobRequeued: S.QUEUED, JobHeld: S.SUBMITTED, JobReleased: S.SUBMITTED,
    },
    S.RUNNING: {
        CancelRequested: S.RUNNING, PriorityChanged: S.RUNNING, JobStale: S.RUNNING,
        JobConfirmed: S.RUNNING, JobEnded: S.COMPLETED, EvidenceAdded: S.RUNNING,
        JobRequeued: S.QUEUED, JobHeld: S.RUNNING, JobReleased: S.RUNNING,
    },
    S.COMPLETED: {JobRetried: S.QUEUED, EvidenceAdded: S.COMPLETED, JobRemoved: None},
    S.FAILED: {JobRetried: S.QUEUED, EvidenceAdded: S.FAILED, JobRemoved: None},
    S.CANCELLED: {JobRetried: S.QUEUED, EvidenceAdded: S.CANCELLED, JobRemoved: None},
}  # fmt: skip
for _state in JobState:
    LEGAL[_state][JobAnnotated] = _state


def life(*events: AnyJobEvent) -> Job:
    job: Job | None = None
    for event in events:
        job = evolve(job, event)
    assert job is not None
    return job


def of(*kinds: type[JobEvent]) -> Job:
    return life(EVENTS[JobSubmitted], *(EVENTS[kind] for kind in kinds))


def in_state(state: JobState | None) -> Job | None:
    if state is None:
        return None
    reasons = {S.COMPLETED: Reason.SUCCESS, S.FAILED: Reason.LOST, S.CANCELLED: Reason.CANCELLED}
    if state in reasons:
        start = of(JobPlaced, JobStarted)
        return evolve(start, JobEnded(job=ID, at=3.0, outcome=Outcome(reason=reasons[state])))
    kinds: dict[JobState, tuple[type[JobEvent], ...]] = {
        S.HELD: (JobHeld,),
        S.QUEUED: (),
        S.SUBMITTED: (JobPlaced,),
        S.RUNNING: (JobPlaced, JobStarted),
    }
    return of(*kinds[state])


def test_every_kind_of_event_is_tried_here() -> None:
    assert set(EVENTS) == set(typing.get_args(AnyJobEvent))


@pytest.mark.parametrize(
    ("state", "kind"),
    list(product([None, *JobState], EVENTS)),
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value),
)
def test_an_event_leads_where_the_table_says_or_is_illegal(
    state: JobState | None, kind: type[JobEvent]
) -> None:
    before = in_state(state)
    assert (before.state if before is not None else None) == state
    if kind not in LEGAL[state]:
        with pytest.raises(IllegalTransition, match=f"{kind.__name__} for job 1, which is"):
            evolve(before, EVENTS[kind])
        return
    after = evolve(before, EVENTS[kind])
    assert (after.state if after is not None else None) == LEGAL[state][kind]


def test_the_table_has_these_moves_and_no_others() -> None:
    legal = {(state, kind) for state, moves in LEGAL.items() for kind in moves}
    assert set(TRANSITIONS) == legal
    for (state, kind), target in TRANSITIONS.items():
        assert target is BY_EVENT or target == LEGAL[state][kind]


def test_each_reason_leads_to_one_final_state() -> None:
    states = {reason: ENDED_STATE.get(reason, S.FAILED) for reason in Reason}
    assert [reason for reason in states if states[reason] is S.COMPLETED] == [Reason.SUCCESS]
    assert [reason for reason in states if states[reason] is S.CANCELLED] == [
        Reason.CANCELLED,
        Reason.SHUTDOWN,
    ]


def test_a_job_is_born_held_or_queued() -> None:
    spec = JobSpec(solver="x", hold=True, priority=3)
    job = life(JobSubmitted(job=ID, at=1.0, by="eve", spec=spec, arrival=1))
    assert (job.state, job.owner, job.priority, job.waiting_since) == (S.HELD, "eve", 3, 1.0)


def test_a_recalled_attempt_is_withdrawn_and_the_wait_goes_on_from_its_beginning() -> None:
    job = of(JobPlaced, JobRecalled)
    assert [attempt.withdrawn for attempt in job.attempts] == [True]
    assert (job.live_attempt, job.waiting_since, job.arrival) == (None, 1.0, 1)


def test_a_retry_forgets_the_wish_to_cancel_but_not_the_attempts() -> None:
    job = of(JobPlaced, CancelRequested, JobEnded, JobRetried)
    assert (job.cancel_requested, job.outcome, job.ended_at) == (False, None, None)
    assert (job.arrival, job.waiting_since) == (9, 4.0)
    assert [attempt.outcome for attempt in job.attempts] == [SUCCESS]


def test_a_new_specification_brings_its_own_priority_and_a_plain_retry_keeps_the_set_one() -> None:
    before = of(PriorityChanged, JobPlaced, JobEnded)
    spec = JobSpec(solver="y", priority=-2, hold=True)
    anew = evolve(before, JobRetried(job=ID, at=4.0, arrival=9, spec=spec))
    again = evolve(before, JobRetried(job=ID, at=4.0, arrival=9))
    assert anew is not None
    assert again is not None
    assert (anew.priority, anew.state, anew.spec) == (-2, S.HELD, spec)
    assert (again.priority, again.state) == (5, S.QUEUED)


def test_a_start_and_an_end_that_name_no_native_id_keep_the_one_known() -> None:
    job = of(JobPlaced, JobAccepted, JobStarted, JobEnded)
    assert job.attempts[0].native_id == "4711"
    assert (job.attempts[0].started_at, job.attempts[0].ended_at) == (2.0, 3.0)


def test_late_evidence_changes_nothing_but_the_notes() -> None:
    before = of(JobPlaced, JobEnded)
    after = evolve(before, EVENTS[EvidenceAdded])
    assert after is not None
    assert after.attempts[0].notes == ("late",)
    assert re.sub(r"notes=\([^)]*\)", "", repr(after)) == re.sub(
        r"notes=\([^)]*\)", "", repr(before)
    )


def test_tags_and_note_change_and_nothing_else() -> None:
    before = of(JobPlaced, JobStarted)
    after = evolve(before, EVENTS[JobAnnotated])
    assert after is not None
    assert (after.spec.tags, after.spec.note) == (("a",), "n")
    assert replace(after, spec=before.spec) == before
    assert replace(after.spec, tags=(), note="") == before.spec
