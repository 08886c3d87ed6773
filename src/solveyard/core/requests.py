"""What people ask for: each request is granted, or refused with nothing changed."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from solveyard.core import names, wishes
from solveyard.core.board import Board
from solveyard.core.lifecycle import never_started
from solveyard.core.refusals import UNSUCCESSFUL, again, check, check_waiting
from solveyard.model.errors import Conflict, InvalidJob, InvalidRequest
from solveyard.model.ids import task_id
from solveyard.model.jobs import WAITING, Job, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.model.messages import (
    Annotate,
    Cancel,
    CancelRequested,
    Drain,
    EndSessions,
    Hold,
    JobAnnotated,
    JobEnded,
    JobHeld,
    JobReleased,
    JobRemoved,
    JobRetried,
    JobSubmitted,
    JobWish,
    LimitsChanged,
    OfSeveral,
    PriorityChanged,
    Release,
    Remove,
    Retry,
    SetLimits,
    SetPriority,
    Submit,
)
from solveyard.model.policies import Link

#: Long work that pauses now and then; nothing is changed before all of it is known to be possible.
Parts = Iterator[None]

_PART = 64  #: jobs between two pauses


def submit(board: Board, asked: Submit) -> Parts:
    taken: set[str] = set()
    named, ids = wishes.numbered(board, asked.specs)
    links: dict[JobId, tuple[Link, ...]] = {}
    for place, (spec, job) in enumerate(zip(asked.specs, ids, strict=True), 1):
        try:
            _check(board, spec, taken, any_name=asked.any_name)
            _check_quota(board, spec, asked.by)
            links[job] = wishes.links(board, spec, named)
        except InvalidRequest as error:
            if len(asked.specs) == 1:
                raise
            raise type(error)(f"job {place} of {len(asked.specs)}: {error}") from error
        if place % _PART == 0:
            yield
    if circle := wishes.circle(board, links, dict(zip(ids, asked.specs, strict=True))):
        raise InvalidJob(f"{circle} (take one of them out of `after`)")
    more = sum(1 if spec.array is None else len(spec.array) for spec in asked.specs)
    check_waiting(board, asked.by, more)
    by, key, session, now = asked.by, asked.key, asked.session, board.now
    for place, (spec, job) in enumerate(zip(asked.specs, ids, strict=True), 1):
        arrival, after = board.next("arrival"), links[job]
        kind: type[JobRetried | JobSubmitted] = JobRetried
        if job not in board.jobs:
            kind = JobSubmitted
            board.take(job)
        board.record(
            kind(
                job=job,
                at=now,
                by=by,
                spec=spec,
                arrival=arrival,
                key=key,
                after=after,
                session=session,
                within=asked.within,
            )
        )
        if place % _PART == 0:
            yield


def _check(board: Board, spec: JobSpec, taken: set[str], *, any_name: bool) -> None:
    """Raises InvalidJob or Conflict; `taken` are the names of the same submission."""
    names.check(spec.name, any_name=any_name)
    if misfit := board.scheduler.needs.misfit_of(spec):
        raise InvalidJob(f"this job could never run: {misfit} (ask for less)")
    if not spec.name:
        return
    if spec.name in taken:
        raise Conflict(f"the name {spec.name!r} is given twice (choose another)")
    taken.add(spec.name)
    job = board.jobs.get(board.names.get(spec.name, JobId(0)))
    if job is not None and not job.state.final:
        raise Conflict(
            f"the name {spec.name!r} is job {job.id}'s, which is {job.state}"
            " (wait for its end, cancel it, or choose another name)"
        )
    if job is not None and (job.is_array or spec.array is not None):
        raise Conflict(
            f"the name {spec.name!r} is job {job.id}'s, and an array can't take another's place"
            " (remove that one, or choose another name)"
        )


def _check_quota(board: Board, spec: JobSpec, owner: str) -> None:
    """Raises InvalidJob."""
    if never := board.scheduler.needs.misfit_of_quota(owner, spec):
        raise InvalidJob(f"this job could never run: {never} (ask for less, or for a larger quota)")


def cancel(board: Board, asked: Cancel) -> None:
    job = board.known(asked.job)
    if job.state.final:
        return
    if job.state in WAITING:
        board.end(job, _unstarted(asked.by), by=asked.by, key=asked.key)
        return
    if not job.cancel_requested:
        board.record(CancelRequested(job=job.id, at=board.now, by=asked.by, key=asked.key))
    if not job.is_array:
        board.kill(job, asked.grace, "cancelled")
        return
    for task in [*board.scheduler.arrays.tasks(job)]:
        if task.state in WAITING:
            told = _unstarted(asked.by)
            board.record(JobEnded(job=task.id, at=board.now, by=asked.by, outcome=told))
        elif not task.state.final:
            cancel(board, replace(asked, job=task.id))
    board.settle(board.jobs[job.id], by=asked.by)


def _unstarted(by: str) -> Outcome:
    whose = f" by {by}" if by else ""
    return never_started(Reason.CANCELLED, f"cancelled{whose} before it started")


def hold(board: Board, asked: Hold) -> None:
    job = board.known(asked.job)
    if job.state is JobState.HELD or job.held:
        board.modify(job)  # somebody may have released it in its batch system
        return
    board.record(JobHeld(job=job.id, at=board.now, by=asked.by, key=asked.key))
    board.modify(board.jobs[job.id])
    for task in _tasks(board, job):
        if task.state is JobState.QUEUED:
            board.record(JobHeld(job=task.id, at=board.now, by=asked.by))


def release(board: Board, asked: Release) -> None:
    job = board.known(asked.job)
    if not job.held and job.state is not JobState.HELD:
        board.modify(job)  # somebody may have held it in its batch system
        return
    board.record(JobReleased(job=job.id, at=board.now, by=asked.by, key=asked.key))
    board.modify(board.jobs[job.id])
    for task in _tasks(board, job):
        if task.state is JobState.HELD:
            board.record(JobReleased(job=task.id, at=board.now, by=asked.by))


def retry(board: Board, asked: Retry) -> None:
    job = board.known(asked.job)
    array = board.array(job)
    if array is not None:
        _retry_task(board, array, job, asked)
        return
    ended = board.scheduler.arrays.ended(job, UNSUCCESSFUL) if job.is_array else []
    arrival = board.next("arrival")
    board.record(JobRetried(job=job.id, at=board.now, by=asked.by, arrival=arrival, key=asked.key))
    for position in ended:
        task = task_id(job.id, position)
        board.record(JobRetried(job=task, at=board.now, by=asked.by, arrival=arrival))


def _retry_task(board: Board, array: Job, task: Job, asked: Retry) -> None:
    arrival, by, now = board.next("arrival"), asked.by, board.now
    if array.state.final:
        board.record(JobRetried(job=array.id, at=now, by=by, arrival=arrival, closed=array.closed))
    board.record(JobRetried(job=task.id, at=now, by=by, arrival=arrival, key=asked.key))
    if array.held or board.jobs[array.id].state is JobState.HELD:
        board.record(JobHeld(job=task.id, at=now, by=by))


def remove(board: Board, asked: Remove) -> None:
    board.record(JobRemoved(job=asked.job, at=board.now, by=asked.by))


def set_priority(board: Board, asked: SetPriority) -> None:
    job = board.known(asked.job)
    for one in (job, *_tasks(board, job)):
        if one.state.final or one.priority == asked.priority:
            continue
        board.record(
            PriorityChanged(
                job=one.id, at=board.now, by=asked.by, priority=asked.priority, key=asked.key
            )
        )
        if asked.priority < one.priority:
            board.actions += board.scheduler.seating.recall_successor(board.jobs[one.id])
        board.modify(board.jobs[one.id])


def annotate(board: Board, asked: Annotate) -> None:
    job = board.known(asked.job)
    tags = asked.tagged(job.spec.tags)
    note = job.spec.note if asked.note is None else asked.note
    if (tags, note) == (job.spec.tags, job.spec.note):
        return
    for one in (job, *_tasks(board, job)):
        key = asked.key if one is job else ""
        board.record(
            JobAnnotated(job=one.id, at=board.now, by=asked.by, tags=tags, note=note, key=key)
        )


def _tasks(board: Board, job: Job) -> list[Job]:
    """Of an array, those that something happened to alone and that weren't put away."""
    return [*board.scheduler.arrays.tasks(job)] if job.is_array else []


