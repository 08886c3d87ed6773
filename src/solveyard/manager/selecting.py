"""Jobs and tasks as people name them: by name, by number, tasks by index in brackets.

A name goes before a number, since PyEDB's door takes names such as "40"; "#40" is job number 40
whatever others are called.
"""

import re
from collections.abc import Callable, Mapping

from solveyard.core import names as naming
from solveyard.core.lifecycle import unopened
from solveyard.model.errors import InvalidRequest, UnknownJob
from solveyard.model.ids import array_of, position_of, task_id
from solveyard.model.jobs import Job, JobId

_TASKS = re.compile(r"(?P<array>.+)\[(?P<which>[^\[\]]*)\]")
_PART = re.compile(r"(?P<first>-?\d{1,12})(-(?P<last>-?\d{1,12}))?")

Jobs = Mapping[JobId, Job]


def look(jobs: Jobs, job_id: JobId, away: Callable[[JobId], Job | None]) -> Job | None:
    """A job, or a task, be it that nothing has happened to it alone; None: there is none.

    `away`: the record of a task that isn't among `jobs`, if it has one.
    """
    job, array = jobs.get(job_id), jobs.get(array_of(job_id) or JobId(0))
    if job is not None or array is None or array.spec.array is None:
        return job
    position = position_of(job_id) or 0
    if position >= len(array.spec.array):
        return None
    return away(job_id) or unopened(array, position)


def select(jobs: Jobs, names: Mapping[str, JobId], key: str) -> list[JobId]:
    """Raises UnknownJob; InvalidRequest for what can't be read."""
    match = None if key in names else _TASKS.fullmatch(key)
    whole = _whole(jobs, names, match["array"] if match else key)
    if match is None:
        return [whole]
    job = jobs[whole]
    array = job.spec.array
    if array is None:
        raise UnknownJob(f"job {job.label} is no array, so it has no tasks")
    found: dict[JobId, None] = {}
    for part in match["which"].split(","):
        bounds = _PART.fullmatch(part.strip())
        if bounds is None:
            raise InvalidRequest(f"{part!r} is no index: name tasks as {job.label}[3,5-9]")
        first = int(bounds["first"])
        last = first if bounds["last"] is None else int(bounds["last"])
        ends = array.index(0), array.index(len(array) - 1)
        if first < ends[0] or last > ends[1] or last < first:
            raise UnknownJob(f"job {job.label} has tasks from {ends[0]} to {ends[1]}, not {part}")
        for index in range(first, last + 1):
            if (position := array.position(index)) is not None:
                found[task_id(job.id, position)] = None
    if not found:
        raise UnknownJob(f"job {job.label} has no task {match['which']}")
    return list(found)


def _whole(jobs: Jobs, names: Mapping[str, JobId], key: str) -> JobId:
    found = naming.meant(key, names, jobs)
    if found is None or found not in jobs or array_of(found) is not None:
        raise UnknownJob(f"there is no job {key!r}")
    return found
