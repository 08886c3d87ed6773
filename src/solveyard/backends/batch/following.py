"""Following: one question for all jobs of a cluster, again and again; what isn't told isn't so."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from solveyard.backends.base import RawEnd
from solveyard.backends.batch import ending
from solveyard.backends.batch.accounts import Account, Accounts
from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import WAITS, Entry, Phase
from solveyard.backends.batch.marks import Marks
from solveyard.backends.batch.straying import Strays
from solveyard.backends.batch.witness import Witness
from solveyard.backends.dialects.base import (
    Answer,
    Call,
    NativeState,
    Queue,
    State,
    Unreadable,
)
from solveyard.backends.hosts.base import Away
from solveyard.model import walltime
from solveyard.model.jobs import AttemptId, JobSpec
from solveyard.model.messages import WAITED, Accepted, ClusterLeft, Missing, Started

log = logging.getLogger(__name__)

_SLOWER = 1.5  #: times as long until the next question, while nothing changes
_GLANCES = 20  #: at records of ends, between two questions
_OFTEN, _SELDOM = 0.05, 0.5  #: s between two of them, at least and at most
#: In the least time between two questions: how soon to ask again where one came early, and the
#: batch system was not as far. Then it is asked in time.
_AGAIN = (16, 8, 4)
_SILENCE = 3600.0  #: s for which it is left open how a job ended, while accounting doesn't answer
_ENOUGH = 2  #: answers without a job that make it absent
_RUNS = frozenset({State.RUNNING, State.SUSPENDED, State.COMPLETING})
#: What ends a script from outside: no record of an end will come.
_KILLED = frozenset({
    State.CANCELLED, State.TIMEOUT, State.OUT_OF_MEMORY, State.NODE_FAILURE, State.PREEMPTED,
})  # fmt: skip


_T = TypeVar("_T")


class _Look(NamedTuple):
    """One answer."""

    asked_at: float  #: by the loop's clock
    states: Mapping[AttemptId, NativeState]
    found: Mapping[str, Sequence[str]]  #: native ids by mark
    accounted: Account = Account()  #: of those that it doesn't know any more
    unmarked: Mapping[AttemptId, NativeState] = {}  #: of those, or of strangers with their ids


class Follower:
    """A question that fails changes no job: it is asked again, later and later."""

    def __init__(self, cluster: Cluster) -> None:
        self.answers = asyncio.Event()  #: the batch system does
        self.wanted = asyncio.Event()  #: there is something new to ask about
        self.trouble = ""  #: why it is believed to be away
        self.answered_at: float | None = None  #: s since 1970
        self.queues: Sequence[Queue] = ()  #: as they were told last
        self.blocked: dict[AttemptId, str] = {}  #: what it says of those that wait
        self.doubts: dict[AttemptId, str] = {}  #: what it said as it was not known to take them
        self._cluster = cluster
        self._name, self._options, self._dialect = cluster.name, cluster.options, cluster.dialect
        self._files, self._entries, self._report = cluster.files, cluster.entries, cluster.report
        self._strays = Strays(cluster, self.blocked)
        self._marks = Marks(cluster, self.blocked)
        self._accounts = Accounts(cluster, self._marks)
        self._changed = False
        self._early = 0  #: questions in a row that came before their time
        self._send: Callable[[Entry], None] = lambda _: None

    async def run(self, looked: Callable[[], None], send: Callable[[Entry], None]) -> None:
        """Until cancelled; `looked`: called after each answer; `send`: for one to be sent again."""
        self._send = send
        least, most = self._options.poll_min, self._options.poll_max
        interval = least
        while True:
            self._changed = False
            self.wanted.clear()
            if await self.look():
                looked()
                interval = least if self._changed else min(interval * _SLOWER, most)
                await self._pause(least, interval)
            else:
                interval = min(interval * 2, most)
                await asyncio.sleep(interval)

    async def _pause(self, least: float, interval: float) -> None:
        """Until the interval is over; where something is new, at least the least one.

        Where the records of all jobs tell their ends, it is over sooner, a few times.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        glance = min(max(interval / _GLANCES, _OFTEN), _SELDOM)
        if self._early:  # so many questions in a row were too early; the last counts on
            glance = least / _AGAIN[min(self._early, len(_AGAIN)) - 1]
        while (passed := loop.time() - begun) < interval:
            rest = min(glance, interval - passed)
            if passed < least:
                await asyncio.sleep(rest)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wanted.wait(), rest)
                    break
            if self._early <= len(_AGAIN) and await self._all_ended():
                self._early += 1
                return
        self._early = 0

    async def _all_ended(self) -> bool:
        there = self._entries.at(Phase.THERE)
        live = [entry for entry in self._entries if entry.phase is not Phase.ENDED]
        if not there or len(there) < len(live):
            return False
        return await self._files.all_ended([entry.order for entry in there])

    async def survey(self) -> None:
        """Keep `queues` as they are, until cancelled. Nobody waits for the answer."""
        while True:
            await self.answers.wait()
            answers = [await self._cluster.run(call) for call in self._dialect.queues()]
            told = self._dialect.queues_told(answers)
            if not isinstance(told, Unreadable):
                self.queues = told
            await asyncio.sleep(self._options.poll_max)

    async def look(self) -> bool:
        """Ask once, and conclude. False: there was no answer that can be believed."""
        there, unknown = self._entries.at(Phase.THERE), self._entries.at(Phase.UNKNOWN)
        asked_at = asyncio.get_running_loop().time()
        states: Mapping[str, NativeState] | Unreadable = {}
        found: Mapping[str, Sequence[str]] | Unreadable = {}
        if there:
            ids = list(dict.fromkeys(entry.asked_as for entry in there))
            call = self._dialect.query(ids)
            states = await self._ask(call, self._dialect.queried)
        if unknown or not there:
            call = self._dialect.find([entry.mark or entry.attempt for entry in unknown])
            found = await self._ask(call, self._dialect.found)
        for answer in (states, found):
            if isinstance(answer, Unreadable):
                self._went_away(answer.why)
                return False
        assert not isinstance(states, Unreadable) and not isinstance(found, Unreadable)  # noqa: PT018
        told = await self._marks.own(there, states)
        look = _Look(asked_at, told.own, found)
        asked = [entry for entry in there if self._wants_witness(entry, look)] + [*unknown]
        try:
            await self._files.ready()  # else it would come and go: nothing can be sent there
            read = await self._files.witnesses([entry.order for entry in asked])
        except Away as error:
            self._went_away(str(error))
            return False
        self._answered()
        witnesses = dict(zip((entry.attempt for entry in asked), read, strict=True))
        told = self._marks.by_records(told, there, witnesses)
        look = look._replace(states=told.own, unmarked=told.unmarked)
        gone = [one for one in there if self._is_gone(one, look)]
        look = look._replace(accounted=await self._accounts.of(gone))
        self._conclude(there, unknown, look, witnesses)
        await self._marks.keep(there)
        return True

    async def _ask(
        self, call: Call, read: Callable[[Answer], Mapping[str, _T] | Unreadable]
    ) -> Mapping[str, _T] | Unreadable:
        answer = await self._cluster.run(call)
        if why := self._cluster.absent(call, answer):
            return Unreadable(why)
        return read(answer)

    def doubt(self, why: str) -> None:
        """Somebody else had no answer: ask, before anything else is tried."""
        self._went_away(why)
        self.wanted.set()

    def _answered(self) -> None:
        self.answered_at = time.time()
        self.trouble = ""
        if not self.answers.is_set():
            self.answers.set()
            self._report(self._options.joined(self._name))

    def _went_away(self, why: str) -> None:
        self.trouble = why
        if self.answers.is_set():
            log.warning("a cluster doesn't answer", extra={"cluster": self._name, "why": why})
            self.answers.clear()
            self._report(ClusterLeft(machine=self._name))

    # What follows from an answer

    def _conclude(
        self,
        there: Sequence[Entry],
        unknown: Sequence[Entry],
        look: _Look,
        witnesses: Mapping[AttemptId, Witness],
    ) -> None:
        """A job may have changed meanwhile."""
        for entry in there:
            if self._entries.holds(entry) and entry.phase is Phase.THERE:
                self._note(entry, look, witnesses.get(entry.attempt))
        for entry in unknown:
            if self._entries.holds(entry) and entry.phase is Phase.UNKNOWN:
                self._look_up(entry, look, witnesses[entry.attempt])

    def _is_gone(self, entry: Entry, look: _Look) -> bool:
        """It isn't known there any more. Its record doesn't tell all that ended it."""
        return (
            entry.attempt not in look.states
            and entry.attempt not in look.unmarked
            and entry.since <= look.asked_at
            and entry.unseen + 1 >= _ENOUGH
        )

    def _wants_witness(self, entry: Entry, look: _Look) -> bool:
        state = look.states.get(entry.attempt)
        asks = not entry.recorded or entry.asks
        return state is None or state.state.over or (state.state in _RUNS and asks)

    def _note(self, entry: Entry, look: _Look, seen: Witness | None) -> None:
        """What the batch system says of a job that it has given an id."""
        state = look.states.get(entry.attempt)
        if entry.attempt in look.unmarked:
            self._marks.unseen(entry)
            return
        if state is None:
            accounted = look.accounted.states.get(entry.attempt)
            if accounted is not None and accounted.state.over and seen is not None:
                self._over(entry, accounted, seen)
            elif entry.since <= look.asked_at:
                self._absent(entry, seen, waits=entry.attempt in look.accounted.silent)
            return
        if state != entry.state:
            self._changed = True
        entry.unseen, entry.state, entry.sure = 0, state, True
        entry.submitted = state.submitted
        self._marks.seen(entry)
        self._strays.seen(entry)
        if state.state in WAITS:
            self._waits(entry, state)
        elif state.state in _RUNS:
            self._runs(entry, state, seen)
        elif state.state.over and seen is not None:
            self._over(entry, state, seen)

    def _waits(self, entry: Entry, state: NativeState) -> None:
        why = state.reason if state.reason not in {"", "None"} else state.word
        if state.state is State.HELD and "held" not in why.lower():
            why = f"held, {why}"
        again = " again" if entry.recorded else ""
        self.blocked[entry.attempt] = f"{self._name} to start it{again} ({why})"

    def _runs(self, entry: Entry, state: NativeState, seen: Witness | None) -> None:
        self.blocked.pop(entry.attempt, None)
        if state.state is State.SUSPENDED:
            self.blocked[entry.attempt] = f"{self._name} to let it go on ({state.word})"
        record = seen.record if seen is not None else None
        if entry.asks and record is not None and record.ended is None:
            entry.asks = record.stage in {"", "licence"}
            if record.stage == "licence":
                self.blocked[entry.attempt] = "a licence: its script asks their server"
        if entry.kill is not None and entry.kill.because == WAITED and not entry.killed:
            entry.kill = None  # it has begun, and goes on
        if not entry.recorded:
            entry.recorded = True
            at = _began(seen) if seen is not None else None
            self._report(Started(attempt=entry.attempt, native_id=entry.native_id, at=at))

    def _over(self, entry: Entry, state: NativeState, seen: Witness) -> None:
        """The batch system says so. On a shared file system a record may be seen late."""
        self._changed = True
        now = asyncio.get_running_loop().time()
        if not entry.over_since:
            entry.over_since = now
        record = seen.record
        failed = state.code == ending.ELSEWHERE or state.state is State.FAILED
        if record is not None and failed and record.native_id not in {"", entry.native_id}:
            self._found(entry, record.native_id)  # its twin runs the command
            return
        complete = record is not None and record.ended is not None
        twice = state.code == ending.ELSEWHERE
        patience = self._options.lost_after if twice else self._options.settle
        killed = state.state in _KILLED and bool(
            entry.kill or not ending.taken_early(state, record)
        )
        if complete or killed or now - entry.over_since >= patience:
            if not (entry.before or entry.kill) and ending.never_began(state, record):
                self._hand_in_again(entry)
            else:
                self._end(entry, state, seen)

    def _hand_in_again(self, entry: Entry) -> None:
        """Once. Its record, which isn't there, would keep it from running twice."""
        log.warning("handed in again", extra={"attempt": entry.attempt, "was": entry.native_id})
        entry.before = (entry.native_id,)
        entry.native_id = entry.array_id = entry.mark = ""
        entry.sure, entry.submitted = True, None
        entry.kept, entry.written = False, None
        entry.position, entry.alone = None, True
        entry.state, entry.over_since = None, 0.0
        self._send_again(entry)

    def _send_again(self, entry: Entry) -> None:
        entry.enter(Phase.WAITING, asyncio.get_running_loop().time())
        self._send(entry)

    def _absent(self, entry: Entry, seen: Witness | None, *, waits: bool) -> None:
        """The batch system doesn't know it any more. That alone is no end.

        `waits`: its accounting may tell how it ended, and doesn't answer now.
        """
        if seen is not None and self._strays.unseen(entry, seen):
            return
        now = asyncio.get_running_loop().time()
        if not entry.unseen:
            entry.unseen_since = now
        entry.unseen += 1
        if entry.unseen < _ENOUGH or seen is None:
            return
        waits = waits and not (seen.record and ending.by_itself(seen.record))
        if waits and now - entry.unseen_since < max(_SILENCE, self._options.lost_after):
            self.blocked[entry.attempt] = f"the accounting of {self._name} to tell how it ended"
            return
        ended = seen.record is not None and seen.record.ended is not None
        withdrawn = seen.record is None and entry.kill is not None
        if ended or withdrawn or now - entry.unseen_since >= self._options.lost_after:
            self._end(entry, entry.state if entry.over_since else None, seen)

    def _look_up(self, entry: Entry, look: _Look, seen: Witness) -> None:
        """A submission without an answer: did it arrive?"""
        now = asyncio.get_running_loop().time()
        told = look.found.get(entry.mark or entry.attempt, ())
        ids = [one for one in (self._member(one, entry) for one in told) if one not in entry.before]
        record = seen.record
        if ids:
            mine = record.native_id if record is not None else ""
            self._found(entry, mine if mine in ids else ids[0])
        elif self._strays.unseen(entry, seen):
            return
        elif record is not None and record.native_id:  # it ran, and is forgotten there by now
            self._found(entry, record.native_id)
        elif entry.since <= look.asked_at:
            entry.unseen += 1
            if entry.unseen < _ENOUGH or now - entry.since < self._options.settle:
                return
            if entry.before:
                self._send_again(entry)
            else:
                self._entries.drop(entry.attempt)
                self._report(Missing(attempt=entry.attempt, boot_id="", ledger=""))

    def _member(self, native_id: str, entry: Entry) -> str:
        if entry.position is None:
            return native_id
        return self._dialect.member(native_id, entry.position)

    def _found(self, entry: Entry, native_id: str) -> None:
        entry.native_id, entry.array_id, entry.sure = native_id, "", False
        entry.over_since, entry.kept = 0.0, False
        entry.enter(Phase.THERE, asyncio.get_running_loop().time())
        self.doubts.pop(entry.attempt, None)
        self._strays.seen(entry)
        self._report(Accepted(attempt=entry.attempt, native_id=native_id))
        self._changed = True
        self.wanted.set()

    def _end(self, entry: Entry, state: NativeState | None, seen: Witness) -> None:
        if not seen.here:
            self.blocked[entry.attempt] = f"its results to come from {self._cluster.host.where}"
            self._files.bring(entry.order)
            return
        because = entry.kill.because if entry.kill is not None else ""
        limit = _limit(entry.order.launch.spec, 60 if self._dialect.minutes else 1)
        said = seen.said if entry.position is None else ""  # an array's tasks share one log
        told = ending.ended(self._name, state, seen.record, because, limit, said)
        again = tuple(f"its script never began as {one}" for one in entry.before)
        told = replace(told, told=(*again, *told.told, *seen.troubles))
        started = _began(seen)
        entry.end = RawEnd(
            entry.attempt, replace(told, outputs=seen.outputs), entry.native_id, started
        )
        entry.enter(Phase.ENDED, asyncio.get_running_loop().time())
        self.blocked.pop(entry.attempt, None)
        self._changed = True
        self._report(entry.end)


def _limit(spec: JobSpec, step: int) -> float | None:
    """What it asked the batch system for, s, as that counts in steps."""
    limit = spec.time_limit
    if spec.batch is not None and spec.batch.time:
        limit = walltime.seconds(spec.batch.time)
    return None if limit is None else math.ceil(limit / step) * step


def _began(seen: Witness) -> float | None:
    return None if seen.record is None else seen.record.began
