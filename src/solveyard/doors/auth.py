"""Who may come in: everybody who is asked for nothing more than the kernel knows, or has a token.

At the private socket the kernel tells the account. Over TCP it does so for connections from this
machine to itself, on Linux; whoever is not the manager's own account shows a token, or the cookie
that it was given for one. A browser is its user's account too, so what other sites may have it
send is refused by Host and Origin.
"""

import asyncio
import hmac
import os
import socket
import sys
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from solveyard import tokens
from solveyard.doors import bounds, encoding, peer, procnet
from solveyard.doors.bounds import Throttle
from solveyard.doors.keys import CALLER, Caller, Handler
from solveyard.doors.sessions import Sessions
from solveyard.doors.sites import SAFE, Sites, page_asks
from solveyard.model.errors import StoreUnusable

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")  #: somebody else asked a proxy
_NOBODY = "the caller shows no token, and is not known to be the manager's own account"
_OWNERS = "the token in manager.json is good on the manager's own machine alone"
_WRONG = "the token is not one of this manager's, or it was revoked"


class Keeper:
    """The middleware that lets callers in, for all sockets that one application listens on."""

    def __init__(
        self, owner: str, token: str, known: tokens.Tokens, sites: Sites, sessions: Sessions
    ) -> None:
        """`owner` is the manager's account; `token` the one in `manager.json`, which is theirs."""
        self.sites = sites
        self.sessions = sessions
        self._owner = owner
        self._token = token
        self._tokens = known
        self._wrong = Throttle(bounds.WRONG_TOKENS)
        self._strangers = Throttle(bounds.STRANGERS)
        self._guests = Throttle(bounds.GUESTS)
        self._uids: WeakKeyDictionary[asyncio.BaseTransport, int | None] = WeakKeyDictionary()

    @web.middleware
    async def keep(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers 401, 403, 415 or 429 where the caller isn't let in."""
        transport = request.transport
        connection = transport.get_extra_info("socket") if transport is not None else None
        if transport is None or connection is None:
            return peer.refusal("the caller's account is not known")
        if sys.platform != "win32" and connection.family == socket.AF_UNIX:
            return await peer.own_user_only(request, handler)
        found = self.sites.foreign(request) or await self._caller(request, transport, connection)
        if isinstance(found, Caller):
            if not found.owner and (left := self._guests.take(found.token)):
                return bounds.wait(left, f"{found.name} asked more than {bounds.GUESTS} times")
            request[CALLER] = found
            return await handler(request)
        if found.status == 401 and _signs_in(request):  # in vain, it costs something there
            return await handler(request)
        answer = self.turned_away(request, found)
        if answer is found and found.status == 401 and _open(request):
            seen = await handler(request)
            seen.force_close()
            return seen
        return answer

    def turned_away(self, request: web.Request, refusal: web.Response) -> web.Response:
        """What they get who aren't let in: `refusal`, or another where they asked too often."""
        place = self.place(request)
        if left := self._strangers.take(place):
            refusal = bounds.wait(left, f"too many requests came from {place}")
        refusal.force_close()  # they keep no connection
        return refusal

    def holds(self, caller: Caller) -> bool:
        """Is what let them in still good?"""
        if caller.session and not self.sessions.live(caller):
            return False
        if not caller.token or caller.owner:
            return True
        try:
            return self._tokens.named(caller.token) is not None
        except StoreUnusable:
            return False

    def by_token(self, request: web.Request, given: str = "") -> Caller | web.Response:
        """Who shows the token `given`, else the one in the request's header; else a refusal.

        A guess costs its place something; who has a token is let in meanwhile.
        """
        secret = given or _bearer(request)
        if secret and hmac.compare_digest(tokens.digest(secret), tokens.digest(self._token)):
            if not _from_here(request):
                return _unauthorized(_OWNERS)
            private = sys.platform == "win32"  # there it is what the private socket is here
            return Caller(self._owner, owner=True, private=private)
        if secret and (name := self._tokens.whose(secret)) is not None:
            return Caller(f"token:{name}", token=tokens.digest(secret))
        place = self.place(request)
        if left := self._wrong.take(place):
            return bounds.wait(left, f"too many wrong tokens came from {place}")
        return _unauthorized(_WRONG if secret else "no token is shown")

    def place(self, request: web.Request) -> str:
        """Where a request comes from: an account of this machine, else an address."""
        uid = self._uids.get(request.transport) if request.transport is not None else None
        return str(request.remote) if uid is None else f"account {uid}"

    def origin(self, request: web.Request) -> str:
        """Its place and, where that is a proxy's, what the proxy says: what sessions are good for.

        Anybody can write such a header, so it is no place of its own: that would evade the bounds.
        """
        passed = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        return f"{self.place(request)} for {passed}" if passed else self.place(request)

    async def _caller(
        self, request: web.Request, transport: asyncio.BaseTransport, connection: Any
    ) -> Caller | web.Response:
        uid = await self._uid(transport, connection)
        if "Authorization" in request.headers:
            return self.by_token(request)
        if (signed_in := self._by_cookie(request)) is not None:
            return signed_in
        if sys.platform != "win32" and uid == os.getuid() and not _proxied(request):
            return Caller(self._owner, owner=True)
        return _unauthorized(_NOBODY)

    def _by_cookie(self, request: web.Request) -> Caller | None:
        secret = request.cookies.get(self.sessions.cookie)
        if not secret or not page_asks(request):
            return None
        found = self.sessions.whose(secret, self.origin(request))
        return found if found is not None and self.holds(found) else None

    async def _uid(self, transport: asyncio.BaseTransport, connection: Any) -> int | None:
        """The account at the other end of a connection of this machine to itself."""
        if transport not in self._uids:
            try:
                ours, theirs = procnet.endpoints(connection)
            except OSError:
                return None
            uid = None
            if procnet.loopback(theirs[0]):
                uid = await asyncio.to_thread(procnet.uid_of_peer, ours, theirs)
            self._uids[transport] = uid
        return self._uids[transport]


def _open(request: web.Request) -> bool:
    """May it be asked by anybody? The page and its files, which tell nothing of this store; and
    whether the process lives.
    """
    if "Authorization" in request.headers:
        return False
    page = request.path in {"/", "/healthz"} or request.path.startswith("/assets/")
    return page and request.method in SAFE


def _signs_in(request: web.Request) -> bool:
    shown = "Authorization" in request.headers
    return not shown and (request.method, request.path) == ("POST", "/session")


def _from_here(request: web.Request) -> bool:
    """Is it a connection of this machine to itself, by loopback or by an address of its own?"""
    connection = request.get_extra_info("socket")
    if connection is None:
        return False
    try:
        (ours, _), (theirs, _) = procnet.endpoints(connection)
    except OSError:
        return False
    return procnet.loopback(theirs) or ours == theirs


def _proxied(request: web.Request) -> bool:
    return any(name in request.headers for name in _FORWARDED)


def _bearer(request: web.Request) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(why: str) -> web.Response:
    return encoding.refusal(
        401,
        "unauthorized",
        f"{why} (make one with solveyard token create, send it as 'Authorization: Bearer TOKEN')",
        headers={"WWW-Authenticate": 'Bearer realm="solveyard"'},
    )
