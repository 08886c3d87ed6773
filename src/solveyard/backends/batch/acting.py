"""Wishes about jobs that a batch system has: to end, hold, release or prefer them.

A wish is repeated until the batch system has heard it, a hold until it shows.
"""

import asyncio
import logging
from collections.abc import Iterable

from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import WAITS, Entry, Phase
from solveyard.backends.dialects.base import Call, Done, Refused, State, Unknown
from solveyard.model.messages import Modify

log = logging.getLogger(__name__)


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
        for entry in self._entries.at(Phase.THERE):
            if entry.wish is not None and entry.wish.held and _is_held(entry):
                entry.wish = None
        if any(entry.kill or entry.wish for entry in self._entries.at(Phase.THERE)):
            self.news.set()

    def _reachable(self) -> list[Entry]:
        """The others' ids may be a stranger's by now."""
        return [entry for entry in self._entries.at(Phase.THERE) if entry.reachable]

    async def _kill(self) -> None:
        doomed = [entry for entry in self._reachable() if entry.doomed]
        for entry in doomed:
            entry.killed = True
        if doomed:
            await self._do("cancel", self._dialect.cancel(_ids(doomed)))

    async def _grant(self) -> None:
        wishing = [entry for entry in self._reachable() if entry.wish is not None]
        for entry in wishing:
            if entry.state is not None and entry.state.state not in WAITS:
                entry.wish = None  # it runs
        held = [(e, e.wish) for e in wishing if e.wish is not None and e.wish.held]
        free = [(e, e.wish) for e in wishing if e.wish is not None and not e.wish.held]
        if unheld := [entry for entry, _ in held if not _is_held(entry)]:
            call = self._dialect.hold(_ids(unheld))
            await self._do("hold", call)
            for entry, wish in held if call is None else ():
                _granted(entry, wish)
        if not free:
            return
        told = await self._do("release", self._dialect.release(_ids(entry for entry, _ in free)))
        for entry, wish in free:
            answers = [told]
            if wish.priority != entry.order.launch.spec.priority:
                call = self._dialect.prioritize([entry.native_id], wish.priority)
                answers.append(await self._do("priority", call))
            if entry.state is not None and not any(isinstance(one, Unknown) for one in answers):
                _granted(entry, wish)

    async def _do(self, what: str, call: Call | None) -> Done | Refused | Unknown:
        if call is None:
            return Refused("it has no command for that")
        told = self._dialect.acted(await self._cluster.run(call))
        match told:
            case Refused(words=words):
                log.warning("refused by a cluster", extra={"what": what, "words": words})
            case Unknown(why=why):
                log.warning("unknown whether done", extra={"what": what, "why": why})
            case _:
                pass
        return told


def _is_held(entry: Entry) -> bool:
    return entry.state is not None and entry.state.state is State.HELD


def _granted(entry: Entry, wish: Modify) -> None:
    """Unless something else is wished for by now."""
    if entry.wish is wish:
        entry.wish = None


def _ids(entries: Iterable[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.native_id for entry in entries))
