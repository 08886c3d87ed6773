"""Who waits until jobs have ended, or are gone."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from solveyard.model.ids import array_of
from solveyard.model.jobs import Job, JobId
from solveyard.model.messages import AnyEvent, CancelRequested, JobEnded, JobRemoved


class Ends:
    """Its methods belong to the manager's loop."""

    def __init__(self, look: Callable[[JobId], Job | None]) -> None:
        """`look`: a job as it is on disk; None: there is none."""
        self._look = look
        self._awaited: dict[JobId, list[asyncio.Future[None]]] = {}

    async def come(self, ids: Sequence[JobId], seconds: float | None) -> bool:
        """Until all of them have ended or are gone; False: the time is over."""
        loop = asyncio.get_running_loop()
        waits: list[asyncio.Future[None]] = []
        for job_id in dict.fromkeys(ids):
            job = self._look(job_id)
            if job is not None and not job.state.final:
                waits.append(loop.create_future())
                self._awaited.setdefault(job_id, []).append(waits[-1])
        if not waits:
            return True
        try:
            _, missing = await asyncio.wait(waits, timeout=seconds)
        finally:
            for future in waits:
                future.cancel()
        return not missing

    def take(self, events: Iterable[AnyEvent]) -> None:
        """What has happened. Quick: of all events that there are."""
        for event in events if self._awaited else ():
            if isinstance(event, JobEnded | JobRemoved):
                self._tell(event.job)
            elif isinstance(event, CancelRequested):  # an array's tasks have no events of their own
                for task in [i for i in self._awaited if array_of(i) == event.job]:
                    if (found := self._look(task)) is None or found.state.final:
                        self._tell(task)

    def _tell(self, job_id: JobId) -> None:
        ended = [job_id]
        if (job := self._look(job_id)) is None or job.is_array:
            ended += [i for i in self._awaited if array_of(i) == job_id]
        for future in [future for i in ended for future in self._awaited.pop(i, ())]:
            if not future.done():
                future.set_result(None)
