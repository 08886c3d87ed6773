"""What of forwarded jobs is removed there, and what must stay."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Collection, Sequence

from solveyard.backends.batch.layout import Layout
from solveyard.backends.batch.sharing import Ties
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.remote import Step
from solveyard.backends.hosts.ssh import Failed
from solveyard.model.jobs import AttemptId

log = logging.getLogger(__name__)

_KEPT = ".kept"  #: ends the name of a file that says what could not come
_HERE = ".here"  #: ends the name of one that says that all came
_SENT = frozenset({"", ".sh", ".pyz"})  #: end the names of what is sent for one
_OF_ATTEMPT = re.compile(r"([^.]+\.[^.]+\.[^.]+\.[^.]+)((?:\..*)?)")
_PAUSE, _LONGEST = 5.0, 600.0  #: s after a command that failed there


class Clearing:
    def __init__(self, where: Layout, store: str) -> None:
        """`store`: with which its attempts' ids begin."""
        self._layout = where
        self._store = store
        self._gone: list[AttemptId] = []  #: to be removed there
        self._logs: set[str] = set()  #: of arrays, by mark: each task that begins makes it anew
        self._work = asyncio.Event()

    async def run(self, ties: Ties) -> None:
        """Until cancelled; first for what an earlier manager has left."""
        swept = False
        pause = _PAUSE
        while True:
            await ties.answers.wait()
            self._work.clear()
            gone, self._gone = self._gone, []
            logs, self._logs = self._logs, set()
            try:
                await self._layout.ready()
                if not swept:
                    gone += await self._left(ties.over)
                    swept = True
                await self._remove(gone)
                await self._remove_logs(logs)
            except (Away, Failed) as error:
                self._gone += gone
                self._logs |= logs
                if isinstance(error, Away):
                    ties.away(str(error))
                    continue
                log.warning("not removed", extra={"error": str(error)})
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST)
                continue
            pause = _PAUSE
            await self._work.wait()

    def remove(self, attempt: AttemptId) -> None:
        """What is kept stays."""
        self._gone.append(attempt)
        self._work.set()

    def remove_log(self, array: str) -> None:
        """The batch system's words about all of an array, which its first task has brought."""
        self._logs.add(array)
        self._work.set()

    async def keep(self, attempt: AttemptId, troubles: Sequence[str]) -> None:
        """No manager of this store removes what is there. Raises Away, Failed."""
        content = "".join(f"{one}\n" for one in troubles).encode()
        digest = hashlib.sha256(content).hexdigest()
        place = f"{self._layout.place(attempt)}{_KEPT}"
        await self._layout.remote.put([Step("file", place, digest, content=content)])

    async def came(self, attempts: Sequence[AttemptId]) -> None:
        """Any manager of this store may remove what is there. Raises Away."""
        places = [f"{self._layout.place(attempt)}{_HERE}" for attempt in attempts]
        try:
            await self._layout.remote.touch(places)
        except Failed as error:  # it costs room there if this manager can't remove it
            log.warning("not marked as brought", extra={"error": str(error)})

    # Inside

    async def _left(self, over: Callable[[AttemptId], bool]) -> list[AttemptId]:
        """What an earlier manager of this store has not removed: what came, or never began."""
        endings: dict[AttemptId, set[str]] = {}
        for name in await self._layout.remote.names(f"{self._layout.remote.root}/jobs"):
            if match := _OF_ATTEMPT.fullmatch(name):
                endings.setdefault(AttemptId(match[1]), set()).add(match[2])
        done = [one for one, has in endings.items() if _HERE in has or _unbegun(has)]
        own = [one for one in done if one.startswith(f"{self._store}.") and over(one)]
        return [one for one in own if _KEPT not in endings[one]]

    async def _remove(self, attempts: Sequence[AttemptId]) -> None:
        places = [self._layout.place(attempt) for attempt in attempts]
        await self._layout.remote.remove(places, unless=_KEPT)

    async def _remove_logs(self, marks: Collection[str]) -> None:
        places = [self._layout.place(AttemptId(mark)) for mark in sorted(marks)]
        await self._layout.remote.remove_ending(places, ".log", _KEPT)


def _unbegun(endings: set[str]) -> bool:
    """It was sent, and its script has left no trace."""
    return ".sh" in endings and endings <= _SENT
