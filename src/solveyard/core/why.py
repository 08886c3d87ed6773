"""Why a job waits, in words; read off the very indexes that decide."""

from math import isinf

from solveyard.core.scheduler import Scheduler
from solveyard.model.jobs import Job, JobState, Limits
from solveyard.model.resources import Resources

_NAMED = 3  #: jobs that hold what another waits for


def why(at: Scheduler, job: Job, limits: Limits, *, draining: bool, place: bool) -> str:
    """ "" when it doesn't wait. Without `place` its place in line is not counted."""
    if job.state is JobState.HELD or (job.held and not job.state.final):
        return "somebody to release it: it is held"
    if job.state is JobState.SUBMITTED:
        return "its machine to start it"
    task: Job | None = job
    if job.is_array:
        task = at.arrays.candidate(job) if at.arrays.waits(job) else None
    elif job.state is not JobState.QUEUED:
        task = None
    if task is None:
        return ""
    if draining:
        return "the manager, which is stopping, to be started again"
    return _aside(at, job, task) or _in_line(at, job, task, limits, place=place)


def _aside(at: Scheduler, job: Job, task: Job) -> str:
    """What keeps it from standing in line."""
    if at.dependencies.waits(job.id):
        return at.dependencies.why(job.id)
    if job.not_before is not None and job.id in at.line.pauses:
        ended = [attempt.outcome for attempt in job.attempts if attempt.outcome is not None]
        last = f", after {ended[-1].reason}" if ended else ""
        return f"its next try at {_clock(job.not_before)}, number {job.tries + job.mishaps}{last}"
    if (key := at.seating.busy_key(task)) is not None:
        return f"{key!r}, which job {at.label(at.seating.keys[key])} holds"
    if job.is_array and at.arrays.full(job):
        assert job.spec.array is not None
        return f"one of its own tasks to end: {job.spec.array.at_once} may run at once"
    if not at.seating.any_connected:
        return "a machine's agent to connect"
    if misfit := at.misfit(task):
        return f"a machine that can run it: {misfit}"
    return ""


def _in_line(at: Scheduler, job: Job, task: Job, limits: Limits, *, place: bool) -> str:
    if at.all_taken(limits):
        return f"the limit of {limits.max_concurrent} jobs at once"
    head = at.line.head()
    if head is not None and head.job != job.id and not place:
        return "its turn: more urgent jobs wait, too"
    if ahead := at.line.place(job.id):
        return f"its turn: {ahead} of the waiting jobs go before it"
    return _first(at, at.need(task), limits)


def _first(at: Scheduler, need: Resources, limits: Limits) -> str:
    """What keeps the first in line from starting."""
    for machine in sorted(at.inventory.machines):
        shut = at.gates.closed(machine, need, limits)
        if shut and at.inventory.connected(machine):
            return shut
    told = at.inventory.missing(need)
    reserved = at.reservation(need)
    if reserved is None:
        return told
    holding = [
        job.label
        for job in at.seating.holding()
        if job.attempts[-1].placement.machine == reserved.machine
    ]
    if not holding:
        return told
    noun = "job" if len(holding) == 1 else "jobs"
    more = " and others" if len(holding) > _NAMED else ""
    by = "" if isinf(reserved.at) else f", until {_clock(reserved.at)} at the latest"
    return f"{told}, held by {noun} {', '.join(holding[:_NAMED])}{more}{by}"


def _clock(at: float) -> str:
    """Seconds since 1970 as a time of the day, UTC."""
    minutes, seconds = divmod(int(at) % 86400, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02} UTC"
