"""Jobs in words: rows, sentences, and what to do next."""

import math
from collections.abc import Mapping, Sequence

from solveyard.cli import units
from solveyard.model.arrays import Value, text
from solveyard.model.jobs import JobState
from solveyard.model.progress import Progress
from solveyard.model.records import AttemptRecord, JobRecord, TaskCounts
from solveyard.model.texts import plain

HEADER = ("ID", "NAME", "STATE", "PRIORITY", "CORES", "RUN TIME", "WHY")
LONGEST_VALUE = 200  #: of a parameter or a measured one, in `show`
MOST_STEPS = 12  #: of what converges, in `show`
BAR = 30  #: characters of its longest bar


def row(job: JobRecord) -> tuple[str, ...]:
    """A job's line in a list."""
    return (
        key(job),
        job.name,
        f"{job.state} {progress(job.tasks)}" if job.tasks else job.state.value,
        str(job.priority),
        str(job.cores),
        units.short(job.run_time),
        why(job),
    )


def key(job: JobRecord) -> str:
    """Its number as people read and type it: "7", of a task "7[3]"."""
    return str(job.number) if job.task is None else f"{job.number}[{job.task}]"


def exact(job: JobRecord) -> str:
    """By which a manager finds it, whatever others are called: "#7", of a task "#7[3]"."""
    return f"#{key(job)}"


def progress(tasks: TaskCounts) -> str:
    """ "3/6": tasks that have ended, of all."""
    return f"{tasks.completed + tasks.failed + tasks.cancelled}/{tasks.total}"


def why(job: JobRecord) -> str:
    """Why it waits, how far it is, or how it ended; "" for one that simply succeeded."""
    if job.state is JobState.COMPLETED:
        return job.message if _warned(job) else ""
    if job.state.final:
        return f"{job.reason}: {job.message}" if job.message else str(job.reason or "")
    if job.stale_since:
        since = f"its machine has not answered since {job.stale_since}"
        return f"{since}: it waits for {job.waiting}" if job.waiting else since
    if job.cancel_requested:
        return "it is being cancelled"
    return (job.progress.text if job.progress else "") or job.waiting


def counts(numbers: Mapping[str, int]) -> str:
    """ "2 running, 3 queued"."""
    told = [f"{number} {state}" for state, number in numbers.items() if number]
    return ", ".join(told) or "no jobs"


def advance(job: JobRecord) -> str:
    """Of an array: "4 of 6 tasks have ended, 1 without success"."""
    tasks = job.tasks
    if tasks is None:
        return ""
    bad = tasks.failed + tasks.cancelled
    without = f", {bad} without success" if bad else ""
    return f"{tasks.completed + bad} of {tasks.total} tasks have ended{without}"


def ending(job: JobRecord) -> str:
    """One sentence on how a job stands."""
    name = f"job {key(job)}" + (f" ({job.name})" if job.name else "")
    if job.waiting and not job.state.final and why(job) == job.waiting:
        return f"{name} is {job.state}. Waiting for {job.waiting}."
    if not job.state.final:
        return f"{name} is {job.state}" + (f": {why(job)}" if why(job) else "")
    took = f" after {units.short(job.run_time)}" if job.run_time is not None else ""
    if job.state is JobState.COMPLETED:
        return f"{name} completed{took}" + (f": {job.message}" if _warned(job) else "")
    verb = "was cancelled" if job.state is JobState.CANCELLED else "failed"
    return f"{name} {verb}{took}: {job.message or job.reason}"


def _warned(job: JobRecord) -> bool:
    """Is there something to know of its success?"""
    return job.message.startswith("warning: ")


def details(job: JobRecord, options: str = "", failed: Sequence[JobRecord] = ()) -> str:
    """Everything about a job, for `show`. `options` go into the commands that it suggests.

    `failed` are some of an array's tasks.
    """
    lines = [plain(ending(job))]
    facts = {
        "solver": job.solver,
        "state": job.state.value + (f" ({job.reason})" if job.reason else ""),
        "cause": job.cause or "",
        "progress": _advance(job.progress),
        "waits": "" if job.state.final else job.waiting,
        "exit code": "" if job.exit_code is None else str(job.exit_code),
        "signal": "" if job.signal is None else str(job.signal),
        "priority": str(job.priority),
        "cores": str(job.cores),
        "owner": job.owner,
        "tags": ", ".join(job.tags),
        "note": job.note,
        "tasks": counts(_by_state(job.tasks)) if job.tasks else "",
        "parameters": _values(job.parameters),
        "measured": _values(job.values),
        "directory": job.directory,
        "submitted": job.submitted_at,
        "started": job.started_at or "",
        "ended": job.ended_at or "",
        "run time": units.short(job.run_time),
        "stale since": job.stale_since or "",
    }
    lines += [f"  {name:<12}{plain(fact)}" for name, fact in facts.items() if fact]
    manies = {
        "evidence": job.evidence,
        "attempts": _attempts(job.attempts),
        **_curve(job.progress),
        "failed": [f"{one.id}: {one.message or one.reason}" for one in failed],
    }
    for title, many in manies.items():
        lines += [f"  {'' if index else title:<12}{plain(one)}" for index, one in enumerate(many)]
    lines.append(f"  {'next':<12}{next_step(job, options, failed)}")
    return "\n".join(lines)


