"""Jobs in words: rows, sentences, and what to do next."""

from collections.abc import Mapping, Sequence

from solveyard.cli import units
from solveyard.model.jobs import JobState
from solveyard.model.records import AttemptRecord, JobRecord

HEADER = ("ID", "NAME", "STATE", "PRIORITY", "CORES", "RUN TIME", "WHY")
LONGEST_WHY = 60


def row(job: JobRecord) -> tuple[str, ...]:
    """A job's line in a list."""
    return (
        str(job.number),
        job.name,
        job.state.value,
        str(job.priority),
        str(job.cores),
        units.short(job.run_time),
        shortened(why(job), LONGEST_WHY),
    )


def why(job: JobRecord) -> str:
    """Why it waits, or how it ended; "" for one that runs undisturbed, or succeeded."""
    if job.state is JobState.COMPLETED:
        return ""
    if job.state.final:
        return f"{job.reason}: {job.message}" if job.message else str(job.reason or "")
    if job.stale_since:
        return f"its machine has not answered since {job.stale_since}"
    if job.cancel_requested:
        return "it is being cancelled"
    return job.waiting


def counts(numbers: Mapping[str, int]) -> str:
    """ "2 running, 3 queued"."""
    told = [f"{number} {state}" for state, number in numbers.items() if number]
    return ", ".join(told) or "no jobs"


def ending(job: JobRecord) -> str:
    """One sentence on how a job stands."""
    name = f"job {job.number}" + (f" ({job.name})" if job.name else "")
    if not job.state.final:
        return f"{name} is {job.state}" + (f": {why(job)}" if why(job) else "")
    took = f" after {units.short(job.run_time)}" if job.run_time is not None else ""
    if job.state is JobState.COMPLETED:
        return f"{name} completed{took}"
    verb = "was cancelled" if job.state is JobState.CANCELLED else "failed"
    return f"{name} {verb}{took}: {job.message or job.reason}"


def details(job: JobRecord, options: str = "") -> str:
    """Everything about a job, for `show`. `options` go into the commands that it suggests."""
    lines = [ending(job)]
    facts = {
        "solver": job.solver,
        "state": job.state.value + (f" ({job.reason})" if job.reason else ""),
        "cause": job.cause or "",
        "waits": "" if job.state.final else job.waiting,
        "exit code": "" if job.exit_code is None else str(job.exit_code),
        "signal": "" if job.signal is None else str(job.signal),
        "priority": str(job.priority),
        "cores": str(job.cores),
        "owner": job.owner,
        "tags": ", ".join(job.tags),
        "note": job.note,
        "directory": job.directory,
        "submitted": job.submitted_at,
        "started": job.started_at or "",
        "ended": job.ended_at or "",
        "run time": units.short(job.run_time),
        "stale since": job.stale_since or "",
    }
    lines += [f"  {name:<12}{fact}" for name, fact in facts.items() if fact]
    for title, many in (("evidence", job.evidence), ("attempts", _attempts(job.attempts))):
        lines += [f"  {title if not index else '':<12}{one}" for index, one in enumerate(many)]
    lines.append(f"  {'next':<12}{next_step(job, options)}")
    return "\n".join(lines)


def next_step(job: JobRecord, options: str = "") -> str:
    """The command that a person most likely wants now."""
    command = f"solveyard {options}"
    match job.state:
        case JobState.HELD:
            return f"{command}release {job.number}"
        case JobState.QUEUED:
            return f"{command}wait {job.number}   {command}cancel {job.number}"
        case JobState.SUBMITTED | JobState.RUNNING:
            return f"{command}logs -f {job.number}   {command}cancel {job.number}"
        case JobState.COMPLETED:
            return f"{command}files {job.number}   {command}logs {job.number}"
        case JobState.FAILED:
            return f"{command}logs --err {job.number}   {command}retry {job.number}"
        case JobState.CANCELLED:
            return f"{command}retry {job.number}   {command}rm {job.number}"


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _attempts(attempts: Sequence[AttemptRecord]) -> list[str]:
    return [_attempt(attempt) for attempt in attempts]


def _attempt(attempt: AttemptRecord) -> str:
    end = "withdrawn" if attempt.withdrawn else str(attempt.reason or "not ended")
    told = [f"{attempt.number}: {end} on {attempt.machine}"]
    if attempt.native_id:
        told.append(f"process {attempt.native_id}")
    if attempt.run_time is not None:
        told.append(units.short(attempt.run_time))
    if attempt.cpu is not None:
        told.append(f"CPU {units.short(attempt.cpu)}")
    if attempt.peak_memory:
        told.append(f"{attempt.peak_memory} MiB")
    return ", ".join([*told, *attempt.notes])
