"""Who listens to live events, by python-socketio's client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import socketio

PATIENCE = 60.0  #: s


class Listener:
    """One connection to a namespace; keeps what it is told, in order."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.messages: list[tuple[str, Any]] = []
        self.news = asyncio.Event()
        self.sio = socketio.AsyncClient(reconnection=False)
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
        return await self.sio.call("subscribe", wish, namespace=self.namespace)

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
