"""Batch: the backend that forwards jobs to one cluster's batch system, whichever that is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from solveyard.backends.base import Abilities, Order, RawEnd, Report
from solveyard.backends.batch import files
from solveyard.backends.batch.acting import Actor
from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import Entries, Entry, Phase
from solveyard.backends.batch.following import Follower
from solveyard.backends.batch.options import ClusterOptions
from solveyard.backends.batch.sharing import Files, Shared, Ties
from solveyard.backends.batch.submitting import Submitter
from solveyard.backends.dialects.base import Answer, Call, Dialect, Queue, Unreadable
from solveyard.backends.hosts.base import Host
from solveyard.model.jobs import AttemptId
from solveyard.model.messages import (
    WAITED,
    Accepted,
    AnyObservation,
    Ask,
    Forget,
    Kill,
    Missing,
    Modify,
    Recall,
    Recalled,
    Started,
)
from solveyard.solvers.base import Exit


class Remembered(NamedTuple):
    """What the store has of an attempt that an earlier manager forwarded."""

    order: Order
    native_id: str  #: empty: it is not known that it was taken


_PATIENCE = 5.0  #: s for each answer to the question whether it is there

Memory = Callable[[AttemptId], Remembered | None]


class Batch:
    """One cluster. Nothing it does waits for the batch system but its own loops."""

    abilities = Abilities(places_cores=False, successors=False, holds=True, pending_reasons=True)

    def __init__(
        self,
        name: str,
        options: ClusterOptions,
        dialect: Dialect,
        host: Host,
        shared: Files | None = None,
        *,
        asleep: bool = False,
    ) -> None:
        """`shared`: None: nodes see this machine's files as they are here. `asleep`: nobody named
        it. It is used once it answers, or where it has jobs of ours.
        """
        self.asleep = asleep
        self.named = not asleep
        self._woken = asyncio.Event()
        self.asked = asyncio.Event()  #: whether it answers
        self.unheard = ""  #: why it didn't, when it was asked last
        self.name = name
        self.options = options
        self.dialect = dialect
        self.host = host
        self.memory: Memory = lambda _: None
        self.over: Callable[[AttemptId], bool] = lambda _: False  #: it has ended, for sure
        self._entries = Entries()
        self._reports: list[Report] = []
        self._news = asyncio.Event()
        self.files = shared if shared is not None else Shared()
        common = Cluster(name, options, dialect, host, self.files, self._entries, self._report)
        self._cluster = common
        self._follower = Follower(common)
        self._submitter = Submitter(common, self._follower)
        self._actor = Actor(common, self._follower.answers)

    async def run(self) -> None:
        """Until cancelled."""
        if self.asleep:
            await self.answer()
            await self._woken.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run(self._actor.looked, self._submitter.put))
            tasks.create_task(self._follower.survey())
            tasks.create_task(self._submitter.run())
            tasks.create_task(self._actor.run())
            tasks.create_task(self.files.run(self._ties()))

    def _ties(self) -> Ties:
        follower = self._follower
        return Ties(
            follower.answers, self._running, follower.wanted.set, follower.doubt, self._is_over
        )

    def wake(self) -> None:
        """Use it from now on."""
        self.asleep = False
        self._woken.set()

    async def answer(self) -> str:
        """Ask one that is asleep, and `wake` it where it answers; why it doesn't, else ""."""
        if not self.asleep:
            return ""
        told = await self.look()
        self.unheard = told.why if isinstance(told, Unreadable) else ""
        self.asked.set()
        if not self.unheard:
            self.wake()
        return self.unheard

    async def look(self) -> Sequence[Queue] | Unreadable:
        """Its queues, asked now; where there are no words to ask for them none, if it answers."""
        if calls := self.dialect.queues():
            told = self.dialect.queues_told([await self._now(call) for call in calls])
            return told or Unreadable("it tells of no queue")
        found = self.dialect.found(await self._now(self.dialect.find(())))
        return found if isinstance(found, Unreadable) else ()

    async def _now(self, call: Call) -> Answer:
        return await self._cluster.run(call._replace(timeout=min(call.timeout, _PATIENCE)))

    @property
    def blocked(self) -> dict[AttemptId, str]:
        """What those that wait there wait for, in the batch system's words."""
        return self._follower.blocked

    @property
    def doubts(self) -> dict[AttemptId, str]:
        """What it said of those of which nobody knows whether it took them."""
        return self._follower.doubts

    @property
    def away(self) -> str:
        """Why it is believed to be so; "": it isn't."""
        return self._follower.trouble

    @property
    def trouble(self) -> str:
        """Why it is believed to be away, or can be sent nothing; "": neither."""
        return self._follower.trouble or self._submitter.trouble

    @property
    def answered_at(self) -> float | None:
        """When it did so last, s since 1970."""
        return self._follower.answered_at

    @property
    def together(self) -> int:
        """So many tasks of an array go to it as one native array, at most."""
        return max(1, min(self._submitter.together, self.options.max_queued))

    def preview(self, *orders: Order) -> tuple[str, Call]:
        """What would be submitted for orders that go together, and the command that would.

        Raises InvalidJob.
        """
        there = [self.files.there(order) for order in orders]
        job = self._submitter.job(there)
        path = str(files.script(there[0], self.dialect.ending))
        return self.dialect.script(job), self.dialect.submit(job, path)

    @property
    def queues(self) -> Sequence[Queue]:
        """As it told them last."""
        return self._follower.queues

    def machines(self) -> list[AnyObservation]:
        """Whether it answers now, as the observation that said so."""
        answers = self._follower.answers.is_set()
        return [self.options.joined(self.name)] if answers else []

    # What the manager asks

    async def submit(self, orders: Sequence[Order]) -> None:
        self.wake()
        for order in orders:
            if order.launch.attempt not in self._entries:
                entry = Entry(order, Phase.WAITING, since=_now(), asks=self._asks(order))
                self._entries.add(entry)
                self._submitter.put(entry)

    async def recall(self, recalls: Sequence[Recall]) -> None:
        for recall in recalls:
            entry = self._entries.get(recall.attempt)
            if entry is not None and entry.phase is Phase.WAITING and not entry.before:
                self._take_back(entry)

    async def kill(self, kills: Sequence[Kill]) -> None:
        for kill in kills:
            entry = self._entries.get(kill.attempt) or await self._take_up(kill.attempt)
            if entry is None:
                continue
            entry.kill = kill
            if kill.because == WAITED and entry.state is not None and not entry.state.state.over:
                entry.state = None  # it may have begun since that was said
            if entry.phase is Phase.WAITING:
                self._take_back(entry)
            elif entry.end is not None:
                self._report(entry.end)
        self._actor.news.set()
        self._follower.wanted.set()

    async def modify(self, modifies: Sequence[Modify]) -> None:
        for modify in modifies:
            entry = self._entries.get(modify.attempt)
            if entry is not None:
                entry.wish = modify
        self._actor.news.set()
        self._follower.wanted.set()

    async def forget(self, forgets: Sequence[Forget]) -> None:
        for forget in forgets:
            entry = self._entries.get(forget.attempt)
            self._entries.drop(forget.attempt)
            self._follower.doubts.pop(forget.attempt, None)
            self.files.forget(forget.attempt, entry.mark if entry is not None else "")

    def forget_stranger(self, attempt: AttemptId) -> None:
        self._entries.drop(attempt)

    async def ask(self, ask: Ask) -> None:
        for attempt in ask.attempts:
            entry = self._entries.get(attempt) or await self._take_up(attempt)
            if entry is not None and not entry.strays:
                self._tell(entry)
        self._follower.wanted.set()

    async def observations(self) -> AsyncIterator[Sequence[Report]]:
        while True:
            await self._news.wait()
            self._news.clear()
            reports, self._reports = self._reports, []
            yield reports

    # Inside

    def _is_over(self, attempt: AttemptId) -> bool:
        return attempt not in self._entries and self.over(attempt)

    def _asks(self, order: Order) -> bool:
        """Does its script ask for licences?"""
        return not set(self.options.licences).isdisjoint(order.launch.spec.resources.licences)

    def _running(self) -> list[Order]:
        return [entry.order for entry in self._entries.at(Phase.THERE) if entry.recorded]

    async def _take_up(self, attempt: AttemptId) -> Entry | None:
        """One that an earlier manager forwarded. What was never written down was never sent."""
        remembered = self.memory(attempt)
        if remembered is None:
            return None
        order, native_id = remembered
        entry = Entry(
            order, Phase.THERE, native_id, since=_now(), asks=self._asks(order), sure=False
        )
        if not native_id:
            sent = await asyncio.to_thread(files.sent, order, self.dialect.ending)
            if sent is None:
                self._report(Missing(attempt=attempt, boot_id="", ledger=""))
                return None
            entry.phase = Phase.UNKNOWN
            entry.mark, entry.position = sent
        entry.strays = await self.files.remember(order)
        if (known := self._entries.get(attempt)) is not None:  # since it was waited for that
            return known
        self._entries.add(entry)
        return entry

    def _tell(self, entry: Entry) -> None:
        """What it did last."""
        if entry.end is not None:
            self._report(entry.end)
        elif entry.recorded:
            self._report(Started(attempt=entry.attempt, native_id=entry.native_id))
        else:
            self._report(Accepted(attempt=entry.attempt, native_id=entry.native_id))

    def _take_back(self, entry: Entry) -> None:
        if entry.before and entry.kill is not None:  # it counts as begun
            entry.enter(Phase.ENDED, _now())
            told = Exit(ended_by=entry.kill.because)
            entry.end = RawEnd(entry.attempt, told, entry.before[-1], None)
            self._report(entry.end)
            return
        self._entries.drop(entry.attempt)
        self._follower.doubts.pop(entry.attempt, None)
        self._follower.blocked.pop(entry.attempt, None)
        self._report(Recalled(attempt=entry.attempt))

    def _report(self, report: Report) -> None:
        self._reports.append(report)
        self._news.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