def set_limits(board: Board, asked: SetLimits) -> None:
    new = asked.limits
    if asked.only is not None:
        new = replace(board.limits, **{name: getattr(new, name) for name in asked.only})
    if new != board.limits:
        board.limits = new
        board.events.append(LimitsChanged(at=board.now, by=asked.by, limits=new))
        board.scheduler.moved = True
        board.actions += board.scheduler.seating.recall_all()


def drain(board: Board, asked: Drain) -> None:
    board.draining = True
    board.actions += board.scheduler.seating.recall_all()
    if not asked.leave:
        board.ending = asked.grace
        for job in board.scheduler.seating.holding():
            board.kill(job, asked.grace, "shutdown")


def end_sessions(board: Board, asked: EndSessions) -> None:
    """Held jobs stay held; what waits is held: only somebody who releases it lets it run.

    What a batch system has is its own by now, and goes on.
    """
    theirs = [job for job in board.jobs.values() if job.session in asked.sessions]
    for job in theirs:
        if job.state is JobState.QUEUED:
            hold(board, Hold(job=job.id, by=asked.by))
        elif job.state not in WAITING and not job.state.final and not _forwarded(job):
            cancel(board, Cancel(job=job.id, by=asked.by, grace=asked.grace))


def _forwarded(job: Job) -> bool:
    return job.attempt is not None and job.attempt.placement.forwarded


