"""A port that the manager opens for another process of its owner, as long as that lives."""

import asyncio
import contextlib

import msgspec
from aiohttp import web

from solveyard.doors import encoding, ports
from solveyard.doors.keys import CLOSING, LISTEN, caller
from solveyard.doors.openapi import Route
from solveyard.model.errors import Conflict, NotAllowed

GLANCE = 0.5  #: s between two looks at whether who asked is still there


class PortBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port: int
    host: str = ""  #: else this machine alone

    def __post_init__(self) -> None:
        encoding.within("port", self.port, 1, 65535)


async def lend(request: web.Request) -> web.StreamResponse:
    """Listen at another port, too: until this answer's connection is closed."""
    if not caller(request).private:
        raise NotAllowed("ports are opened for who comes by the private socket alone")
    encoding.query(request, encoding.NoQuery)
    wish = await encoding.message(request, PortBody)
    hosts = (wish.host,) if wish.host else ports.LOOPBACK
    try:
        listeners = ports.bind(hosts, wish.port)
    except ports.PortTaken as error:
        raise Conflict(str(error)) from error
    try:
        servers = await request.app[LISTEN](listeners)
        try:
            response = web.StreamResponse()
            response.content_type = encoding.JSON
            await response.prepare(request)
            await response.write(b'{"success":true}\n')
            closing = request.app[CLOSING]
            while request.transport is not None and not closing.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GLANCE):
                        await closing.wait()
        finally:
            for server in servers:
                server.close()
    finally:
        for listener in listeners:
            listener.close()
    return response


ROUTES = (Route("POST", "/system/ports", lend, body=PortBody),)
