"""The store on disk: one SQLite database in one folder."""

import gc
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Self

import msgspec

from solveyard.model.errors import InvalidRequest
from solveyard.model.ids import array_of
from solveyard.model.jobs import Counter, Job, JobId, JobSpec, JobState, Limits, Record
from solveyard.model.messages import AnyEvent
from solveyard.model.notices import Notice, NoticeState
from solveyard.store import codec, database, logroom, queries
from solveyard.store.base import (
    NOT_READ,
    SETTLED_NOTICES,
    Filter,
    Numbered,
    Over,
    Page,
    Past,
    Standing,
    State,
)
from solveyard.store.changes import changes
from solveyard.store.failures import damaged

_STATES = {state.value: state for state in JobState}
_FEW = 64  #: pages of the log that may be moved while commits wait
_LATEST = 2000  #: jobs whose specifications are known to be on disk: most changes aren't theirs


class SqliteStore:
    """Durable, in `folder`; any thread may use it. Reads don't wait for a commit's fsync.

    On a network file system nobody else can open it, and reads do wait.
    """

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> Self:
        """The store in `folder`, made if there is none.

        With `read_only` nothing is made or changed, and a manager may have it open meanwhile.

        Raises StoreUnusable when it is missing (`read_only`), damaged, not a store or a newer
        one, StoreLocked when another process keeps it, StoreFull.
        """
        with ExitStack() as opened:
            if read_only:
                writer, shared = database.open_reader(folder), False
            else:
                writer, shared = database.open_writer(folder)
            opened.callback(writer.close)
            reader = database.open_reader(folder) if shared else writer
            opened.callback(reader.close)
            looker = database.open_reader(folder) if shared else writer
            opened.callback(looker.close)
            store = cls(writer, reader, looker)
            opened.pop_all()  # from here on `close` closes them
        return store

    def __init__(
        self, writer: database.Connection, reader: database.Connection, looker: database.Connection
    ) -> None:
        """For `open`. Where all are the same, no others can be had. `looker` is for short looks
        that don't wait until a long one of the reader's is over.
        """
        self._writer = writer
        self._reader = reader
        self._looker = looker
        self._specs: OrderedDict[JobId, JobSpec] = OrderedDict()  #: as written or read last
        with reader.using() as sqlite:
            row = sqlite.execute(queries.META, ("uuid",)).fetchone()
        if row is None:
            raise damaged(reader.path, "its uuid is missing")
        self._uuid: str = row[0]

    @property
    def uuid(self) -> str:
        """32 hex digits, made with the store."""
        return self._uuid

    def commit(self, events: Sequence[AnyEvent], records: Sequence[Record]) -> int:
        """Append `events` and apply `records`, all or nothing, on disk before it returns.

        Returns the number of the last event in the log. After an error the store is as it was,
        and later commits may succeed. Raises Conflict when two jobs would have one name.
        """
        written = changes(records)
        with self._writer.transaction("IMMEDIATE") as sqlite:
            last: int = sqlite.execute(queries.LAST_NUMBER).fetchone()[0]
            numbered = enumerate(events, last + 1)
            rows = ((number, *queries.event_row(event)) for number, event in numbered)
            for statement, parameters in chain(
                queries.add_events(rows), queries.statements(written, self._specs)
            ):
                sqlite.execute(statement, parameters)  # each is made now: all at once are large
        self._know(written.jobs)
        for job_id in written.removed:
            self._specs.pop(job_id, None)
        return last + len(events)

    def load(self, *, ended: bool = True) -> State:
        """All that an engine starts from, as of one commit.

        `ended`: with the records of those that have ended; else of arrays alone.
        """
        with _no_collections(), self._reader.transaction() as sqlite:
            jobs, past = _all_jobs(sqlite) if ended else _open_jobs(sqlite)
            jobs.sort(key=attrgetter("id"))
            arrays = {job.id: job.spec for job in jobs if job.is_array}
            tasks = sqlite.execute(queries.ALL_TASKS if ended else queries.OPEN_TASKS)
            jobs += [codec.decode_task(body, arrays[array]) for body, array in tasks]
            limits = sqlite.execute(queries.META, ("limits",)).fetchone()
            counter = sqlite.execute(queries.META, ("counter",)).fetchone()
            spent = [codec.decode_spent(body) for (body,) in sqlite.execute(queries.ALL_SPENT)]
            return State(
                jobs=jobs,
                past=past,
                limits=msgspec.json.decode(limits[0], type=Limits) if limits else Limits(),
                counter=msgspec.json.decode(counter[0], type=Counter) if counter else Counter(),
                last_at=sqlite.execute(queries.LAST_AT).fetchone()[0],
                last_number=sqlite.execute(queries.LAST_NUMBER).fetchone()[0],
                first_number=sqlite.execute(queries.FIRST_NUMBER).fetchone()[0],
                spent={one.owner: one for one in spent},
            )

    def ended(self) -> list[Over]:
        """The jobs that have ended, but for tasks, by id."""
        with self._reader.using() as sqlite:
            return [
                Over(job_id, submitted_at, ended_at, bool(failed))
                for job_id, submitted_at, ended_at, failed in sqlite.execute(queries.ENDED)
            ]

    def ended_tasks(self) -> Iterator[tuple[JobId, JobState]]:
        """Those that `load` may leave out; nothing is committed meanwhile."""
        with self._reader.transaction() as sqlite:
            for job_id, state in sqlite.execute(queries.ENDED_TASKS):
                yield job_id, _STATES[state]

    def tasks(self, ids: Sequence[JobId], spec: JobSpec) -> list[Job]:
        """The records of tasks of one array, whose specification is `spec`; of those that have
        one, by id.
        """
        with self._looker.using() as sqlite:
            return [
                codec.decode_task(body, spec)
                for statement, parameters in queries.tasks(ids)
                for (body,) in sqlite.execute(statement, parameters)
            ]

    def job(self, job_id: JobId) -> Job | None:
        with self._reader.using() as sqlite:
            row = sqlite.execute(queries.ONE_JOB, (job_id,)).fetchone()
            return None if row is None else codec.decode_job(*row)

    def jobs(self, ids: Sequence[JobId]) -> list[Job]:
        """Those that there are, by id; tasks, too. It waits for no long read."""
        with self._looker.using() as sqlite:
            found = [
                codec.decode_job(body, spec)
                for statement, parameters in queries.jobs(ids)
                for body, spec in sqlite.execute(statement, parameters)
            ]
        self._know(found)
        return found

    def events(self, after: int = 0, limit: int = 1000, job: JobId | None = None) -> list[Numbered]:
        """Events with larger numbers, in order."""
        query = queries.EVENTS if job is None else queries.EVENTS_OF_JOB
        parameters = {"after": after, "limit": max(limit, 0), "job": job}
        with self._reader.using() as sqlite:
            rows = sqlite.execute(query, parameters).fetchall()
            return [Numbered(number, codec.decode_event(body)) for number, body in rows]

    def all_events(self) -> Iterator[Numbered]:
        """The whole log, read in slices: what is committed meanwhile is in it too."""
        after = 0
        while slice_ := self.events(after):
            yield from slice_
            after = slice_[-1].number

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
        where, parameters = queries.conditions(which)
        total_of = queries.TOTAL.format(where=where), parameters
        below = None if cursor is None else codec.read_cursor(cursor)
        where, parameters = queries.conditions(which, below)
        page_of = queries.PAGE.format(where=where), [*parameters, limit + 1, offset]
        with self._reader.transaction() as sqlite:
            if total is None:
                total = sqlite.execute(*total_of).fetchone()[0]
            rows = sqlite.execute(*page_of).fetchall()
            jobs = [codec.decode_job(body, spec) for body, spec in rows[:limit]]
        more = len(rows) > limit
        return Page(jobs, total, codec.cursor_before(jobs[-1].id) if more else None)

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state; states without any are left out."""
        with self._reader.using() as sqlite:
            rows = sqlite.execute(queries.COUNTS).fetchall()
        return {JobState(state): count for state, count in rows}

    def compact(self, before: int) -> None:
        """Forget the events of smaller numbers, but never the newest event: numbers go on.

        A commit waits meanwhile: ask for some hundred events at a time.
        """
        with self._writer.transaction("IMMEDIATE") as sqlite:
            sqlite.execute(queries.COMPACT, (before,))

    def keep_notices(self, notices: Sequence[Notice], read: int | None = None) -> None:
        """Write `notices`, replacing their earlier states; of the settled, the oldest go."""
        rows = [queries.notice_row(one) for one in notices]
        with self._writer.transaction("IMMEDIATE") as sqlite:
            sqlite.executemany(queries.SET_NOTICE, rows)
            sqlite.execute(queries.TRIM_NOTICES, (SETTLED_NOTICES,))
            if read is not None:
                sqlite.execute(queries.SET_META, ("notices", str(read)))

    def notices_read(self) -> int:
        """Up to which number the log was read for notices, or NOT_READ."""
        with self._reader.using() as sqlite:
            row = sqlite.execute(queries.META, ("notices",)).fetchone()
        return NOT_READ if row is None else int(row[0])

    def due_notices(self, receiver: str, limit: int) -> list[Notice]:
        """Those that are pending, the next one first."""
        return self._notices(queries.DUE_NOTICES, receiver, limit)

    def notices(
        self, receiver: str, state: NoticeState | None = None, limit: int = 50
    ) -> list[Notice]:
        """Of one receiver, the newest first; None: of any state."""
        if state is None:
            return self._notices(queries.NOTICES.format(more=""), receiver, limit)
        query = queries.NOTICES.format(more=" AND state = ?")
        return self._notices(query, receiver, state.value, limit)

    def standings(self) -> dict[str, Standing]:
        """Of each receiver that has notices, by name."""
        found: dict[str, dict[NoticeState, int]] = {}
        with self._reader.transaction() as sqlite:
            for receiver, state, count in sqlite.execute(queries.STANDINGS):
                found.setdefault(receiver, {})[NoticeState(state)] = count
            why = {name: sqlite.execute(queries.LAST_FAILURE, (name,)).fetchone() for name in found}
        return {
            name: Standing(counts, why[name][0] if why[name] else "")
            for name, counts in found.items()
        }

    def checkpoint(self) -> None:
        """Move the write-ahead log into the main file, so that it begins anew.

        Off the commit path but for its last few pages: while commits go on, it would never be
        empty, and grow.
        """
        if self._reader is not self._writer and database.checkpoint(self._writer.path, _FEW):
            self._writer.checkpoint()

    def make_room(self) -> bool:
        """Take some of the space that the log will need; False: it has enough, or can't have it."""
        return self._reader is not self._writer and logroom.more(self._writer)

    def _know(self, jobs: Sequence[Job]) -> None:
        """Their specifications are on disk. A task's is its array's."""
        for job in jobs:
            if array_of(job.id) is None:
                self._specs.pop(job.id, None)  # it goes to the end; other threads are here, too
                self._specs[job.id] = job.spec
        while len(self._specs) > _LATEST:
            self._specs.popitem(last=False)

    def _notices(self, query: str, *parameters: str | int) -> list[Notice]:
        with self._reader.using() as sqlite:
            return [codec.decode_notice(body) for (body,) in sqlite.execute(query, parameters)]

    def close(self) -> None:
        if self._reader is not self._writer:
            self._looker.close()
            self._reader.close()
            self._writer.settle()
        self._writer.close()


def _all_jobs(sqlite: sqlite3.Connection) -> tuple[list[Job], list[Past]]:
    rows = sqlite.execute(queries.ALL_JOBS)
    return [codec.decode_job(body, spec) for body, spec in rows], []


def _open_jobs(sqlite: sqlite3.Connection) -> tuple[list[Job], list[Past]]:
    """With the arrays that have ended; of other jobs that have, what is to be known."""
    jobs = [codec.decode_job(body, spec) for body, spec in sqlite.execute(queries.OPEN_JOBS)]
    past: list[Past] = []
    for row in sqlite.execute(queries.PAST_JOBS):
        one = codec.decode_past(*row)
        if one is not None:
            past.append(one)
        else:
            jobs.append(codec.decode_job(*row[-2:]))
    past.sort()
    return jobs, past


@contextmanager
def _no_collections() -> Iterator[None]:
    """Pause the cyclic garbage collector, which would walk every record loaded so far.

    Frozen records make no cycles. 100 000 of them load in a quarter of the time.
    """
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
