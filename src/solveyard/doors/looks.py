"""Looks at this machine, for whoever has submissions admitted."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from solveyard.surroundings import Glance, Here, Seen, Unseen

T = TypeVar("T")

_MOMENT = 0.5  #: s for which links, and who may write a program, are believed to stay as they are
_QUICK = 0.01  #: s that a glance may take; when it took longer, the disk is slow
_REST = 0.25  #: s for which a slow disk is left to threads


class Looks:
    """A look blocks, so it takes a thread, and a busy loop keeps Python's lock from that at each
    file. What is alike of a moment's submissions is looked up once; the loop glances at the rest.
    """

    def __init__(self) -> None:
        self._seen = Seen()
        self._until = 0.0  #: what was seen is believed
        self._asked = 0  #: looks in this moment
        self._rests_until = 0.0

    async def look(
        self,
        step: Callable[[Here], T],
        licences: Collection[str],
        elsewhere: Collection[str],
        *,
        short: bool,
    ) -> T:
        """What `step` returns or raises. `short`: its own work is no burden for the loop."""
        begun = time.monotonic()
        if begun > self._until:
            self._seen, self._until, self._asked = Seen(), begun + _MOMENT, 0
        self._asked += 1
        seen, again = self._seen, self._asked > 1
        if short and seen.folders and begun > self._rests_until:
            try:
                return step(Glance(seen, licences, elsewhere))
            except Unseen:
                pass
            finally:
                if (now := time.monotonic()) > begun + _QUICK:
                    self._rests_until = now + _REST

        def looked() -> T:
            here = Here(licences, elsewhere)
            found = step(here)
            if again and short:
                here.note(seen)
            return found

        return await asyncio.to_thread(looked)
