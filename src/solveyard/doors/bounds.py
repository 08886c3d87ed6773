"""How much a stranger may ask for: so that nobody outside keeps the manager from its work."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

from solveyard.doors import encoding

WINDOW = 60.0  #: s
WRONG_TOKENS = 20  #: from one place in `WINDOW`
STRANGERS = 1200  #: requests without a token from one place in `WINDOW`; the page takes some 30
GUESTS = 12_000  #: requests with one token in `WINDOW`
CONNECTIONS = 768  #: at once, over TCP and at the private socket
LISTENERS = 500  #: clients of live events at once; more are refused
FIRST = 20.0  #: s until a new connection's first request must have come, headers and all
IDLE = 75.0  #: s until the next one must have; longer than proxies keep a connection
HANDSHAKE = 10.0  #: s for TLS
GOODBYE = 2.0  #: s that the other end may take to end TLS
_KEYS = 4096  #: remembered, at most


class Throttle:
    """How often each may do something in a minute."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """Count one more of `key`; 0: it may, else how many s it has to wait."""
        now = self._clock()
        count, since = self._counts.pop(key, (0, now))
        if now - since > WINDOW:
            count, since = 0, now
        self._counts[key] = (count + 1, since)
        while len(self._counts) > _KEYS:
            self._counts.popitem(last=False)
        return 0 if count < self._limit else max(1, round(since + WINDOW - now))


class Newcomers:
    """Connections over TCP, from their accept on; those that say nothing are closed.

    Where there are too many, the oldest that nobody was let in by makes room, wherever it is from,
    and be it in its handshake: who comes with a token stays where a stranger has many. Else the
    newest is closed unheard.
    """

    def __init__(self, server: web.Server, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._tls = tls
        self._strangers: dict[web.RequestHandler, _Arrival] = {}  #: from the oldest on
        self._silent: dict[object, asyncio.TimerHandle] = {}

    def take(self, wire: socket.socket) -> None:
        """It was accepted."""
        if self._count() >= CONNECTIONS and not self._make_room():
            wire.close()
            return
        loop, made = asyncio.get_running_loop(), self._server()
        self._strangers[made] = _Arrival(wire, loop.create_task(self._connect(made, wire)))
        self._silent[made] = loop.call_later(FIRST, self._close, made)

    def heard(self, request: web.Request) -> None:
        """Its connection isn't silent."""
        self._hush(request.protocol)

    def know(self, request: web.Request) -> None:
        """Whoever has its connection was let in."""
        self._strangers.pop(request.protocol, None)

    def close(self) -> None:
        """Forget who is silent: the server closes them. Who isn't connected yet never is."""
        for timer in self._silent.values():
            timer.cancel()
        self._silent.clear()
        for made in [made for made in self._strangers if made.transport is None]:
            self._close(made)

    async def _connect(self, made: web.RequestHandler, wire: socket.socket) -> None:
        secure = self._tls is not None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: made,
                wire,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE if secure else None,
                ssl_shutdown_timeout=GOODBYE if secure else None,
            )
        except OSError:  # it has gone, or speaks no TLS
            self._hush(made)

    def _count(self) -> int:
        """How many there are, those in their handshake and at the private socket as well."""
        for made, arrival in list(self._strangers.items()):
            if made.transport is None and arrival.connecting.done():  # it has gone
                del self._strangers[made]
        unconnected = sum(made.transport is None for made in self._strangers)
        return len(self._server.connections) + unconnected

    def _make_room(self) -> bool:
        for made in self._strangers:
            self._close(made)
            return True
        return False

    def _close(self, made: web.RequestHandler) -> None:
        self._hush(made)
        arrival = self._strangers.pop(made, None)
        if made.transport is not None:
            made.transport.abort()
        elif arrival is not None:
            with contextlib.suppress(OSError):  # it is closed
                arrival.wire.shutdown(socket.SHUT_RDWR)  # which ends its handshake

    def _hush(self, made: object) -> None:
        if (timer := self._silent.pop(made, None)) is not None:
            timer.cancel()


class _Arrival(NamedTuple):
    wire: socket.socket
    connecting: asyncio.Task[None]


def wait(seconds: int, why: str) -> web.Response:
    """The refusal of who asked too often."""
    headers = {"Retry-After": str(seconds)}
    return encoding.refusal(429, "too_many", f"{why} (wait {seconds} s)", headers=headers)
