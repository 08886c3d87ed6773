"""Who listens to live events, by python-socketio's client, and what may come between."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import socketio

PATIENCE = 60.0  #: s
BACK = 0.2  #: s before a client that lost its connection dials again


class Listener:
    """One connection to a namespace; keeps what it is told, in order."""

    def __init__(self, namespace: str, session: aiohttp.ClientSession | None = None) -> None:
        self.namespace = namespace
        self.messages: list[tuple[str, Any]] = []
        self.news = asyncio.Event()
        self.sio = socketio.AsyncClient(reconnection=False, http_session=session)
        self.gone = asyncio.Event()
        self.sio.on("*", self._take, namespace=namespace)
        self.sio.on("disconnect", self._leave, namespace=namespace)

    def _take(self, name: str, content: Any) -> None:
        self.messages.append((name, content))
        self.news.set()

    def _leave(self, *_: object) -> None:
        self.gone.set()
        self.news.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for name, events in self.messages if name == "events" for event in events]

    async def subscribe(self, **wish: Any) -> Any:
        """The answer; the library's own `call` would wait on where the connection is lost."""
        answers: list[Any] = []

        def take(answer: Any) -> None:
            answers.append(answer)
            self.news.set()

        await self.sio.emit("subscribe", wish, namespace=self.namespace, callback=take)
        await self.until(lambda: answers or self.gone.is_set())
        if not answers:
            raise socketio.exceptions.DisconnectedError
        return answers[0]

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def listening(url: str, namespace: str = "/v1", **options: Any) -> AsyncIterator[Listener]:
    one = Listener(namespace)
    await one.sio.connect(url, namespaces=[namespace], **options)
    try:
        yield one
    finally:
        await one.sio.disconnect()


def token(yard: Any, *arguments: str) -> str:
    """What `solveyard token` answers."""
    command = [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), "token"]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


class Watcher:
    """Follows `/v1` through one connection after another, each from the last number it saw."""

    def __init__(self, url: Callable[[], str], transport: str, rooms: tuple[str, ...] = ("all",)):
        self.url = url
        self.transport = transport
        self.rooms = rooms
        self.heard: list[dict[str, Any]] = []
        self.watching = asyncio.Event()  #: it is subscribed
        self.connections = 0
        self.refusals: list[Any] = []
        self._until: Callable[[int], bool] = lambda last: False
        self._now: Listener | None = None

    @property
    def last(self) -> int:
        """The number of the last event it saw."""
        one = self._now
        told = [*self.heard[-1:], *(one.events if one is not None else [])]
        return told[-1]["number"] if told else 0

    def finish(self, number: int) -> None:
        """Stop once the event of that number was heard."""
        self._until = lambda last: last >= number
        if self._now is not None:
            self._now.news.set()

    async def run(self) -> None:
        async with aiohttp.ClientSession() as session:
            while not self._until(self.last):
                await self._connection(session)
                await asyncio.sleep(BACK)

    async def _connection(self, session: aiohttp.ClientSession) -> None:
        one = self._now = Listener("/v1", session)
        # What a manager that is gone, or a cut connection, does to a client.
        lost = (socketio.exceptions.SocketIOError, aiohttp.ClientError, OSError, ValueError)
        try:
            with suppress(*lost):
                await one.sio.connect(
                    self.url(), namespaces=["/v1"], transports=[self.transport], wait_timeout=2
                )
                # a polling client doesn't tell of an answer that was cut in its middle
                one.sio.eio.read_loop_task.add_done_callback(one._leave)
                after = self.heard[-1]["number"] if self.heard else 0
                answer = await one.subscribe(rooms=self.rooms, after=after)
                if answer["success"] is not True:
                    self.refusals.append(answer)
                self.connections += 1
                self.watching.set()
                await one.until(lambda: one.gone.is_set() or self._until(self.last))
        finally:
            self.watching.clear()
            self.heard += one.events
            self._now = None
            with suppress(*lost):
                await one.sio.disconnect()


class Scissors:
    """A TCP proxy that cuts connections in the middle of what the manager says."""

    def __init__(self, url: Callable[[], str], chance: random.Random) -> None:
        self._target = url
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0
        self.idle = False  #: it cuts no more

    async def __aenter__(self) -> "Scissors":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        where = urlsplit(self._target())
        try:
            back, forth = await asyncio.open_connection(where.hostname, where.port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, forth}
        left = int(500 * 80 ** self._chance.random())  # up to 40 kB, small ones as often as large
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass(reader, forth))
                tasks.create_task(self._pass(back, writer, left))
        finally:
            for each in (writer, forth):
                each.transport.abort()
                self._open.discard(each)

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: int = 1 << 60
    ) -> None:
        with suppress(OSError):
            while data := await source.read(4096):
                if len(data) > left and not self.idle:
                    sink.write(data[:left])
                    self.cuts += 1
                    break
                left -= len(data)
                sink.write(data)
                await sink.drain()
        with suppress(OSError):
            sink.write_eof()
            if left < 1 << 60:
                sink.close()
