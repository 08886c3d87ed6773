"""How much a stranger may ask for: so that nobody outside keeps the manager from its work."""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakSet

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
    """Makes the protocols of connections over TCP; those that say nothing are closed.

    Where there are too many, the oldest that nobody was let in by makes room, wherever it is from:
    who comes with a token stays where a stranger has many. Else the newest is closed unheard.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._silent: dict[object, asyncio.TimerHandle] = {}
        self._known: WeakSet[asyncio.BaseTransport] = WeakSet()

    def __call__(self) -> asyncio.BaseProtocol:
        if len(self._server.connections) >= CONNECTIONS and not self._make_room():
            return _Unheard()
        made = self._server()
        loop = asyncio.get_running_loop()
        self._silent[made] = loop.call_later(FIRST, self._close, made)
        return made

    def heard(self, request: web.Request) -> None:
        """Its connection isn't silent."""
        timer = self._silent.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()

    def know(self, request: web.Request) -> None:
        """Whoever has its connection was let in."""
        if request.transport is not None:
            self._known.add(request.transport)

    def close(self) -> None:
        """Forget who is silent: the server closes them."""
        for timer in self._silent.values():
            timer.cancel()
        self._silent.clear()

    def _make_room(self) -> bool:
        for connection in self._server.connections:  # from the oldest on
            if (transport := connection.transport) is None or transport in self._known:
                continue
            if not transport.is_closing() and not _private(transport):
                self._close(connection)
                return True
        return False

    def _close(self, silent: web.RequestHandler) -> None:
        if (timer := self._silent.pop(silent, None)) is not None:
            timer.cancel()
        if silent.transport is not None:
            silent.transport.abort()


class _Unheard(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _private(transport: asyncio.BaseTransport) -> bool:
    wire = transport.get_extra_info("socket")
    return wire is None or wire.family not in {socket.AF_INET, socket.AF_INET6}


def wait(seconds: int, why: str) -> web.Response:
    """The refusal of who asked too often."""
    headers = {"Retry-After": str(seconds)}
    return encoding.refusal(429, "too_many", f"{why} (wait {seconds} s)", headers=headers)
