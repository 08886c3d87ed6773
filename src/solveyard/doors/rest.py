"""HTTP: the manager's requests and records as routes and JSON.

Every refusal is {"success": false, "error": "...", "kind": "..."}, where it helps with "field",
"expected" and "got". Nothing that a caller sends is answered with 5xx, but for a full store (507).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from solveyard.doors import (
    api,
    arrays,
    encoding,
    files,
    hfss_log,
    listing,
    logs,
    notifications,
    overlays,
    previews,
    pyedb_form,
    refusing,
    retention,
    system,
    viewer,
    waiting,
)
from solveyard.doors.closing import Closing
from solveyard.doors.keys import (
    CLOSING,
    LOCKED,
    LOOKS,
    MANAGER,
    RULES,
    STOP,
    TABLE,
    TEXTS,
    by,
)
from solveyard.doors.looks import Looks
from solveyard.doors.openapi import Route, Table
from solveyard.doors.rules import Rules
from solveyard.doors.submitting import SPECS, submitted
from solveyard.doors.texts import Texts
from solveyard.manager.manager import Manager
from solveyard.model import reading
from solveyard.model.jobs import Job, JobId
from solveyard.model.messages import (
    Annotate,
    Cancel,
    Hold,
    JobWish,
    Release,
    Retry,
    SetPriority,
)
from solveyard.model.records import AttemptRecord, JobRecord, event_text
from solveyard.pauses import Pauses

T = TypeVar("T")

SLICE = 200  #: jobs that are told of in one answer to one action


def application(
    manager: Manager,
    *,
    stop: Callable[[str], None],
    rules: Rules | None = None,
    keepers: Sequence[Middleware] = (),
    more: Sequence[Route] = (),
    public: str = "",
    locked: Mapping[str, str] | None = None,
) -> web.Application:
    """The routes. `stop` begins the manager's stop, and returns: by "leave", "drain", "now", or ""
    for what the manager was told when it started. `rules`: what may run for whom comes over the
    network. `keepers` decide who comes in, and say who it is. `more`: other rooms' routes.
    `public`: the address by which people come through a proxy. `locked`: the limits that nobody
    may change, each with the place that locks it.
    """
    app = web.Application(
        middlewares=[refusing.refusals, *keepers], client_max_size=refusing.MAX_BODY
    )
    app[MANAGER] = manager
    app[STOP] = stop
    app[RULES] = rules or Rules()
    app[LOOKS] = Looks()
    app[TEXTS] = Texts()
    app[LOCKED] = {} if locked is None else locked
    app[CLOSING] = Closing()
    app.on_shutdown.append(_close)
    app.on_response_prepare.append(refusing.note_begun)
    app[TABLE] = Table(public)
    routes = (
        *ROUTES,
        *arrays.ROUTES,
        *overlays.ROUTES,
        *previews.ROUTES,
        *system.ROUTES,
        *retention.ROUTES,
        *notifications.ROUTES,
        *viewer.ROUTES,
        *api.ROUTES,
        *hfss_log.ROUTES,
        *more,
    )
    app[TABLE].add(app, routes)
    return app


async def submit(request: web.Request) -> web.Response:
    """Submit one specification, or a list: all of them, or none; or PyEDB's form of it.

    With an `Idempotency-Key`, jobs that were submitted with it before are answered, with 200.
    """
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    content = await encoding.body(request)
    if (asked := pyedb_form.read(content)) is not None:
        return await pyedb_form.submit(request, asked)
    if not content.lstrip().startswith(b"["):
        specs = [reading.spec(content)]
        found, repeated = await submitted(request, specs)
        record = encoding.shown(manager, found[0])
        told = encoding.Submitted(
            success=True,
            job_id=record.id,
            status=record.status,
            message=_sentence(record),
            job=record,
        )
        return encoding.answer(told, 200 if repeated else 201)
    texts = reading.read(content, list[msgspec.Raw])
    if texts and (first := pyedb_form.read(texts[0], "$[0]")) is not None:
        rest = await _each(texts[1:], lambda text, place: pyedb_form.of_list(text, place + 1))
        found, repeated = await pyedb_form.all_taken(request, [first, *rest]), True
    else:
        specs = await _each(texts, lambda text, place: reading.spec(text, f"$[{place}]"))
        found, repeated = await submitted(request, specs) if specs else ([], False)
    records: list[msgspec.Raw] = []
    pauses = Pauses()
    for one in found:
        if (now := manager.fresh(one)) is not None:
            records.append(_record(manager, now))
        await pauses.due()
    return encoding.answer({"success": True, "jobs": records}, 200 if repeated else 201)


async def _each(texts: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw, int], T]) -> list[T]:
    """All of them, each read by its place."""
    found = []
    pauses = Pauses()
    for place, text in enumerate(texts):
        found.append(read(text, place))
        await pauses.due()
    return found


async def jobs(request: web.Request) -> web.StreamResponse:
    """The jobs, newest first: a page, or with `all=1` the whole list in one array.

    X-Total-Count: how many there are; X-Next-Cursor: where the next page begins.
    """
    wanted = encoding.query(request, encoding.JobsQuery)
    manager = request.app[MANAGER]
    if not wanted.all:
        page = await manager.page(wanted.filter, wanted.limit, wanted.cursor, wanted.offset)
        headers = {"X-Total-Count": str(page.total)}
        if page.cursor is not None:
            headers["X-Next-Cursor"] = page.cursor
        texts = request.app[TEXTS]
        return encoding.answer([texts.of(manager, one) for one in page.jobs], 200, headers)
    return await listing.array(
        request, manager, wanted.filter, lambda one: encoding.shown(manager, one)
    )


async def job(request: web.Request) -> web.Response:
    """One job."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    return encoding.answer(encoding.shown(manager, found, place=True))


