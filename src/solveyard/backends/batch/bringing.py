"""What forwarded jobs write comes here: their output as it grows, their results when they end."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from solveyard.backends.base import Order
from solveyard.backends.batch import files, notes, witness
from solveyard.backends.batch.clearing import Clearing
from solveyard.backends.batch.incoming import Incoming, Results, within
from solveyard.backends.batch.layout import Layout
from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.batch.sharing import Ties
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.ssh import Failed
from solveyard.model.jobs import AttemptId
from solveyard.wire.beneath import Folder

log = logging.getLogger(__name__)

_SLOWER = 1.5
_SELDOM = 10.0  #: s between two looks at outputs that don't grow, at most
_TOGETHER = 50  #: jobs whose results come in one go
_MUCH = 64 << 20  #: bytes of results that come in one go, unless they are one job's
_SLOW = 2  #: goes at once at results that are larger, or failed before
_PAUSE, _LONGEST = 1.0, 300.0  #: s after a command that failed there
_DOUBLED = 30  #: times, at most: a float holds no power of two above 1023
_TRIES = 8  #: of one job's results, some two minutes, until they are left there


class _Tried(NamedTuple):
    """Results that come alone, since something failed there."""

    times: int
    next_at: float  #: by the loop's clock


class _Next(NamedTuple):
    """Whose results come next."""

    orders: Sequence[Order]
    most: int | None  #: bytes of them all: those beyond wait for others; None: whatever they are
    pause: float | None  #: where there are none: s until there may be; None: until there is work


class Bringing:
    def __init__(self, where: Layout, store: str, often: float) -> None:
        """`store`: with which its attempts' ids begin; `often`: s between two looks at outputs."""
        self.brought: dict[AttemptId, tuple[str, ...]] = {}  #: with what could not come
        self._layout = where
        self._often = often
        self._mirror = Mirror(where.remote)
        self._incoming = Incoming(where.remote, self._mirror)
        self._clearing = Clearing(where, store)
        self._wanted: dict[AttemptId, Order] = {}
        self._tried: dict[AttemptId, _Tried] = {}
        self._begun: set[AttemptId] = set()  #: whose own log is followed
        self._sizes: dict[AttemptId, int] = {}  #: bytes of results that keep no small ones waiting
        self._under_way: set[AttemptId] = set()
        self._work = asyncio.Event()
        self._slow_work = asyncio.Event()

    async def run(self, ties: Ties) -> None:
        """See `Files.run`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(ties))
            tasks.create_task(self._bring(ties, self._work, self._fresh))
            for _ in range(_SLOW):
                tasks.create_task(self._bring(ties, self._slow_work, self._slow))
            tasks.create_task(self._clearing.run(ties))

    def want(self, order: Order) -> None:
        """All that it left; then it is in `brought`."""
        if order.launch.attempt not in self.brought:
            self._wanted[order.launch.attempt] = order
            self._work.set()

    def forget(self, attempt: AttemptId, array: str) -> None:
        """What is kept there stays."""
        if array:
            self._clearing.remove_log(array)
        self._begun.discard(attempt)
        self._sizes.pop(attempt, None)
        self._tried.pop(attempt, None)
        self.brought.pop(attempt, None)
        if self._wanted.pop(attempt, None) is None:
            self._clearing.remove(attempt)

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
                    log.warning("output not followed", extra={"path": str(place), "why": why})
            except Away as error:
                ties.away(str(error))
            except Failed as error:
                log.warning("outputs not read", extra={"error": str(error)})
            interval = self._often if came else min(interval * _SLOWER, max(self._often, _SELDOM))

    async def _growing(self, order: Order, ties: Ties) -> list[Pair]:
        pairs = self._layout.streams(order)
        if not order.watched or self._layout.mapped(order.command.directory):
            return pairs
        attempt, root = order.launch.attempt, Path(order.command.directory)
        record = await asyncio.to_thread(witness.record, order)
        if record is None or record.began is None:
            return pairs
        ended = attempt in self._wanted or attempt in self.brought
        if ended or all(one.launch.attempt != attempt for one in ties.running()):
            return pairs  # it comes with the results, or came: what is here is of this run
        if attempt not in self._begun:  # what is here is of an earlier run
            self._begun.add(attempt)
            with suppress(OSError):
                await asyncio.to_thread(_unlink, root, order.watched, order.within)
        there = f"{self._layout.place(attempt)}/{order.watched}"
        return [*pairs, Pair(there, root / order.watched, record.began - 1, root, order.within)]

    async def _bring(self, ties: Ties, work: asyncio.Event, chosen: Callable[[], _Next]) -> None:
        """Results of those that are over, as they are chosen."""
        while True:
            await ties.answers.wait()
            work.clear()
            orders, most, pause = chosen()
            if not orders:
                with suppress(TimeoutError):
                    await asyncio.wait_for(work.wait(), pause)
                continue
            attempts = {order.launch.attempt for order in orders}
            self._under_way |= attempts
            try:
                await self._layout.ready()
                try:
                    await self._bring_some(orders, most)
                except Failed as error:
                    log.warning("results not brought", extra={"error": str(error)})
                    await self._failed(orders, str(error))
            except Away as error:
                ties.away(str(error))
            else:
                ties.news()
            finally:
                self._under_way -= attempts
            self._slow_work.set()

    def _fresh(self) -> _Next:
        """Of which nothing is known yet; what is small of them comes at once."""
        fresh = [
            order
            for one, order in self._wanted.items()
            if one not in self._tried and one not in self._sizes
        ]
        return _Next(fresh[:_TOGETHER], _MUCH, None)

    def _slow(self) -> _Next:
        """The smallest of those that are large, else what failed before, by itself."""
        large = [one for one in self._sizes if one not in self._under_way]
        together = within(_MUCH, {one: self._sizes[one] for one in large})
        if chosen := [self._wanted[one] for one in together or large[:1]]:
            return _Next(chosen, None, None)
        waiting = [one for one in self._tried if one not in self._under_way]
        if not waiting:
            return _Next([], None, None)
        attempt = min(waiting, key=lambda one: self._tried[one].next_at)
        pause = self._tried[attempt].next_at - _now()
        return _Next([self._wanted[attempt]] if pause <= 0 else [], None, pause)

    async def _failed(self, orders: Sequence[Order], why: str) -> None:
        """They come alone, later and later; given up are those that are kept there. Raises Away."""
        for order in orders:
            attempt = order.launch.attempt
            if attempt not in self._wanted:
                continue
            self._sizes.pop(attempt, None)
            times = self._tried[attempt].times + 1 if attempt in self._tried else 0
            pause = min(_PAUSE * 2.0 ** min(times - 1, _DOUBLED), _LONGEST) if times else 0.0
            self._tried[attempt] = _Tried(times, _now() + pause)
            if times >= _TRIES:
                place = f"{self._layout.remote.host.where}:{self._layout.place(attempt)}"
                told = f"its results could not come: {why} (they are in {place} and beside it)"
                with suppress(Failed):
                    await self._clearing.keep(attempt, [told])
                    self._arrived(order, (told,))

    async def _bring_some(self, orders: Sequence[Order], most: int | None) -> None:
        several = []
        for order in orders:
            place, directory = self._layout.place(order.launch.attempt), order.command.directory
            mapped = self._layout.mapped(directory)
            several.append(
                Results(
                    order.launch.attempt,
                    [*self._layout.streams(order), Pair(f"{place}.log", files.log(order))],
                    None if mapped else Pair(place, Path(directory), within=order.within),
                    {} if mapped else (await asyncio.to_thread(notes.read, order)).sums,
                    f"{place}.record",
                )
            )
        left, gone, large = await self._incoming.bring(several, most)
        for attempt, told in left.items():
            if told:
                await self._clearing.keep(attempt, told)
        await self._clearing.came([attempt for attempt, told in left.items() if not told])
        for order in orders:
            attempt = order.launch.attempt
            if attempt not in large:
                self._arrived(order, (*left[attempt], *gone[attempt]))
            elif attempt in self._wanted:
                self._sizes[attempt] = large[attempt]

    def _arrived(self, order: Order, troubles: tuple[str, ...]) -> None:
        self._tried.pop(order.launch.attempt, None)
        self._sizes.pop(order.launch.attempt, None)
        if self._wanted.pop(order.launch.attempt, None) is not None:
            self.brought[order.launch.attempt] = troubles


def _now() -> float:
    return asyncio.get_running_loop().time()


def _unlink(root: Path, path: str, within: Sequence[str]) -> None:
    with Folder(str(root), within) as folder:
        folder.unlink(path)
