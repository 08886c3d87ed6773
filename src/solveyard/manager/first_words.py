"""The first word of a batch system about a job: an id, or a refusal. People may wait for it."""

import asyncio
from collections.abc import Callable, Iterable

from solveyard.model.jobs import Job, JobId
from solveyard.model.messages import (
    AnyEvent,
    JobAccepted,
    JobEnded,
    JobRecalled,
    JobRemoved,
    JobRequeued,
    JobStale,
    JobStarted,
)

#: After these there is a word, or nobody knows when there will be.
_WORDS = (
    JobAccepted, JobStarted, JobEnded, JobRequeued, JobRecalled, JobRemoved, JobStale,
)  # fmt: skip


class FirstWords:
    """Its methods belong to the manager's loop."""

    def __init__(self, look: Callable[[JobId], Job | None]) -> None:
        """`look`: a job as it is on disk; None: there is none."""
        self._look = look
        self._awaited: dict[JobId, list[asyncio.Future[None]]] = {}

    def take(self, events: Iterable[AnyEvent]) -> None:
        """What has happened. Quick: of all events that there are."""
        for event in events if self._awaited else ():
            if isinstance(event, _WORDS):
                for waits in self._awaited.pop(event.job, ()):
                    if not waits.done():
                        waits.set_result(None)

    async def heard(self, job_id: JobId, seconds: float) -> bool:
        """Until there is one, or none is to be expected; False: the time is over."""
        if not self._expected(job_id):
            return True
        waits = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(job_id, []).append(waits)
        try:
            async with asyncio.timeout(seconds):
                await waits
        except TimeoutError:
            return False
        finally:
            self._forget(job_id, waits)
        return True

    def _expected(self, job_id: JobId) -> bool:
        job = self._look(job_id)
        attempt = job.live_attempt if job is not None else None
        if job is None or attempt is None or job.stale_since is not None:
            return False
        return attempt.placement.forwarded and not attempt.native_id

    def _forget(self, job_id: JobId, waits: asyncio.Future[None]) -> None:
        others = self._awaited.get(job_id, [])
        if waits in others:
            others.remove(waits)
        if not others:
            self._awaited.pop(job_id, None)
