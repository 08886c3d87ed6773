"""One message after another: a turn takes what has come, lets the engine decide, commits all of
it at once, and only then publishes, hands on what is to be done, and answers.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from solveyard.core.engine import Engine, InParts, Step
from solveyard.core.roll import Roll
from solveyard.core.slots import Pace
from solveyard.manager.clock import Clock
from solveyard.manager.judging import read_later
from solveyard.manager.ondisk import OnDisk
from solveyard.model.errors import InternalFault, InvalidRequest, StoreError
from solveyard.model.jobs import Counter, Job, JobId, Record, Removed
from solveyard.model.messages import (
    Action,
    AnyEvent,
    AnyObservation,
    AnyRequest,
    ClockSet,
    Drain,
    JobRetried,
    JobSubmitted,
    LimitsChanged,
    Message,
    OfSeveral,
    Request,
    Submit,
    Ticked,
)
from solveyard.model.shares import NO_SHARES, Shares, Spent
from solveyard.store.base import Past, Store
from solveyard.workers import Workers

log = logging.getLogger(__name__)

#: Messages that one turn takes, at most: what comes later waits for the next.
TURN = 200
#: Of deciding between two turns of the loop; s.
SLICE = 0.001
#: Of deciding in one turn, while a request waits for its own; s.
SHORT = 0.001
#: Events that are passed on between two turns of the loop.
PART = 200
#: Between two commits while there is much to do; else each turn commits at once; s.
GROUP = 0.016
#: Messages that one turn takes, at most, while somebody asks now and then: short commits.
FEW = 16
#: So long after somebody asked; s.
ATTENTIVE = 0.1
#: Events that the loop itself commits, at most: two threads that take Python's lock from one
#: another at each row cost a fifth more CPU.
INLINE = 100
#: Of a commit; while one takes longer, the disk is slow, and the loop doesn't wait for it; s.
QUICK = 0.004
#: Turns of the loop that a request takes from its socket to here.
HANDED = 3
#: Messages in one turn that make the manager a busy one.
MANY = 5
#: Between two tries to write to a store that could not be written; s.
STORE_RETRY = 1.0

Answer = asyncio.Future[list[JobId]]
Entry = tuple[Message, Answer | None]


class Turns:
    """The engine, its queue of messages, and the store behind it."""

    def __init__(
        self,
        store: Store,
        machines: Callable[[], Sequence[AnyObservation]],
        committed: Callable[[int, Sequence[AnyEvent], Sequence[Action]], None],
        shares: Shares = NO_SHARES,
    ) -> None:
        """`committed` is told what is on disk, some of a turn's events at a time: the number of
        the first, the events, and with the last of them what is to be done.
        """
        self.last = 0  #: the number of the newest event on disk
        self.first = 1  #: of the oldest that is kept
        self.blocked: StoreError | InternalFault | None = None  #: why nothing can be decided now
        self.written = False  #: something was committed since this was last reset
        self.disk_busy = False  #: with more than commits, which may take long then
        self._store = store
        self._machines = machines
        self._committed = committed
        self._drain: Drain | None = None  #: asked for; an engine that is rebuilt must know
        self._past: Sequence[Past] = []  #: what was left on disk when it was read
        self._pace = Pace(read_later)
        self._shares = shares
        self._spent: dict[str, Spent] = {}  #: as it is on disk
        self._counter = Counter()  #: as it is on disk
        self._clock = Clock()
        self.engine = self._load()  #: and with it what is on disk, `kept`
        if ahead := self.ahead:
            log.warning(
                "the newest event is of a time to come: until then all is stamped with such times",
                extra={"ahead": ahead},
            )
        self._inbox: deque[Entry] = deque()
        self._requests: deque[Entry] = deque()  #: whose answers somebody waits for
        self._favoured = False  #: the last turn was theirs alone
        self._together = 0  #: how many of them it took
        self._news = asyncio.Event()
        self._asked = asyncio.Event()  #: somebody waits for an answer
        self._wake: float | None = None
        self._busy = False
        self._committed_at = 0.0  #: by the loop's clock
        self._asked_at = 0.0  #: by the loop's clock
        self._took = 0.0  #: the last commit; s
        self._writer = Workers("store-writer")

    @property
    def jobs(self) -> Roll:
        """As they are on disk, but for tasks that were put away: `kept` knows those."""
        return self.kept.jobs

    def past(self) -> Sequence[Past]:
        """What was on disk alone from the start; told once, since few need to know."""
        past, self._past = self._past, []
        return past

    async def ask(self, request: AnyRequest) -> list[JobId]:
        """Have it decided and committed; the jobs that it submitted.

        Raises InvalidRequest when it can't be granted, StoreError when it can't be written.
        """
        if self.blocked is not None:
            raise type(self.blocked)(str(self.blocked))
        answer: Answer = asyncio.get_running_loop().create_future()
        self.put(request, answer)
        return await answer

    def put(self, message: Message, answer: Answer | None = None) -> None:
        (self._inbox if answer is None else self._requests).append((message, answer))
        self._news.set()
        if answer is not None:
            self._asked.set()
            self._asked_at = asyncio.get_running_loop().time()

    def now(self) -> float:
        """By the clock that decisions are made by; s since 1970."""
        return self._clock.now()

    def ago(self, seconds: float) -> float:
        """What the same clock told when surely so many seconds, or more, had yet to pass."""
        return self._clock.ago(seconds)

    @property
    def ahead(self) -> float:
        """Seconds that the same clock is before the calendar's, and stays."""
        return self._clock.ahead()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if not self._inbox and not self._requests:
                await self._until_news()
            await self._gather()
            await self._turn(self._group())

    def close(self) -> None:
        """After `run` has ended."""
        self._writer.close()

    def _group(self) -> list[Entry]:
        """What the next turn takes. Requests are short, so they have turns of their own: every
        other one, while there is much to do.
        """
        self._favoured = bool(self._requests) and not (self._favoured and self._inbox)
        if not self._favoured:
            attentive = asyncio.get_running_loop().time() < self._asked_at + ATTENTIVE
            group = _take(self._inbox, FEW if attentive else TURN)
            self._busy = len(group) >= MANY
            return group
        group = _take(self._requests, TURN)
        self._together = len(group)
        if not self._requests:
            self._asked.clear()
        return group

    async def _gather(self) -> None:
        """While much comes, let some more come, so that it shares the next commit.

        Who waits for an answer doesn't wait for that.
        """
        await self._assemble()
        if self._busy and not self._requests and len(self._inbox) < TURN:
            pause = self._committed_at + GROUP - asyncio.get_running_loop().time()
            if pause > 0.0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._asked.wait()

    async def _assemble(self) -> None:
        """Where several ask at the same time, let those join whose requests are on their way."""
        known, until = 0, asyncio.get_running_loop().time() + GROUP
        several = self._together > 1 or len(self._requests) > 1
        while several and known < len(self._requests) < TURN:
            known = len(self._requests)
            for _ in range(HANDED):
                await asyncio.sleep(0)
            several = asyncio.get_running_loop().time() < until

    async def _until_news(self) -> None:
        """Until something comes, or until time alone causes something."""
        self._news.clear()
        delay = None if self._wake is None else max(0.0, self._wake - self._clock.now())
        try:
            async with asyncio.timeout(delay):
                await self._news.wait()
        except TimeoutError:
            self.put(Ticked())

    async def _turn(self, group: Sequence[Entry]) -> None:
        decided = await self._decide(deque(group))
        if decided is None:
            return
        if decided.events:
            try:
                await self._commit(decided.events)
            except StoreError as error:
                await self._begin_anew(error, decided.entries)
                return
            except Exception as fault:
                written = repr(decided.events)[:2000]
                log.exception("a turn could not be written", extra={"events": written})
                unwritten = InternalFault(f"solveyard could not write this: {fault!r}")
                self._refuse(decided.entries, unwritten)
                await self._begin_anew(unwritten, [])  # the spawners say again what they had said
                return
        await self._publish(decided)
        if decided.actions and decided.answers:
            await asyncio.sleep(0)  # what is to be done leaves before the answers are made
        for answer, ids in decided.answers:
            if not answer.done():
                answer.set_result(ids)

    async def _decide(self, rest: deque[Entry]) -> "_Decided | None":
        """Let the engine take `rest`, and conclude; None: it failed, and was begun anew.

        What somebody asks meanwhile joins it soon; then the others come in a later turn.
        """
        decided = _Decided()
        now = self._clock.now()
        clock = asyncio.get_running_loop().time
        begun = sliced = clock()
        leaps = self._clock.leaps[self._leaps :]
        rest.extendleft((ClockSet(at=leap.at, by=leap.by), None) for leap in reversed(leaps))
        self._leaps += len(leaps)
        if leaps:
            log.warning("the clock was set forward", extra={"by": sum(leap.by for leap in leaps)})
        while rest or (rest := self._joining()):
            if (at := clock()) > sliced + SLICE:
                await asyncio.sleep(0)
                sliced = clock()
                if at > begun + SHORT and (joining := self._joining()):
                    self._inbox.extendleft(reversed(rest))
                    rest = joining
            message, answer = entry = rest.popleft()
            decided.entries.append(entry)
            try:
                step = await self._take(message, now)
            except InvalidRequest as refusal:
                if answer is not None and not answer.done():
                    answer.set_exception(refusal)
                continue
            except Exception as fault:
                await self._fail(fault, [entry], [*decided.entries[:-1], *rest])
                return None
            if isinstance(message, Drain):
                self._drain = message
            decided.note(step)
            if answer is not None:
                decided.answers.append((answer, _submitted(step.events)))
        try:
            step = await self._whole(self.engine.conclude_in_parts())
        except Exception as fault:
            await self._fail(fault, decided.entries, [])  # spawners say again what they had said
            return None
        decided.note(step)
        self._wake = step.wake
        return decided

    async def _take(self, message: Message, now: float) -> Step:
        if _asks_for(message) < MANY:
            return self.engine.take(message, now)
        return await self._whole(self.engine.take_in_parts(message, now))

    @staticmethod
    async def _whole(parts: InParts) -> Step:
        while True:
            try:
                next(parts)
            except StopIteration as done:
                step: Step = done.value
                return step
            await asyncio.sleep(0)

    async def _fail(self, fault: Exception, at: Sequence[Entry], others: Sequence[Entry]) -> None:
        """The engine failed at these: without them it begins anew."""
        messages = [message for message, _ in at]
        log.error("the engine failed", exc_info=fault, extra={"at": repr(messages)[:2000]})
        failed = InternalFault(f"solveyard failed at this: {fault!r} (please report it)")
        self._refuse(at, failed)
        await self._begin_anew(failed, others)

    async def _publish(self, decided: "_Decided") -> None:
        events, first = decided.events, self.last - len(decided.events) + 1
        last = max(0, len(events) - 1) // PART * PART
        for start in range(0, last, PART):
            self._committed(first + start, events[start : start + PART], ())
            await asyncio.sleep(0)
        self._committed(first + last, events[last:], decided.actions)

    def _joining(self) -> deque[Entry]:
        """The requests that share the commit of others; none where the turn is theirs alone."""
        if self._favoured or not self._requests:
            return deque()
        self._favoured = True
        return deque(_take(self._requests, TURN))

    async def _commit(self, events: Sequence[AnyEvent]) -> None:
        for _ in self.kept.tidy(self.engine):  # the last commit's were at hand until now
            await asyncio.sleep(0)
        touched: dict[JobId, Job | None] = {}
        records: list[Record] = []
        for index, event in enumerate(events, 1):
            if index % PART == 0:
                await asyncio.sleep(0)
            job_id: JobId | None = getattr(event, "job", None)
            if job_id is not None:
                touched[job_id] = self.engine.jobs.get(job_id)
            elif isinstance(event, LimitsChanged):
                records.append(event.limits)
        records += [job if job is not None else Removed(id=i) for i, job in touched.items()]
        if self.engine.counter != self._counter:
            records.append(self.engine.counter)
        spent = [s for who, s in self.engine.spent.items() if self._spent.get(who) is not s]
        self.last = await self._write(events, [*records, *spent])
        self._counter = self.engine.counter
        self._spent.update((one.owner, one) for one in spent)
        self._committed_at = asyncio.get_running_loop().time()
        self.written = True
        for index, (job_id, job) in enumerate(touched.items(), 1):
            if index % PART == 0:
                await asyncio.sleep(0)
            self.kept.change(job_id, job)

    async def _write(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        clock = asyncio.get_running_loop().time
        begun = clock()
        if len(events) <= INLINE and self._took < QUICK and not self.disk_busy:
            last = self._store.commit(events, records)
        else:
            last = await self._writer.call(lambda: self._store.commit(events, records))
        self._took = clock() - begun
        return last

    async def _begin_anew(self, error: StoreError | InternalFault, group: Sequence[Entry]) -> None:
        """Refuse what was asked, keep what was reported, and start from what is on disk."""
        log.error("nothing of this turn was kept", extra={"error": str(error)})
        self.blocked = error
        kept = [message for message, _ in group if not isinstance(message, Request)]
        self._refuse(group, error)
        while self.blocked is not None:
            self._refuse([*self._inbox, *self._requests], self.blocked)
            await asyncio.sleep(STORE_RETRY)
            try:
                await self._write([], [self._counter])
                self.engine = await self._writer.call(self._load)
                self._past = []
            except StoreError as again:
                self.blocked = again
                continue
            self.blocked = None
        reported = [message for message, _ in self._inbox if not isinstance(message, Request)]
        requested = [entry for entry in self._inbox if isinstance(entry[0], Request)]
        unanswered = [entry for entry in self._requests if entry[1] and not entry[1].done()]
        self._inbox.clear()
        self._requests.clear()
        draining = [] if self._drain is None else [self._drain]
        said = [*self._machines(), *draining, *kept, *reported]
        self._inbox.extend((message, None) for message in said)
        self._inbox.extend(requested)
        self._requests.extend(unanswered)  # the others were refused, and must not be granted
        log.warning("going on from what is on disk")

    def _load(self) -> Engine:
        state = self._store.load(ended=False)
        self._clock.go_on(state.last_at)
        self._leaps = 0  #: of the clock, that this engine knows
        self._counter, self._spent = state.counter, dict(state.spent)
        self.last = state.last_number
        self.first = state.first_number
        self.kept = OnDisk(self._store, state)
        self._past = state.past
        return Engine(
            self._store.uuid,
            state.jobs,
            state.limits,
            state.counter,
            self._pace,
            self._shares,
            state.spent.values(),
            self.kept.shelf,
            {one.name: one.id for one in state.past if one.name},
        )

    @staticmethod
    def _refuse(entries: Sequence[Entry], error: StoreError | InternalFault) -> None:
        for message, answer in entries:
            if isinstance(message, Request) and answer is not None and not answer.done():
                answer.set_exception(type(error)(str(error)))


@dataclass
class _Decided:
    """What one turn is about."""

    entries: list[Entry] = field(default_factory=list)
    events: list[AnyEvent] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    answers: list[tuple[Answer, list[JobId]]] = field(default_factory=list)

    def note(self, step: Step) -> None:
        self.events += step.events
        self.actions += step.actions


def _take(entries: deque[Entry], most: int) -> list[Entry]:
    return [entries.popleft() for _ in range(min(most, len(entries)))]


def _asks_for(message: Message) -> int:
    """So many jobs are submitted or changed at once."""
    match message:
        case Submit(specs=specs):
            return len(specs)
        case OfSeveral(jobs=jobs):
            return len(jobs)
        case _:
            return 1


def _submitted(events: Sequence[AnyEvent]) -> list[JobId]:
    return [event.job for event in events if isinstance(event, JobSubmitted | JobRetried)]
