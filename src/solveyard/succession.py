"""A service takes its store over from a manager that was started in the background for want of one.

Else a command that comes before it, while it is stopped or starts, would keep it out for as long
as there are jobs.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path

from solveyard.client import find
from solveyard.client.aio import AsyncClient
from solveyard.model.errors import SolveyardError
from solveyard.store.holder import Holder
from solveyard.store.lease import Lease, LeaseTaken

BACKGROUND = {"background": "yes"}  #: a lease's details: its holder makes room for a service
_PATIENCE = 60.0  #: s for it to come up, so that it can be asked, and to leave
_LOOK_AGAIN = 0.02  #: s

log = logging.getLogger(__name__)


async def lease(folder: Path, given_up: asyncio.Event) -> Lease:
    """The lease of the store in `folder`, from whoever has it in the background; what runs goes on.

    Raises LeaseTaken where the holder is none such, doesn't go, or once it is `given_up`.
    """
    loop = asyncio.get_running_loop()
    deadline, asked = loop.time() + _PATIENCE, ""
    while True:
        try:
            return Lease.take(folder)
        except LeaseTaken as error:
            holder = error.holder
            if not _makes_room(holder) or given_up.is_set() or loop.time() > deadline:
                raise
        if holder.instance != asked and await _unless(given_up, _ask_to_leave(folder, holder)):
            asked = holder.instance
            log.info("takes over from a manager in the background", extra={"pid": holder.pid})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(given_up.wait(), _LOOK_AGAIN)


def _makes_room(holder: Holder) -> bool:
    ours = holder.here and not holder.hidden
    return ours and BACKGROUND.items() <= holder.details.items()


async def _unless(given_up: asyncio.Event, asking: Coroutine[None, None, bool]) -> bool:
    """What comes of `asking`; False where it is given up first, which ends it."""
    async with asyncio.TaskGroup() as tasks:
        asked, leaving = tasks.create_task(asking), tasks.create_task(given_up.wait())
        await asyncio.wait((asked, leaving), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        leaving.cancel()
    return not asked.cancelled() and asked.result()


async def _ask_to_leave(folder: Path, holder: Holder) -> bool:
    """False: it can't be asked yet."""
    try:
        where = find.manager(folder)
        if where is None or where.pid != holder.pid:
            return False
        async with AsyncClient(where, patience=0.0) as client:
            await client.stop("leave")
    except (SolveyardError, OSError):
        return False
    return True
