"""What the manager needs from storage."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from solveyard.model.jobs import (
    Counter,
    Job,
    JobId,
    JobSpec,
    JobState,
    Limits,
    Record,
    Submission,
    submissions,
)
from solveyard.model.messages import AnyEvent
from solveyard.model.notices import Notice, NoticeState
from solveyard.model.shares import Spent


class Numbered(NamedTuple):
    """An event and its number in the store's log: from 1, never given twice, without gaps from
    where the log begins.
    """

    number: int
    event: AnyEvent


#: Notices that are settled, delivered or given up: so many of the newest are kept.
SETTLED_NOTICES = 500
#: Of no event: the log wasn't read for notices yet, or nobody wanted any since.
NOT_READ = -1


class Standing(NamedTuple):
    """How one receiver's notices are."""

    counts: dict[NoticeState, int]  #: those that are kept
    why: str  #: the newest that failed did so; empty: none did


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs; what is None doesn't count."""

    states: frozenset[JobState] | None = None
    owner: str | None = None
    name: str | None = None
    tag: str | None = None
    array: JobId | None = None  #: the tasks of this one; else no tasks, but arrays as a whole
    since: float | None = None  #: submitted then or later; s since 1970
    search: str | None = None  #: in the name; ASCII letters of either case


class Page(NamedTuple):
    jobs: list[Job]  #: newest first
    total: int  #: how many the filter has
    cursor: str | None  #: for the next page; None: this was the last


class Past(NamedTuple):
    """What is to be known of a whole job that has ended, while its record is on disk alone."""

    id: JobId
    state: JobState
    name: str
    owner: str
    directory: str
    key: str  #: of its submission; empty: it had none
    arrival: int
    tags: tuple[str, ...]
    earlier: tuple[Submission, ...]

    @property
    def submissions(self) -> tuple[Submission, ...]:
        """As of the job."""
        return submissions(self.owner, self.key, self.arrival, self.earlier)


class Over(NamedTuple):
    """An ended job, or an array with all its tasks."""

    job: JobId
    submitted_at: float
    ended_at: float
    failed: bool


class State(NamedTuple):
    """All that an engine starts from."""

    jobs: list[Job]  #: by id; tasks, of those that have records, after their arrays
    past: list[Past]  #: by id; of the jobs that are left out of `jobs`, but for tasks
    limits: Limits
    counter: Counter
    last_at: float  #: time of the newest event; 0.0: none
    last_number: int  #: of the newest event; 0: none
    first_number: int  #: of the oldest event that is kept; 1: none is missing
    spent: dict[str, Spent]  #: what owners have used, by owner


class Store(Protocol):
    """Synchronous: the manager calls it in a thread of its own.

    Raises StoreFull, StoreLocked or StoreUnusable, each one clear sentence.
    """

    @property
    def uuid(self) -> str:
        """32 hex digits, made with the store."""
        ...

    def commit(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        """Append `events` and apply `records`, all or nothing, on disk before it returns.

        Returns the number of the last event in the log.
        """
        ...

    def load(self, *, ended: bool = True) -> State:
        """`ended`: with the records of those that have ended; else of arrays alone."""
        ...

    def ended(self) -> list[Over]:
        """The jobs that have ended, but for tasks, by id."""
        ...

    def ended_tasks(self) -> Iterator[tuple[JobId, JobState]]:
        """Those that `load` may leave out; nothing is committed meanwhile."""
        ...

    def tasks(self, ids: Sequence[JobId], spec: JobSpec) -> list[Job]:
        """The records of tasks of one array, whose specification is `spec`; of those that have
        one, by id.
        """
        ...

    def job(self, job_id: JobId) -> Job | None: ...

    def jobs(self, ids: Sequence[JobId]) -> list[Job]:
        """Those that there are, by id; tasks, too. It waits for no long read."""
        ...

    def events(self, after: int = 0, limit: int = 1000, job: JobId | None = None) -> list[Numbered]:
        """Events with larger numbers, in order."""
        ...

    def all_events(self) -> Iterator[Numbered]: ...

    def page(
        self,
        which: Filter,
        limit: int = 50,
        cursor: str | None = None,
        offset: int = 0,
        *,
        total: int | None = None,
    ) -> Page:
        """The jobs after the first `offset` of those that the cursor leaves.

        `total`: what is told as the page's; None: it is counted.

        Raises InvalidRequest when the cursor is not one of ours.
        """
        ...

    def counts(self) -> dict[JobState, int]: ...

    def compact(self, before: int) -> None:
        """Forget the events of smaller numbers, but never the newest event: numbers go on."""
        ...

    def keep_notices(self, notices: Sequence[Notice], read: int | None = None) -> None:
        """Write `notices`, replacing their earlier states, all or nothing, on disk.

        `read`: the log was read for notices up to this number; None: as before. Of those that are
        settled the oldest go, beyond SETTLED_NOTICES.
        """
        ...

    def notices_read(self) -> int:
        """Up to which number the log was read for notices, or NOT_READ."""
        ...

    def due_notices(self, receiver: str, limit: int) -> list[Notice]:
        """Those that are pending, the next one first."""
        ...

    def notices(
        self, receiver: str, state: NoticeState | None = None, limit: int = 50
    ) -> list[Notice]:
        """Of one receiver, the newest first; None: of any state."""
        ...

    def standings(self) -> dict[str, Standing]:
        """Of each receiver that has notices, by name."""
        ...

    def checkpoint(self) -> None:
        """Move the write-ahead log into the main file, nearly all of it off the commit path."""
        ...

    def make_room(self) -> bool:
        """Take some of the space that the log will need; False: it has enough, or can't have it."""
        ...

    def close(self) -> None: ...
