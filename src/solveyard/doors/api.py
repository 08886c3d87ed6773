"""The routes below /api, as the PyEDB job manager's own page asked for them."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from solveyard.doors import documents, encoding, listing, pyedb_form, system, waiting
from solveyard.doors.keys import MANAGER, by, caller
from solveyard.doors.openapi import Route
from solveyard.model import reading
from solveyard.model.errors import ManagerUnavailable
from solveyard.model.jobs import JobState
from solveyard.model.messages import Cancel
from solveyard.model.reading import MalformedJob
from solveyard.model.records import JobRecord, PartitionRecord
from solveyard.store.base import Filter

_PATIENCE = 10.0  #: s for which a cancelled job's end is waited for


class ApiJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job in PyEDB's words alone."""

    id: str
    config: Mapping[str, Any] | None  #: of an HFSS job what it was submitted with
    status: str
    start_time: str | None
    end_time: str | None
    return_code: int | None
    scheduler_job_id: str | None
    user: str
    priority: int


class ApiSubmission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration, and what the page asked for beside it."""

    config: dict[str, Any]
    user: str | None = None
    machine_nodes: list[dict[str, Any]] | None = None
    batch_options: dict[str, Any] | None = None  #: its `layout_options`
    priority: int = 0


class SeekQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seek: bool = False


async def jobs(request: web.Request) -> web.StreamResponse:
    """All jobs, newest first, in one array."""
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    return await listing.array(
        request, manager, Filter(), lambda one: _shown(encoding.shown(manager, one))
    )


async def submit(request: web.Request) -> web.Response:
    """Submit one HFSS configuration; the ansysedt is this machine's own choice."""
    encoding.query(request, encoding.NoQuery)
    asked = reading.read(await encoding.body(request), ApiSubmission, error=MalformedJob)
    config = {**asked.config, "ansys_edt_path": None}
    left_open = "scheduler_type" in config and config["scheduler_type"] is None
    beside = {
        "user": asked.user,
        "machine_nodes": asked.machine_nodes,
        "layout_options": asked.batch_options,
    }
    config |= {name: value for name, value in beside.items() if value is not None}
    read = pyedb_form.config(msgspec.json.encode(config), "$.config")
    wanted = pyedb_form.Asked(read, asked.priority, open=left_open)
    record, _ = await pyedb_form.taken(request, wanted)
    return encoding.answer({"success": True, "job_id": record.id, "status": "submitted"})


async def cancel(request: web.Request) -> web.Response:
    """End a job, waiting or running; answered once it has ended, or after a while.

    `status` says how it ended, or "cancelling"; `success`, whether it is one of these two.
    """
    encoding.query(request, encoding.NoQuery)
    await encoding.message(request, encoding.NoBody)
    manager = request.app[MANAGER]
    found = manager.find(request.match_info["id"])
    await manager.request(Cancel(job=found.id, by=by(request)))
    try:
        ended = await waiting.ended(request, [found.id], _PATIENCE)
    except ManagerUnavailable:  # it is stopping; the wish is on disk
        ended = False
    status = manager.job(found.id).state.value if ended else "cancelling"
    success = status in {JobState.CANCELLED, "cancelling"}
    return encoding.answer({"success": success, "status": status})


async def scheduler_type(request: web.Request) -> web.Response:
    """Which batch system a configuration goes to that leaves it open: one that answered here.

    With `seek=1` the owner has those asked again that nobody named; it takes some seconds where
    one of them is away.
    """
    wanted = encoding.query(request, SeekQuery)
    manager = request.app[MANAGER]
    if wanted.seek and caller(request).owner:
        await manager.forwarding.seek()
    return encoding.answer({"scheduler_type": documents.scheduler_type(manager).value})


async def me(request: web.Request) -> web.Response:
    """Who asks, as the manager knows them."""
    encoding.query(request, encoding.NoQuery)
    return encoding.answer({"username": by(request)})


async def start_monitoring(request: web.Request) -> web.Response:
    """Nothing is to be done: this machine is watched from the start."""
    encoding.query(request, encoding.NoQuery)
    return encoding.answer({"success": True, "message": "resource monitoring is on, as always"})


def _shown(record: JobRecord) -> ApiJob:
    return ApiJob(
        id=record.id,
        config=record.config,
        status=record.status.value,
        start_time=record.start_time,
        end_time=record.end_time,
        return_code=record.return_code,
        scheduler_job_id=record.scheduler_job_id,
        user=record.user,
        priority=record.priority,
    )


ROUTES = (
    Route("GET", "/api/jobs", jobs, answer=list[dict[str, Any]]),
    Route("POST", "/api/submit", submit, body=ApiSubmission, refused=(502,)),
    Route("POST", "/api/cancel/{id}", cancel),
    Route("GET", "/api/queue", system.queue),
    Route("GET", "/api/resources", system.resources),
    Route("GET", "/api/scheduler_type", scheduler_type, query=SeekQuery),
    Route("GET", "/api/cluster_partitions", system.partitions, answer=list[PartitionRecord]),
    Route("GET", "/api/me", me),
    Route("POST", "/system/start_monitoring", start_monitoring),
)
