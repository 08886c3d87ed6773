"""The doors of one manager, on every socket that it listens on."""

import asyncio
import contextlib
import importlib
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from aiohttp import web

from solveyard.doors import bounds, lending, ports, rest, sessions, wirelog
from solveyard.doors.auth import Keeper
from solveyard.doors.dashboard import routes as dashboard
from solveyard.doors.keys import CALLER, KEEPER, LENT, LISTEN, Handler
from solveyard.doors.listener import Listener
from solveyard.doors.rules import Rules
from solveyard.doors.telling import Telling
from solveyard.manager.manager import Manager

if TYPE_CHECKING:
    from solveyard.doors.live import Live

_LOOKS = {"GET", "HEAD", "OPTIONS"}  #: change nothing
_GOODBYE = 2.0  #: s that an answer under way may take when the door closes


class Door:
    """REST, the dashboard and, where it is `public`, live events, for whom the keeper lets in."""

    def __init__(
        self,
        manager: Manager,
        keeper: Keeper,
        rules: Rules,
        stop: Callable[[str], None],
        *,
        public: bool,
        public_url: str = "",
        locked: Mapping[str, str] | None = None,
    ) -> None:
        self.requests = 0  #: of those who were let in
        self._lent: dict[str, contextlib.AsyncExitStack] = {}  #: ports, by id
        self.socket = ""  #: the private one's path; empty: there is none
        self.url = ""
        self._let_in = asyncio.Event()
        self._manager = manager
        self._keeper = keeper
        self._live: Live | None = None
        self._wanted = asyncio.Event()  #: live events are, by somebody
        self._came = asyncio.Event()  #: they have
        app = rest.application(
            manager,
            stop=stop,
            rules=rules,
            more=(*sessions.ROUTES, *lending.ROUTES),
            public=public_url,
            locked=locked,
        )
        app[KEEPER] = keeper
        app[LISTEN], app[LENT] = self.listen, self._lent
        app.middlewares.extend([self._heard, keeper.keep, self._count, self._early])
        dashboard.add(app)
        self._telling = Telling(manager) if public else None
        if self._telling is not None:
            self._passed_over = manager.subscribe(self._telling.pass_over)
            for method in ("GET", "HEAD", "POST", "OPTIONS"):
                app.router.add_route(method, "/socket.io/", self._events)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=wirelog.log,
            handle_signals=False,
            shutdown_timeout=_GOODBYE,
            keepalive_timeout=bounds.IDLE,
        )
        self._newcomers: bounds.Newcomers | None = None
        self._listeners: list[Listener] = []
        self._tls: ssl.SSLContext | None = None

    async def open(
        self,
        private: str,
        listeners: Sequence[socket.socket],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Listen at `private` ("unix:PATH" or "tcp:HOST:PORT") and on `listeners`, there by `tls`
        where it is given. Who asks is answered; what is to change waits for `let_in`.
        """
        await self._runner.setup()
        kind, _, place = private.partition(":")
        if kind == "unix":
            Path(place).unlink(missing_ok=True)
            await web.UnixSite(self._runner, place).start()
            Path(place).chmod(0o600)
            self.url, self.socket = private, place
        else:
            host, _, port = place.rpartition(":")
            await web.TCPSite(self._runner, host, int(port)).start()
            self.url = f"http://{host}:{port}"
        self._tls = tls
        if listeners:
            self._listeners += await self.listen(listeners)
            self.url = ports.url(listeners, secure=tls is not None)

    async def listen(self, listening: Sequence[socket.socket]) -> list[Listener]:
        """On more sockets, which are closed with what is answered, or with the door."""
        server = self._runner.server
        assert server is not None
        if self._newcomers is None:
            self._newcomers = bounds.Newcomers(server, self._tls)
        return [Listener(one, self._newcomers.take) for one in listening]

    def let_in(self) -> None:
        """This machine can be judged by: what waited to change something goes on."""
        self._let_in.set()

    @property
    def lends(self) -> bool:
        """Does it listen for another process, too?"""
        return bool(self._lent)

    async def run(self) -> None:
        """Send live events from when the first asks for them, until cancelled."""
        if self._telling is None:
            return
        await self._wanted.wait()
        live = await asyncio.to_thread(_live)
        self._live = live.Live(self._manager, self._keeper.holds, self._telling)
        self._passed_over()
        self._came.set()
        await self._live.run()

    async def close(self) -> None:
        if self._live is not None:
            await self._live.close()
        for listener in self._listeners:
            await listener.close()
        if self._newcomers is not None:
            self._newcomers.close()
        await self._runner.cleanup()

    @web.middleware
    async def _heard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._newcomers is not None:
            self._newcomers.heard(request)
        return await handler(request)

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests += 1
        if self._newcomers is not None and CALLER in request:
            self._newcomers.know(request)
        return await handler(request)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Live events, by Socket.IO."""
        self._wanted.set()
        await self._came.wait()
        assert self._live is not None
        return await self._live.answer(request)

    @web.middleware
    async def _early(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in _LOOKS:
            await self._let_in.wait()
        return await handler(request)


def _live() -> ModuleType:
    """Its library takes 60 ms and 6 MB to be imported, which most managers never need."""
    return importlib.import_module("solveyard.doors.live")