def next_step(job: JobRecord, options: str = "", failed: Sequence[JobRecord] = ()) -> str:
    """The command that a person most likely wants now; `failed`: some of its tasks that did."""
    command = f"solveyard {options}"
    match job.state:
        case JobState.HELD:
            return f"{command}release {key(job)}"
        case JobState.QUEUED:
            return f"{command}wait {key(job)}   {command}cancel {key(job)}"
        case JobState.SUBMITTED | JobState.RUNNING:
            look = f"logs -f {key(job)}" if job.tasks is None else f"wait {key(job)}"
            return f"{command}{look}   {command}cancel {key(job)}"
        case JobState.COMPLETED:
            look = f"logs {key(job)}" if job.tasks is None else f"results {key(job)}"
            return f"{command}files {key(job)}   {command}{look}"
        case JobState.FAILED:
            spoke = [job] if job.tasks is None else failed[:1]  # an array itself says nothing
            looks = [f"{command}logs --err {key(one)}   " for one in spoke]
            return f"{''.join(looks)}{command}retry {key(job)}"
        case JobState.CANCELLED:
            return f"{command}retry {key(job)}   {command}rm {key(job)}"


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _advance(told: Progress | None) -> str:
    """ "pass 6, delta S 0.03, 40 %, 3 m left"."""
    if told is None:
        return ""
    parts = [told.text]
    if told.fraction is not None:
        parts.append(f"{told.fraction:.0%}")
    if told.remaining is not None:
        parts.append(f"about {units.short(told.remaining)} left")
    return ", ".join(filter(None, parts))


def _curve(told: Progress | None) -> dict[str, list[str]]:
    """The newest steps of what converges, each with a bar."""
    if told is None or told.curve is None:
        return {}
    curve, points = told.curve, told.curve.points[-MOST_STEPS:]
    bars = _bars([one for _, one in points], curve.target)
    texts = [
        f"{curve.step} {step}: {curve.name} {'N/A' if one is None else f'{one:g}'}"
        for step, one in points
    ]
    widest = max(map(len, texts), default=0)
    steps = [f"{said:<{widest}}  {bar}".rstrip() for said, bar in zip(texts, bars, strict=True)]
    if curve.target:
        steps.append(f"target {curve.target:g}")
    return {"convergence": steps}


def _bars(values: Sequence[float | None], target: float | None) -> list[str]:
    """By powers of ten: the largest is the longest, what has reached the target the shortest."""
    known = [math.log10(one) for one in values if one is not None and one > 0]
    if not known:
        return [""] * len(values)
    low = math.log10(target) if target is not None and target > 0 else min(known)
    span = max(*known, low + 1e-9) - low
    return [
        "#" * max(1, round(BAR * (math.log10(one) - low) / span)) if one is not None and one > 0
        else ""
        for one in values
    ]  # fmt: skip


def _values(values: Mapping[str, Value]) -> str:
    """Long ones are cut; `--json` has them whole."""
    return ", ".join(
        f"{name} {shortened(text(value), LONGEST_VALUE)}" for name, value in values.items()
    )


def _by_state(tasks: TaskCounts) -> dict[str, int]:
    return {state.value: getattr(tasks, state.value) for state in JobState}


def native(job: JobRecord) -> str:
    """Under which id a cluster has it; "": none that is known."""
    if not job.scheduler_job_id:
        return ""
    return f"job {job.id} is {job.scheduler_job_id} on {job.attempts[-1].machine}"


def _attempts(attempts: Sequence[AttemptRecord]) -> list[str]:
    return [_attempt(attempt) for attempt in attempts]


def _attempt(attempt: AttemptRecord) -> str:
    end = "withdrawn" if attempt.withdrawn else str(attempt.reason or "not ended")
    told = [f"{attempt.number}: {end} on {attempt.machine}"]
    if attempt.native_id:
        told.append(f"as {attempt.native_id}")
    if attempt.run_time is not None:
        told.append(units.short(attempt.run_time))
    if attempt.cpu is not None:
        told.append(f"CPU {units.short(attempt.cpu)}")
    if attempt.peak_memory:
        told.append(f"{attempt.peak_memory} MiB")
    return ", ".join([*told, *attempt.notes])
