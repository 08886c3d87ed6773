"""The store for tests and trials: it keeps its promises until the process ends."""

import threading
import uuid
from collections import Counter as Tally
from collections.abc import Iterator, Sequence

import msgspec

from solveyard.model.errors import Conflict, InvalidRequest
from solveyard.model.ids import array_of
from solveyard.model.jobs import Counter, Job, JobId, JobSpec, JobState, Limits, Record
from solveyard.model.messages import AnyEvent, JobEvent
from solveyard.model.notices import Notice, NoticeState
from solveyard.model.shares import Spent
from solveyard.store import codec
from solveyard.store.base import (
    NOT_READ,
    SETTLED_NOTICES,
    Filter,
    Numbered,
    Over,
    Page,
    Standing,
    State,
)
from solveyard.store.changes import changes


class MemoryStore:
    """Nothing is written anywhere; any thread may use it."""

    def __init__(self) -> None:
        self._uuid = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._events: list[AnyEvent] = []
        self._first = 1  #: the number of the first of them
        self._jobs: dict[JobId, Job] = {}
        self._names: dict[str, JobId] = {}
        self._limits = Limits()
        self._counter = Counter()
        self._spent: dict[str, Spent] = {}
        self._notices: dict[tuple[int, str], Notice] = {}
        self._read = NOT_READ

    @property
    def uuid(self) -> str:
        """32 hex digits, made with the store."""
        return self._uuid

    def commit(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        """Append `events` and apply `records`, all or nothing.

        Returns the number of the last event in the log. Raises Conflict when two jobs would have
        one name.
        """
        for thing in (*events, *records):
            codec.encode(thing)  # what can't be written is refused here, too
        jobs, removed, limits, counter, spent = changes(records)
        with self._lock:
            gone = {*removed, *(i for i in self._jobs if array_of(i) in removed)}
            changed = {*gone, *(job.id for job in jobs)}
            named = [job for job in jobs if job.spec.name and array_of(job.id) is None]
            taken = Tally(job.spec.name for job in named)
            for name, count in taken.items():
                holder = self._names.get(name)
                if count > 1 or (holder is not None and holder not in changed):
                    raise Conflict(f"two jobs would have the name {name!r}")
            for job_id in changed:
                before = self._jobs.pop(job_id, None)
                if before is not None and array_of(job_id) is None:
                    self._names.pop(before.spec.name, None)
            self._jobs.update((job.id, job) for job in jobs)
            self._names.update((job.spec.name, job.id) for job in named)
            self._limits = self._limits if limits is None else limits
            self._counter = self._counter if counter is None else counter
            self._spent.update(spent)
            self._events.extend(events)
            return self._last

    def load(self, *, ended: bool = True) -> State:
        """All that an engine starts from, as of one commit.

        `ended`: with the records of those that have ended; else of arrays alone.
        """
        with self._lock:
            jobs = sorted(map(self._whole, self._jobs.values()), key=lambda job: job.id)
            over = [] if ended else [job for job in jobs if job.state.final and not job.is_array]
            jobs = jobs if ended else [job for job in jobs if not job.state.final or job.is_array]
            past = [codec.past(job) for job in over if array_of(job.id) is None]
            last_at = self._events[-1].at if self._events else 0.0
            spent = dict(self._spent)
            numbers = last_at, self._last, self._first
            return State(jobs, past, self._limits, self._counter, *numbers, spent)

    def ended(self) -> list[Over]:
        """The jobs that have ended, but for tasks, by id."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if array_of(job.id) is None]
        return sorted(
            Over(job.id, job.submitted_at, job.ended_at or 0.0, job.state is JobState.FAILED)
            for job in jobs
            if job.state.final
        )

    def ended_tasks(self) -> Iterator[tuple[JobId, JobState]]:
        """Those that `load` may leave out; nothing is committed meanwhile."""
        for job in self._jobs.values():
            if array_of(job.id) is not None and job.state.final:
                yield job.id, job.state

    def tasks(self, ids: Sequence[JobId], spec: JobSpec) -> list[Job]:
        """The records of tasks of one array, whose specification is `spec`; of those that have
        one, by id.
        """
        with self._lock:
            found = [self._jobs[one] for one in sorted(ids) if one in self._jobs]
        return [msgspec.structs.replace(job, spec=spec) for job in found]

    def job(self, job_id: JobId) -> Job | None:
        return self._jobs.get(job_id)

    def jobs(self, ids: Sequence[JobId]) -> list[Job]:
        """Those that there are, by id; tasks, too."""
        with self._lock:
            return [self._whole(self._jobs[one]) for one in sorted(ids) if one in self._jobs]

    def events(self, after: int = 0, limit: int = 1000, job: JobId | None = None) -> list[Numbered]:
        """Events with larger numbers, in order."""
        with self._lock:
            start = max(after + 1 - self._first, 0)
            later = enumerate(self._events[start:], self._first + start)
            chosen = [
                Numbered(number, event)
                for number, event in later
                if job is None or (isinstance(event, JobEvent) and event.job == job)
            ]
        return chosen[: max(limit, 0)]

    def all_events(self) -> Iterator[Numbered]:
        """The whole log, as of now."""
        return iter(self.events(limit=len(self._events)))

    def page(
        self,
        which: Filter,
        limit: int = 50,
        cursor: str | None = None,
        offset: int = 0,
        *,
        total: int | None = None,
    ) -> Page:
        """`total`: what is told as the page's; None: it is counted.

        Raises InvalidRequest when the cursor is not one of ours, or the limit below 1.
        """
        if limit < 1:
            raise InvalidRequest(f"a page has at least one job, not {limit}")
        below = None if cursor is None else codec.read_cursor(cursor)
        chosen = [job for job in reversed(self.load().jobs) if _fits(job, which)]
        rest = [job for job in chosen if below is None or job.id < below][offset:]
        jobs = rest[:limit]
        more = len(rest) > limit
        told = len(chosen) if total is None else total
        return Page(jobs, told, codec.cursor_before(jobs[-1].id) if more else None)

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state; states without any are left out."""
        jobs = self.load().jobs
        return dict(Tally(job.state for job in jobs if array_of(job.id) is None))

    def compact(self, before: int) -> None:
        """Forget the events of smaller numbers, but never the newest event: numbers go on."""
        with self._lock:
            gone = max(0, min(before - self._first, len(self._events) - 1))
            del self._events[:gone]
            self._first += gone

    def keep_notices(self, notices: Sequence[Notice], read: int | None = None) -> None:
        """Write `notices`, replacing their earlier states; of the settled, the oldest go."""
        with self._lock:
            self._notices.update(((one.event, one.receiver), one) for one in notices)
            self._read = self._read if read is None else read
            settled = sorted(
                (one.next_at, *key)
                for key, one in self._notices.items()
                if one.state is not NoticeState.PENDING
            )
            for _, event, receiver in settled[: max(0, len(settled) - SETTLED_NOTICES)]:
                del self._notices[event, receiver]

    def notices_read(self) -> int:
        """Up to which number the log was read for notices, or NOT_READ."""
        return self._read

    def due_notices(self, receiver: str, limit: int) -> list[Notice]:
        """Those that are pending, the next one first."""
        mine = self.notices(receiver, NoticeState.PENDING, len(self._notices))
        return sorted(mine, key=lambda one: (one.next_at, one.event))[:limit]

    def notices(
        self, receiver: str, state: NoticeState | None = None, limit: int = 50
    ) -> list[Notice]:
        """Of one receiver, the newest first; None: of any state."""
        mine = [one for one in self._known() if one.receiver == receiver]
        return [one for one in mine if state is None or one.state is state][:limit]

    def standings(self) -> dict[str, Standing]:
        """Of each receiver that has notices, by name."""
        found: dict[str, Standing] = {}
        for name in {one.receiver for one in self._known()}:
            mine = self.notices(name, limit=len(self._notices))
            why = next((one.why for one in mine if one.why), "")
            found[name] = Standing(dict(Tally(one.state for one in mine)), why)
        return found

    def checkpoint(self) -> None:
        """There is no log to move."""

    def make_room(self) -> bool:
        """There is no log."""
        return False

    def close(self) -> None:
        """There is nothing to close."""

    @property
    def _last(self) -> int:
        return self._first + len(self._events) - 1

    def _whole(self, job: Job) -> Job:
        """A task with what its array's specification is by now."""
        number = array_of(job.id)
        array = self._jobs.get(number) if number is not None else None
        return job if array is None else msgspec.structs.replace(job, spec=array.spec)

    def _known(self) -> list[Notice]:
        """All notices, the newest first."""
        with self._lock:
            return [one for _, one in sorted(self._notices.items(), reverse=True)]


def _fits(job: Job, which: Filter) -> bool:
    return (
        array_of(job.id) == which.array
        and (which.states is None or job.state in which.states)
        and (which.owner is None or job.owner == which.owner)
        and (which.name is None or job.spec.name == which.name)
        and (which.tag is None or which.tag in job.spec.tags)
        and (which.since is None or job.submitted_at >= which.since)
        and (which.search is None or _lower(which.search) in _lower(job.spec.name))
    )


def _lower(text: str) -> bytes:
    """ASCII letters alone, as SQLite does it."""
    return text.encode().lower()
