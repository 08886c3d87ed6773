"""What jobs would run, over HTTP: a dry run."""

import msgspec
from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.openapi import Route
from solveyard.doors.submitting import SPECS, planned
from solveyard.model import reading
from solveyard.plan import Plan


async def preview(request: web.Request) -> web.Response:
    """What a specification, or each of a list, would run. Nothing is submitted.

    Whether there is room for it, and whether its name is free, isn't looked at.
    """
    encoding.query(request, encoding.NoQuery)
    content = await encoding.body(request)
    if not content.lstrip().startswith(b"["):
        [plan] = await planned(request, [reading.spec(content)])
        return encoding.answer(plan)
    texts = reading.read(content, list[msgspec.Raw])
    specs = [reading.spec(text, f"$[{place}]") for place, text in enumerate(texts)]
    return encoding.answer(await planned(request, specs))


ROUTES = (
    Route("POST", "/jobs/preview", preview, body=SPECS, answer=(Plan, list[Plan])),
)  # fmt: skip
