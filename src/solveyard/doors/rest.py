"""HTTP: the manager's requests and records as routes and JSON.

Every refusal is {"success": false, "error": "...", "kind": "..."}, where it helps with "field",
"expected" and "got". Nothing that a caller sends is answered with 5xx, but for a full store (507).
"""

import asyncio
import math
import platform
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

import solveyard
from solveyard.doors import encoding, files
from solveyard.doors.keys import CLOSING, MANAGER, STOP, Handler, by
from solveyard.manager import Manager
from solveyard.model import reading
from solveyard.model.errors import ManagerUnavailable, SolveyardError
from solveyard.model.jobs import JobId, JobSpec, JobState, Limits
from solveyard.model.messages import (
    AnyRequest,
    Cancel,
    Hold,
    Release,
    Remove,
    Retry,
    SetLimits,
    SetPriority,
)

MAX_BODY = 64 << 20  #: bytes
GLANCE = 0.5  #: s between two looks at whether the door closes, while somebody waits
SLICE = 200  #: jobs that are read or written between two turns of the loop


def application(
    manager: Manager, *, stop: Callable[[str], None], keepers: Sequence[Middleware] = ()
) -> web.Application:
    """The routes. `stop` begins the manager's stop, and returns: by "leave", "drain", "now", or ""
    for what the manager was told when it started. `keepers` decide who comes in, and say who it is
    (`peer.own_user_only` at the private socket).
    """
    app = web.Application(middlewares=[_refusals, *keepers], client_max_size=MAX_BODY)
    app[MANAGER] = manager
    app[STOP] = stop
    app[CLOSING] = asyncio.Event()
    app.on_shutdown.append(_close)
    app.router.add_routes(
        [
            web.post("/jobs", submit),
            web.post("/jobs/submit", submit),
            web.get("/jobs", jobs),
            web.get("/jobs/{id}", job),
            web.delete("/jobs/{id}", remove),
            web.post("/jobs/{id}/cancel", cancel),
            web.post("/jobs/{id}/hold", hold),
            web.post("/jobs/{id}/release", release),
            web.post("/jobs/{id}/retry", retry),
            web.post("/jobs/{id}/priority", priority),
            web.get("/jobs/{id}/wait", wait),
            web.get("/jobs/{id}/logs", files.logs),
            web.get("/jobs/{id}/files", files.listing),
            web.get("/jobs/{id}/files/{path:.+}", files.content),
            web.get("/events", events),
            web.get("/queue", queue),
            web.post("/pool/limits", limits),
            web.get("/system/status", status),
            web.post("/system/stop", begin_stop),
            web.get("/healthz", healthy),
            web.get("/readyz", ready),
            web.get("/version", version),
        ]
    )
    return app


