"""Routes about the manager and its machine, not about one job."""

import asyncio
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web

import solveyard
from solveyard.doors import documents, encoding
from solveyard.doors.keys import LOCKED, MANAGER, STOP, TABLE, by, caller
from solveyard.doors.openapi import Route
from solveyard.model.errors import NotAllowed
from solveyard.model.jobs import JobState, Limits
from solveyard.model.messages import SetLimits
from solveyard.model.records import PartitionRecord, SharesRecord

_PROBE = bytes(4096)  #: what a store must be able to write


async def resources(request: web.Request) -> web.Response:
    """How busy this machine is, in the documents' words; 503 before its first sample."""
    encoding.query(request, encoding.NoQuery)
    sample = documents.resources(request.app[MANAGER])
    if not sample:
        return encoding.refusal(503, "unavailable", "this machine has not told yet how busy it is")
    return encoding.answer(sample)


async def queue(request: web.Request) -> web.Response:
    """How many jobs are in each state; beside it, the documents' figures."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    counts = manager.counts()
    ours = {state: counts.get(state, 0) for state in JobState}
    return encoding.answer({**ours, **documents.queue(manager)})


async def shares(request: web.Request) -> web.Response:
    """Who has what share of this manager's machines, what they have had, and their quotas."""
    encoding.query(request, encoding.NoQuery)
    return encoding.answer(request.app[MANAGER].shares())


async def limits(request: web.Request) -> web.Response:
    """Set how many jobs may run at once, and how busy a machine may be for another to start."""
    encoding.query(request, encoding.NoQuery)
    given = (await encoding.message(request, encoding.LimitsBody)).given
    for name in given:
        if place := request.app[LOCKED].get(name):
            raise NotAllowed(
                f"`limits.{name}` is locked by {place} (leave it out, or ask whoever keeps that"
                " file)"
            )
    manager = request.app[MANAGER]
    await manager.request(SetLimits(limits=Limits(**given), only=tuple(given), by=by(request)))
    shown = documents.limits(manager.limits)
    return encoding.answer({"success": True, "message": "the limits are set", "limits": shown})


async def partitions(request: web.Request) -> web.Response:
    """All clusters' partitions, as told last; X-Reason tells why there are none."""
    encoding.query(request, encoding.NoQuery)
    clusters = request.app[MANAGER].cluster_status()
    found = [partition for cluster in clusters for partition in cluster.partitions]
    away = [f"{one.name}: {one.trouble or 'it has not answered yet'}" for one in clusters]
    why = "; ".join(away) or "no batch system is configured"
    return encoding.answer(found, headers={} if found else {"X-Reason": _plain(why)})


async def status(request: web.Request) -> web.Response:
    """How the manager and its machines are."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    ours = manager.status()
    shown = documents.limits(manager.limits)
    return encoding.answer({**ours, "limits": shown, **documents.status(manager)})


async def begin_stop(request: web.Request) -> web.Response:
    """Stop the manager: answered at once; the stop is done when the process has gone."""
    if not caller(request).owner:
        raise NotAllowed("only its owner may stop this manager (solveyard stop)")
    encoding.query(request, encoding.NoQuery)
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
    """The store can be written and this machine starts jobs; else 503, with the reason."""
    manager = request.app[MANAGER]
    now = manager.status()
    machines: Any = now.get("machines") or {}
    why = str(now.get("blocked") or "")
    if not why and now.get("stopping"):
        why = "the manager is stopping"
    if not why and not any(machine["connected"] for machine in machines.values()):
        why = str(now.get("agent_trouble") or "")
        why = why or "the agent of this machine is not connected, so no job can start"
    if not why and not any(machine["spawners"] for machine in machines.values()):
        why = "no spawner of this machine's agent is connected, so no job can start"
    why = why or await asyncio.to_thread(_unwritable, manager.store_folder)
    if why:
        return encoding.refusal(503, "unavailable", why)
    return encoding.answer({"success": True})


async def version(request: web.Request) -> web.Response:
    """Which solveyard it is, on which Python."""
    return encoding.answer({"version": solveyard.__version__, "python": platform.python_version()})


async def figures(request: web.Request) -> web.Response:
    """Figures in Prometheus's text format."""
    from solveyard.doors import metrics  # who isn't asked for them needn't load its library

    body = metrics.text(request.app[MANAGER])
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT})


async def description(request: web.Request) -> web.Response:
    """This description of the routes."""
    return web.Response(body=request.app[TABLE].document, content_type=encoding.JSON)


def _plain(text: str) -> str:
    """As a header may hold it."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)


def _unwritable(folder: Path) -> str:
    """Why nothing can be written to the store's folder; empty: it can. Blocking."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".ready") as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"the store {folder} can't be written: {error.strerror}"
    return ""


ROUTES = (
    Route("GET", "/resources", resources),
    Route("GET", "/queue", queue),
    Route("GET", "/shares", shares, answer=SharesRecord),
    Route("POST", "/pool/limits", limits, body=encoding.LimitsBody),
    Route("PUT", "/pool/limits", limits, body=encoding.LimitsBody),
    Route("GET", "/scheduler/partitions", partitions, answer=list[PartitionRecord]),
    Route("GET", "/system/status", status),
    Route("POST", "/system/stop", begin_stop, body=encoding.StopBody, status=202),
    Route("GET", "/healthz", healthy),
    Route("GET", "/readyz", ready),
    Route("GET", "/version", version),
    Route("GET", "/metrics", figures, content="text/plain"),
    Route("GET", "/openapi.json", description),
)
