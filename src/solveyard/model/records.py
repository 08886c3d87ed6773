"""A job as people see it: what every door answers, and clients and the command line show."""

import datetime as dt
import enum
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from solveyard.model.arrays import Value
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import Attempt, Job, JobId, JobState, Outcome, Reason
from solveyard.model.messages import AnyEvent
from solveyard.model.policies import Dependency
from solveyard.model.progress import Progress
from solveyard.model.shares import Quota


class Status(enum.StrEnum):
    """A job's state in the words of the PyEDB job manager's documents."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"  #: a batch system has it, and it has not started
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One try at running a job. What is null isn't known yet, or doesn't apply."""

    number: int  #: from 1
    id: str
    machine: str
    native_id: str  #: the backend's own name for it, e.g. a process id
    started_at: str | None  #: ISO 8601, UTC
    ended_at: str | None  #: ISO 8601, UTC
    withdrawn: bool  #: taken back before it started
    reason: Reason | None
    cause: str | None
    message: str
    exit_code: int | None
    signal: int | None
    evidence: tuple[str, ...]
    notes: tuple[str, ...]  #: evidence that came after the end
    run_time: float | None  #: s
    cpu: float | None  #: s, of all its processes
    peak_memory: int | None  #: MiB, of the largest single process


class PartitionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A queue of a cluster, of Slurm a partition. What is null its batch system doesn't tell."""

    name: str
    cluster: str
    up: bool  #: it starts jobs
    default: bool
    time_limit: int | None  #: s
    nodes_total: int | None
    nodes_used: int | None
    cores_total: int | None
    cores_used: int | None
    memory_total_gb: float | None
    memory_used_gb: float | None
    gpus_total: int | None


class CountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is counted by its name."""

    total: int
    taken: int


class OwnerRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one owner has of this manager's machines."""

    owner: str
    weight: float
    share: float  #: of all owners here, by their weights; 1.0: everything
    core_seconds: float  #: used, as it counts now
    used: float  #: of what all owners here have used
    running: int
    cores: int  #: that those hold
    waiting: int  #: jobs and tasks, held ones too
    quota: Quota


class SharesRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who has what share; no owners where there are neither shares nor quotas."""

    fair: bool  #: they decide who goes first
    half_life: float  #: s
    owners: tuple[OwnerRecord, ...]


class ClusterRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A batch system that jobs are forwarded to, as it answered last."""

    name: str
    dialect: str
    answers: bool
    trouble: str  #: why it is believed to be away, or how long it owes an answer; empty: neither
    answered_at: str | None  #: ISO 8601, UTC
    max_queued: int  #: jobs that may be with it at once
    counts: Mapping[str, CountRecord]  #: what it has of named counts for our jobs
    jobs: Mapping[str, int]  #: those that are, by state
    commands: int  #: of its own that were issued, since the manager's start
    partitions: tuple[PartitionRecord, ...]


