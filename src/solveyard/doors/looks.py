"""Looks at this machine, for whoever has submissions admitted."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from solveyard.pauses import Glances
from solveyard.surroundings import Glance, Here, Seen, Unseen

T = TypeVar("T")

_MOMENT = 0.5  #: s for which links, and who may write a program, are believed to stay as they are


class Looks:
    """A look blocks, so it takes a thread, and a busy loop keeps Python's lock from that at each
    file. What is alike of a moment's submissions is looked up once; the loop glances at the rest.
    """

    def __init__(self) -> None:
        self._seen = Seen()
        self._until = 0.0  #: what was seen is believed
        self._asked = 0  #: looks in this moment
        self._glances = Glances()

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
        if short and seen.folders and self._glances.may_be:
            with contextlib.suppress(Unseen), self._glances.one():
                return step(Glance(seen, licences, elsewhere))

        def looked() -> T:
            here = Here(licences, elsewhere)
            found = step(here)
            if again and short:
                here.note(seen)
            return found

        return await asyncio.to_thread(looked)
