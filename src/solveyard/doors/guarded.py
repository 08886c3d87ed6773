"""python-socketio's server, where one client's doings harm neither the manager nor other clients.

By itself it queues without end for a client that doesn't read, raises at packets that make no
sense, and keeps the connection of one that it has disconnected.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

import engineio
import socketio
from aiohttp import web
from engineio.async_drivers import aiohttp as driver
from engineio.packet import MESSAGE, Packet
from socketio.packet import EVENT

from solveyard.doors import bounds, encoding, packets

log = logging.getLogger(__name__)

MESSAGES = 5000  #: that may wait for one client; beyond, it is cut off
SIZE = 2 << 20  #: characters of them
LARGEST = 1 << 20  #: bytes that a client may send at once
_BODY = 10.0  #: s for a request's body to come
_DEAF = 30.0  #: s for a client to take one message
_PROBE = 10.0  #: s for what a client says first by a new websocket
_GOODBYE = 2.0  #: s that a client may take to hear that it is disconnected
_READ = web.RequestKey("read", bytes)


class Outbox(asyncio.Queue[Any]):
    """The packets that wait for one client; None: there are no more."""

    def __init__(self) -> None:
        super().__init__()
        self.transport: asyncio.Transport | None = None  #: its websocket's
        self.polled: asyncio.BaseTransport | None = None  #: its last poll's, where kept open
        self.cut = False  #: nothing goes to the client any more
        self._size = 0
        self._by_namespace: Counter[str] = Counter()

    def put_nowait(self, item: Any) -> None:
        if self.cut and item is not None:
            return
        super().put_nowait(item)
        if self.qsize() > MESSAGES or self._size > SIZE:
            self.cut_off("it doesn't read what it is sent")

    def waiting(self, namespace: str) -> int:
        return self._by_namespace[namespace]

    def answered_by(self, request: web.Request) -> None:
        if request.method == "GET":
            self.polled = request.transport if request.keep_alive else None

    def cut_off(self, why: str = "") -> None:
        """End the client's connection, whether it reads or not."""
        if self.cut:
            return
        if why:
            log.warning("a client of live events was cut off", extra={"why": why})
        self.cut = True
        while not self.empty():
            self.get_nowait()
        self.put_nowait(None)
        if self.transport is not None:
            self.transport.abort()

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._size += _size(item)
        self._by_namespace[_namespace(item)] += 1

    def _get(self) -> Any:
        item = super()._get()
        self._size -= _size(item)
        self._by_namespace[_namespace(item)] -= 1
        return item