class TaskCounts(msgspec.Struct, frozen=True, kw_only=True):
    """An array's tasks, by state."""

    total: int
    held: int = 0
    queued: int = 0
    submitted: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One job, array or task. Times are ISO 8601, UTC, with milliseconds.

    The last fields say again, under the PyEDB job manager's names, what others say under ours;
    its times have "+00:00" for "Z".
    """

    id: str  #: the name if it has one, else the number; of a task "sweep[3]"
    number: int  #: of a task its array's
    name: str
    solver: str
    state: JobState
    reason: Reason | None  #: why it ended; null before
    cause: str | None  #: more exactly, in the solver's words: "nec.geometry"; null before the end
    message: str  #: how it ended, one sentence
    evidence: tuple[str, ...]  #: how that is known
    exit_code: int | None
    signal: int | None
    waiting: str  #: why it waits, one sentence; empty when it doesn't
    priority: int
    owner: str
    tags: tuple[str, ...]
    note: str
    cancel_requested: bool
    stale_since: str | None  #: since when its state isn't confirmed
    submitted_at: str
    started_at: str | None
    ended_at: str | None
    run_time: float | None  #: s, of its newest attempt; so far, while it runs
    cores: int
    directory: str  #: where it runs; empty: a folder of its own, not made yet
    attempts: tuple[AttemptRecord, ...]
    after: tuple[Dependency, ...]
    tries: int  #: of `retry`, used by now
    not_before: str | None  #: when its next try may start
    values: Mapping[str, Value]  #: what was measured in its results
    task: int | None  #: of a task, its index
    parameters: Mapping[str, Value]  #: of a task: its own, and `value`
    tasks: TaskCounts | None  #: of an array
    status: Status
    user: str
    start_time: str | None
    end_time: str | None
    return_code: int | None  #: negative: the signal that ended it
    scheduler_job_id: str | None  #: a batch system's; null: none has it
    config: Mapping[str, Any] | None = None  #: of an HFSS job what it was submitted with
    progress: Progress | None = None  #: while it runs, where its solver tells; null: it doesn't
    held: bool = False  #: it waits until released, be it with a batch system; of an array its rest
    session: str = ""  #: of the program that it shall not go on without; empty: it may


@lru_cache(maxsize=4096)  # most are asked for again and again
def instant(at: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601, UTC, with milliseconds."""
    if at is None:
        return None
    moment = dt.datetime.fromtimestamp(at, tz=dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pyedbs(instant: str | None) -> str | None:
    """The same as PyEDB's clients can read it: Python 3.10 knows no "Z"."""
    return instant and instant.replace("Z", "+00:00")


def record(
    job: Job,
    now: float,
    *,
    waiting: str = "",
    directory: str = "",
    tasks: Mapping[JobState, int] | None = None,
    config: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> JobRecord:
    """The record of `job`, at `now` (s since 1970).

    `waiting` says why it waits; `directory` is where it runs, where its spec doesn't say; `tasks`
    counts those of an array; `config` is an HFSS job's, as PyEDB has it; `progress` is how
    far it is.
    """
    newest = job.attempt
    outcome = job.outcome
    started_at, ended_at = instant(newest.started_at) if newest else None, instant(job.ended_at)
    position, array = position_of(job.id), job.spec.array
    return JobRecord(
        id=job.label,
        number=array_of(job.id) or job.id,
        name=job.spec.name,
        solver=job.spec.solver,
        state=job.state,
        reason=outcome.reason if outcome else None,
        cause=outcome.cause if outcome else None,
        message=outcome.message if outcome else "",
        evidence=outcome.evidence if outcome else (),
        exit_code=outcome.exit_code if outcome else None,
        signal=outcome.signal if outcome else None,
        waiting=waiting,
        priority=job.priority,
        owner=job.owner,
        tags=job.spec.tags,
        note=job.spec.note,
        cancel_requested=job.cancel_requested,
        stale_since=instant(job.stale_since),
        submitted_at=instant(job.submitted_at) or "",
        started_at=started_at,
        ended_at=ended_at,
        run_time=_run_time(newest, now),
        cores=_cores(job),
        directory=job.directory or directory,
        attempts=tuple(
            _attempt(attempt, number, now) for number, attempt in enumerate(job.attempts, 1)
        ),
        after=job.spec.after,
        tries=job.tries,
        not_before=instant(job.not_before),
        values=outcome.values if outcome else {},
        task=array.index(position) if array is not None and position is not None else None,
        parameters=parameters(job),
        tasks=counted(tasks) if tasks is not None else None,
        status=status(job),
        user=job.owner,
        start_time=pyedbs(started_at),
        end_time=pyedbs(ended_at),
        return_code=return_code(outcome),
        scheduler_job_id=_scheduler_job_id(newest),
        config=config,
        progress=progress,
        held=job.state is JobState.HELD or (job.held and not job.state.final),
        session=job.session,
    )


def parameters(job: Job) -> dict[str, Value]:
    """Of a task: what tells it from the others; with `value` where it has one."""
    position, array = position_of(job.id), job.spec.array
    if position is None or array is None:
        return {}
    own = array.parameters(position)
    return own if array.values is None else {"value": array.values[position], **own}


def counted(tasks: Mapping[JobState, int]) -> TaskCounts:
    return TaskCounts(
        total=sum(tasks.values()), **{state.value: number for state, number in tasks.items()}
    )


def event_text(number: int, event: AnyEvent) -> bytes:
    """A numbered event as JSON. Of a task's, `job` is its array's number, and `task` its position.

    So no number is too large for a browser.
    """
    job: JobId = getattr(event, "job", JobId(0))
    text = msgspec.json.encode(event)
    array = array_of(job)
    if array is None:
        return b'{"number":%d,%b' % (number, text[1:])
    told = msgspec.json.decode(text) | {"job": array, "task": position_of(job)}
    return msgspec.json.encode({"number": number, **told})


def status(job: Job) -> Status:
    """A submitted job that has a native id, and has not started, waits in a batch system."""
    match job.state:
        case JobState.HELD | JobState.QUEUED:
            return Status.QUEUED
        case JobState.SUBMITTED:
            known = job.attempt is not None and job.attempt.native_id
            return Status.SCHEDULED if known else Status.QUEUED
        case _:
            return Status(job.state.value)


def return_code(outcome: Outcome | None) -> int | None:
    if outcome is None:
        return None
    return -outcome.signal if outcome.signal else outcome.exit_code


def _attempt(attempt: Attempt, number: int, now: float) -> AttemptRecord:
    outcome: Outcome | None = attempt.outcome
    usage = attempt.usage
    return AttemptRecord(
        number=number,
        id=attempt.id,
        machine=attempt.placement.machine,
        native_id=attempt.native_id,
        started_at=instant(attempt.started_at),
        ended_at=instant(attempt.ended_at),
        withdrawn=attempt.withdrawn,
        reason=outcome.reason if outcome else None,
        cause=outcome.cause if outcome else None,
        message=outcome.message if outcome else "",
        exit_code=outcome.exit_code if outcome else None,
        signal=outcome.signal if outcome else None,
        evidence=outcome.evidence if outcome else (),
        notes=attempt.notes,
        run_time=_run_time(attempt, now),
        cpu=usage.cpu if usage else None,
        peak_memory=usage.peak_memory or None if usage else None,
    )


def _scheduler_job_id(newest: Attempt | None) -> str | None:
    if newest is None or not newest.placement.forwarded:
        return None
    return newest.native_id or None


def _run_time(attempt: Attempt | None, now: float) -> float | None:
    if attempt is None or attempt.started_at is None:
        return None
    if attempt.usage is not None:
        return round(attempt.usage.wall, 3)
    end = now if attempt.ended_at is None else attempt.ended_at
    return round(max(0.0, end - attempt.started_at), 3)


def _cores(job: Job) -> int:
    """What its newest attempt has, else what it asks for at least."""
    if job.attempt is not None:
        return job.attempt.placement.allocation.cores
    cores = job.spec.resources.cores
    return cores if isinstance(cores, int) else cores.min
