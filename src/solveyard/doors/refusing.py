"""What callers are told of errors, whoever raised them."""

import logging

from aiohttp import web

from solveyard.doors import encoding, ranges
from solveyard.doors.keys import BEGUN, Handler
from solveyard.model.errors import SolveyardError

MAX_BODY = 64 << 20  #: bytes

log = logging.getLogger(__name__)


async def note_begun(request: web.Request, response: web.StreamResponse) -> None:
    """Its head is about to go."""
    request[BEGUN] = response


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors become refusals, in JSON, whoever raised them; an answer that has begun is cut off."""
    try:
        return await handler(request)
    except ConnectionError:
        if (left := request.get(BEGUN)) is None:
            raise
        response: web.StreamResponse = left
        return response  # whoever read it has gone
    except (SolveyardError, web.HTTPException) as error:
        begun: web.StreamResponse | None = request.get(BEGUN)
        if begun is None:
            return _refusal(request, error)
        log.warning("an answer was cut off", extra={"path": request.path, "error": str(error)})
        ranges.cut(request)
        return begun


def _refusal(request: web.Request, error: SolveyardError | web.HTTPException) -> web.Response:
    if isinstance(error, SolveyardError):
        return encoding.refused(error)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        why = f"{request.path} doesn't take {request.method} (it takes {allowed})"
        return encoding.refusal(405, "invalid_request", why, headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        return encoding.refusal(404, "unknown_route", f"there is no {request.path} here")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        why = f"the body is larger than {MAX_BODY >> 20} MiB (submit in several parts)"
        return encoding.refusal(413, "invalid_request", why)
    return encoding.refusal(error.status, "invalid_request", error.text or error.reason)
