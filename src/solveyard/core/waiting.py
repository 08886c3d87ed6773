"""The jobs that stand aside for an exclusive key, or until some time."""

from heapq import heappop, heappush

from solveyard.core.leaps import Leaps
from solveyard.model.jobs import JobId


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
