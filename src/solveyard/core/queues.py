"""A line of jobs, the most urgent first, which also knows the first of each kind.

Jobs of one kind are as urgent but for their arrival, need the same and may run as long: where the
first of them can't start the others can't, however many they are.
"""

from collections.abc import Generator, Hashable, Iterable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from solveyard.model.jobs import Job, JobId
from solveyard.model.resources import ONE_CORE, Range


class Urgency(NamedTuple):
    """Sorts the job that goes first before the others."""

    lowness: int  #: the priority, negated
    arrival: int
    place: JobId  #: its own number; of an array that of its next task
    job: JobId
    kind: int = 0  #: a number, in its queue; 0: it is in none


def urgency(job: Job, place: JobId | None = None, kind: int = 0) -> Urgency:
    return Urgency(-job.priority, job.arrival, job.id if place is None else place, job.id, kind)


class _Kind:
    """Those that are alike."""

    __slots__ = ("alike", "heap", "members")

    def __init__(self, alike: Hashable) -> None:
        self.alike = alike
        self.heap: list[Urgency] = []
        self.members = 0


class Queue:
    """A heap for each kind, and one of their heads, which forget lazily: a job's entry counts only
    while it is the job's current one.
    """

    def __init__(self) -> None:
        self._current: dict[JobId, Urgency] = {}
        self._kinds: dict[int, _Kind] = {}
        self._numbers: dict[Hashable, int] = {}  #: of the kinds
        self._heads: list[Urgency] = []  #: of each kind its first, or one that was
        self._listed = 0  #: entries in all heaps
        self._last = 0  #: the newest kind's number

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._current

    def add(self, job: Job, place: JobId | None = None) -> None:
        """Put it in its place; a job that is here already moves. `place`: as in Urgency."""
        alike = _alike(job)
        entry = urgency(job, place, self._numbers.get(alike, 0))
        if self._current.get(job.id) == entry:
            return
        self.discard(job.id)
        number = self._numbers.get(alike)
        if number is None:
            self._last = number = self._numbers[alike] = self._last + 1
            self._kinds[number] = _Kind(alike)
        entry = urgency(job, place, number)
        self._current[job.id] = entry
        self._kinds[number].members += 1
        self.push(entry)
        self._tidy()

    def discard(self, job_id: JobId) -> None:
        entry = self._current.pop(job_id, None)
        if entry is None:
            return
        kind = self._kinds[entry.kind]
        kind.members -= 1
        if not kind.members:
            self._listed -= len(kind.heap)
            del self._kinds[entry.kind], self._numbers[kind.alike]

    def first(self) -> JobId | None:
        head = self.head()
        return None if head is None else head.job

    def head(self) -> Urgency | None:
        heads = self._heads
        while heads:
            entry = heads[0]
            current = self._current.get(entry.job)
            if current is entry or current == entry:
                return entry
            heappop(heads)
            self._listed -= 1
            self._offer(entry.kind)
        return None

    def ahead(self, most: int) -> list[JobId]:
        """Those that go first, in order, so many at most."""
        taken: list[Urgency] = []
        while len(taken) < most and (head := self.head()) is not None:
            taken.append(head)
            self.pop()
        for entry in taken:
            self.push(entry)
        return [entry.job for entry in taken]

    def after_first(self, most: int) -> list[JobId]:
        """Those that go next after the first, in order, so many at most."""
        return self.ahead(most + 1)[1:]

    def heads(self) -> Generator[Urgency, None, None]:
        """The first of each kind, in order. Of one that has left meanwhile the next one follows.

        Until the end nobody else may ask who is first.
        """
        taken: list[Urgency] = []
        told: set[int] = set()
        try:
            while (entry := self.head()) is not None:
                taken.append(entry)
                self._take(self._heads, entry)
                if entry.kind in told:
                    continue  # it was the first before another came
                told.add(entry.kind)
                yield entry
                if self._current.get(entry.job) != entry:
                    told.discard(entry.kind)
                    self._offer(entry.kind)
        finally:
            for entry in taken:
                self._list(self._heads, entry)

    def pop(self) -> None:
        """Put the head aside, until it's pushed back."""
        entry = self._heads[0]
        self._take(self._heads, entry)
        heap = self._kinds[entry.kind].heap
        while heap[0] < entry:  # of one that left
            self._take(heap, heap[0])
        self._take(heap, entry)
        self._offer(entry.kind)

    def push(self, entry: Urgency) -> None:
        heap = self._kinds[entry.kind].heap
        self._list(heap, entry)
        if heap[0] == entry:
            self._list(self._heads, entry)

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

    # Inside

    def _offer(self, number: int) -> None:
        """The first of this kind, if there is any, to the heads."""
        kind = self._kinds.get(number)
        if kind is None:
            return
        heap = kind.heap
        while heap and self._current.get(heap[0].job) != heap[0]:
            heappop(heap)
            self._listed -= 1
        if heap:
            self._list(self._heads, heap[0])

    def _list(self, heap: list[Urgency], entry: Urgency) -> None:
        heappush(heap, entry)
        self._listed += 1

    def _take(self, heap: list[Urgency], entry: Urgency) -> None:
        """All there is of `entry`, at the head: one that went and came back as it was is twice."""
        while heap and heap[0] == entry:
            heappop(heap)
            self._listed -= 1

    def _tidy(self) -> None:
        if self._listed > 64 + 8 * len(self._current):
            for kind in self._kinds.values():
                kind.heap = []
            for entry in self._current.values():
                self._kinds[entry.kind].heap.append(entry)
            for kind in self._kinds.values():
                heapify(kind.heap)
            self._heads = [kind.heap[0] for kind in self._kinds.values()]
            heapify(self._heads)
            self._listed = len(self._current) + len(self._heads)


def _alike(job: Job) -> Hashable:
    """What jobs of one kind have in common."""
    need, spec = job.need, job.spec
    limit = None if spec.time_limit is None else spec.time_limit + spec.grace
    if need is ONE_CORE or need == ONE_CORE:
        return job.priority, limit
    split = any(isinstance(one, Range) and one.split for one in (need.cores, need.nodes))
    own = job.id if split else None  # its share is by its position
    pools = (*sorted(need.licences.items()), None, *sorted(need.counts.items()))
    amounts = (need.cores, need.nodes, need.whole_nodes, need.memory, need.disk, need.gpus)
    return job.priority, limit, amounts, pools, own
