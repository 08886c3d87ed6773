"""Long work on an event loop, in pieces that are short however slow the machine is."""

import asyncio

SHORT = 0.001  #: s


class Pauses:
    """Lets others go on about every millisecond: `await pauses.due()` after each step."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._begun = self._time()

    async def due(self) -> None:
        """Give way where this piece was long enough."""
        if self._time() > self._begun + SHORT:
            await asyncio.sleep(0)
            self._begun = self._time()
