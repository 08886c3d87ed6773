"""When a door closes, nobody waits any longer for an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from solveyard.model.errors import ManagerUnavailable


class Closing(asyncio.Event):
    """Set when the door closes."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: set[asyncio.Timeout] = set()

    def set(self) -> None:
        if self.is_set():
            return
        super().set()
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def not_yet(self) -> AsyncIterator[None]:
        """What waits in here ends with ManagerUnavailable once the door closes."""
        wait = asyncio.timeout(0 if self.is_set() else None)
        self._waits.add(wait)
        try:
            async with wait:
                yield
        except TimeoutError as error:
            if not wait.expired():
                raise
            why = "the manager is stopping (start one: solveyard serve)"
            raise ManagerUnavailable(why) from error
        finally:
            self._waits.discard(wait)
