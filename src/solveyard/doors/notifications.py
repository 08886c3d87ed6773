"""Routes about notices: what was told to whom, and whether a receiver can be reached."""

import msgspec
from aiohttp import web
from msgspec.structs import replace

from solveyard.doors import encoding
from solveyard.doors.keys import MANAGER, caller
from solveyard.doors.openapi import Route
from solveyard.model import reading
from solveyard.model.errors import NotAllowed
from solveyard.model.notices import NoticeRecord, NoticeState, ReceiverRecord
from solveyard.model.reading import Malformed

#: For all but the owner: what a receiver answers, or a command prints, may name what it shouldn't.
_NOT_TAKEN = "it was not taken (why is told to this manager's owner)"


class NoticesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: str = ""  #: `pending`, `delivered` or `failed`; empty: any
    limit: int = 50

    def __post_init__(self) -> None:
        encoding.within("limit", self.limit, 1, 1000)


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    success: bool  #: it was taken
    message: str


async def receivers(request: web.Request) -> web.Response:
    """Who is told how jobs end, and how many notices wait, arrived, or were given up."""
    encoding.query(request, encoding.NoQuery)
    found = await request.app[MANAGER].notices.standings()
    if not caller(request).owner:
        found = [replace(one, last_error=one.last_error and _NOT_TAKEN) for one in found]
    return encoding.answer(found)


async def listing(request: web.Request) -> web.Response:
    """A receiver's notices, those of the newest ends first."""
    wanted = encoding.query(request, NoticesQuery)
    notices, name = request.app[MANAGER].notices, request.match_info["receiver"]
    state = _state(wanted.state)
    found = await notices.recent(name, state, wanted.limit)
    if not found and (why := notices.unknown(name)):
        return encoding.refusal(404, "unknown_receiver", why)
    if not caller(request).owner:
        found = [replace(one, why=one.why and _NOT_TAKEN) for one in found]
    return encoding.answer(found)


async def test(request: web.Request) -> web.Response:
    """Have a test delivered to a receiver now; `message` says why it wasn't."""
    if not caller(request).owner:
        raise NotAllowed("only its owner may test this manager's receivers (solveyard notify test)")
    encoding.query(request, encoding.NoQuery)
    await encoding.message(request, encoding.NoBody)
    notices, name = request.app[MANAGER].notices, request.match_info["receiver"]
    if why := notices.unknown(name):
        return encoding.refusal(404, "unknown_receiver", why)
    why = await notices.test(name)
    return encoding.answer(Tested(success=not why, message=why or f"{name} took it"))


def _state(word: str) -> NoticeState | None:
    if not word:
        return None
    try:
        return NoticeState(word)
    except ValueError as error:
        known = reading.nearest(word, NoticeState) or f" (there is: {', '.join(NoticeState)})"
        why = f"there is no state {word!r} of a notice{known}"
        raise Malformed(why, field="$.state", got=word) from error


ROUTES = (
    Route("GET", "/notifications", receivers, answer=list[ReceiverRecord]),
    Route(
        "GET", "/notifications/{receiver}", listing, query=NoticesQuery, answer=list[NoticeRecord]
    ),
    Route("POST", "/notifications/{receiver}/test", test, answer=Tested),
)
