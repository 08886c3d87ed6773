"""What machines report, and what is concluded from it."""

from collections.abc import Callable
from math import ceil
from typing import Any

from msgspec.structs import replace

from solveyard.core.board import Board
from solveyard.core.lifecycle import never_started
from solveyard.model.jobs import Attempt, AttemptId, Job, JobState, Outcome, Reason
from solveyard.model.messages import (
    Accepted,
    AgentJoined,
    AgentLeft,
    Ask,
    ClockSet,
    ClusterJoined,
    ClusterLeft,
    Ended,
    EvidenceAdded,
    Forget,
    JobAccepted,
    JobConfirmed,
    JobHeld,
    JobRecalled,
    JobRequeued,
    JobStale,
    JobStarted,
    LicencesSeen,
    LicencesUnseen,
    MachineJoined,
    MachineLeft,
    Missing,
    Quiet,
    Recalled,
    Sampled,
    SpawnerJoined,
    SpawnerLeft,
    Stale,
    Started,
    Ticked,
)
from solveyard.model.policies import INFRASTRUCTURE, INFRASTRUCTURE_TRIES
from solveyard.model.records import instant


def accepted(board: Board, report: Accepted) -> None:
    if (job := _live(board, report.attempt)) is not None:
        known = job.attempts[-1].native_id
        if job.state is JobState.SUBMITTED and report.native_id not in {"", known}:
            board.record(JobAccepted(job=job.id, at=board.now, native_id=report.native_id))
        job = board.jobs[job.id]
        if job.held or job.priority != job.spec.priority:
            board.modify(job)
        _kill_again(board, job)


def started(board: Board, report: Started) -> None:
    if (job := _live(board, report.attempt)) is None:
        return
    if job.state is JobState.SUBMITTED:
        began = board.began(job, report)
        at = began if began is not None else board.now
        board.record(
            JobStarted(job=job.id, at=board.now, native_id=report.native_id, started_at=at)
        )
    _kill_again(board, board.jobs[job.id])


def ended(board: Board, report: Ended) -> None:
    found = board.attempt(report.attempt)
    if found is None:
        return
    job, attempt = found
    board.actions.append(Forget(attempt=attempt.id, placement=attempt.placement))
    if attempt.live:
        here = not attempt.placement.forwarded  # a batch system's delays are not the command's
        if here and report.usage is not None and report.outcome.reason is Reason.SUCCESS:
            board.scheduler.pace.ended(job.spec, report.usage.wall)
        _conclude(board, job, report.outcome, report)
    elif _contradicts(attempt.outcome, report.outcome):
        note = f"reported later: {report.outcome.reason}, {report.outcome.message}"
        if note not in attempt.notes:
            board.record(EvidenceAdded(job=job.id, at=board.now, attempt=attempt.id, note=note))


def recalled(board: Board, report: Recalled) -> None:
    job = _live(board, report.attempt)
    if job is None or job.state is not JobState.SUBMITTED:
        return
    board.record(JobRecalled(job=job.id, at=board.now))
    if job.cancel_requested:
        _end_unstarted(board, board.jobs[job.id])
    else:
        _hold_with_array(board, job)


def missing(board: Board, report: Missing) -> None:
    """Absent from a ledger that would have it: it can be sent again. Else nobody knows."""
    found = board.attempt(report.attempt)
    if found is None or not found[1].live:
        return
    job, attempt = found
    same_boot = attempt.placement.boot_id == report.boot_id
    same_ledger = attempt.placement.ledger == report.ledger
    if job.state is JobState.SUBMITTED and same_boot and same_ledger:
        job = _live(board, attempt.id) or job
        if job.cancel_requested:
            _end_unstarted(board, job)
        elif board.draining or not _may_launch_again(board, job, attempt):
            board.record(JobRecalled(job=job.id, at=board.now))
            _hold_with_array(board, job)
        else:
            board.actions.append(board.scheduler.seating.launch(job))
        return
    if not same_ledger:
        evidence = "the ledger that would know is gone"
    elif not same_boot:
        evidence = "the machine was rebooted after the launch, and its ledger has no start"
    else:
        evidence = "it had started, and its spawner's ledger doesn't know it"
    told = "it is not known whether it ran or how it ended: look at its output, then retry it"
    _conclude(board, job, Outcome(reason=Reason.LOST, message=told, evidence=(evidence,)))


def _may_launch_again(board: Board, job: Job, attempt: Attempt) -> bool:
    if board.scheduler.overdue(job, board.now):
        return False
    return board.scheduler.seating.may_launch_again(attempt)


def stale(board: Board, report: Stale) -> None:
    found = board.attempt(report.attempt)
    if found is not None and found[1].live and found[0].stale_since is None:
        board.record(JobStale(job=found[0].id, at=board.now))


def _conclude(board: Board, job: Job, outcome: Outcome, report: Ended | None = None) -> None:
    """Its attempt has ended: so has the job, unless its own policy has it try again."""
    again = _next_try(board, job, outcome)
    if again is None:
        board.end(job, outcome, report=report)
        return
    board.record(
        JobRequeued(
            job=job.id,
            at=board.now,
            outcome=outcome,
            usage=report.usage if report else None,
            native_id=report.native_id if report else "",
            started_at=board.began(job, report) if report else None,
            tries=again.tries,
            mishaps=again.mishaps,
            not_before=again.not_before or board.now,
            memory=again.memory,
        )
    )
    _hold_with_array(board, job)


def _hold_with_array(board: Board, job: Job) -> None:
    """It waits again, but its array has been held since it was placed."""
    array = board.array(job)
    if array is not None and array.held:
        board.record(JobHeld(job=job.id, at=board.now))


