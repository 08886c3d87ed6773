"""A real manager behind its real routes on a loopback port, and a real Chromium before it."""

import asyncio
import json
import shutil
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from solveyard import serve
from solveyard.backends.offers import Offer
from solveyard.doors import encoding, live, refusing, rest
from solveyard.doors.dashboard import routes
from solveyard.doors.keys import CALLER, Caller, Handler
from solveyard.doors.telling import Telling

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 20.0  #: s
LEFT = "WebSocket is closed before the connection is established"  #: by a page that is left


class Served:
    """A manager in a thread of its own; its port can be closed and opened again."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.port = port
        self.url = ""
        self.user = "tester"  #: who asks
        self.locked = False  #: nobody is let in, but to the page and its files
        self.websockets = True  #: they get through
        self.late: str | None = None  #: a path; its answers come when `pass_on` says so
        self.kept: list[asyncio.Event] = []  #: for each such answer
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._leave = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        if not self._up.wait(PATIENCE) or not self.url:
            raise RuntimeError("the manager didn't start")

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}{path}", content, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def submit(self, *specs: dict[str, Any]) -> list[dict[str, Any]]:
        """Their records."""
        jobs: list[dict[str, Any]] = self.ask("POST", "jobs", list(specs))["jobs"]
        return jobs

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits for what the browser can't be asked about."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def cut(self) -> None:
        """Nobody listens at the port any more, and open connections are gone."""
        self._do(self._close_port)

    def mend(self) -> None:
        """Somebody listens again, at the same port."""
        self._do(self._open_port)

    def pass_on(self, most: int | None = None) -> None:
        """So many of the late answers; else all, and from now on none is late."""
        if most is None:
            self.late = None
        for one in self.kept[:most]:
            self._loop.call_soon_threadsafe(one.set)
        del self.kept[:most]

    def _do(self, what: Callable[[], Any]) -> None:
        asyncio.run_coroutine_threadsafe(what(), self._loop).result(PATIENCE)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        finally:
            self._up.set()

    async def _serve(self) -> None:
        options = serve.ServeOptions(offer=Offer(cores=2))
        async with (
            serve.opened(self.folder, options) as running,
            asyncio.TaskGroup() as self._tasks,
        ):
            self.manager = running.manager
            await self._open_port()
            self._up.set()
            await self._leave.wait()
            await self._close_port()
            running.stop("now")

    async def _open_port(self) -> None:
        app = rest.application(self.manager, stop=lambda how: None, keepers=[self._keep])
        routes.add(app)
        self._live = live.Live(self.manager, lambda caller: True, Telling(self.manager))
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            app.router.add_route(method, "/socket.io/", self._live.answer)
        below = web.Application(client_max_size=refusing.MAX_BODY)  # as a proxy would have it
        below.add_subapp("/yard/", app)
        self._runner = web.AppRunner(below, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        listener = socket.create_server(("127.0.0.1", self.port))
        await web.SockSite(self._runner, listener).start()
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/yard/"
        self._telling = self._tasks.create_task(self._live.run())

    @web.middleware
    async def _keep(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path.removeprefix("/yard/")
        if self.locked and path and not path.startswith("assets/"):
            return encoding.refusal(401, "unauthorized", "the caller shows no token")
        if not self.websockets and "Upgrade" in request.headers:
            return encoding.refusal(502, "unreachable", "this proxy passes no websockets on")
        request[CALLER] = Caller(self.user, private=True, owner=True)
        answer = await handler(request)
        if path == self.late:
            self.kept.append(passed := asyncio.Event())
            await passed.wait()
        return answer

    async def _close_port(self) -> None:
        if not self._telling.cancel():
            return  # it was cut
        await asyncio.wait([self._telling])
        await self._live.close()
        await self._runner.cleanup()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="sy-") as folder:
        served = Served(Path(folder) / "store")
        yield served
        served.close()


@pytest.fixture
def page(chromium: Any, served: Served) -> Iterator[Any]:
    """A page of its own; afterwards: no error on its console, no request to anybody else."""
    context = chromium.new_context(
        viewport={"width": 1360, "height": 820}, color_scheme="light", service_workers="block"
    )
    mine = {"name": "tester", "owner": True, "session": False}
    context.route("**/yard/session", lambda route: route.fulfill(json=mine))
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    troubles: list[str] = []
    strangers: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(served.url) else strangers.append(asked.url),
    )
    page.expected = [LEFT]  # parts of what Chromium says of troubles that a test makes on purpose
    yield page
    context.close()
    assert strangers == []
    assert [t for t in troubles if not any(part in t for part in page.expected)] == []
