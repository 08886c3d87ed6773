"""The scattering parameters of an array's tasks over HTTP, to be drawn in one picture."""

import asyncio

import msgspec
from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.keys import MANAGER
from solveyard.doors.openapi import Route
from solveyard.model.ids import array_of, task_id
from solveyard.model.overlaid import Overlaid
from solveyard.results import overlay
from solveyard.results.overlay import Asked


class OverlayQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    s: str = "11"  #: which parameter: "21", or "2,10" beyond nine ports
    file: str = ""  #: its path in each job's folder, with `{{name}}` for what a task has
    limit: int = 50  #: tasks
    offset: int = 0  #: so many are left out first

    def __post_init__(self) -> None:
        encoding.within("limit", self.limit, 1, 200)
        encoding.within("offset", self.offset, 0, 2**40)


async def curves(request: web.Request) -> web.Response:
    """One scattering parameter of each of an array's tasks, of `sweep[3,5-9]` those; or of a job.

    A task without a curve says why. X-Total-Count: how many tasks there are.
    """
    wanted = encoding.query(request, OverlayQuery)
    manager = request.app[MANAGER]
    overlay.pair(wanted.s)
    ids = manager.select(request.match_info["id"])
    whole, part = manager.job(ids[0]), slice(wanted.offset, wanted.offset + wanted.limit)
    if whole.spec.array is not None and array_of(whole.id) is None:
        total = len(whole.spec.array)
        ids = [task_id(whole.id, position) for position in range(total)[part]]
    else:
        total, ids = len(ids), ids[part]
    asked = [Asked(job, manager.workspace(job.id)) for job in await manager.looked(ids)]
    found = await asyncio.to_thread(lambda: list(overlay.read(asked, wanted.s, wanted.file)))
    return encoding.answer(found, 200, {"X-Total-Count": str(total)})


ROUTES = (
    Route(
        "GET", "/jobs/{id}/touchstone", curves, query=OverlayQuery, answer=list[Overlaid]
    ),
)  # fmt: skip
