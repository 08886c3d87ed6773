"""Which ends of jobs are told to whom, and when a delivery that failed is tried again."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from solveyard.core.lifecycle import ENDED_STATE
from solveyard.model.ids import array_of
from solveyard.model.jobs import Job, JobState
from solveyard.model.messages import AnyEvent, JobEnded
from solveyard.model.notices import ANY, Receiver

FIRST_PAUSE = 1.0  #: s before the second try; each further pause is twice as long
LONGEST_PAUSE = 600.0  #: s
GIVE_UP = 24 * 3600.0  #: s after the end that it tells


def told(event: AnyEvent) -> bool:
    """Is it an end that receivers may hear of? That of a job or a whole array, never a task's."""
    return isinstance(event, JobEnded) and array_of(event.job) is None


def ending(event: JobEnded) -> JobState:
    return ENDED_STATE.get(event.outcome.reason, JobState.FAILED)


def wanted(event: JobEnded, job: Job, receivers: Iterable[Receiver]) -> list[str]:
    """The names of those who want to know of this end of `job`."""
    if not told(event):
        return []
    ends = {ANY, ending(event).value, event.outcome.reason.value}
    return [
        one.name
        for one in receivers
        if (one.always or one.name in job.spec.notify)
        and not ends.isdisjoint(one.on)
        and _admits(one, job)
    ]


def pause(tries: int, chance: float, longest: float = LONGEST_PAUSE) -> float:
    """s to wait after `tries` that failed. `chance`, from 0 to 1, takes up to a quarter off, so
    that not all come back at once.
    """
    return min(longest, FIRST_PAUSE * 2.0 ** min(tries - 1, 30)) * (1.0 - 0.25 * chance)


def next_try(at: float, tries: int, now: float, chance: float) -> float | None:
    """When to try again after `tries` that failed, of an end at `at`; None: no more."""
    then = now + pause(tries, chance)
    return then if then <= at + GIVE_UP else None


def _admits(receiver: Receiver, job: Job) -> bool:
    """By the receiver's filters."""
    return (
        (not receiver.tags or not receiver.tags.isdisjoint(job.spec.tags))
        and (not receiver.users or job.owner in receiver.users)
        and (
            not receiver.names
            or any(fnmatchcase(job.spec.name, pattern) for pattern in receiver.names)
        )
    )
