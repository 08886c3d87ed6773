"""Who waits until jobs have ended, or are gone."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from solveyard.model.ids import array_of
from solveyard.model.jobs import JobId, JobState
from solveyard.model.messages import AnyEvent, CancelRequested, JobEnded, JobRemoved


class Ends:
    """Its methods belong to the manager's loop."""

    def __init__(self, state: Callable[[JobId], JobState | None]) -> None:
        """`state`: a job's, as it is on disk; None: there is none."""
        self._state = state
        self._awaited: dict[JobId, list[asyncio.Future[None]]] = {}
        self._tasks: dict[JobId, set[JobId]] = {}  #: of arrays, those that are awaited

    async def come(self, ids: Sequence[JobId], seconds: float | None) -> bool:
        """Until all of them have ended or are gone; False: the time is over."""
        loop = asyncio.get_running_loop()
        waits: list[asyncio.Future[None]] = []
        for job_id in dict.fromkeys(ids):
            state = self._state(job_id)
            if state is not None and not state.final:
                waits.append(loop.create_future())
                self._awaited.setdefault(job_id, []).append(waits[-1])
                if (array := array_of(job_id)) is not None:
                    self._tasks.setdefault(array, set()).add(job_id)
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
                for task in [*self._tasks.get(event.job, ())]:
                    if (state := self._state(task)) is None or state.final:
                        self._tell(task)

    def _tell(self, job_id: JobId) -> None:
        if (array := array_of(job_id)) is not None:
            self._tasks.get(array, set()).discard(job_id)
        ended = [job_id, *self._tasks.pop(job_id, ())]  # an array's end is that of all its tasks
        for future in [future for i in ended for future in self._awaited.pop(i, ())]:
            if not future.done():
                future.set_result(None)
