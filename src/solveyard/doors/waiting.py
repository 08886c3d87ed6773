"""Requests that are answered once something has become of a job."""

import asyncio
from collections.abc import Iterable, Sequence

from aiohttp import web

from solveyard.doors.keys import CLOSING, MANAGER
from solveyard.model.jobs import JobId

GLANCE = 0.5  #: s between two looks at whether the door closes, while somebody waits
FIRST_WORD = 10.0  #: s that an answer waits for a batch system's first word about its job


async def ended(request: web.Request, jobs: Sequence[JobId], timeout: float | None) -> bool:  # noqa: ASYNC109  False is an answer
    """Wait for all their ends, not longer than the door is open: then ManagerUnavailable."""
    async with request.app[CLOSING].not_yet():
        return await request.app[MANAGER].wait(jobs, timeout)


async def first_words(request: web.Request, jobs: Iterable[JobId]) -> None:
    """Wait for what a batch system says of each that was handed to one; not for long in all."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + FIRST_WORD
    words = request.app[MANAGER].first_words
    for job in jobs:
        while not request.app[CLOSING].is_set() and (left := deadline - loop.time()) > 0:
            if await words.heard(job, min(left, GLANCE)):
                break
