"""An HFSS job's batch log, read: as the PyEDB job manager's page asked for it, and our summary."""

import asyncio
import logging

from aiohttp import web

from solveyard import registry
from solveyard.backends.workspace import Workspace
from solveyard.doors import encoding
from solveyard.doors.keys import MANAGER
from solveyard.doors.openapi import Route
from solveyard.model.errors import InvalidJob, InvalidRequest
from solveyard.solvers import tasks
from solveyard.solvers.hfss.blocks import Blocks, blocks
from solveyard.solvers.hfss.reader import read
from solveyard.solvers.hfss.solver import LOG_LIMIT

log = logging.getLogger(__name__)


async def show(request: web.Request) -> web.Response:
    """What its batch log tells, at any time: before the first line nothing is known.

    400 where the job isn't one of HFSS.
    """
    encoding.query(request, encoding.NoQuery)
    manager = request.app[MANAGER]
    job = manager.find(request.match_info["id"])
    if job.spec.solver != "hfss" or job.is_array:
        what = "an array: name one of its tasks" if job.is_array else f"one of {job.spec.solver!r}"
        raise InvalidRequest(f"job {job.label} is {what}; HFSS jobs alone have a batch log")
    try:
        path = registry.solver("hfss").watch(tasks.spec_of(job.spec, job.id))
    except InvalidJob:  # accepted by another version
        path = ""
    workspace = manager.workspace(job.id)
    return encoding.answer(await asyncio.to_thread(_read, workspace, path))


def _read(workspace: Workspace, path: str) -> Blocks:
    content = b""
    try:
        if path and workspace.stat(path) is not None:
            content = workspace.read(path, -LOG_LIMIT, LOG_LIMIT)
    except (InvalidRequest, OSError) as error:
        log.warning("batch log not read", extra={"path": path, "error": str(error)})
    return blocks(*read(content), content)


ROUTES = (Route("GET", "/api/jobs/{id}/log", show, answer=Blocks),)
