"""What a door's handlers find in the application and in a request."""

import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Middleware

from solveyard.doors.closing import Closing
from solveyard.manager.manager import Manager

if TYPE_CHECKING:
    from solveyard.doors.auth import Keeper
    from solveyard.doors.listener import Listener
    from solveyard.doors.looks import Looks
    from solveyard.doors.openapi import Table
    from solveyard.doors.rules import Rules
    from solveyard.doors.texts import Texts

__all__ = [
    "BEGUN", "CALLER", "CLOSING", "KEEPER", "LENT", "LISTEN", "LOCKED", "LOOKS", "MANAGER", "RULES",
    "STOP",
    "TABLE", "TEXTS", "Caller", "Handler", "Middleware", "by", "caller",
]  # fmt: skip


class Caller(NamedTuple):
    """Who asks, as the door's keeper found out."""

    name: str  #: an account, or "token:" and the token's name
    private: bool = False  #: by the store's private socket: the rules don't bind them
    owner: bool = False  #: the account that the manager runs under
    token: str = ""  #: the hash of the token that let them in
    session: str = ""  #: the hash of the cookie that stands for it


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MANAGER = web.AppKey("manager", Manager)
CALLER = web.RequestKey("caller", Caller)
#: The answer whose head is on its way, if one is.
BEGUN: web.RequestKey[web.StreamResponse] = web.RequestKey("begun", web.StreamResponse)
CLOSING = web.AppKey("closing", Closing)  #: set when the door closes
#: Has the door listen on more sockets.
LISTEN: web.AppKey[Callable[[Sequence[socket.socket]], Awaitable[list["Listener"]]]] = web.AppKey(
    "listen"
)
LENT: web.AppKey[dict[str, AsyncExitStack]] = web.AppKey("lent")  #: ports, by id
STOP: web.AppKey[Callable[[str], None]] = web.AppKey("stop")
KEEPER: web.AppKey["Keeper"] = web.AppKey("keeper")  #: where there are sessions
TEXTS: web.AppKey["Texts"] = web.AppKey("texts")  #: jobs' records
TABLE: web.AppKey["Table"] = web.AppKey("table")  #: the routes, and their description
#: The limits that a site's file locks: name to the place that does.
LOCKED: web.AppKey[Mapping[str, str]] = web.AppKey("locked")
LOOKS: web.AppKey["Looks"] = web.AppKey("looks")  #: at the manager's machine
RULES: web.AppKey["Rules"] = web.AppKey("rules")  #: what may run over the network

_NOBODY = Caller("")


def caller(request: web.Request) -> Caller:
    """Where no keeper asked them, they are nobody, with nobody's rights."""
    found: Caller = request.get(CALLER, _NOBODY)
    return found


def by(request: web.Request) -> str:
    """The name that goes into the store's log."""
    return caller(request).name