async def attempts(request: web.Request) -> web.Response:
    """A job's attempts, oldest first."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    return encoding.answer(encoding.shown(manager, found).attempts)


async def attempt(request: web.Request) -> web.Response:
    """One of a job's attempts, by its number, from 1."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    number = request.match_info["attempt"]
    for one in encoding.shown(manager, found).attempts:
        if str(one.number) == number:
            return encoding.answer(one)
    had = len(found.attempts)
    return encoding.refusal(
        404, "unknown_attempt", f"job {found.id} has no attempt {number[:40]!r} (it has {had})"
    )


async def cancel(request: web.Request) -> web.Response:
    """End a job, waiting or running. Asked of one that has ended, it changes nothing."""
    wish = await encoding.message(request, encoding.CancelBody)
    return await _act(
        request, lambda job, key: Cancel(job=job, by=by(request), key=key, grace=wish.grace)
    )


async def hold(request: web.Request) -> web.Response:
    """Keep a waiting job from starting."""
    await encoding.message(request, encoding.NoBody)
    return await _act(request, lambda job, key: Hold(job=job, by=by(request), key=key))


async def release(request: web.Request) -> web.Response:
    """Let a held job wait its turn again."""
    await encoding.message(request, encoding.NoBody)
    return await _act(request, lambda job, key: Release(job=job, by=by(request), key=key))


async def retry(request: web.Request) -> web.Response:
    """Run an ended job again, as a new attempt."""
    await encoding.message(request, encoding.NoBody)
    return await _act(request, lambda job, key: Retry(job=job, by=by(request), key=key))


async def priority(request: web.Request) -> web.Response:
    """Change when a job goes; the larger, the sooner."""
    wish = await encoding.message(request, encoding.PriorityBody)
    return await _act(
        request,
        lambda job, key: SetPriority(job=job, by=by(request), key=key, priority=wish.priority),
    )


async def annotate(request: web.Request) -> web.Response:
    """Change a job's tags or note, whatever its state; what isn't given stays."""
    wish = await encoding.message(request, encoding.AnnotateBody)
    return await _act(
        request,
        lambda job, key: Annotate(
            job=job,
            by=by(request),
            key=key,
            tags=wish.tags,
            add_tags=wish.add_tags,
            remove_tags=wish.remove_tags,
            note=wish.note,
        ),
    )


