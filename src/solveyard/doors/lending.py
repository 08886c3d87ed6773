"""A port that the manager opens for another process of its owner, as long as that lives."""

import asyncio
import contextlib
import secrets

import msgspec
from aiohttp import web

from solveyard.doors import encoding, ports
from solveyard.doors.keys import CLOSING, LENT, LISTEN, caller
from solveyard.doors.openapi import Route
from solveyard.model.errors import Conflict, NotAllowed

GLANCE = 0.5  #: s between two looks at whether who asked is still there


class PortBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port: int
    host: str = ""  #: else this machine alone

    def __post_init__(self) -> None:
        encoding.within("port", self.port, 1, 65535)


async def lend(request: web.Request) -> web.StreamResponse:
    """Listen at another port, too: until this answer's connection is closed, or it is given back.

    X-Port-Id: by which it is given back.
    """
    _private(request)
    encoding.query(request, encoding.NoQuery)
    wish = await encoding.message(request, PortBody)
    hosts = (wish.host,) if wish.host else ports.LOOPBACK
    try:
        listeners = ports.bind(hosts, wish.port)
    except ports.PortTaken as error:
        raise Conflict(str(error)) from error
    name, lent = secrets.token_hex(8), request.app[LENT]
    async with contextlib.AsyncExitStack() as ends:
        for listener in await request.app[LISTEN](listeners):
            ends.push_async_callback(listener.close)
        lent[name] = ends
        ends.callback(lent.pop, name, None)
        response = web.StreamResponse()
        response.content_type = encoding.JSON
        response.headers["X-Port-Id"] = name
        await response.prepare(request)
        await response.write(b'{"success":true}\n')
        closing = request.app[CLOSING]
        while name in lent and request.transport is not None and not closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GLANCE):
                    await closing.wait()
    return response


async def give_back(request: web.Request) -> web.Response:
    """Listen at a lent port no longer: it is free when this is answered."""
    _private(request)
    encoding.query(request, encoding.NoQuery)
    ends = request.app[LENT].get(request.match_info["port"])
    if ends is None:
        return encoding.refusal(404, "unknown_port", "no port is lent by that id")
    await ends.aclose()
    return encoding.answer({"success": True})


def _private(request: web.Request) -> None:
    """Raises NotAllowed."""
    if not caller(request).private:
        raise NotAllowed("ports are opened for who comes by the private socket alone")


ROUTES = (
    Route("POST", "/system/ports", lend, body=PortBody),
    Route("DELETE", "/system/ports/{port}", give_back),
)
