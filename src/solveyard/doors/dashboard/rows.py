"""Jobs as rows of the dashboard's table: small, and only those that have changed."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.keys import MANAGER, caller
from solveyard.manager.manager import Manager
from solveyard.model.errors import InvalidRequest, LogCompacted
from solveyard.model.ids import array_of
from solveyard.model.jobs import WAITING, Job, JobId, JobState, Reason
from solveyard.model.messages import JobEvent
from solveyard.model.records import TaskCounts, counted

SLICE = 200  #: rows made between two turns of the loop
MOST_NAMED = 100  #: jobs asked for by their numbers
MOST_EVENTS = 1000  #: read at once


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the table shows of one job. Times in s since 1970."""

    number: int
    id: str  #: as other routes take it
    owner: str
    solver: str
    state: JobState
    priority: int
    reason: Reason | None
    why: str | None  #: why it waits, how far it is, or how it ended; null: not looked up
    tags: tuple[str, ...]
    tasks: TaskCounts | None  #: of an array
    machine: str  #: of its newest attempt; empty while it waits for the next one
    cancel_requested: bool
    held: bool  #: in a batch system's line, or an array that begins no more tasks
    stale: bool
    submitted_at: float
    started_at: float | None  #: of that attempt
    ended_at: float | None


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: str = ""  #: one or more states, with commas
    limit: int = 1000
    cursor: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= 2000:
            raise ValueError(f"`limit` is {self.limit}; it must be from 1 to 2000")


class ChangesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    after: int | None = None  #: the last event that is known; None: from now on
    store: str | None = None  #: whose event that is, as an earlier answer told; None: this one's

    def __post_init__(self) -> None:
        if self.after is not None and not 0 <= self.after < 2**62:
            raise ValueError(f"`after` is {self.after}; it must be the number of an event")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    now: float  #: s since 1970, by the manager's clock
    jobs: list[Row]
    total: int = 0  #: how many there are in all
    cursor: str | None = None  #: for the next page; None: this was the last


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    now: float  #: s since 1970, by the manager's clock
    store: str  #: the uuid of the store: another may answer at the same address later
    who: str  #: asks: another may have signed in by now
    last: int  #: to ask from next time
    more: bool  #: there are later events already
    forgotten: bool  #: `after` is no event of this store: read everything anew
    jobs: list[Row]
    removed: list[JobId]
    status: dict[str, Any]  #: of the manager and its machines


async def page(request: web.Request) -> web.Response:
    """Rows, newest first."""
    wanted = encoding.query(request, PageQuery)
    manager = request.app[MANAGER]
    which = encoding.JobsQuery(state=wanted.state).filter
    found = await manager.page(which, wanted.limit, wanted.cursor)
    rows = await _rows(manager, [job.id for job in found.jobs])
    return encoding.answer(
        Rows(now=manager.now(), jobs=rows, total=found.total, cursor=found.cursor)
    )


async def some(request: web.Request) -> web.Response:
    """The rows of the named jobs, those that there are: `/dashboard/jobs/3,17,18`.

    Only these tell why a queued job waits: each answer looks at the whole queue.
    """
    encoding.query(request, encoding.NoQuery)
    words = request.match_info["numbers"].split(",")
    if len(words) > MOST_NAMED or not all(_is_number(word) for word in words):
        raise InvalidRequest(f"expected up to {MOST_NAMED} jobs' numbers, with commas")
    manager = request.app[MANAGER]
    rows: list[Row] = []
    for word in words:
        job = manager.jobs().get(JobId(int(word)))
        if job is not None:
            why = job.outcome.message if job.outcome else _far(manager, job) or manager.why(job)
            rows.append(row(manager, job, why))
        await asyncio.sleep(0)
    return encoding.answer(Rows(now=manager.now(), jobs=rows))


async def changes(request: web.Request) -> web.Response:
    """The jobs that events after the last known one are about, as they are now."""
    asked = encoding.query(request, ChangesQuery)
    manager, after = request.app[MANAGER], asked.after
    ours = asked.store in {None, manager.store_uuid}
    touched: dict[JobId, None] = {}
    last, forgotten, more = manager.last_event, False, False
    if not ours:
        forgotten = True
    elif after is not None:
        try:
            numbered = await manager.events(max(0, after - 1), MOST_EVENTS)
        except LogCompacted:
            numbered = []
        forgotten = bool(after) and (not numbered or numbered[0].number != after)
        if not forgotten:
            newest = manager.last_event  # later ones are on disk, but the jobs are not yet so
            numbered = [one for one in numbered if after < one.number <= newest]
            touched = dict.fromkeys(
                array_of(event.job) or event.job
                for _, event in numbered
                if isinstance(event, JobEvent)
            )
            last = numbered[-1].number if numbered else after
            more = last < newest
    known = manager.jobs()
    return encoding.answer(
        Changes(
            now=manager.now(),
            store=manager.store_uuid,
            who=caller(request).name,
            last=last,
            more=more,
            forgotten=forgotten,
            jobs=await _rows(manager, touched),
            removed=[number for number in touched if number not in known],
            status=manager.status(),
        )
    )


def row(manager: Manager, job: Job, why: str | None) -> Row:
    attempt = None if job.state in WAITING else job.attempt
    return Row(
        number=job.id,
        id=job.label,
        owner=job.owner,
        solver=job.spec.solver,
        state=job.state,
        priority=job.priority,
        reason=job.outcome.reason if job.outcome else None,
        why=why,
        tags=job.spec.tags,
        tasks=counted(manager.task_counts(job)) if job.is_array else None,
        machine=attempt.placement.machine if attempt else "",
        cancel_requested=job.cancel_requested,
        held=job.held,
        stale=job.stale_since is not None,
        submitted_at=job.submitted_at,
        started_at=attempt.started_at if attempt else None,
        ended_at=(attempt.ended_at if attempt else None) or job.ended_at,
    )


async def _rows(manager: Manager, numbers: Iterable[JobId]) -> list[Row]:
    """Those of the jobs that are still there; the loop gets its turns meanwhile."""
    rows: list[Row] = []
    for count, number in enumerate(numbers, 1):
        job = manager.jobs().get(number)
        if job is not None:
            rows.append(
                row(manager, job, job.outcome.message if job.outcome else _far(manager, job))
            )
        if count % SLICE == 0:
            await asyncio.sleep(0)
    return rows


def _far(manager: Manager, job: Job) -> str | None:
    """How far a running job is."""
    told = manager.progress(job.id) if job.state is JobState.RUNNING else None
    return told.text if told is not None else None


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 19
