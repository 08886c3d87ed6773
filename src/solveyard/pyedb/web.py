"""For programs that ask a manager by aiohttp, or have an aiohttp application of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ClientSession, web

_PATIENCE = 30.0  #: s for a request and its answer
_AT_ONCE = 20  #: connections
_AT_ONE_HOST = 10  #: connections
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type",
}


def get_session(url: str) -> "ClientSession":
    """A client for the manager at `url`, which whoever made it closes.

    Where no event loop runs, it belongs to a new one, which is this thread's from now on.
    """
    secure = url.lower().startswith("https://")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(_awaited(secure))
    return _session(secure)


async def cors_middleware(
    request: "web.Request",
    handler: "Callable[[web.Request], Awaitable[web.StreamResponse]]",
) -> "web.StreamResponse":
    """Of an application of your own: pages of any origin may read its answers.

    The manager has none of this: see its `allowed_hosts`.
    """
    response = await handler(request)
    response.headers.update(_CORS)
    return response


# As aiohttp's own decorator marks it; so aiohttp need not be imported for it.
cors_middleware.__middleware_version__ = 1  # type: ignore[attr-defined]


async def _awaited(secure: bool) -> "ClientSession":
    return _session(secure)


def _session(secure: bool) -> "ClientSession":
    import aiohttp

    from solveyard.client import find

    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_PATIENCE),
        headers={"User-Agent": "pyedb-job-manager/1.0"},
        connector=aiohttp.TCPConnector(
            limit=_AT_ONCE, limit_per_host=_AT_ONE_HOST, ssl=find.trust() if secure else True
        ),
    )
