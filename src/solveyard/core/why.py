"""Why a job waits, in words; read off the very indexes that decide."""

from math import isinf

from solveyard.core.scheduler import Scheduler
from solveyard.core.seats import moment
from solveyard.model.jobs import WAITING, Job, JobState, Limits

NO_AGENT = "a machine's agent to connect"

_NAMED = 3  #: jobs that hold what another waits for


def why(at: Scheduler, job: Job, limits: Limits, *, draining: bool, place: bool) -> str:
    """ "" when it doesn't wait. Without `place` its place in line is not counted."""
    if job.state is JobState.HELD or (job.held and not job.state.final):
        return "somebody to release it: it is held"
    if job.state is JobState.SUBMITTED:
        attempt = job.attempts[-1]
        if not attempt.placement.forwarded:
            return "its machine to start it"
        name = attempt.placement.machine
        return f"{name} to {'start' if attempt.native_id else 'take'} it"
    task: Job | None = job
    if job.is_array:
        task = at.arrays.candidate(job) if at.arrays.waits(job) else None
    elif job.state is not JobState.QUEUED:
        task = None
    if task is None:
        return _tasks(at, job, limits, draining=draining) if job.is_array else ""
    if draining:
        return "the manager, which is stopping, to be started again"
    return _aside(at, job, task) or _in_line(at, job, task, limits, place=place)


def _tasks(at: Scheduler, array: Job, limits: Limits, *, draining: bool) -> str:
    """What an array of which nothing runs, and all tasks have records, waits for."""
    if array.state.final or at.arrays.tray(array.id).live:
        return ""
    tasks = [task for task in at.arrays.tasks(array) if task.state in WAITING]
    if not tasks:
        return ""
    told = why(at, tasks[0], limits, draining=draining, place=False)
    if len(tasks) == 1:
        return f"its task {tasks[0].label}, which waits for {told}"
    named = ", ".join(task.label for task in tasks[:_NAMED])
    more = " and others" if len(tasks) > _NAMED else ""
    return f"its tasks {named}{more}, the first of which waits for {told}"


def _aside(at: Scheduler, job: Job, task: Job) -> str:
    """What keeps it from standing in line."""
    if job.id != task.id or at.has_record(job):
        awaited = at.dependencies.why(job.id) if at.dependencies.waits(job.id) else ""
    else:
        awaited = at.dependencies.why_of(job)
    if awaited:
        return awaited
    if job.not_before is not None and job.id in at.line.pauses:
        ended = [attempt.outcome for attempt in job.attempts if attempt.outcome is not None]
        last = f", after {ended[-1].cause or ended[-1].reason}" if ended else ""
        return f"its next try at {moment(job.not_before)}, number {job.tries + job.mishaps}{last}"
    if (key := at.seating.busy_key(task)) is not None:
        return f"{key!r}, which job {at.label(at.seating.keys[key])} holds"
    if (most := at.most_at_once(job)) is not None:
        whose = "its own" if job.is_array else "its array's"
        return f"one of {whose} tasks to end: {most} may run at once"
    if never := at.needs.never_by_quota(task):
        return f"another quota: {never}"
    if told := at.needs.over_quota(task):
        return told
    if job.spec.on:
        return ""
    if not at.seating.any_connected:
        return NO_AGENT
    if misfit := at.needs.misfit(task):
        return f"a machine that can run it: {misfit}"
    return ""


def _in_line(at: Scheduler, job: Job, task: Job, limits: Limits, *, place: bool) -> str:
    on = job.spec.on
    if on and (shut := at.clusters.closed(on) or at.lacking(task)):
        return shut
    if not on and at.all_taken(limits):
        return f"the limit of {limits.max_concurrent} jobs at once"
    if job.id == task.id and not at.has_record(job):
        array = at.array(job)
        following = at.arrays.candidate(array)
        if following is not None and following.id != job.id:
            return f"its turn: the next task of its array is {following.label}"
        job = array
    head = at.line.head(on)
    if head is not None and head.job != job.id and not place:
        return "its turn: more urgent jobs wait, too"
    if ahead := at.line.place(job.id):
        now = ", as shares stand" if at.owners.shares.fair and not on else ""
        return f"its turn: {ahead} of the waiting jobs go before it{now}"
    if head is not None and head.job != job.id and not at.line.stands(job.id, on):
        return "its turn: other tasks of its array go before it"
    return _first(at, task, limits)


def _first(at: Scheduler, task: Job, limits: Limits) -> str:
    """What keeps the first in line from starting."""
    need = at.needs.of(task)
    for machine in sorted(at.inventory.machines):
        shut = at.gates.closed(machine, at.inventory.allocate(need, machine), limits)
        if shut and at.inventory.connected(machine):
            return shut
    if (licence := at.inventory.seats.lacking(need.licences)) is not None:
        return _licence(at, licence, need.licences[licence])
    reserved = at.reservation(task)
    lack = at.inventory.missing(need, reserved.machine)
    held = [
        (job.label, lack.held(placement.allocation))
        for job in at.seating.holding()
        if (placement := job.attempts[-1].placement).machine == reserved.machine or lack.counted
    ]
    holding = [label for label, _ in sorted((h for h in held if h[1]), key=lambda one: -one[1])]
    if not holding:
        return lack.told
    noun = "job" if len(holding) == 1 else "jobs"
    more = " and others" if len(holding) > _NAMED else ""
    by = "" if isinf(reserved.at) else f", until {moment(reserved.at)} at the latest"
    return f"{lack.told}, held by {noun} {', '.join(holding[:_NAMED])}{more}{by}"


def _licence(at: Scheduler, name: str, seats: int) -> str:
    """ "12 anshpc: 30 of 36 in use, 24 by job board-7"."""
    held = [
        (job.label, job.attempts[-1].placement.allocation.licences.get(name, 0))
        for job in at.seating.holding()
    ]
    most = sorted((one for one in held if one[1]), key=lambda one: -one[1])
    named = [f"{count} by job {label}" for label, count in most[:_NAMED]]
    if len(most) > _NAMED:
        named.append(f"{sum(count for _, count in most[_NAMED:])} by other jobs")
    return f"{seats} {name}: {at.inventory.seats.use(name, ', '.join(named))}"
