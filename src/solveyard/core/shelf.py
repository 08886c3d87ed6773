"""Ended tasks of arrays that were put away: their states are here, their records on disk.

A million of them take a megabyte, and a restart reads none of their records.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import FINAL, Job, JobId, JobState

_STATES = sorted(FINAL)
_CODES = {state: code for code, state in enumerate(_STATES, 1)}  # 0: not here

#: Reads a task's record; what is given with it is its array.
Fetch = Callable[[JobId, Job], Job]


class Shelf:
    """Of tasks as they are on disk. Whoever has a newer record of a task goes by that."""

    def __init__(
        self, fetch: Fetch | None = None, ended: Iterable[tuple[JobId, JobState]] = ()
    ) -> None:
        """`ended`: the tasks that are on it from the start."""
        self._fetch = fetch
        self._pages: dict[JobId, bytearray] = {}  #: codes by position, by array
        for task, state in ended:
            self.put(task, state)

    def put(self, task: JobId, state: JobState) -> None:
        """`task`'s record is on disk, and says `state`, which is final."""
        array, position = array_of(task), position_of(task)
        assert array is not None
        assert position is not None
        page = self._pages.get(array)
        if page is None:
            page = self._pages[array] = bytearray()
        if position >= len(page):
            page.extend(bytes(position + 1 - len(page)))
        page[position] = _CODES[state]

    def take(self, task: JobId) -> None:
        """`task` is not on it any more, if it was."""
        if self.state(task) is not None:
            self._pages[array_of(task) or task][position_of(task) or 0] = 0

    def clear(self, array: JobId) -> None:
        """None of its tasks is on it any more."""
        self._pages.pop(array, None)

    def state(self, job: JobId) -> JobState | None:
        """None: it's not here."""
        page = self._pages.get(array_of(job) or job)
        position = position_of(job)
        if page is None or position is None or position >= len(page) or not page[position]:
            return None
        return _STATES[page[position] - 1]

    def get(self, task: JobId, jobs: Mapping[JobId, Job]) -> Job | None:
        """Its record, read from disk; None: it's not here, or its array not among `jobs`.

        Raises StoreError.
        """
        array = jobs.get(array_of(task) or task) if self.state(task) is not None else None
        if array is None:
            return None
        assert self._fetch is not None
        return self._fetch(task, array)

    def counts(self, array: JobId) -> Counter[JobState]:
        """How many of its tasks are here, by state."""
        page = self._pages.get(array, b"")
        found = {state: page.count(code) for state, code in _CODES.items()}
        return Counter({state: count for state, count in found.items() if count})

    def positions(self, array: JobId, states: Iterable[JobState] = FINAL) -> list[int]:
        """Those of its tasks that are here in one of `states`, in order."""
        page = self._pages.get(array, b"")
        found: list[int] = []
        for code in (_CODES[state] for state in states):
            position = page.find(code)
            while position >= 0:
                found.append(position)
                position = page.find(code, position + 1)
        return sorted(found)

    def gap(self, array: JobId, start: int) -> int:
        """The first position from `start` on that is not here."""
        page = self._pages.get(array, b"")
        found = page.find(0, start)
        return found if found >= 0 else max(start, len(page))
