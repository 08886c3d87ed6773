"""Wishes about jobs that a batch system has: to end, hold, release or prefer them.

Granted is what it shows; a wish is repeated until then.
"""

import asyncio
import logging
from collections.abc import Iterable

from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import Entry, Phase
from solveyard.backends.dialects.base import Call, Refused, State, Unknown

log = logging.getLogger(__name__)

_WAITS = frozenset({State.PENDING, State.HELD, State.REQUEUED})


class Actor:
    """Many jobs at once, where they want the same."""

    def __init__(self, cluster: Cluster, answers: asyncio.Event) -> None:
        self.news = asyncio.Event()
        self._cluster = cluster
        self._dialect, self._entries = cluster.dialect, cluster.entries
        self._answers = answers

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.news.wait()
            self.news.clear()
            await self._answers.wait()
            await self._kill()
            await self._grant()

    def looked(self) -> None:
        """There was an answer: what is not so yet is wished for again."""
        if any(entry.kill or entry.wish for entry in self._entries.at(Phase.THERE)):
            self.news.set()

    def _reachable(self) -> list[Entry]:
        """The others' ids may be a stranger's by now."""
        return [entry for entry in self._entries.at(Phase.THERE) if entry.reachable]

    async def _kill(self) -> None:
        doomed = [entry for entry in self._reachable() if entry.kill is not None]
        if doomed:
            await self._do("cancel", self._dialect.cancel(_ids(doomed)))

    async def _grant(self) -> None:
        wishing = [entry for entry in self._reachable() if entry.wish is not None]
        for entry in wishing:
            if entry.state is not None and entry.state.state not in _WAITS:
                entry.wish = None  # it runs
        held = [e for e in wishing if e.wish is not None and e.wish.held]
        free = [e for e in wishing if e.wish is not None and not e.wish.held]
        unheld = [e for e in held if e.state is None or e.state.state is not State.HELD]
        if unheld:
            await self._do("hold", self._dialect.hold(_ids(unheld)))
        if free:
            await self._do("release", self._dialect.release(_ids(free)))
        for entry in free:
            wish = entry.wish
            if wish is not None and wish.priority != entry.order.launch.spec.priority:
                call = self._dialect.prioritize([entry.native_id], wish.priority)
                await self._do("priority", call)
        for entry in (*held, *free):
            if entry.state is not None:
                entry.wish = None

    async def _do(self, what: str, call: Call | None) -> None:
        if call is None:
            return
        told = self._dialect.acted(await self._cluster.run(call))
        match told:
            case Refused(words=words):
                log.warning("refused by a cluster", extra={"what": what, "words": words})
            case Unknown(why=why):
                log.warning("unknown whether done", extra={"what": what, "why": why})
            case _:
                pass


def _ids(entries: Iterable[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.native_id for entry in entries))
