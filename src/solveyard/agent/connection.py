"""The connection to the manager: dialled again and again, never blocking, never growing."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from typing import Dict, List, Optional, Tuple

from solveyard.agent.loop import Loop, Timer
from solveyard.wire.frames import Decoder, Message, WireError, body_of, encode, pack

PROTOCOL = 1
FIRST_WAIT, LONGEST_WAIT, REFUSED_WAIT = 0.05, 1.0, 5.0  #: s between two dials
COALESCE = 0.010  #: s; while there is much to do, what is sent within it is sent together
ROOM = 4 * 1024 * 1024  #: bytes that may wait for a slow manager
_READ = 64 * 1024  #: bytes; larger ones are mapped anew for each read
_log = logging.getLogger(__name__)


class Owner:
    """Who a connection belongs to: a spawner or a supervisor."""

    def hello(self) -> Message:
        """The first message of every connection."""
        raise NotImplementedError

    def receive(self, message: Message) -> None:
        """A message after the welcome."""
        raise NotImplementedError

    def joined(self) -> None:
        """The manager welcomed us."""
        raise NotImplementedError

    def behind(self) -> None:
        """The manager was slow, messages were dropped, and now there is room again."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """There is so much to do that what is to be said may wait a little."""
        return False

    def away(self, seconds: float) -> None:
        """There has been no manager for so long; told again at every dial."""
        raise NotImplementedError


class Connection:
    """To the manager at `address`: "unix:PATH" or "tcp:HOST:PORT".

    "file:PATH" names a file that holds one of those, read anew at each dial: the next manager
    may listen elsewhere.
    """

    def __init__(self, loop: Loop, address: str, owner: Owner) -> None:
        self.welcomed = False
        self._loop = loop
        self._address = address
        self._owner = owner
        self._socket: Optional[socket.socket] = None
        self._decoder = Decoder()
        self._queue: List[Tuple[Message, str]] = []  # with its text
        self._buffer = b""
        self._full = False  # the socket takes no more for now
        self._dropped = False
        self._wait = FIRST_WAIT
        self._away_since = time.monotonic()
        self._sent_at = 0.0
        self._timer: Optional[Timer] = None
        loop.at_turn_end.append(self.flush)

    def send(self, message: Message, text: str = "") -> None:
        """Queue it; nothing is kept while there is no manager: it asks for what it missed.

        `text`: the same as JSON, where that has been made.
        """
        if not self.welcomed:
            return
        if len(self._buffer) > ROOM:
            self._dropped = True
        else:
            self._queue.append((message, text))

    @property
    def idle(self) -> bool:
        """Nothing waits to be sent."""
        return not self._queue and not self._buffer

    def flush(self) -> None:
        """Send what has accumulated; a busy one that has just done so, a little later."""
        if not self._queue:
            return
        wait = 0.0
        if self._owner.busy:
            wait = self._sent_at + COALESCE - time.monotonic()
        if wait <= 0.0:
            self._flush_now()
        elif self._timer is None:
            self._timer = self._loop.later(wait, self._flush_now)

    def dial(self) -> None:
        """Connect; tried again by itself until it succeeds."""
        self._owner.away(time.monotonic() - self._away_since)
        kind, _, where = _current(self._address).partition(":")
        if kind == "unix":
            self._connected(_dial_unix(where))
        elif kind != "tcp":
            self._connected(None)
        else:  # names may take long to resolve, and connections to be refused
            threading.Thread(target=self._dial_tcp, args=(where,), daemon=True).start()

    def close(self) -> None:
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _dial_tcp(self, where: str) -> None:
        host, _, port = where.rpartition(":")
        try:
            link: Optional[socket.socket] = socket.create_connection(
                (host.strip("[]"), int(port)), timeout=10
            )
        except OSError:
            link = None
        if link is not None:
            _keep_alive(link)
        self._loop.post(lambda: self._connected(link))

    def _connected(self, link: Optional[socket.socket]) -> None:
        if link is None:
            self._again(self._wait)
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            return
        link.setblocking(False)
        self._socket = link
        self._decoder = Decoder()
        self._full = False
        self._buffer = encode([self._owner.hello()])
        self._loop.watch(link.fileno(), selectors.EVENT_READ, self._ready)
        self._push()

    def _again(self, wait: float) -> None:
        self._loop.later(wait, self.dial)

    def _lost(self, why: str, wait: float = FIRST_WAIT) -> None:
        _log.info("connection to the manager is gone: %s", why)
        self.close()
        if self.welcomed:
            self._away_since = time.monotonic()
            self._wait = FIRST_WAIT
        else:  # it let us in and out again: don't hurry
            wait = max(wait, self._wait)
            self._wait = min(2 * self._wait, LONGEST_WAIT)
        self.welcomed = False
        self._queue.clear()
        self._buffer = b""
        self._dropped = False
        self._again(wait)

    def _ready(self) -> None:
        if self._buffer:
            self._push()
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(str(error))
            return
        if not data:
            self._lost("closed by the manager")
            return
        try:
            messages = self._decoder.feed(data)
        except WireError as error:
            self._lost(str(error))
            return
        for message in messages:
            if self._socket is None:
                return
            self._take(message)

    def _take(self, message: Message) -> None:
        if self.welcomed:
            self._owner.receive(message)
        elif message["t"] == "welcome":
            self.welcomed = True
            self._wait = FIRST_WAIT
            self._owner.joined()
        elif message["t"] == "refused":
            self._lost("refused: {!s:.200}".format(message.get("why", "")), REFUSED_WAIT)
        else:
            self._lost("its first message is a {!r:.50}, not a welcome".format(message["t"]))

    def _flush_now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is None or not self._queue:
            return
        self._sent_at = time.monotonic()
        waiting = bool(self._buffer)
        self._buffer += _encode_each(self._queue)
        self._queue.clear()
        if not waiting:
            self._push()

    def _push(self) -> None:
        link = self._socket
        if link is None:
            return
        try:
            sent = link.send(self._buffer)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(str(error))
            return
        self._buffer = self._buffer[sent:]
        if bool(self._buffer) != self._full:
            self._full = not self._full
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._full else 0)
            self._loop.watch(link.fileno(), events, self._ready)
        if not self._buffer and self._dropped:
            self._dropped = False
            self._owner.behind()


def _encode_each(queue: List[Tuple[Message, str]]) -> bytes:
    """Frames of what is queued, without those that are too large for anybody to receive."""
    bodies = [text.encode("ascii") if text else body_of(message) for message, text in queue]
    try:
        return pack(bodies)
    except WireError:
        frames = []
        for index, one in enumerate(bodies):
            try:
                frames.append(pack([one]))
            except WireError as error:
                _log.error("a %s could not be sent: %s", queue[index][0]["t"], error)
        return b"".join(frames)


def _current(address: str) -> str:
    """Where the manager is now; empty: that can't be read."""
    kind, _, path = address.partition(":")
    if kind != "file":
        return address
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _dial_unix(path: str) -> Optional[socket.socket]:
    family: Optional[int] = getattr(socket, "AF_UNIX", None)
    if family is None:
        _log.error("this platform has no Unix sockets")
        return None
    link = socket.socket(family, socket.SOCK_STREAM)
    try:
        link.setblocking(False)  # where there is no room to wait for the manager, fail
        link.connect(path)
    except OSError:
        link.close()
        return None
    return link


def _keep_alive(link: socket.socket) -> None:
    """Notice within about half a minute that the other machine is gone."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    options: Dict[str, int] = {
        "TCP_KEEPIDLE": 15,
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 30_000,
    }
    for name, value in options.items():
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
