"""The documents' events, told to functions of this program: what `sio` is."""

import asyncio
import contextlib
import inspect
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from solveyard.client import find
from solveyard.client.find import Address
from solveyard.model.errors import SolveyardError
from solveyard.pyedb.errors import InvalidConfig, ServiceError
from solveyard.pyedb.host import Host
from solveyard.pyedb.session import Session

log = logging.getLogger("JobManager")

Listener = Callable[..., Any]  #: of an event's content; it may be a coroutine function

_PATIENCE = 10.0  #: s until a manager has let it listen
_AGAIN = 0.5  #: s before another try, where the manager went away


class Listeners:
    """Functions that are called by each event of the manager, in a thread of their own.

    While no manager is there nothing is told, and nothing of that later.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._functions: dict[str, list[Listener]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._end: Callable[[], None] = _nothing
        session.followers.append(self)

    def on(
        self, event: str, handler: Listener | None = None, namespace: str | None = None
    ) -> Listener:
        """Have `handler`, or what this decorates, called with what each `event` says.

        The events: job_queued, job_started, job_scheduled, job_completed, limits_updated. Raises
        ServiceError where the manager has no live events.
        """
        if namespace not in {None, "/"}:
            raise InvalidConfig(f"`namespace`: events are told in '/', not in {namespace!r}")

        def add(function: Listener) -> Listener:
            self._functions.setdefault(event, []).append(function)
            if self._session.host is not None:
                self.begin(self._session.host)
            return function

        return add if handler is None else add(handler)

    def event(self, handler: Listener) -> Listener:
        """`on` the event that has the function's name."""
        return self.on(handler.__name__, handler)

    async def emit(self, event: str, data: Any = None, namespace: str | None = None) -> None:
        """Call this program's own listeners; pages hear what the manager tells, and no more."""
        for function in self._functions.get(event, ()):
            await _call(function, data)

    # As its session goes

    def begin(self, host: Host) -> None:
        """Raises ServiceError."""
        with self._lock:
            if self._thread is not None or not self._functions:
                return
            ready: Future[None] = Future()
            self._thread = threading.Thread(
                target=self._run, args=(host.folder, ready), name="solveyard-listeners", daemon=True
            )
            self._thread.start()
        try:
            ready.result()
        except ServiceError:
            self.end()
            raise

    def end(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has just ended
            self._end()
        if thread is not threading.current_thread():
            thread.join()

    def _run(self, folder: Path, ready: "Future[None]") -> None:
        try:
            asyncio.run(self._listen(folder, ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _listen(self, folder: Path, ready: "Future[None]") -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(ended.set)

        self._end = end
        while not ended.is_set():
            why = await self._until_parted(folder, ready, ended)
            if not ready.done():
                raise ServiceError(f"cannot hear the manager's events: {why}")
            try:
                async with asyncio.timeout(_AGAIN):
                    await ended.wait()
            except TimeoutError:
                continue

    async def _until_parted(self, folder: Path, ready: "Future[None]", ended: asyncio.Event) -> str:
        """Listen until the manager went away, or `ended`; why, where it didn't let us."""
        import aiohttp
        import socketio

        parted = asyncio.Event()
        try:
            where = find.running(folder)
            async with aiohttp.ClientSession(connector=_connector(where)) as http:
                live = socketio.AsyncClient(reconnection=False, http_session=http)
                live.on("*", self._told)
                live.on("disconnect", lambda *_: parted.set())
                await live.connect(
                    where.url if where.host else "http://localhost",
                    headers={"Authorization": f"Bearer {where.token}"} if where.token else {},
                    transports=["websocket"],
                    wait_timeout=_PATIENCE,
                )
                if not ready.done():
                    ready.set_result(None)
                async with asyncio.TaskGroup() as group:
                    waits = [group.create_task(one.wait()) for one in (parted, ended)]
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                    for one in waits:
                        one.cancel()
                await live.disconnect()
        except socketio.exceptions.ConnectionError as error:
            return f"{error} (it has live events where it listens at a port: solveyard serve)"
        except (SolveyardError, OSError) as error:
            return str(error)
        return ""

    async def _told(self, event: str, content: Any = None) -> None:
        for function in self._functions.get(event, ()):
            try:
                await _call(function, content)
            except Exception:  # it is somebody else's: the others are called all the same
                log.exception("a listener failed", extra={"event": event})


async def _call(function: Listener, content: Any) -> None:
    found = function(content)
    if inspect.isawaitable(found):
        await found


def _connector(where: Address) -> Any:
    """By the private socket where there is one: it belongs to the manager's owner."""
    import aiohttp

    return aiohttp.UnixConnector(where.socket) if where.socket else None


def _nothing() -> None:
    """No thread has begun to listen."""
