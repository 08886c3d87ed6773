"""Which ends of jobs are told to whom, and when a delivery that failed is tried again."""

from collections.abc import Iterable

from solveyard.core.lifecycle import ENDED_STATE
from solveyard.model.ids import array_of
from solveyard.model.jobs import Job, JobState
from solveyard.model.messages import AnyEvent, JobEnded
from solveyard.model.notices import Receiver

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
    ends = {ending(event).value, event.outcome.reason.value}
    return [
        one.name
        for one in receivers
        if (one.always or one.name in job.spec.notify)
        and not ends.isdisjoint(one.on)
        and (not one.tags or not one.tags.isdisjoint(job.spec.tags))
    ]


def next_try(at: float, tries: int, now: float) -> float | None:
    """When to try again after `tries` that failed, of an end at `at`; None: no more."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, 30))
    return now + pause if now + pause <= at + GIVE_UP else None
