"""Why a change that somebody asks for can't be made: looked at before anything is changed.

Each raises a Conflict, or another InvalidRequest, that says what is wrong and the way out.
"""

from collections.abc import Collection, Iterator
from itertools import chain

from solveyard.core import wishes
from solveyard.core.board import Board
from solveyard.core.clusters import waits_elsewhere
from solveyard.core.retention import check_ended, wanted
from solveyard.model.errors import Conflict, InvalidJob, QuotaReached
from solveyard.model.ids import array_of, task_id
from solveyard.model.jobs import FINAL, Job, JobId, JobState, Reason
from solveyard.model.messages import (
    Annotate,
    Cancel,
    Hold,
    JobWish,
    Release,
    Remove,
    Retry,
    SetPriority,
)
from solveyard.model.policies import Link

UNSUCCESSFUL = frozenset({JobState.FAILED, JobState.CANCELLED})


def check(board: Board, asked: JobWish) -> None:
    """But for quotas, which are for all together that is asked at once."""
    job = board.known(asked.job)
    match asked:
        case Cancel():
            pass
        case Hold():
            _check_hold(job)
        case Release():
            _check_release(board, job)
        case Retry():
            _check_retry(board, job)
        case Remove():
            _check_remove(board, job, asked)
        case SetPriority():
            _check_priority(job, asked)
        case Annotate():
            _check_annotate(board, job)


def check_waiting(board: Board, owner: str, more: int) -> None:
    """So many jobs more may wait. Raises QuotaReached."""
    if told := board.scheduler.owners.overflow(owner, more):
        raise QuotaReached(f"{told} (wait until some have started, or cancel some)")


def again(board: Board, job: Job) -> int:
    """How many jobs wait once it is retried; of an array its tasks that didn't succeed."""
    if not job.is_array:
        return 1
    tray = board.scheduler.arrays.tray(job.id)
    return sum(tray.opened[state] for state in UNSUCCESSFUL) + (tray.unopened if job.closed else 0)


def _check_hold(job: Job) -> None:
    waits = job.state in {JobState.QUEUED, JobState.HELD}
    if not (waits or job.held or _begun(job) or waits_elsewhere(job)):
        raise Conflict(f"job {job.label} is {job.state}; only a queued job can be held")


def _check_release(board: Board, job: Job) -> None:
    waits = job.state in {JobState.QUEUED, JobState.HELD}
    if not (waits or _begun(job) or waits_elsewhere(job)):
        raise Conflict(f"job {job.label} is {job.state}; only a held job can be released")
    array = board.array(job)
    held = job.held or job.state is JobState.HELD
    if held and array is not None and (array.held or array.state is JobState.HELD):
        raise Conflict(f"job {array.label} is held as a whole (release that)")


def _check_retry(board: Board, job: Job) -> None:
    if not job.state.final:
        raise Conflict(f"job {job.label} is {job.state}; only an ended job can be retried")
    array = board.array(job)
    whole = job if array is None else array
    if circle := wishes.circle(board, {whole.id: whole.after}, {}):
        raise Conflict(f"{circle} (cancel another of them first)")
    if array is not None and array.cancel_requested and not array.state.final:
        raise Conflict(f"job {array.label} is being cancelled (wait for its end)")
    _check_removed(board, job)
    if not again(board, job):
        raise Conflict(f"all tasks of {job.label} succeeded (name those to run again: [0-4])")


def _check_removed(board: Board, job: Job) -> None:
    """How a job ended that was removed is known by those alone whom it let run."""
    whole = board.array(job) or job
    for wish, link in zip(whole.spec.after, whole.after, strict=False):
        there = (array_of(JobId(link.job)) or link.job) in board.jobs
        if not (there or link.on == "end" or _let_run(board, job, link)):
            raise Conflict(
                f"job {job.label} could run only after the {link.on} of job {wish.job}, which was"
                " removed: nobody knows any more how that ended (submit this one anew)"
            )


def _let_run(board: Board, job: Job, link: Link) -> bool:
    """Has `link`, as far as their records tell, ended as `job` wants, or as its tasks do?"""
    arrays = board.scheduler.arrays
    tasks = [*_ended(board, job, UNSUCCESSFUL)] if job.is_array else [job]
    for one in (job, *tasks):
        if one.outcome is not None and one.outcome.reason is Reason.DEPENDENCY:
            return False
    if link.each:
        unopened = job.is_array and job.closed and arrays.tray(job.id).unopened
        return not unopened and all(map(_ran, tasks))
    array = job if job.is_array else board.array(job)
    if array is None:
        return _ran(job)
    return any(map(_ran, chain(arrays.tasks(array), _ended(board, array, FINAL))))


def _ended(board: Board, array: Job, states: Collection[JobState]) -> Iterator[Job]:
    for position in board.scheduler.arrays.ended(array, states):
        if (task := board.look(task_id(array.id, position))) is not None:
            yield task


def _ran(job: Job) -> bool:
    """Was it placed since it was submitted? Then nobody was left to wait for."""
    return any(one.placed_at >= job.submitted_at and not one.withdrawn for one in job.attempts)


def _check_remove(board: Board, job: Job, asked: Remove) -> None:
    if board.array(job) is not None:
        raise Conflict(
            f"{job.label} is a task: its whole array can be removed, once that has ended"
        )
    check_ended(job)
    if asked.spare and wanted(job.spec.tags):
        raise Conflict(f"job {job.label} is to be kept")
    dependencies = board.scheduler.dependencies
    for other in (job.id, *dependencies.watched_tasks(job.id)):
        if waiting := dependencies.waiting_for(other):
            who = board.jobs[waiting[0]].label
            raise Conflict(f"job {who} waits for how job {job.label} ends (cancel that one first)")


def _check_priority(job: Job, asked: SetPriority) -> None:
    if job.state.final:
        raise Conflict(f"job {job.label} has ended; its priority can't matter any more")
    if not -(10**9) <= asked.priority <= 10**9:
        raise InvalidJob(f"priority {asked.priority} is not within +-1 000 000 000")


def _check_annotate(board: Board, job: Job) -> None:
    array = board.array(job)
    if array is not None:
        raise Conflict(f"{job.label} is a task: its tags and note are those of job {array.label}")


def _begun(job: Job) -> bool:
    """Is it an array of which some tasks may have begun?"""
    return job.is_array and job.state is JobState.RUNNING
