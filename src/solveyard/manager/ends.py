"""Who waits until jobs have ended, or are gone."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from solveyard.model.ids import array_of
from solveyard.model.jobs import JobId
from solveyard.model.messages import AnyEvent, CancelRequested, JobEnded, JobRemoved


class _Wait(NamedTuple):
    """Somebody's, for several jobs."""

    left: set[JobId]
    over: asyncio.Future[None]


class Ends:
    """Its methods belong to the manager's loop."""

    def __init__(self, lives: Callable[[JobId], bool]) -> None:
        """`lives`: is there such a job on disk that has not ended?"""
        self._lives = lives
        self._awaited: dict[JobId, list[_Wait]] = {}
        self._tasks: dict[JobId, set[JobId]] = {}  #: of arrays, those that are awaited

    async def come(self, ids: Sequence[JobId], seconds: float | None) -> bool:
        """Until all of them have ended or are gone; False: the time is over."""
        left = {job_id for job_id in ids if self._lives(job_id)}
        if not left:
            return True
        wait = _Wait(left, asyncio.get_running_loop().create_future())
        for job_id in left:
            self._awaited.setdefault(job_id, []).append(wait)
            if (array := array_of(job_id)) is not None:
                self._tasks.setdefault(array, set()).add(job_id)
        try:
            async with asyncio.timeout(seconds):
                await wait.over
        except TimeoutError:
            return False
        finally:
            self._leave(wait)
        return True

    def take(self, events: Iterable[AnyEvent]) -> None:
        """What has happened. Quick: of all events that there are."""
        for event in events if self._awaited else ():
            if isinstance(event, JobEnded | JobRemoved):
                self._tell(event.job)
            elif isinstance(event, CancelRequested):  # an array's tasks have no events of their own
                for task in [*self._tasks.get(event.job, ())]:
                    if not self._lives(task):
                        self._tell(task)

    def _tell(self, job_id: JobId) -> None:
        if (array := array_of(job_id)) is not None:
            self._followed_no_more(array, job_id)
        for ended in (job_id, *self._tasks.pop(job_id, ())):  # an array's end is that of its tasks
            for wait in self._awaited.pop(ended, ()):
                wait.left.discard(ended)
                if not wait.left and not wait.over.done():
                    wait.over.set_result(None)

    def _leave(self, wait: _Wait) -> None:
        """It waits for nothing any more."""
        for job_id in wait.left:
            others = [one for one in self._awaited.pop(job_id, ()) if one is not wait]
            if others:
                self._awaited[job_id] = others
            elif (array := array_of(job_id)) is not None:
                self._followed_no_more(array, job_id)

    def _followed_no_more(self, array: JobId, task: JobId) -> None:
        followed = self._tasks.get(array, set())
        followed.discard(task)
        if not followed:
            self._tasks.pop(array, None)
