"""The numbers of jobs and tasks, and the names of attempts.

A task's number is its array's with its position above it, so that both fit one integer.
"""

from typing import NewType

JobId = NewType("JobId", int)
AttemptId = NewType("AttemptId", str)

_ABOVE = 40  #: bits of an array's own number


def task_id(array: JobId, position: int) -> JobId:
    """The task at `position`, from 0."""
    return JobId((position + 1) << _ABOVE | array)


def array_of(job: JobId) -> JobId | None:
    """The array whose task this is; None: it's no task."""
    return JobId(job & ((1 << _ABOVE) - 1)) if job >> _ABOVE else None


def number_of(job: JobId) -> JobId:
    """The number by which people know it: a task's is its array's."""
    array = array_of(job)
    return job if array is None else array


def position_of(job: JobId) -> int | None:
    """Where it is in its array, from 0; None: it's no task."""
    return (job >> _ABOVE) - 1 if job >> _ABOVE else None
