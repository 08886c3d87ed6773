"""What forwarded jobs write comes here: their output as it grows, their results when they end."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

from solveyard.backends.base import Order
from solveyard.backends.batch import files, layout, witness
from solveyard.backends.batch.incoming import Incoming, Results
from solveyard.backends.batch.layout import Layout
from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.batch.outgoing import noted
from solveyard.backends.batch.sharing import Ties
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.remote import Step
from solveyard.backends.hosts.ssh import Failed
from solveyard.model.jobs import AttemptId

log = logging.getLogger(__name__)

_SLOWER = 1.5
_SELDOM = 10.0  #: s between two looks at outputs that don't grow, at most
_KEPT = ".kept"  #: ends the name of a file that says what could not come
_TOGETHER = 50  #: jobs whose results come in one go


class Bringing:
    def __init__(self, where: Layout, store: str, often: float) -> None:
        """`store`: with which its attempts' ids begin; `often`: s between two looks at outputs."""
        self.brought: dict[AttemptId, tuple[str, ...]] = {}  #: with what could not come
        self._layout = where
        self._store = store
        self._often = often
        self._mirror = Mirror(where.remote)
        self._incoming = Incoming(where.remote, self._mirror)
        self._wanted: dict[AttemptId, Order] = {}
        self._gone: list[AttemptId] = []  #: to be removed there
        self._logs: set[str] = set()  #: of arrays, by mark: each task that begins makes it anew
        self._begun: set[AttemptId] = set()  #: whose own log is followed
        self._work = asyncio.Event()

    async def run(self, ties: Ties) -> None:
        """See `Files.run`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(ties))
            tasks.create_task(self._bring(ties))

    def want(self, order: Order) -> None:
        """All that it left; then it is in `brought`."""
        if order.launch.attempt not in self.brought:
            self._wanted[order.launch.attempt] = order
            self._work.set()

    def forget(self, attempt: AttemptId, array: str) -> None:
        """What could not come stays there."""
        if array:
            self._logs.add(array)
            self._work.set()
        self._begun.discard(attempt)
        self._wanted.pop(attempt, None)
        if not self.brought.pop(attempt, ()):
            self._gone.append(attempt)
            self._work.set()

    # Inside

    async def _follow(self, ties: Ties) -> None:
        """Outputs, and the files in which solvers tell progress."""
        interval = self._often
        while True:
            await asyncio.sleep(interval)
            await ties.answers.wait()
            came = False
            try:
                await self._layout.ready()
                pairs = [
                    pair for order in ties.running() for pair in await self._growing(order, ties)
                ]
                came, failed = await self._mirror.catch_up(pairs)
                for place, why in failed.items():
                    log.warning("output not written", extra={"path": str(place), "why": why})
            except Away as error:
                ties.away(str(error))
            except Failed as error:
                log.warning("outputs not read", extra={"error": str(error)})
            interval = self._often if came else min(interval * _SLOWER, max(self._often, _SELDOM))

    async def _growing(self, order: Order, ties: Ties) -> list[Pair]:
        pairs = self._layout.streams(order)
        if not order.watched or self._layout.mapped(order.command.directory):
            return pairs
        attempt = order.launch.attempt
        place = Path(order.command.directory) / order.watched
        record = await asyncio.to_thread(witness.record, order)
        if record is None or record.began is None:
            return pairs
        ended = attempt in self._wanted or attempt in self.brought
        if ended or all(one.launch.attempt != attempt for one in ties.running()):
            return pairs  # it comes with the results, or came: what is here is of this run
        if attempt not in self._begun:  # what is here is of an earlier run
            self._begun.add(attempt)
            with suppress(OSError):
                await asyncio.to_thread(place.unlink, missing_ok=True)
        there = f"{self._layout.place(attempt)}/{order.watched}"
        return [*pairs, Pair(there, place, record.began - 1)]

    async def _bring(self, ties: Ties) -> None:
        """Results of those that are over, and the end of what nobody asks for any more."""
        swept = False
        while True:
            await ties.answers.wait()
            orders = list(self._wanted.values())[:_TOGETHER]
            gone, self._gone = self._gone, []
            logs, self._logs = self._logs, set()
            try:
                await self._layout.ready()
                if not swept:
                    gone += await self._left(ties.over)
                    swept = True
                await self._bring_some(orders)
                await self._remove(gone)
                await self._remove_logs(logs)
            except Away as error:
                self._gone += gone
                self._logs |= logs
                ties.away(str(error))
                continue
            except Failed as error:
                log.warning("results not brought", extra={"error": str(error)})
                for order in orders:
                    self._arrived(order, (f"its results could not come: {error}",))
            if orders:
                ties.news()
            if not self._wanted:
                await self._work.wait()
            self._work.clear()

    async def _left(self, over: Callable[[AttemptId], bool]) -> list[AttemptId]:
        """What an earlier manager of this store has left there, of jobs that have ended."""
        names = await self._layout.remote.names(f"{self._layout.remote.root}/jobs")
        attempts = {AttemptId(".".join(name.split(".")[:4])) for name in names}
        own = [one for one in attempts if one.startswith(f"{self._store}.") and over(one)]
        return [one for one in own if f"{one}{_KEPT}" not in names]

    async def _bring_some(self, orders: Sequence[Order]) -> None:
        if not orders:
            return
        several = []
        for order in orders:
            place, directory = self._layout.place(order.launch.attempt), order.command.directory
            mapped = self._layout.mapped(directory)
            several.append(
                Results(
                    order.launch.attempt,
                    [*self._layout.streams(order), Pair(f"{place}.log", files.log(order))],
                    None if mapped else Pair(place, Path(directory)),
                    {} if mapped else await asyncio.to_thread(noted, layout.sent(order)),
                )
            )
        troubles = await self._incoming.bring(several)
        for order in orders:
            told = troubles[order.launch.attempt]
            if told:
                await self._keep(order.launch.attempt, told)
            self._arrived(order, tuple(told))

    async def _keep(self, attempt: AttemptId, troubles: Sequence[str]) -> None:
        """No manager of this store removes what is there."""
        content = "".join(f"{one}\n" for one in troubles).encode()
        digest = hashlib.sha256(content).hexdigest()
        place = f"{self._layout.place(attempt)}{_KEPT}"
        await self._layout.remote.put([Step("file", place, digest, content=content)])

    def _arrived(self, order: Order, troubles: tuple[str, ...]) -> None:
        if self._wanted.pop(order.launch.attempt, None) is not None:
            self.brought[order.launch.attempt] = troubles

    async def _remove(self, attempts: Sequence[AttemptId]) -> None:
        places = [self._layout.place(attempt) for attempt in attempts]
        if places:
            await self._layout.remote.remove(places)

    async def _remove_logs(self, marks: Collection[str]) -> None:
        """The batch system's words about all of an array, which its first task has brought."""
        places = [self._layout.place(AttemptId(mark)) for mark in sorted(marks)]
        if places:
            await self._layout.remote.remove_ending(places, ".log", _KEPT)
