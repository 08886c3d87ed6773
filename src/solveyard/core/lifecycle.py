"""The life of one job, as a table and a fold.

Everything that changes a job is in this file. A pair that is not in the table is illegal.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from solveyard.model.errors import IllegalTransition
from solveyard.model.ids import task_id
from solveyard.model.jobs import Attempt, Job, JobSpec, JobState, Outcome, Reason
from solveyard.model.messages import (
    AnyJobEvent,
    ArrayBegun,
    CancelRequested,
    EvidenceAdded,
    JobAccepted,
    JobAnnotated,
    JobConfirmed,
    JobEnded,
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

HELD, QUEUED, SUBMITTED = JobState.HELD, JobState.QUEUED, JobState.SUBMITTED
RUNNING, COMPLETED = JobState.RUNNING, JobState.COMPLETED
FAILED, CANCELLED = JobState.FAILED, JobState.CANCELLED


#: Keys that a job remembers of the changes that were asked for, and of submissions: the newest.
REMEMBERED = 16


class ByEvent:
    """Marks a move whose next state is in what the event carries: see `_next_state`."""


BY_EVENT = ByEvent()

#: (state, event) -> next state. No state: the job doesn't exist, before or after.
TRANSITIONS: Mapping[tuple[JobState | None, type[AnyJobEvent]], JobState | ByEvent | None] = {
    (None, JobSubmitted): BY_EVENT,
    (QUEUED, ArrayBegun): RUNNING,
    (RUNNING, JobHeld): RUNNING,
    (RUNNING, JobReleased): RUNNING,
    (HELD, JobReleased): QUEUED,
    (HELD, PriorityChanged): HELD,
    (HELD, JobEnded): BY_EVENT,
    (QUEUED, JobHeld): HELD,
    (QUEUED, JobPlaced): SUBMITTED,
    (QUEUED, PriorityChanged): QUEUED,
    (QUEUED, JobEnded): BY_EVENT,
    (QUEUED, JobReleased): QUEUED,
    (SUBMITTED, JobHeld): SUBMITTED,
    (SUBMITTED, JobReleased): SUBMITTED,
    (SUBMITTED, JobAccepted): SUBMITTED,
    (SUBMITTED, JobStarted): RUNNING,
    (SUBMITTED, JobRecalled): QUEUED,
    (SUBMITTED, CancelRequested): SUBMITTED,
    (SUBMITTED, PriorityChanged): SUBMITTED,
    (SUBMITTED, JobStale): SUBMITTED,
    (SUBMITTED, JobConfirmed): SUBMITTED,
    (SUBMITTED, JobEnded): BY_EVENT,
    (SUBMITTED, JobRequeued): QUEUED,
    (RUNNING, CancelRequested): RUNNING,
    (RUNNING, PriorityChanged): RUNNING,
    (RUNNING, JobStale): RUNNING,
    (RUNNING, JobConfirmed): RUNNING,
    (RUNNING, JobEnded): BY_EVENT,
    (RUNNING, JobRequeued): QUEUED,
    (COMPLETED, JobRetried): BY_EVENT,
    (COMPLETED, EvidenceAdded): COMPLETED,
    (COMPLETED, JobRemoved): None,
    (FAILED, JobRetried): BY_EVENT,
    (FAILED, EvidenceAdded): FAILED,
    (FAILED, JobRemoved): None,
    (CANCELLED, JobRetried): BY_EVENT,
    (CANCELLED, EvidenceAdded): CANCELLED,
    (CANCELLED, JobRemoved): None,
    # Evidence about an old attempt may come while a newer one waits or runs.
    (HELD, EvidenceAdded): HELD,
    (QUEUED, EvidenceAdded): QUEUED,
    (SUBMITTED, EvidenceAdded): SUBMITTED,
    (RUNNING, EvidenceAdded): RUNNING,
    **{(state, JobAnnotated): state for state in JobState},
}

#: Where each reason leads; what is not here failed.
ENDED_STATE: Mapping[Reason, JobState] = {
    Reason.SUCCESS: COMPLETED,
    Reason.CANCELLED: CANCELLED,
    Reason.SHUTDOWN: CANCELLED,
}


def unopened(array: Job, position: int) -> Job:
    """The task at `position`, as long as it has no record of its own."""
    waiting = HELD if array.held or array.state is HELD else QUEUED
    outcome = array.outcome or never_started(Reason.CANCELLED, "its array was cancelled before")
    return Job(
        id=task_id(array.id, position),
        spec=array.spec,
        owner=array.owner,
        submitted_at=array.submitted_at,
        waiting_since=array.waiting_since,
        arrival=array.arrival,
        priority=array.priority,
        state=CANCELLED if array.closed else waiting,
        key=array.key,
        after=array.after,
        within=array.within,
        outcome=outcome if array.closed else None,
        ended_at=array.ended_at if array.closed else None,
    )


def evolve(job: Job | None, event: AnyJobEvent) -> Job | None:
    """The job after `event`; None once it is removed. A task without a record is `unopened`.

    Raises IllegalTransition when the table has no such move.
    """
    state = job.state if job is not None else None
    key = (state, type(event))
    if key not in TRANSITIONS:
        raise IllegalTransition(
            f"{type(event).__name__} for job {event.job}, which is {state or 'not there'}"
        )
    target = TRANSITIONS[key]
    if target is None:
        return None
    next_state = _next_state(event) if isinstance(target, ByEvent) else target
    if job is None:
        return _submitted(event, next_state)
    changed = _changed(job, event, next_state)
    anew = isinstance(event, JobRetried) and event.spec is not None  # that key is the job's own
    if not event.key or anew:
        return changed
    return replace(changed, granted=(*job.granted, event.key)[-REMEMBERED:])


def _next_state(event: AnyJobEvent) -> JobState:
    match event:
        case JobSubmitted(spec=spec):
            return _waiting_state(spec)
        case JobRetried(spec=spec):
            return QUEUED if spec is None else _waiting_state(spec)
        case JobEnded(outcome=outcome):
            return ENDED_STATE.get(outcome.reason, FAILED)
        case _:
            raise IllegalTransition(f"{type(event).__name__} doesn't say where it leads")


def _waiting_state(spec: JobSpec) -> JobState:
    return HELD if spec.hold else QUEUED


def _submitted(event: AnyJobEvent, state: JobState) -> Job:
    assert isinstance(event, JobSubmitted)
    return Job(
        id=event.job,
        spec=event.spec,
        owner=event.by,
        submitted_at=event.at,
        waiting_since=event.at,
        arrival=event.arrival,
        priority=event.spec.priority,
        state=state,
        key=event.key,
        after=event.after,
        session=event.session,
        within=event.within,
    )


def _changed(job: Job, event: AnyJobEvent, state: JobState) -> Job:
    match event:
        case JobPlaced(attempt=attempt, placement=placement, at=at):
            placed = Attempt(id=attempt, placement=placement, placed_at=at)
            attempts = (*job.attempts, placed)
            return replace(job, state=state, attempts=attempts, not_before=None)
        case JobRecalled():
            return replace(job, state=state, attempts=_last(job, withdrawn=True))
        case JobAccepted(native_id=native_id):
            return replace(job, attempts=_last(job, native_id=native_id))
        case JobStarted(native_id=native_id, started_at=started_at):
            known = job.attempts[-1].native_id
            attempts = _last(job, native_id=native_id or known, started_at=started_at)
            return replace(job, state=state, attempts=attempts, held=False)
        case JobEnded() | JobRequeued() | JobRetried():
            return _over(job, event, state)
        case JobStale() | JobConfirmed():
            return replace(job, stale_since=event.at if isinstance(event, JobStale) else None)
        case CancelRequested():
            return replace(job, cancel_requested=True, closed=job.is_array)
        case JobHeld() | JobReleased():
            lasting = job.is_array or job.state is SUBMITTED  # else HELD says it
            return replace(job, state=state, held=lasting and isinstance(event, JobHeld))
        case PriorityChanged(priority=priority):
            return replace(job, priority=priority)
        case JobAnnotated(tags=tags, note=note):
            return replace(job, spec=replace(job.spec, tags=tags, note=note))
        case EvidenceAdded():
            return _noted(job, event)
        case _:
            return replace(job, state=state)


def _noted(job: Job, event: EvidenceAdded) -> Job:
    noted = tuple(
        replace(attempt, notes=(*attempt.notes, event.note)) if attempt.id == event.attempt
        else attempt
        for attempt in job.attempts
    )  # fmt: skip
    return replace(job, attempts=noted)


def _last(job: Job, **changes: object) -> tuple[Attempt, ...]:
    return (*job.attempts[:-1], replace(job.attempts[-1], **changes))


def _told(job: Job, event: JobEnded | JobRequeued) -> tuple[Attempt, ...]:
    """Its attempts, the last of which has ended."""
    last = job.attempts[-1]
    return _last(
        job,
        outcome=event.outcome,
        ended_at=event.at,
        usage=event.usage,
        native_id=event.native_id or last.native_id,
        started_at=event.started_at if event.started_at is not None else last.started_at,
    )


def _ended(job: Job, event: JobEnded, state: JobState) -> Job:
    attempts = job.attempts if job.live_attempt is None else _told(job, event)
    return replace(
        job,
        state=state,
        attempts=attempts,
        outcome=event.outcome,
        ended_at=event.at,
        held=job.held and job.is_array,
        stale_since=None,
        not_before=None,
        closed=job.closed or (job.is_array and job.state is not RUNNING),
    )


def _over(job: Job, event: JobEnded | JobRequeued | JobRetried, state: JobState) -> Job:
    """One run of it is over, or it begins anew."""
    match event:
        case JobEnded():
            return _ended(job, event, state)
        case JobRequeued():
            return _requeued(job, event)
        case JobRetried():
            return _retried(job, event, state)


def _requeued(job: Job, event: JobRequeued) -> Job:
    return replace(
        job,
        state=QUEUED,
        held=False,
        attempts=_told(job, event),
        stale_since=None,
        waiting_since=event.not_before,  # a pause is no wait
        tries=event.tries,
        mishaps=event.mishaps,
        not_before=event.not_before,
        memory=event.memory,
    )


def _retried(job: Job, event: JobRetried, state: JobState) -> Job:
    spec = event.spec if event.spec is not None else job.spec
    return replace(
        job,
        spec=spec,
        owner=job.owner if event.spec is None else event.by,
        state=state,
        arrival=event.arrival,
        submitted_at=job.submitted_at if event.spec is None else event.at,
        waiting_since=event.at,
        priority=job.priority if event.spec is None else spec.priority,
        cancel_requested=False,
        stale_since=None,
        outcome=None,
        ended_at=None,
        key=job.key if event.spec is None else event.key,
        earlier=job.earlier if event.spec is None else job.submissions[-REMEMBERED:],
        after=job.after if event.spec is None else event.after,
        session=job.session if event.spec is None else event.session,
        within=job.within if event.spec is None else event.within,
        closed=event.closed,
        held=False,
        tries=1,
        mishaps=0,
        memory=None,
    )


def never_started(reason: Reason, message: str) -> Outcome:
    """The outcome of a job that ended while it waited."""
    return Outcome(reason=reason, message=message)
