"""What was put away: its state is here, its record on disk. A byte each.

Ended tasks of arrays are read where somebody asks for one, and stay away. Whole jobs, which wait
far down the line or ended a while ago, come back, for all who know jobs (`Roll`), as soon as
somebody names them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence

from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import FINAL, WAITING, Job, JobId, JobState

_STATES = sorted(FINAL)
_CODES = {state: code for code, state in enumerate(_STATES, 1)}  # 0: not here
_WHOLE = sorted(WAITING | FINAL)
_WHOLE_CODES = {state: code for code, state in enumerate(_WHOLE, 1)}

#: Reads a task's record; what is given with it is its array.
Fetch = Callable[[JobId, Job], Job]
#: Reads the records of whole jobs, all of them.
Reread = Callable[[Sequence[JobId]], Sequence[Job]]


class Shelf:
    """Of tasks as they are on disk. Whoever has a newer record of a task goes by that."""

    def __init__(
        self,
        fetch: Fetch | None = None,
        ended: Iterable[tuple[JobId, JobState]] = (),
        reread: Reread | None = None,
    ) -> None:
        """`ended`: the tasks that are on it from the start."""
        self.waiting = 0  #: jobs that wait here
        self._fetch = fetch
        self._reread = reread
        self._pages: dict[JobId, bytearray] = {}  #: codes by position, by array
        self._whole = bytearray()  #: codes of whole jobs that are here, by number
        self._rolls: list[MutableMapping[JobId, Job]] = []
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

    # Whole jobs

    def fill(self, roll: MutableMapping[JobId, Job]) -> None:
        """Have jobs come back to `roll`."""
        self._rolls.append(roll)

    def put_whole(self, job: JobId, state: JobState) -> None:
        """It is no task and no array, its record is on disk and says `state`, in which it waits or
        has ended; no roll has it.
        """
        if job >= len(self._whole):
            self._whole.extend(bytes(job + 1 - len(self._whole)))
        self._whole[job] = _WHOLE_CODES[state]
        self.waiting += state in WAITING

    def whole(self, job: JobId) -> JobState | None:
        """The state of a whole job; None: it's not here."""
        code = self._whole[job] if job < len(self._whole) else 0
        return _WHOLE[code - 1] if code else None

    def bring(self, jobs: Iterable[JobId]) -> None:
        """Those of them that are here: back to where they came from. Raises StoreError."""
        wanted = [job for job in jobs if self.whole(job) is not None]
        if not wanted:
            return
        assert self._reread is not None
        for job in self._reread(wanted):
            self.waiting -= self.whole(job.id) in WAITING
            self._whole[job.id] = 0
            for roll in self._rolls:
                roll[job.id] = job

    # An array's tasks

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