class Server(socketio.AsyncServer):  # type: ignore[misc]  # it has no types
    """Takes what `packets` lets through."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            async_mode="aiohttp",
            serializer=packets.Checked,
            max_http_buffer_size=LARGEST,
            **options,
        )

    def waiting(self, sid: str, namespace: str) -> int:
        """Messages of the namespace that its connection has not taken yet."""
        outbox = self._outbox(sid, namespace)
        return outbox.waiting(namespace) if outbox is not None else 0

    async def tell(
        self, namespace: str, event: str, content: str, sids: Iterable[str] | None = None
    ) -> None:
        """Send an event with `content`, JSON, written once for all who get it; `sids`: None for all
        in the namespace.
        """
        where = f"{namespace}," if namespace != "/" else ""
        packet = Packet(MESSAGE, f'{EVENT}{where}["{event}",{content}]')
        if sids is None:
            sids = [sid for sid, _ in self.manager.get_participants(namespace, None)]
        for sid in sids:
            line = self.manager.eio_sid_from_sid(sid, namespace)
            if line is not None:
                await self.eio.send_packet(line, packet)

    async def end(self, sid: str, namespace: str) -> None:
        """Disconnect a client; its connection ends, too, if need be without its help."""
        outbox = self._outbox(sid, namespace)
        await self.disconnect(sid, namespace=namespace)
        if outbox is not None:
            asyncio.get_running_loop().call_later(_GOODBYE, outbox.cut_off)

    def _outbox(self, sid: str, namespace: str) -> Outbox | None:
        line = self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, namespace))
        return line.queue if line is not None else None

    def _engineio_server_class(self) -> type:
        return _Lines

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        line = self.eio.sockets.get(eio_sid)
        if line is None or line.closing or line.queue.cut:
            return  # it sent more after its goodbye
        try:
            await super()._handle_eio_message(eio_sid, data)
        except packets.Refused as error:
            line.queue.cut_off(str(error))


class _Lines(engineio.AsyncServer):  # type: ignore[misc]  # it has no types
    """The connections, below Socket.IO."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        ours = {"websocket": _Websocket, "translate_request": _environ}
        self._async: dict[str, Any] = {**driver._async, **ours}  # noqa: SLF001  # its only seam

    def create_queue(self, *_: Any, **__: Any) -> Outbox:
        return Outbox()

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Refuses what the library would stumble over."""
        if request.method == "POST":
            try:
                request[_READ] = await _body(request)
            except TimeoutError:
                return _refusal(408, "the body didn't come")
            except encoding.UNREADABLE:
                return _refusal(400, "the body can't be read")
            except web.HTTPRequestEntityTooLarge:
                return _refusal(413, f"the body has more than {LARGEST} bytes")
        line = self.sockets.get(request.query.get("sid", ""))
        if why := self._why_not(request, line):
            return _refusal(400, why)
        if line is None and self._full():
            why = f"{bounds.LISTENERS} clients listen already; there may be no more"
            return encoding.refusal(503, "too_many", why, headers={"Retry-After": "10"})
        if line is not None and request.method == "POST":
            try:
                packets.check_body(request[_READ])
            except packets.Refused as error:
                line.queue.cut_off(str(error))
        found = None
        if line is None or not line.queue.cut:
            found = await super().handle_request(request)
        if line is not None:
            line.queue.answered_by(request)
            if line.queue.cut:
                await line.close(wait=False, abort=True)
        if line is not None and line.closed and request.method == "POST":
            line.queue.put_nowait(None)  # answers the request that waits for news
        return found if isinstance(found, web.StreamResponse) else _refusal(400, "cut off")

    def _why_not(self, request: web.Request, line: Any) -> str:
        """Empty: it may go on."""
        if "j" in request.query:
            return "there is no JSONP"
        websocket = request.query.get("transport") == "websocket" or "Upgrade" in request.headers
        if websocket and not web.WebSocketResponse().can_prepare(request).ok:
            return "this is no websocket's handshake"
        if line is None:
            nobody = request.query.get("sid") or request.method == "POST"
            return "there is no such client" if nobody else ""
        if line.closed or line.queue.cut:
            return "the client is gone"
        if websocket and line.queue.transport is not None:
            return "the client has a websocket"
        if request.method == "GET" and _repeats(request, line.queue):
            return "the answer to the last poll was cut, and what it held is gone: connect again"
        return ""

    def _full(self) -> bool:
        for line in [line for line in self.sockets.values() if line.closed]:
            self.sockets.pop(line.sid, None)
        return len(self.sockets) >= bounds.LISTENERS


class _Websocket(driver.WebSocket):  # type: ignore[misc]  # it has no types
    """One client's; what it sends is looked at before the library reads it."""

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        self._line = self.handler.__self__  # the library's own socket
        outbox = self._line.queue
        outbox.transport = environ["aiohttp.request"].transport
        try:
            answer: web.WebSocketResponse = await super().__call__(environ)
        finally:
            outbox.transport = None
            self._line.upgrading = False  # where it was tried in vain, it may be tried again
        return answer

    async def wait(self) -> str:
        if self._line.closed:
            raise ConnectionAbortedError
        async with asyncio.timeout(_PROBE if self._line.upgrading else None):
            packet: str | bytes = await super().wait()
        try:
            packets.check(packet, upgrading=self._line.upgrading)
        except packets.Refused as error:
            self._line.queue.cut_off(str(error))
            raise ConnectionAbortedError from error
        return str(packet)

    async def send(self, message: str | bytes) -> None:
        try:
            async with asyncio.timeout(_DEAF):
                await super().send(message)
        except TimeoutError:
            self._line.queue.cut_off("it doesn't read what it is sent")
            raise


def _repeats(request: web.Request, outbox: Outbox) -> bool:
    """Is this a poll after one whose connection broke? Clients keep those open that they can.

    HTTP libraries repeat a GET whose answer was cut; Engine.IO numbers nothing, so only a new
    connection, that subscribes where it was, misses nothing.
    """
    last = outbox.polled
    return last is not None and last is not request.transport and last.is_closing()


async def _body(request: web.Request) -> bytes:
    async with asyncio.timeout(_BODY):
        return await request.clone(client_max_size=LARGEST).read()


def _environ(request: web.Request) -> dict[str, Any]:
    """What the library reads of a request; the body has come by now."""
    body = request.get(_READ, b"")
    read = asyncio.StreamReader()
    read.feed_data(body)
    read.feed_eof()
    found: dict[str, Any] = driver.translate_request(request)
    return found | {"wsgi.input": read, "CONTENT_LENGTH": str(len(body))}


def _refusal(status: int, why: str) -> web.Response:
    return encoding.refusal(status, "invalid_request", why)


def _size(packet: Any) -> int:
    return len(packet.data) if packet is not None and isinstance(packet.data, str) else 0


def _namespace(packet: Any) -> str:
    """Whose message it is, as "2/v1,[...]" says; empty: it is none."""
    text = packet.data if packet is not None and packet.packet_type == MESSAGE else None
    if not isinstance(text, str):
        return ""
    return text[1 : text.find(",")] if text[1:2] == "/" else "/"
