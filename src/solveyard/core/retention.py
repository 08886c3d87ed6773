"""Which ended jobs go, when a policy says how many, how old or how large they may be."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from solveyard.model.errors import Conflict
from solveyard.model.jobs import Job, JobId

KEEP = "keep"  #: a job with this tag stays
DAY = 86400.0  #: s for which events stay, where the policy names no age


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What is None bounds nothing; by default nothing goes."""

    keep_jobs: int | None = None  #: ended jobs that stay, the newest
    max_age: float | None = None  #: s since its end
    max_age_failed: float | None = None  #: the same of those that failed; None: as `max_age`
    max_size: int | None = None  #: bytes that the files of all ended jobs take
    files: bool = False  #: files go with their records

    @property
    def bounds(self) -> bool:
        """May anything go at all?"""
        wanted = (self.keep_jobs, self.max_age, self.max_age_failed, self.max_size)
        return any(bound is not None for bound in wanted)


class Ended(NamedTuple):
    """An ended job, or an array with all its tasks."""

    job: JobId
    ended_at: float
    failed: bool = False
    size: int = 0  #: bytes of its own files


def wanted(tags: Collection[str]) -> bool:
    """Is a job with these tags to stay, whatever a policy says?"""
    return KEEP in tags


def may_go(ended: JobId, waited_for: Collection[JobId], keeps: Callable[[JobId], bool]) -> bool:
    """Does nobody wait for it, or want it kept? Tasks go with their array."""
    return ended not in waited_for and not keeps(ended)


def check_ended(job: Job) -> None:
    """Raises Conflict where it can't be removed yet."""
    if not job.state.final:
        raise Conflict(f"job {job.label} is {job.state}; cancel it before you remove it")


def going(those: Iterable[Ended], policy: Policy, ago: Callable[[float], float]) -> list[Ended]:
    """Those that the policy lets go, the oldest end first. `those` are all that may.

    `ago`: what the time was so many seconds ago.

    Age is looked at first, then the number of those that are left, then their size.
    """
    ordered = sorted(those, key=lambda one: (one.ended_at, one.job))
    most = policy.max_age
    failed = most if policy.max_age_failed is None else policy.max_age_failed
    begins, begins_failed = (-math.inf if age is None else ago(age) for age in (most, failed))
    aged = [one for one in ordered if one.ended_at < (begins_failed if one.failed else begins)]
    gone = {one.job for one in aged}
    left = [one for one in ordered if one.job not in gone]
    surplus = _surplus(left, policy)
    return sorted([*aged, *left[:surplus]], key=lambda one: (one.ended_at, one.job))


def log_begins(submitted: Iterable[float], policy: Policy, ago: Callable[[float], float]) -> float:
    """The time from which on events are kept: those of the policy's age, or a day, and all since
    the first of `submitted`, the jobs that are there and aren't kept for ever.
    """
    begins = ago(DAY if policy.max_age is None else policy.max_age)
    return min([begins, *submitted])


def _surplus(left: Sequence[Ended], policy: Policy) -> int:
    """How many, from the oldest, are too many or too large."""
    surplus = 0 if policy.keep_jobs is None else max(0, len(left) - policy.keep_jobs)
    if policy.max_size is not None:
        size = sum(one.size for one in left[surplus:])
        while size > policy.max_size and surplus < len(left):
            size -= left[surplus].size
            surplus += 1
    return surplus