def _alone(board: Board, asked: JobWish) -> None:
    if not _granted(board, asked):
        check(board, asked)
        if isinstance(asked, Retry):
            job = board.known(asked.job)
            check_waiting(board, job.owner, again(board, job))
        CHANGE[type(asked)](board, asked)


def of_several(board: Board, asked: OfSeveral) -> Parts:
    """All are looked at before the first is changed."""
    each = [replace(asked.wish, job=job) for job in asked.jobs]
    more: Counter[str] = Counter()
    try:
        for place, wish in enumerate(each, 1):
            if not _granted(board, wish):
                check(board, wish)
                if isinstance(wish, Retry):
                    job = board.known(wish.job)
                    more[job.owner] += again(board, job)
            if place % _PART == 0:
                yield
        for owner, many in more.items():
            check_waiting(board, owner, many)
    except InvalidRequest as error:
        raise type(error)(f"nothing was done: {error}") from error
    for place, wish in enumerate(each, 1):
        if not _granted(board, wish):
            CHANGE[type(wish)](board, wish)
        if place % _PART == 0:
            yield


def _granted(board: Board, asked: JobWish) -> bool:
    """A change that was granted before, by its key, is not made again: its answer was lost."""
    return bool(asked.key) and asked.key in board.known(asked.job).granted


#: What `check` lets pass. Any: each takes the request of its own type.
CHANGE: dict[type, Callable[[Board, Any], None]] = {
    Cancel: cancel,
    Hold: hold,
    Release: release,
    Retry: retry,
    Remove: remove,
    SetPriority: set_priority,
    Annotate: annotate,
}
GRANT: dict[type, Callable[[Board, Any], Parts | None]] = {
    Submit: submit,
    **dict.fromkeys(CHANGE, _alone),
    OfSeveral: of_several,
    SetLimits: set_limits,
    Drain: drain,
    EndSessions: end_sessions,
}
