"""Who is at the other end of the private socket: the kernel says, no token is needed."""

import os
import socket
import struct
import sys

from aiohttp import web

from solveyard.doors import encoding
from solveyard.doors.keys import BY, Handler

ROOT = 0


def peer_uid(connection: socket.socket) -> int | None:
    """The user id of the process that connected; None where the kernel doesn't tell.

    Source: unix(7), SO_PEERCRED; unix(4) of the BSDs and macOS, LOCAL_PEERCRED.
    """
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", credentials)[1])
    if sys.platform == "darwin" or sys.platform.startswith("freebsd"):
        local, local_peercred = 0, 1
        credentials = connection.getsockopt(local, local_peercred, struct.calcsize("2I"))
        return int(struct.unpack("2I", credentials)[1])
    return None


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
        return _refusal("the caller's account is not known")
    # asyncio hands out a wrapper, whose getsockopt is the socket's own.
    uid = peer_uid(connection) if connection.family == socket.AF_UNIX else None
    if uid is None:
        return _refusal("the caller's account is not known")
    if uid not in {os.getuid(), ROOT}:
        return _refusal(f"this manager belongs to {account(os.getuid())}, not to {account(uid)}")
    request[BY] = account(uid)
    return await handler(request)


def _refusal(why: str) -> web.Response:
    return encoding.refusal(401, "unauthorized", f"{why} (ask its owner to run the command)")
