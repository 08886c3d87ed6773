"""Who is at the other end of the private socket: the kernel says, no token is needed."""

import os
import sys
from functools import lru_cache

from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.keys import CALLER, Caller, Handler
from solveyard.wire.peers import peer_uid

ROOT = 0


@lru_cache(maxsize=64)
def account(uid: int) -> str:
    """The account's name, else its number."""
    if sys.platform == "win32":
        return str(uid)
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@web.middleware
async def own_user_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who runs under the manager's own account, or is root; others get 401."""
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if sys.platform == "win32" or connection is None:
        return refusal("the caller's account is not known")
    uid = peer_uid(connection)  # asyncio's wrapper of it, which knows as much
    if uid is None:
        return refusal("the caller's account is not known")
    if uid not in {os.getuid(), ROOT}:
        return refusal(f"this manager belongs to {account(os.getuid())}, not to {account(uid)}")
    request[CALLER] = Caller(account(uid), private=True, owner=True)
    return await handler(request)


def refusal(why: str) -> web.Response:
    return encoding.refusal(401, "unauthorized", f"{why} (ask its owner to run the command)")
