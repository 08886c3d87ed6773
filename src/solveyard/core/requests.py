"""What people ask for: each request is granted, or refused with nothing changed."""

from collections.abc import Callable
from typing import Any

from solveyard.core import names
from solveyard.core.board import WAITING, Board
from solveyard.core.lifecycle import never_started
from solveyard.model.errors import Conflict, InvalidJob, InvalidRequest
from solveyard.model.jobs import JobId, JobSpec, JobState, Reason
from solveyard.model.messages import (
    Cancel,
    CancelRequested,
    Drain,
    Hold,
    JobHeld,
    JobReleased,
    JobRemoved,
    JobRetried,
    JobSubmitted,
    LimitsChanged,
    PriorityChanged,
    Release,
    Remove,
    Retry,
    SetLimits,
    SetPriority,
    Submit,
)


def submit(board: Board, asked: Submit) -> None:
    taken: set[str] = set()
    for place, spec in enumerate(asked.specs, 1):
        try:
            _check(board, spec, taken)
        except InvalidRequest as error:
            if len(asked.specs) == 1:
                raise
            raise type(error)(f"job {place} of {len(asked.specs)}: {error}") from error
    by, key = asked.by, asked.key
    for spec in asked.specs:
        known = board.names.get(spec.name) if spec.name else None
        arrival = board.next("arrival")
        if known is None:
            job = JobId(board.next("next"))
            board.record(
                JobSubmitted(job=job, at=board.now, by=by, spec=spec, arrival=arrival, key=key)
            )
        else:
            board.record(
                JobRetried(job=known, at=board.now, by=by, spec=spec, arrival=arrival, key=key)
            )


def _check(board: Board, spec: JobSpec, taken: set[str]) -> None:
    """Raises InvalidJob or Conflict; `taken` are the names of the same submission."""
    names.check(spec.name)
    if misfit := board.scheduler.inventory.misfit(spec.resources):
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


def cancel(board: Board, asked: Cancel) -> None:
    job = board.known(asked.job)
    if job.state.final:
        return
    if job.state in WAITING:
        whose = f" by {asked.by}" if asked.by else ""
        told = never_started(Reason.CANCELLED, f"cancelled{whose} before it started")
        board.end(job, told, by=asked.by)
        return
    if not job.cancel_requested:
        board.record(CancelRequested(job=job.id, at=board.now, by=asked.by))
    board.kill(job, asked.grace, "cancelled")


def hold(board: Board, asked: Hold) -> None:
    job = board.known(asked.job)
    if job.state is JobState.HELD:
        return
    if job.state is not JobState.QUEUED:
        raise Conflict(f"job {job.id} is {job.state}; only a queued job can be held")
    board.record(JobHeld(job=job.id, at=board.now, by=asked.by))


def release(board: Board, asked: Release) -> None:
    job = board.known(asked.job)
    if job.state is JobState.QUEUED:
        return
    if job.state is not JobState.HELD:
        raise Conflict(f"job {job.id} is {job.state}; only a held job can be released")
    board.record(JobReleased(job=job.id, at=board.now, by=asked.by))


def retry(board: Board, asked: Retry) -> None:
    job = board.known(asked.job)
    if not job.state.final:
        raise Conflict(f"job {job.id} is {job.state}; only an ended job can be retried")
    arrival = board.next("arrival")
    board.record(JobRetried(job=job.id, at=board.now, by=asked.by, arrival=arrival))


def remove(board: Board, asked: Remove) -> None:
    job = board.known(asked.job)
    if not job.state.final:
        raise Conflict(f"job {job.id} is {job.state}; cancel it before you remove it")
    board.record(JobRemoved(job=job.id, at=board.now, by=asked.by))


def set_priority(board: Board, asked: SetPriority) -> None:
    job = board.known(asked.job)
    if job.state.final:
        raise Conflict(f"job {job.id} has ended; its priority can't matter any more")
    if not -(10**9) <= asked.priority <= 10**9:
        raise InvalidJob(f"priority {asked.priority} is not within +-1 000 000 000")
    if job.priority != asked.priority:
        board.record(
            PriorityChanged(job=job.id, at=board.now, by=asked.by, priority=asked.priority)
        )
        if asked.priority < job.priority:
            board.actions += board.scheduler.recall_successor(board.jobs[job.id])


def set_limits(board: Board, asked: SetLimits) -> None:
    if asked.limits != board.limits:
        board.limits = asked.limits
        board.events.append(LimitsChanged(at=board.now, by=asked.by, limits=asked.limits))
        board.scheduler.moved = True
        board.actions += board.scheduler.recall_all()


def drain(board: Board, asked: Drain) -> None:
    board.draining = True
    board.actions += board.scheduler.recall_all()
    if not asked.leave:
        board.ending = asked.grace
        for job in board.scheduler.holding():
            board.kill(job, asked.grace, "shutdown")


#: Any: each takes the request of its own type.
GRANT: dict[type, Callable[[Board, Any], None]] = {
    Submit: submit,
    Cancel: cancel,
    Hold: hold,
    Release: release,
    Retry: retry,
    Remove: remove,
    SetPriority: set_priority,
    SetLimits: set_limits,
    Drain: drain,
}
