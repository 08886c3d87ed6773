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
        super().set()
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def not_yet(self) -> AsyncIterator[None]:
        """What waits in here ends with ManagerUnavailable once the door closes."""
        try:
            async with asyncio.timeout(0 if self.is_set() else None) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError as error:
            why = "the manager is stopping (start one: solveyard serve)"
            raise ManagerUnavailable(why) from error
