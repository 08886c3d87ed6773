"""Who may come in: everybody who is asked for nothing more than the kernel knows, or has a token.

At the private socket the kernel tells the account. Over TCP it does so for connections from this
machine to itself, on Linux; whoever is not the manager's own account shows a token. A browser is
its user's account too, so what other sites may have it send is refused by Host and Origin.
"""

import asyncio
import hmac
import os
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from aiohttp import web

from solveyard import tokens
from solveyard.doors import encoding, peer, procnet
from solveyard.doors.keys import CALLER, Caller, Handler
from solveyard.model.errors import StoreUnusable

LIVE = "/socket.io/"  #: where bodies are Socket.IO's own
FAILURES = 20  #: wrong tokens from one address in `WINDOW` before it is asked to wait
WINDOW = 60.0  #: s
_ADDRESSES = 4096  #: remembered, at most
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")  #: somebody else asked a proxy
_SAFE = frozenset({"GET", "HEAD"})


class Keeper:
    """The middleware that lets callers in, for all sockets that one application listens on."""

    def __init__(
        self,
        owner: str,
        token: str,
        known: tokens.Tokens,
        *,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        """`owner` is the manager's account; `token` the one in `manager.json`, which is theirs.

        `allowed_hosts`: names by which browsers may call this machine, a proxy's among them, with
        their port where it isn't the scheme's own.
        """
        self._owner = owner
        self._token = token
        self._tokens = known
        self._hosts = {"localhost", socket.gethostname().lower(), *map(str.lower, allowed_hosts)}
        self._proxied = {host.lower() for host in allowed_hosts}
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
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
        if refused := self._foreign(request):
            return refused
        found = await self._caller(request, transport, connection)
        if not isinstance(found, Caller):
            return found
        request[CALLER] = found
        return await handler(request)

    def holds(self, caller: Caller) -> bool:
        """Is what let them in still good?"""
        if not caller.token or caller.owner:
            return True
        try:
            return self._tokens.named(caller.token) is not None
        except StoreUnusable:
            return False

    # What another site may have made a browser send

    def _foreign(self, request: web.Request) -> web.Response | None:
        host = request.headers.get("Host", "")
        if not self._own(host):
            return encoding.refusal(
                403,
                "forbidden",
                f"the host {host!r} is not one of this manager's names"
                " (admit it with solveyard serve --allowed-host)",
            )
        origin = request.headers.get("Origin")
        if origin is not None and not self._same(origin, host):
            return encoding.refusal(
                403,
                "forbidden",
                f"the site {origin!r} may not ask this manager"
                " (admit it with solveyard serve --allowed-host)",
            )
        elsewhere = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
        if elsewhere and origin is None and request.method not in _SAFE:
            return encoding.refusal(403, "forbidden", "another site may not ask this manager")
        declared = "Content-Type" in request.headers and request.content_type != encoding.JSON
        if declared and request.method not in _SAFE and not request.path.startswith(LIVE):
            return encoding.refusal(415, "invalid_request", encoding.not_json(request.content_type))
        return None

    def _own(self, host: str) -> bool:
        """Numbers are no names: nobody can make a name's owner answer for them."""
        try:
            split = urlsplit(f"//{host}")
            name, _ = split.hostname or "", split.port
        except ValueError:
            return False
        if not name or split.username is not None or split.path or split.query or split.fragment:
            return False
        return procnet.numeric(name) or name in self._hosts or host.lower() in self._hosts

    def _same(self, origin: str, host: str) -> bool:
        try:
            split = urlsplit(origin)
        except ValueError:
            return False
        if split.scheme not in {"http", "https"} or not split.netloc:
            return False
        return split.netloc.lower() == host.lower() or split.netloc.lower() in self._proxied

    # Who it is

    async def _caller(
        self, request: web.Request, transport: asyncio.BaseTransport, connection: Any
    ) -> Caller | web.Response:
        given = request.headers.get("Authorization")
        if given is not None:
            return self._by_token(given, str(request.remote))
        uid = await self._uid(transport, connection)
        if sys.platform != "win32" and uid == os.getuid() and not _proxied(request):
            return Caller(self._owner, owner=True)
        why = "the caller shows no token, and is not known to be the manager's own account"
        return _unauthorized(why)

    def _by_token(self, given: str, address: str) -> Caller | web.Response:
        scheme, _, secret = given.partition(" ")
        secret = secret.strip()
        if scheme.lower() == "bearer" and secret:
            if hmac.compare_digest(tokens.digest(secret), tokens.digest(self._token)):
                private = sys.platform == "win32"  # there it is what the private socket is here
                return Caller(self._owner, owner=True, private=private)
            if (name := self._tokens.whose(secret)) is not None:
                return Caller(f"token:{name}", token=tokens.digest(secret))
        return self._failed(address)

    def _failed(self, address: str) -> web.Response:
        """A guess costs its address something; who has a token is let in meanwhile."""
        now = time.monotonic()
        count, since = self._failures.pop(address, (0, now))
        if now - since > WINDOW:
            count, since = 0, now
        self._failures[address] = (count + 1, since)
        while len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)
        if count < FAILURES:
            return _unauthorized("the token is not one of this manager's, or it was revoked")
        left = max(1, round(since + WINDOW - now))
        why = f"too many wrong tokens came from {address} (wait {left} s)"
        return encoding.refusal(429, "unauthorized", why, headers={"Retry-After": str(left)})

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


def _proxied(request: web.Request) -> bool:
    return any(name in request.headers for name in _FORWARDED)


def _unauthorized(why: str) -> web.Response:
    return encoding.refusal(
        401,
        "unauthorized",
        f"{why} (make one with solveyard token create, send it as 'Authorization: Bearer TOKEN')",
        headers={"WWW-Authenticate": 'Bearer realm="solveyard"'},
    )
