"""What a cluster's backend knows of each attempt that it was given, until that is forgotten."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from solveyard.backends.base import Order, RawEnd
from solveyard.backends.dialects.base import NativeState, State
from solveyard.model.jobs import AttemptId
from solveyard.model.messages import WAITED, Kill, Modify

WAITS = frozenset({State.PENDING, State.HELD, State.REQUEUED})


class Phase(enum.Enum):
    """How far an attempt's submission is."""

    WAITING = "waiting"  #: not sent
    SENDING = "sending"
    UNKNOWN = "unknown"  #: sent, with no word whether it arrived
    THERE = "there"  #: the batch system has given it an id
    ENDED = "ended"  #: told so; kept until that is on disk


@dataclass(slots=True)
class Entry:
    """One attempt. Times are the loop's."""

    order: Order
    phase: Phase
    native_id: str = ""
    array_id: str = ""  #: of the native array that it's in
    mark: str = ""  #: by which the submission is found there; empty: its own id
    position: int | None = None  #: in the array; None: it's alone
    alone: bool = False  #: not in an array: one with it couldn't go, or it is handed in again
    before: tuple[str, ...] = ()  #: native ids under which its script never began
    since: float = 0.0  #: when it came into this phase
    state: NativeState | None = None  #: what the batch system said last
    unseen: int = 0  #: answers in a row that didn't have it
    unseen_since: float = 0.0
    over_since: float = 0.0  #: when it first said that it's over; 0: it didn't
    recorded: bool = False  #: its start was told
    asks: bool = False  #: its script may wait for a licence
    kill: Kill | None = None  #: to be ended
    killed: bool = False  #: the batch system was told so
    wish: Modify | None = None  #: not granted yet
    strays: str = ""  #: another host than the settings', to which it was sent; "": it is seen
    submitted: float | None = None  #: when, as the batch system says of what is this one's
    kept: bool = False  #: that was written down, for a manager that comes after this one
    written: float | None = None  #: what an earlier one wrote down of it
    unmarked: bool = False  #: what has its id may be a stranger's
    sure: bool = True  #: since we began, the batch system said that the id is this one's
    end: RawEnd | None = None

    @property
    def attempt(self) -> AttemptId:
        return self.order.launch.attempt

    @property
    def asked_as(self) -> str:
        """The id that stands for it in a question."""
        return self.array_id or self.native_id

    @property
    def reachable(self) -> bool:
        """May its id be acted on? The last answer had it, as its own."""
        return self.sure and not (self.unseen or self.unmarked)

    @property
    def doomed(self) -> bool:
        """Is it to be ended, as far as is known? One that has waited too long only where the batch
        system said since that it waits still.
        """
        if self.kill is None or self.kill.because != WAITED:
            return self.kill is not None
        return self.state is not None and self.state.state in WAITS

    def enter(self, phase: Phase, now: float) -> None:
        self.phase, self.since = phase, now
        self.unseen = 0


class Entries:
    """All of them, in the order in which they came."""

    def __init__(self) -> None:
        self._entries: dict[AttemptId, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, attempt: AttemptId) -> bool:
        return attempt in self._entries

    def __iter__(self) -> Iterator[Entry]:
        """Those that there are now; changes don't disturb it."""
        return iter([*self._entries.values()])

    def get(self, attempt: AttemptId) -> Entry | None:
        return self._entries.get(attempt)

    def add(self, entry: Entry) -> None:
        self._entries[entry.attempt] = entry

    def drop(self, attempt: AttemptId) -> None:
        self._entries.pop(attempt, None)

    def at(self, phase: Phase) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.phase is phase]

    def holds(self, entry: Entry) -> bool:
        """Is it still the one for its attempt?"""
        return self._entries.get(entry.attempt) is entry