def _next_try(board: Board, job: Job, outcome: Outcome) -> Job | None:
    """How `job` goes on by itself after this; None: it doesn't."""
    policy = job.spec.retry
    array = board.array(job)
    cancelled = job.cancel_requested or (array is not None and array.cancel_requested)
    if policy is None or cancelled or not policy.covers(outcome.reason, outcome.cause):
        return None
    if outcome.reason in INFRASTRUCTURE:
        if job.mishaps >= INFRASTRUCTURE_TRIES:
            return None
        pause = policy.pause(job.mishaps + 1)
        again = replace(job, mishaps=job.mishaps + 1, not_before=board.now + pause)
    elif job.tries < policy.tries:
        pause = policy.pause(job.tries)
        again = replace(job, tries=job.tries + 1, not_before=board.now + pause)
    else:
        return None
    if outcome.reason is Reason.OUT_OF_MEMORY and policy.memory_factor > 1 and job.need.memory:
        again = replace(again, memory=ceil(job.need.memory * policy.memory_factor))
    return None if board.scheduler.needs.misfit(again) else again


def quiet(board: Board, report: Quiet) -> None:
    """Told once of an attempt, and ended where the job says so."""
    found = board.attempt(report.attempt)
    if found is None or not found[1].live or found[0].state is not JobState.RUNNING:
        return
    job, attempt = found
    watch = job.spec.hang
    if watch is None or report.seconds < watch.after:
        return
    since = instant(board.now - report.seconds)
    told = f"no line, no CPU and no growth for {watch.after:g} s"
    if not any(note.startswith(told) for note in attempt.notes):
        note = f"{told}, since {since}"
        board.record(EvidenceAdded(job=job.id, at=board.now, attempt=attempt.id, note=note))
    if watch.end and not job.cancel_requested:
        board.kill(job, None, "hang")


def clock_set(board: Board, report: ClockSet) -> None:
    board.scheduler.leapt(report.at, report.by)


def sampled(board: Board, report: Sampled) -> None:
    board.scheduler.gates.sampled(report)
    board.scheduler.moved = True


def licences_seen(board: Board, report: LicencesSeen) -> None:
    board.scheduler.licences_seen(report)


def licences_unseen(board: Board, report: LicencesUnseen) -> None:
    board.scheduler.inventory.seats.unseen(report)
    board.scheduler.moved = True


def agent_joined(board: Board, report: AgentJoined) -> None:
    board.scheduler.machine_joined(report)
    board.events.append(MachineJoined(at=board.now, machine=report.machine, nodes=report.nodes))


def agent_left(board: Board, report: AgentLeft) -> None:
    board.scheduler.inventory.leave(report.machine)
    board.events.append(MachineLeft(at=board.now, machine=report.machine))


def spawner_joined(board: Board, report: SpawnerJoined) -> None:
    attempts = board.scheduler.seating.joined(report, board.now)
    board.scheduler.moved = True
    if attempts:
        board.actions.append(Ask(machine=report.machine, spawner=report.spawner, attempts=attempts))


def cluster_joined(board: Board, report: ClusterJoined) -> None:
    """What it has of ours is asked for, each time that it answers again."""
    name = report.machine
    board.scheduler.clusters.join(report)
    seat = SpawnerJoined(machine=name, spawner=0, boot_id="", ledger="")
    board.events.append(MachineJoined(at=board.now, machine=name, nodes={}))
    spawner_joined(board, seat)


def cluster_left(board: Board, report: ClusterLeft) -> None:
    board.scheduler.clusters.leave(report.machine)
    board.scheduler.seating.left(SpawnerLeft(machine=report.machine, spawner=0), board.now)
    board.events.append(MachineLeft(at=board.now, machine=report.machine))


def spawner_left(board: Board, report: SpawnerLeft) -> None:
    board.scheduler.seating.left(report, board.now)


def ticked(board: Board, report: Ticked) -> None:
    """Time passes with every message; this one brings nothing else."""


def _live(board: Board, attempt_id: AttemptId) -> Job | None:
    """The job whose live attempt this is; its state is confirmed by the report."""
    found = board.attempt(attempt_id)
    if found is None or not found[1].live:
        return None
    job = found[0]
    if board.scheduler.seating.heard(attempt_id):
        board.scheduler.moved = True
    if job.stale_since is not None:
        board.record(JobConfirmed(job=job.id, at=board.now))
    return board.jobs[job.id]


def _kill_again(board: Board, job: Job) -> None:
    """Its machine answers: what was asked for meanwhile could not be told."""
    if job.cancel_requested:
        board.kill(job, None, "cancelled")
    elif board.ending is not None:
        board.kill(job, board.ending, "shutdown")
    else:
        board.kill_overdue(job)


def _end_unstarted(board: Board, job: Job) -> None:
    board.end(job, never_started(Reason.CANCELLED, "cancelled before it started"))


def _contradicts(told: Outcome | None, later: Outcome) -> bool:
    """Is the later report news about an attempt that was given up as lost?"""
    return told is not None and told.reason is Reason.LOST and later.reason is not Reason.LOST


#: Any: each takes the observation of its own type.
CONCLUDE: dict[type, Callable[[Board, Any], None]] = {
    Accepted: accepted,
    Started: started,
    Ended: ended,
    Recalled: recalled,
    Missing: missing,
    Stale: stale,
    AgentJoined: agent_joined,
    AgentLeft: agent_left,
    ClusterJoined: cluster_joined,
    ClusterLeft: cluster_left,
    SpawnerJoined: spawner_joined,
    SpawnerLeft: spawner_left,
    Sampled: sampled,
    LicencesSeen: licences_seen,
    LicencesUnseen: licences_unseen,
    Quiet: quiet,
    ClockSet: clock_set,
    Ticked: ticked,
}
