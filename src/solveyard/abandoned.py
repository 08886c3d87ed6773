"""The jobs of sessions whose program died: noticed here, and handed to the engine."""

import asyncio
import logging

from solveyard import attendance
from solveyard.manager.manager import Manager
from solveyard.model.errors import StoreError
from solveyard.model.messages import EndSessions

log = logging.getLogger(__name__)

GLANCE = 1.0  #: s between two looks at which sessions live


async def settle(manager: Manager, by: str) -> None:
    """Have what dead sessions left ended, or held. Raises StoreError."""
    store = manager.store_folder
    gone = await manager.aside(lambda: tuple(attendance.dead(store)))
    if not gone:
        return
    await manager.request(EndSessions(sessions=gone, by=by))
    for session in gone:
        attendance.end(store, session)


async def watch(manager: Manager, by: str) -> None:
    """`settle`, again and again, until cancelled."""
    while True:
        await asyncio.sleep(GLANCE)
        try:
            await settle(manager, by)
        except StoreError as error:
            log.warning("what dead sessions left goes on", extra={"error": str(error)})
