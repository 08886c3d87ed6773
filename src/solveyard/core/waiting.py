"""The jobs that wait, in the order in which they go: larger priority first, then arrival."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from solveyard.core.leaps import Leaps
from solveyard.model.jobs import Job, JobId


class Urgency(NamedTuple):
    """Sorts the job that goes first before the others."""

    lowness: int  #: the priority, negated
    arrival: int
    place: JobId  #: its own number; of an array that of its next task
    job: JobId


def urgency(job: Job, place: JobId | None = None) -> Urgency:
    return Urgency(-job.priority, job.arrival, job.id if place is None else place, job.id)


class Queue:
    """A heap that forgets lazily: a job's entry counts only while it is the job's current one."""

    def __init__(self) -> None:
        self._heap: list[Urgency] = []
        self._current: dict[JobId, Urgency] = {}

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._current

    def add(self, job: Job, place: JobId | None = None) -> None:
        """Put it in its place; a job that is here already moves. `place`: as in Urgency."""
        entry = urgency(job, place)
        if self._current.get(job.id) != entry:
            self._current[job.id] = entry
            heappush(self._heap, entry)
            self._tidy()

    def discard(self, job_id: JobId) -> None:
        self._current.pop(job_id, None)

    def first(self) -> JobId | None:
        head = self.head()
        return None if head is None else head.job

    def head(self) -> Urgency | None:
        heap = self._heap
        while heap:
            entry = heap[0]
            current = self._current.get(entry.job)
            if current is entry or current == entry:
                return entry
            heappop(heap)
        return None

    def ahead(self, most: int) -> list[JobId]:
        """Those that go first, in order, so many at most."""
        taken: list[Urgency] = []
        while len(taken) < most and (head := self.head()) is not None:
            taken.append(head)
            self.pop()
        for entry in taken:
            heappush(self._heap, entry)
        return [entry.job for entry in taken]

    def after_first(self, most: int) -> list[JobId]:
        """Those that go next after the first, in order, so many at most."""
        return self.ahead(most + 1)[1:]

    def pop(self) -> None:
        """Put the head aside, until it's pushed back."""
        entry = heappop(self._heap)
        while self._heap and self._heap[0] == entry:  # of one that went and came back as it was
            heappop(self._heap)

    def push(self, entry: Urgency) -> None:
        heappush(self._heap, entry)

    def current(self, job_id: JobId) -> Urgency | None:
        return self._current.get(job_id)

    def all(self) -> Iterable[Urgency]:
        """In no order."""
        return self._current.values()

    def outranks(self, job: Job) -> bool:
        """Does the first go before `job`, which waits in a slot?"""
        head = self.head()
        return head is not None and urgency(job) > head

    def place(self, job_id: JobId) -> int:
        """How many go before it; 0 where it isn't here."""
        mine = self._current.get(job_id)
        return 0 if mine is None else sum(entry < mine for entry in self._current.values())

    def _tidy(self) -> None:
        if len(self._heap) > 64 + 4 * len(self._current):
            self._heap = list(self._current.values())
            heapify(self._heap)


class Parking:
    """Jobs that wait for an exclusive key; out of the queue, so that they delay nobody."""

    def __init__(self) -> None:
        self._by_key: dict[str, dict[JobId, None]] = {}
        self._key_of: dict[JobId, str] = {}

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._key_of

    def key_of(self, job_id: JobId) -> str | None:
        return self._key_of.get(job_id)

    def park(self, job_id: JobId, key: str) -> None:
        self._key_of[job_id] = key
        self._by_key.setdefault(key, {})[job_id] = None

    def discard(self, job_id: JobId) -> None:
        key = self._key_of.pop(job_id, None)
        if key is not None:
            waiting = self._by_key[key]
            del waiting[job_id]
            if not waiting:
                del self._by_key[key]

    def freed(self, key: str) -> list[JobId]:
        """Take out those that wait for `key`."""
        waiting = list(self._by_key.pop(key, {}))
        for job_id in waiting:
            del self._key_of[job_id]
        return waiting


class Deadlines:
    """When a waiting job has waited long enough, soonest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, JobId]] = []
        self._current: dict[JobId, float] = {}

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._current

    def set(self, job_id: JobId, at: float | None) -> None:
        """None: no deadline any more."""
        if at is None:
            self._current.pop(job_id, None)
        elif self._current.get(job_id) != at:
            self._current[job_id] = at
            heappush(self._heap, (at, job_id))

    def next(self) -> float | None:
        while self._heap:
            at, job_id = self._heap[0]
            if self._current.get(job_id) == at:
                return at
            heappop(self._heap)
        return None

    def due(self, now: float) -> list[JobId]:
        """Take out those whose time is over."""
        over: list[JobId] = []
        while (at := self.next()) is not None and at <= now:
            _, job_id = heappop(self._heap)
            del self._current[job_id]
            over.append(job_id)
        return over


class Waits(Deadlines):
    """The same by how long each may wait: where the clock leaps meanwhile, that doesn't count."""

    def __init__(self, leaps: Leaps) -> None:
        super().__init__()
        self._leaps = leaps
        self._waits: dict[JobId, tuple[float, float]] = {}  #: since when, and until when

    def begin(self, job_id: JobId, since: float, until: float) -> None:
        self._waits[job_id] = since, until
        self.set(job_id, until + self._leaps.since(since))

    def end(self, job_id: JobId) -> None:
        self._waits.pop(job_id, None)
        self.set(job_id, None)

    def leapt(self) -> None:
        """There is one leap more."""
        for job_id, (since, until) in [*self._waits.items()]:
            if job_id in self:
                self.begin(job_id, since, until)
