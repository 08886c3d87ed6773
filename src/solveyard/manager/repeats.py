"""Submissions that are made again under the same key, because an answer got lost."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from solveyard.core.roll import Roll
from solveyard.model.ids import array_of
from solveyard.model.jobs import Job, JobId, JobSpec, Submission
from solveyard.model.messages import AnyEvent, JobRetried, JobSubmitted
from solveyard.store.base import Past


class Whose(NamedTuple):
    """A key, and who submits with it: another's same key is another key."""

    owner: str
    key: str


class Repeats:
    """Knows the jobs of each key. The jobs keep their keys, so a restart forgets none."""

    def __init__(self, jobs: Iterable[Job], past: Iterable[Past] = ()) -> None:
        self._ids: dict[Whose, list[JobId]] = {}
        self._under_way: dict[Whose, asyncio.Event] = {}
        whole = [job for job in jobs if array_of(job.id) is None]  # a task has its array's key
        made = [(job.id, each) for job in whole for each in job.submissions]
        made += [(one.id, each) for one in past for each in one.submissions]
        for job_id, each in sorted(made, key=lambda one: one[1].arrival):
            self._ids.setdefault(_whose(each), []).append(job_id)

    def note(self, events: Sequence[AnyEvent]) -> None:
        """These are on disk."""
        for event in events:
            match event:
                case JobSubmitted(key=key, job=job, by=by) if key:
                    self._ids.setdefault(Whose(by, key), []).append(job)
                case JobRetried(key=key, job=job, spec=JobSpec(), by=by) if key:
                    self._ids.setdefault(Whose(by, key), []).append(job)
                case _:
                    pass

    async def submit(
        self,
        key: Whose,
        jobs: Callable[[], Roll],
        submit: Callable[[], Awaitable[list[Job]]],
    ) -> tuple[list[Job], bool]:
        """The key's jobs, and whether it had them already; else what `submit` returns."""
        while (other := self._under_way.get(key)) is not None:
            await other.wait()
        if known := self._known(key, jobs()):
            return known, True
        done = self._under_way[key] = asyncio.Event()
        try:
            return await submit(), False
        finally:
            del self._under_way[key]
            done.set()

    def _known(self, key: Whose, jobs: Roll) -> list[Job]:
        """Those that are left, be they submitted anew meanwhile, and remember it."""
        jobs.bring(self._ids.get(key, ()))
        left = [jobs[i] for i in self._ids.get(key, ()) if i in jobs]
        found = [job for job in left if key in map(_whose, job.submissions)]
        if not found:
            self._ids.pop(key, None)
        return found


def _whose(submission: Submission) -> Whose:
    return Whose(submission.owner, submission.key)
