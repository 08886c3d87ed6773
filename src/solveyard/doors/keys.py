"""What a door's handlers find in the application and in a request."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from solveyard.manager import Manager

__all__ = ["BY", "CLOSING", "MANAGER", "STOP", "Handler", "Middleware", "by"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MANAGER = web.AppKey("manager", Manager)
BY = web.RequestKey("by", str)
CLOSING = web.AppKey("closing", asyncio.Event)  #: set when the door closes
STOP: web.AppKey[Callable[[str], None]] = web.AppKey("stop")


def by(request: web.Request) -> str:
    """Who asks, as the door's keeper found out; empty: nobody asked them."""
    account: str = request.get(BY, "")
    return account
