"""What jobs would run, over HTTP: a dry run."""

import msgspec
from aiohttp import web

from solveyard.doors import encoding, pyedb_form
from solveyard.doors.openapi import Route
from solveyard.doors.submitting import SPECS, planned
from solveyard.model import reading
from solveyard.model.jobs import JobSpec
from solveyard.model.plans import Plan


async def preview(request: web.Request) -> web.Response:
    """What a specification, or each of a list, would run. Nothing is submitted.

    PyEDB's configurations will do, too. Whether there is room for it, and whether its name is free,
    isn't looked at.
    """
    encoding.query(request, encoding.NoQuery)
    content = await encoding.body(request)
    if not content.lstrip().startswith(b"["):
        [plan] = await planned(request, [await _spec(request, content, "$")])
        return encoding.answer(plan)
    texts = reading.read(content, list[msgspec.Raw])
    specs = [await _spec(request, text, f"$[{place}]") for place, text in enumerate(texts)]
    return encoding.answer(await planned(request, specs))


async def _spec(request: web.Request, content: bytes | msgspec.Raw, at: str) -> JobSpec:
    asked = pyedb_form.read(content, at)
    if asked is None:
        return reading.spec(content, at)
    return await pyedb_form.specification(request, asked)


ROUTES = (
    Route(
        "POST", "/jobs/preview", preview, body=SPECS, answer=(Plan, list[Plan]), refused=(502,)
    ),
)  # fmt: skip
