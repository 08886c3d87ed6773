"""Whom the jobs of a submission mean by those they wait for."""

import re
from collections.abc import Mapping, Sequence

from solveyard.core import dependencies, names
from solveyard.core.board import Board
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob
from solveyard.model.ids import array_of, task_id
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.policies import Link
from solveyard.model.reading import nearest

_TASK = re.compile(r"(?P<array>.+)\[(?P<index>-?\d{1,18}|\{\{ *index *\}\})\]")

Named = Mapping[str, tuple[JobId, JobSpec]]  #: by name, those of one submission


def numbered(board: Board, specs: Sequence[JobSpec]) -> tuple[Named, list[JobId]]:
    """The number of each of `specs`: of the job whose name it takes, else a new one, which is no
    other job's name: whoever types it means this job.
    """
    ids: list[JobId] = []
    named: dict[str, tuple[JobId, JobSpec]] = {}
    new = board.counter.next
    for spec in specs:
        known = board.names.get(spec.name) if spec.name else None
        if known is None:
            while (typed := str(new)) != spec.name and (typed in board.names or typed in named):
                new += 1
            known, new = JobId(new), new + 1
        ids.append(known)
        if spec.name:
            named[spec.name] = known, spec
    return named, ids


def links(board: Board, spec: JobSpec, named: Named) -> tuple[Link, ...]:
    """Raises InvalidJob where one of `spec.after` means nobody."""
    found: list[Link] = []
    for place, wish in enumerate(spec.after):
        where = f"`after[{place}].job`"
        match = _TASK.fullmatch(wish.job)
        other, array = _find(board, match["array"] if match else wish.job, named, where)
        if match is None:
            found.append(Link(job=other, on=wish.on))
        elif array is None:
            raise InvalidJob(f"{where}: job {match['array']!r} is no array, so it has no tasks")
        elif match["index"].startswith("{"):
            if spec.array is None or len(spec.array) != len(array):
                raise InvalidJob(
                    f"{where}: {wish.job!r} pairs the tasks of two arrays, so both need equally"
                    f" many; {match['array']!r} has {len(array)}"
                )
            found.append(Link(job=other, on=wish.on, each=True))
        else:
            position = array.position(int(match["index"]))
            if position is None:
                raise InvalidJob(f"{where}: {match['array']!r} has no task {match['index']}")
            found.append(Link(job=task_id(other, position), on=wish.on))
    return tuple(found)


def circle(
    board: Board, new: Mapping[JobId, tuple[Link, ...]], specs: Mapping[JobId, JobSpec]
) -> str:
    """Those that would wait for each other for ever if these waited for theirs, in words; "":
    nobody would. `specs` are theirs, where they are new.
    """
    if not any(new.values()):
        return ""

    def after(job_id: JobId) -> tuple[Link, ...]:
        whole = array_of(job_id) or job_id
        if whole in new:
            return new[whole]
        job = board.jobs.at_hand(whole)  # who waits on the shelf waits for nobody
        return job.after if job is not None and _may_wait(job) else ()

    def name(job_id: JobId) -> str:
        whole = array_of(job_id) or job_id
        job: Job | None = board.jobs.get(whole)
        spec = specs.get(whole)
        if spec is not None:
            return spec.name or str(whole)
        return job.label if job is not None else str(whole)

    found = dependencies.circle(new, after)
    if not found:
        return ""
    named = " after ".join(name(one) for one in found)
    return f"these would wait for each other for ever: {named}"


def _may_wait(job: Job) -> bool:
    """Does it wait, or may it come to wait again without being asked to?"""
    over = job.state is JobState.RUNNING and job.spec.retry is None and not job.is_array
    return not (job.state.final or over)


def _find(board: Board, key: str, named: Named, where: str) -> tuple[JobId, ArraySpec | None]:
    """By name, those of the same submission first, else by number. Raises InvalidJob."""
    if key in named:
        job_id, spec = named[key]
        return job_id, spec.array
    known = names.meant(key, board.names, board.jobs)
    job = board.jobs.get(known) if known is not None else None
    if job is None:
        hint = nearest(key, [*named, *board.names])
        raise InvalidJob(f"{where}: there is no job {key!r}{hint}")
    return job.id, job.spec.array if job.is_array else None