async def remove(request: web.Request) -> web.Response:
    """Forget an ended job; with `files=1` its output and its own folder, too."""
    wanted = encoding.query(request, encoding.RemoveQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    all_gone = await manager.remove(found.id, by(request), files=wanted.files)
    shown = {"id": found.label, "number": found.id, "removed": True}
    if not all_gone:
        shown["files_stay"] = True
    return encoding.answer({"success": True, "job": shown})


async def wait(request: web.Request) -> web.Response:
    """Answer when the job has ended; 504 when `timeout` is over before."""
    wanted = encoding.query(request, encoding.WaitQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    if not await waiting.ended(request, [found.id], wanted.timeout):
        return encoding.refusal(
            504, "timeout", f"job {found.label} has not ended in {wanted.timeout} s"
        )
    return encoding.answer(encoding.shown(manager, manager.job(found.id)))


async def wait_for_all(request: web.Request) -> web.Response:
    """Answer when all of several jobs have ended, or which have not when `timeout` is over."""
    encoding.query(request, encoding.NoQuery)
    wanted = await encoding.message(request, encoding.WaitBody)
    manager = request.app[MANAGER]
    found: dict[str, list[JobId]] = {}
    pauses = Pauses()
    for which in wanted.jobs:
        found[which] = manager.select(which)
        await pauses.due()
    await waiting.ended(request, [*chain.from_iterable(found.values())], wanted.timeout)
    left = [which for which, ids in found.items() if any(map(manager.lives, ids))]
    return encoding.answer(encoding.Waited(success=True, left=left))


async def events(request: web.Request) -> web.Response:
    """The numbered events after one of them, without gaps; 410 where some are not kept any more.

    X-First-Number, X-Last-Number: of the oldest and the newest event there is; X-Store: the uuid of
    the store whose they are. `at` is in s since 1970.
    """
    wanted = encoding.query(request, encoding.EventsQuery)
    manager = request.app[MANAGER]
    first = manager.first_event
    numbered = await manager.events(wanted.after, wanted.limit)
    texts = [msgspec.Raw(event_text(number, event)) for number, event in numbered]
    told = {
        "X-First-Number": str(first),
        "X-Last-Number": str(manager.last_event),
        "X-Store": manager.store_uuid,
    }
    return encoding.answer(texts, headers=told)


async def _close(app: web.Application) -> None:
    """Whoever waits gets an answer now, so that nobody delays the stop."""
    app[CLOSING].set()


async def _act(request: web.Request, wish: Callable[[JobId, str], JobWish]) -> web.Response:
    """Ask the engine something about a job or some tasks; answers their records afterwards.

    With an `Idempotency-Key` that they remember, nothing is changed again.
    """
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    which, key = request.match_info["id"], encoding.idempotency_key(request)
    ids = manager.select(which)
    await manager.request_of(ids, wish(ids[0], key))
    if len(ids) > 1:
        records = await _encoded(manager, ids[:SLICE])
        several = {"success": True, "job_id": which, "count": len(ids), "jobs": records}
        return encoding.answer(several)
    record = encoding.shown(manager, manager.job(ids[0]))
    told = encoding.Acted(
        success=True,
        job_id=record.id,
        status=record.status,
        message=_sentence(record),
        job=record,
    )
    return encoding.answer(told)


def _sentence(record: JobRecord) -> str:
    """How the job is after what was asked of it."""
    if record.cancel_requested and not record.state.final:
        return f"job {record.id} is being cancelled"
    there = f" as {record.scheduler_job_id}" if record.scheduler_job_id else ""
    return f"job {record.id} is {record.state}{there}, of priority {record.priority}"


async def _encoded(manager: Manager, ids: list[JobId]) -> list[msgspec.Raw]:
    return [_record(manager, job) for job in await manager.looked(ids)]


def _record(manager: Manager, job: Job) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(encoding.shown(manager, job)))


_Answers = (encoding.Submitted, encoding.SubmittedMany)
_FILE = "application/octet-stream"
_SUBMIT = Route(
    "POST", "/jobs", submit, body=SPECS, answer=_Answers, status=201, known=200, refused=(502,)
)

ROUTES = (
    _SUBMIT,
    _SUBMIT._replace(path="/jobs/submit"),
    Route("GET", "/jobs", jobs, query=encoding.JobsQuery, answer=list[JobRecord]),
    Route("GET", "/jobs/{id}", job, answer=JobRecord),
    Route("GET", "/jobs/{id}/attempts", attempts, answer=list[AttemptRecord]),
    Route("GET", "/jobs/{id}/attempts/{attempt}", attempt, answer=AttemptRecord),
    Route("PATCH", "/jobs/{id}", annotate, body=encoding.AnnotateBody, answer=encoding.Acted),
    Route("DELETE", "/jobs/{id}", remove, query=encoding.RemoveQuery),
    Route("POST", "/jobs/{id}/cancel", cancel, body=encoding.CancelBody, answer=encoding.Acted),
    Route("POST", "/jobs/{id}/hold", hold, answer=encoding.Acted),
    Route("POST", "/jobs/{id}/release", release, answer=encoding.Acted),
    Route("POST", "/jobs/{id}/retry", retry, answer=encoding.Acted),
    Route(
        "POST",
        "/jobs/{id}/priority",
        priority,
        body=encoding.PriorityBody,
        answer=encoding.Acted,
    ),
    Route(
        "POST",
        "/jobs/wait",
        wait_for_all,
        body=encoding.WaitBody,
        answer=encoding.Waited,
        refused=(404,),
    ),
    Route(
        "GET", "/jobs/{id}/wait", wait, query=encoding.WaitQuery, answer=JobRecord, refused=(504,)
    ),
    Route(
        "GET", "/jobs/{id}/logs", logs.read, query=logs.LogsQuery, content="text/plain", ranges=True
    ),
    Route(
        "GET",
        "/jobs/{id}/files",
        files.listing,
        query=files.FilesQuery,
        answer=list[files.FileEntry],
    ),
    Route("GET", "/jobs/{id}/files/{path:(?s:.+)}", files.content, content=_FILE, ranges=True),
    Route(
        "GET",
        "/events",
        events,
        query=encoding.EventsQuery,
        answer=list[dict[str, Any]],
        refused=(410,),
    ),
)
