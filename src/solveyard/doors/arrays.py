"""Arrays over HTTP: their tasks one by one, and the table of their results."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import msgspec
from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.keys import MANAGER
from solveyard.doors.openapi import Route
from solveyard.manager.manager import Manager
from solveyard.model.errors import InvalidRequest
from solveyard.model.ids import array_of, task_id
from solveyard.model.jobs import Job, JobId, JobState
from solveyard.model.records import JobRecord
from solveyard.results import table as results

CSV = "text/csv"
SLICE = 500  #: tasks that are looked at between two turns of the loop


class TasksQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of an array's tasks: `GET /jobs/sweep/tasks?state=failed&limit=50`."""

    state: str = ""  #: one or more states, with commas
    limit: int = 50
    offset: int = 0  #: so many are left out first

    def __post_init__(self) -> None:
        encoding.within("limit", self.limit, 1, 1000)
        encoding.within("offset", self.offset, 0, 2**40)

    @property
    def states(self) -> frozenset[JobState]:
        asked = encoding.JobsQuery(state=self.state).filter.states
        return asked if asked is not None else frozenset(JobState)


class ResultsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["", "json", "csv"] = ""  #: empty: what `Accept` says, else JSON


async def tasks(request: web.Request) -> web.Response:
    """An array's tasks, by index; of `sweep[3,5-9]` those.

    X-Total-Count: how many there are in those states.
    """
    wanted = encoding.query(request, TasksQuery)
    manager = request.app[MANAGER]
    key = request.match_info["id"]
    ids = _tasks(manager, key)
    if ids is None:
        label = manager.find(key).label
        raise InvalidRequest(f"job {label} is no array, so it has no tasks")
    total, found = await _page(manager, ids, wanted)
    shown = [encoding.shown(manager, task) for task in await manager.looked(found)]
    return encoding.answer(shown, 200, {"X-Total-Count": str(total)})


async def table(request: web.Request) -> web.StreamResponse:
    """Parameters and measured values: a row for each task of an array, or one for a job.

    In JSON a list of objects, all with the same names in the same order; or CSV.
    """
    wanted = encoding.query(request, ResultsQuery)
    manager = request.app[MANAGER]
    key = request.match_info["id"]
    job = manager.job(manager.select(key)[0])
    ids = _tasks(manager, key)
    rows = [job.id] if ids is None else ids
    now, shape = manager.now(), results.Table(job, tasks=ids is not None)
    async for some in _looked(manager, rows):
        shape.note(some)
    columns = shape.columns
    as_csv = (wanted.format or _accepted(request)) == "csv"
    response = web.StreamResponse(headers={"Vary": "Accept"})
    response.content_type = CSV if as_csv else encoding.JSON
    response.charset = "utf-8" if as_csv else None
    await response.prepare(request)
    if as_csv:
        await response.write(results.as_csv([columns]))
    separator = b"["
    async for some in _looked(manager, rows):
        cells = [shape.row(task, now) for task in some]
        if as_csv:
            await response.write(results.as_csv(cells))
            continue
        for row in cells:
            await response.write(separator + results.as_json(columns, row))
            separator = b",\n"
    if not as_csv:
        await response.write(b"[]\n" if separator == b"[" else b"]\n")
    return response


def _tasks(manager: Manager, key: str) -> Sequence[JobId] | None:
    """Those that `key` means; None: it is a job that has none."""
    ids = manager.select(key)
    job = manager.job(ids[0])
    if job.is_array and job.spec.array is not None:
        return _All(job.id, len(job.spec.array))
    return ids if array_of(job.id) is not None else None


async def _page(
    manager: Manager, ids: Sequence[JobId], wanted: TasksQuery
) -> tuple[int, list[JobId]]:
    """How many of `ids` are in the states, and those of them that are to be answered.

    Who asks for page after page shall not have all tasks looked at for each: an array knows how
    many are in which state, so a page looks no further than to its own end.
    """
    end = wanted.offset + wanted.limit
    if not wanted.state:
        return len(ids), list(ids[wanted.offset : end])
    states, total = wanted.states, None
    if isinstance(ids, _All):
        counts = manager.task_counts(manager.job(ids.array))
        total = sum(counts[state] for state in states)
        end = min(end, total) if wanted.offset < total else 0
    seen, found = 0, list[JobId]()
    for start in range(0, len(ids), SLICE):
        if total is not None and seen >= end:
            break
        fitting = [one for one in ids[start : start + SLICE] if manager.state(one) in states]
        first = max(0, wanted.offset - seen)
        found += fitting[first : first + wanted.limit - len(found)]
        seen += len(fitting)
        await asyncio.sleep(0)
    return seen if total is None else total, found


class _All(Sequence[JobId]):
    """All tasks of an array, however many."""

    def __init__(self, array: JobId, size: int) -> None:
        self.array = array
        self._positions = range(size)

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, place: Any) -> Any:  # as Sequence's two overloads
        found = self._positions[place]
        if isinstance(found, range):
            return [task_id(self.array, position) for position in found]
        return task_id(self.array, found)


async def _looked(manager: Manager, ids: Sequence[JobId]) -> AsyncIterator[list[Job]]:
    """As they are now, some at a time; those that were removed meanwhile are left out."""
    for start in range(0, len(ids), SLICE):
        yield await manager.looked(ids[start : start + SLICE])
        await asyncio.sleep(0)


def _accepted(request: web.Request) -> str:
    """What the header asks for first, of the two that there are."""
    for kind in request.headers.get("Accept", "").split(","):
        match kind.partition(";")[0].strip().lower():
            case "text/csv":
                return "csv"
            case "application/json" | "*/*":
                return "json"
    return "json"


ROUTES = (
    Route("GET", "/jobs/{id}/tasks", tasks, query=TasksQuery, answer=list[JobRecord]),
    Route(
        "GET", "/jobs/{id}/results", table, query=ResultsQuery, answer=list[dict[str, Any]],
        besides=(CSV,),
    ),
)  # fmt: skip
