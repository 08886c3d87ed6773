"""The queue, parted by owners: larger priority first, then who is furthest below their share."""

from collections.abc import Generator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from solveyard.core.queues import Queue, Urgency, urgency
from solveyard.core.shares import Owners
from solveyard.model.jobs import Job, JobId


class _Rank(NamedTuple):
    """Sorts the job that goes first before the others."""

    lowness: int
    lead: float  #: of its owner
    urgency: Urgency
    owner: str


class PartedQueue:
    """As a Queue; each owner's jobs stand in a queue of their own, so none is ever scanned."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._queues: dict[str, Queue] = {}
        self._owner_of: dict[JobId, str] = {}
        self._full: set[str] = set()  #: owners whose quota keeps their first from starting

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._owner_of

    def add(self, job: Job, place: JobId | None = None) -> None:
        self._owner_of[job.id] = job.owner
        self._queues.setdefault(job.owner, Queue()).add(job, place)
        self._full.discard(job.owner)  # it may be another that is first

    def discard(self, job_id: JobId) -> None:
        owner = self._owner_of.pop(job_id, None)
        if owner is None:
            return
        self._queues[owner].discard(job_id)
        self._full.discard(owner)
        if not self._queues[owner]:
            del self._queues[owner]

    def first(self) -> JobId | None:
        head = self.head()
        return None if head is None else head.job

    def head(self) -> Urgency | None:
        best = self._best()
        return None if best is None else best.urgency

    def outranks(self, job: Job) -> bool:
        """Does the first go before `job`, which waits in a slot?

        Between owners of one priority it does not: their shares change with each moment.
        """
        best = self._best()
        if best is None or (best.lowness == -job.priority and best.owner != job.owner):
            return False
        return best.urgency < urgency(job)

    def after_first(self, most: int) -> list[JobId]:
        """Those that go next after the first, in order, so many at most."""
        heads = [*self._heads()]
        heapify(heads)
        taken: list[_Rank] = []
        while heads and len(taken) <= most:
            best = heappop(heads)
            taken.append(best)
            queue = self._queues[best.owner]
            queue.pop()
            if (head := queue.head()) is not None:
                heappush(heads, _Rank(head.lowness, best.lead, head, best.owner))
        for rank in taken:
            self._queues[rank.owner].push(rank.urgency)
        return [rank.urgency.job for rank in taken[1:]]

    def heads(self) -> Generator[Urgency, None, None]:
        """As a Queue's; of each owner's kinds, none of an owner who is shut meanwhile."""
        lines = {owner: queue.heads() for owner, queue in self._queues.items()}
        ranks: list[_Rank] = []

        def offer(owner: str) -> None:
            head = None if owner in self._full else next(lines[owner], None)
            if head is not None:
                heappush(ranks, _Rank(head.lowness, self._owners.lead(owner), head, owner))

        try:
            for owner in lines:
                offer(owner)
            while ranks:
                best = heappop(ranks)
                yield best.urgency
                offer(best.owner)
        finally:
            for line in lines.values():
                line.close()

    def place(self, job_id: JobId) -> int:
        """How many go before it, as shares stand now; 0 where it isn't here.

        Those of an owner whose quota keeps the first of them don't.
        """
        mine = self._owner_of.get(job_id)
        entry = None if mine is None else self._queues[mine].current(job_id)
        if mine is None or entry is None:
            return 0
        rank = (entry.lowness, self._owners.lead(mine), entry)
        return sum(
            (other.lowness, lead, other) < rank
            for owner, queue in self._queues.items()
            if owner == mine or owner not in self._full
            for lead in [self._owners.lead(owner)]
            for other in queue.all()
        )

    # Quotas

    def shut(self, owner: str) -> None:
        """Their first may not start: nobody of theirs goes before it."""
        self._full.add(owner)

    def open(self, owner: str) -> None:
        """Something of theirs has ended."""
        self._full.discard(owner)

    def open_all(self) -> None:
        """There is something else by now, so some may need less."""
        self._full.clear()

    def _best(self) -> _Rank | None:
        best: _Rank | None = None
        for owner, queue in self._queues.items():
            if owner in self._full or (head := queue.head()) is None:
                continue
            if best is not None and head.lowness > best.lowness:
                continue
            lead = self._owners.lead(owner)
            if best is None or (head.lowness, lead, head) < best:
                best = _Rank(head.lowness, lead, head, owner)
        return best

    def _heads(self) -> list[_Rank]:
        return [
            _Rank(head.lowness, self._owners.lead(owner), head, owner)
            for owner, queue in self._queues.items()
            if owner not in self._full and (head := queue.head()) is not None
        ]
