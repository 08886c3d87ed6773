"""The log of events in pieces, each written once for all who are told it.

Many clients of live events stand at the same place: those that listen at the newest event, and
those that connect anew after a restart, or read from the beginning, one piece behind the other.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import msgspec

from solveyard.manager.manager import Manager
from solveyard.model.ids import array_of
from solveyard.model.jobs import JobId
from solveyard.model.messages import AnyEvent
from solveyard.model.records import event_text
from solveyard.store.base import Numbered

RECENT = 1000  #: events that need not be read from the store
SLICE = 1000  #: events in one message, at most
SIZE = 256 << 10  #: characters of one message, about
LARGE = 64 << 10  #: bytes; of a larger event only number, at, type, job and by are sent
KEPT = 32  #: pieces that were read from the store


class Piece(NamedTuple):
    """What one message tells."""

    text: str  #: a list of events, JSON; empty: there are none of these jobs
    last: int  #: the number of the last event that it takes into account


class Slice:
    """Some events, one after another; at least one."""

    def __init__(self, events: Sequence[Numbered]) -> None:
        self._events = events
        self._texts: dict[int, str] = {}  #: by place in `events`

    def piece(self, jobs: frozenset[JobId] | None) -> Piece:
        """Of the events of these jobs, and of their tasks, as many as a message takes; None: of
        all.
        """
        told: list[str] = []
        size = 0
        for place in self._of(jobs):
            text = self._text(place)
            if told and size + len(text) > SIZE:
                return _piece(told, self._events[place].number - 1)
            told.append(text)
            size += len(text)
        return _piece(told, self._events[-1].number)

    def _of(self, jobs: frozenset[JobId] | None) -> Sequence[int]:
        """Their places, in order."""
        if jobs is None:
            return range(len(self._events))
        found = [self._places[job] for job in jobs & self._places.keys()]
        return sorted({place for places in found for place in places})

    @cached_property
    def _places(self) -> dict[JobId, list[int]]:
        """Where there is something about a job; an array's are its tasks', too."""
        places = defaultdict(list)
        for place, (_, event) in enumerate(self._events):
            job = getattr(event, "job", JobId(0))
            places[job].append(place)
            if array := array_of(job):
                places[array].append(place)
        return places

    def _text(self, place: int) -> str:
        text = self._texts.get(place)
        if text is None:
            text = self._texts[place] = _shown(*self._events[place])
        return text


class Pieces:
    """Of one manager's log; the newest events are in memory."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._recent: deque[Numbered] = deque(maxlen=RECENT)
        self._kept: OrderedDict[int, Piece] = OrderedDict()  #: of all jobs, by what they follow

    def take(self, events: Sequence[Numbered]) -> None:
        """They are new."""
        self._recent.extend(events)

    def near(self, after: int) -> bool:
        """Is all that follows in memory?"""
        return bool(self._recent) and self._recent[0].number <= after + 1

    def recent(self, after: int) -> Slice | None:
        """What follows; None: nothing does, or it isn't near any more."""
        if not self.near(after):
            return None
        start = after + 1 - self._recent[0].number
        return _slice(list(islice(self._recent, start, start + SLICE)))

    async def read(self, after: int) -> Slice | None:
        """What follows, from the store; None: nothing does. Raises StoreError, LogCompacted."""
        return _slice(await self._manager.events(after, SLICE))

    def kept(self, after: int) -> Piece | None:
        """What follows, of all jobs, where it was told to somebody not long ago."""
        if self._manager.first_event > after + 1:
            return None
        found = self._kept.get(after)
        if found is not None:
            self._kept.move_to_end(after)
        return found

    def keep(self, after: int, piece: Piece) -> None:
        self._kept[after] = piece
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Nobody is far behind."""
        self._kept.clear()


def _slice(events: Sequence[Numbered]) -> Slice | None:
    return Slice(events) if events else None


def _piece(told: Sequence[str], last: int) -> Piece:
    return Piece(f"[{','.join(told)}]" if told else "", last)


def _shown(number: int, event: AnyEvent) -> str:
    """An event as it is sent."""
    text = event_text(number, event)
    if len(text) > LARGE:
        shown = msgspec.json.decode(text)
        kept = ("number", "type", "at", "by", "job", "task")
        told = {name: shown[name] for name in kept if name in shown} | {"cut": True}
        text = msgspec.json.encode(told)
    return text.decode()