async def submit(request: web.Request) -> web.Response:
    """One specification, or a list: all of them are submitted, or none."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    content = await encoding.body(request)
    if not content.lstrip().startswith(b"["):
        [one] = await manager.submit([reading.spec(content)], by(request))
        record = encoding.shown(manager, one)
        return encoding.answer({"success": True, "job_id": record.id, "job": record}, 201)
    specs: list[JobSpec] = []
    for index, text in enumerate(reading.read(content, list[msgspec.Raw])):
        specs.append(reading.spec(text, f"$[{index}]"))
        if index % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    submitted = await manager.submit(specs, by(request)) if specs else []
    records: list[msgspec.Raw] = []
    for start in range(0, len(submitted), SLICE):
        records.extend(_encoded(manager, [one.id for one in submitted[start : start + SLICE]]))
        await asyncio.sleep(0)
    return encoding.answer({"success": True, "jobs": records}, 201)


async def jobs(request: web.Request) -> web.StreamResponse:
    """Newest first; a page, or with `all=1` the whole list in one array."""
    wanted = encoding.query(request, encoding.JobsQuery)
    manager = request.app[MANAGER]
    if not wanted.all:
        page = await manager.page(wanted.filter, wanted.limit, wanted.cursor)
        headers = {"X-Total-Count": str(page.total)}
        if page.cursor is not None:
            headers["X-Next-Cursor"] = page.cursor
        return encoding.answer([encoding.shown(manager, one) for one in page.jobs], 200, headers)
    page = await manager.page(wanted.filter, SLICE, None)
    response = web.StreamResponse(headers={"X-Total-Count": str(page.total)})
    response.content_type = encoding.JSON
    await response.prepare(request)
    separator = b"["
    while True:
        for one in page.jobs:
            await response.write(separator + msgspec.json.encode(encoding.shown(manager, one)))
            separator = b",\n"
        if page.cursor is None:
            break
        page = await manager.page(wanted.filter, SLICE, page.cursor)
    await response.write(b"[]\n" if separator == b"[" else b"]\n")
    return response


async def job(request: web.Request) -> web.Response:
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    return encoding.answer(encoding.shown(manager, found, place=True))


async def cancel(request: web.Request) -> web.Response:
    """Asked of a job that has ended, it changes nothing."""
    wish = await encoding.message(request, encoding.CancelBody)
    return await _act(request, lambda job: Cancel(job=job, by=by(request), grace=wish.grace))


async def hold(request: web.Request) -> web.Response:
    await encoding.message(request, encoding.NoBody)
    return await _act(request, lambda job: Hold(job=job, by=by(request)))


async def release(request: web.Request) -> web.Response:
    await encoding.message(request, encoding.NoBody)
    return await _act(request, lambda job: Release(job=job, by=by(request)))


async def retry(request: web.Request) -> web.Response:
    await encoding.message(request, encoding.NoBody)
    return await _act(request, lambda job: Retry(job=job, by=by(request)))


async def priority(request: web.Request) -> web.Response:
    wish = await encoding.message(request, encoding.PriorityBody)
    return await _act(
        request, lambda job: SetPriority(job=job, by=by(request), priority=wish.priority)
    )


async def remove(request: web.Request) -> web.Response:
    """Forget an ended job; with `files=1` its output and its own folder, too."""
    wanted = encoding.query(request, encoding.RemoveQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    places = files.belongings(manager, found) if wanted.files else []
    await manager.request(Remove(job=found.id, by=by(request)))
    await asyncio.to_thread(files.delete, places)
    shown = {"id": found.spec.name or str(found.id), "number": found.id, "removed": True}
    return encoding.answer({"success": True, "job": shown})


async def wait(request: web.Request) -> web.Response:
    """Answers when the job has ended; 504 when `timeout` is over before."""
    wanted = encoding.query(request, encoding.WaitQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    if not await _ended(request, found.id, wanted.timeout):
        name = found.spec.name or found.id
        return encoding.refusal(504, "timeout", f"job {name} has not ended in {wanted.timeout} s")
    return encoding.answer(encoding.shown(manager, manager.job(found.id)))


async def events(request: web.Request) -> web.Response:
    """Numbered, from 1, without gaps; `at` in s since 1970."""
    wanted = encoding.query(request, encoding.EventsQuery)
    numbered = await request.app[MANAGER].events(wanted.after, wanted.limit)
    texts = [
        msgspec.Raw(b'{"number":%d,' % number + msgspec.json.encode(event)[1:])
        for number, event in numbered
    ]
    return encoding.answer(texts)


async def queue(request: web.Request) -> web.Response:
    encoding.query(request, encoding.NoQuery)
    counts = request.app[MANAGER].counts()
    return encoding.answer({state: counts.get(state, 0) for state in JobState})


async def limits(request: web.Request) -> web.Response:
    wish = await encoding.message(request, encoding.LimitsBody)
    new = Limits(max_concurrent=wish.max_concurrent)
    await request.app[MANAGER].request(SetLimits(limits=new, by=by(request)))
    return encoding.answer({"success": True, "limits": new})


async def status(request: web.Request) -> web.Response:
    encoding.query(request, encoding.NoQuery)
    return encoding.answer(request.app[MANAGER].status())


async def begin_stop(request: web.Request) -> web.Response:
    """Answered at once (202); the stop is done when the process has gone."""
    wish = await encoding.message(request, encoding.StopBody)
    manager = request.app[MANAGER]
    how = wish.how or str(manager.status().get("on_stop", "leave"))
    counts = manager.counts()
    running = counts.get(JobState.RUNNING, 0) + counts.get(JobState.SUBMITTED, 0)
    request.app[STOP](wish.how or "")
    return encoding.answer({"success": True, "how": how, "running": running}, 202)


async def healthy(request: web.Request) -> web.Response:
    """The process answers."""
    return encoding.answer({"success": True})


async def ready(request: web.Request) -> web.Response:
    """The manager accepts jobs; else 503, with the reason."""
    blocked = request.app[MANAGER].status().get("blocked")
    if blocked:
        return encoding.refusal(503, "unavailable", str(blocked))
    return encoding.answer({"success": True})


async def version(request: web.Request) -> web.Response:
    return encoding.answer({"version": solveyard.__version__, "python": platform.python_version()})


async def _ended(request: web.Request, job: JobId, timeout: float | None) -> bool:  # noqa: ASYNC109  False is an answer
    """Wait for the job's end, not longer than the door is open: then ManagerUnavailable."""
    loop = asyncio.get_running_loop()
    deadline = math.inf if timeout is None else loop.time() + timeout
    while not request.app[CLOSING].is_set():
        left = max(0.0, deadline - loop.time())
        if await request.app[MANAGER].wait([job], min(left, GLANCE)):
            return True
        if loop.time() >= deadline:
            return False
    raise ManagerUnavailable("the manager is stopping (start one: solveyard serve)")


async def _close(app: web.Application) -> None:
    """Whoever waits gets an answer now, so that nobody delays the stop."""
    app[CLOSING].set()


async def _act(request: web.Request, wish: Callable[[JobId], AnyRequest]) -> web.Response:
    """Ask the engine something about one job; answers the job's record afterwards."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    await manager.request(wish(found.id))
    record = encoding.shown(manager, manager.job(found.id))
    return encoding.answer({"success": True, "job_id": record.id, "job": record})


def _encoded(manager: Manager, ids: list[JobId]) -> list[msgspec.Raw]:
    known = manager.jobs()
    return [
        msgspec.Raw(msgspec.json.encode(encoding.shown(manager, known[job_id])))
        for job_id in ids
        if job_id in known
    ]


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors become refusals, in JSON, whoever raised them."""
    try:
        return await handler(request)
    except SolveyardError as error:
        return encoding.refused(error)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        why = f"{request.path} doesn't take {request.method} (it takes {allowed})"
        return encoding.refusal(405, "invalid_request", why, headers={"Allow": allowed})
    except web.HTTPNotFound:
        return encoding.refusal(404, "unknown_route", f"there is no {request.path} here")
    except web.HTTPRequestEntityTooLarge:
        why = f"the body is larger than {MAX_BODY >> 20} MiB (submit in several parts)"
        return encoding.refusal(413, "invalid_request", why)
    except web.HTTPException as error:
        return encoding.refusal(error.status, "invalid_request", error.text or error.reason)
