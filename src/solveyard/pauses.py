"""Work on an event loop, in pieces that are short however slow machine and disk are."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

SHORT = 0.001  #: s
QUICK = 0.01  #: s that a glance at a disk may take; when it took longer, the disk is slow
REST = 0.25  #: s for which a slow disk is left to threads


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


class Glances:
    """Short looks at this machine's disk that the loop takes itself, as long as they are short."""

    def __init__(self) -> None:
        self._rests_until = 0.0

    @property
    def may_be(self) -> bool:
        """The last one was quick, or is long ago."""
        return time.monotonic() > self._rests_until

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around a look."""
        begun = time.monotonic()
        try:
            yield
        finally:
            if (now := time.monotonic()) > begun + QUICK:
                self._rests_until = now + REST
