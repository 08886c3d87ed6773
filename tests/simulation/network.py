"""Connections between agents and the manager: bytes in order, late, cut anywhere."""

import asyncio
import itertools
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from simulation.loops import AgentLoop
from simulation.world import World

if TYPE_CHECKING:
    from simulation.service import Life


class Channel:
    """One direction. What was sent arrives in order, in pieces of any size, until it is cut."""

    def __init__(self, world: World, name: str, deliver: Callable[[bytes], None]) -> None:
        self._world = world
        self._name = name
        self._deliver = deliver
        self._last = world.now
        self._left: int | None = None  #: pieces that still arrive; None: all
        self._ended = False

    def send(self, data: bytes) -> None:
        if self._ended:
            return
        pieces = [data]
        if len(data) > 1 and self._world.chance(0.1):
            at = self._world.random.randrange(1, len(data))
            pieces = [data[:at], data[at:]]
        for piece in pieces:
            self._schedule(self._world.delay(), piece)

    def end(self, delay: float = 0.0) -> None:
        """Nothing more will be sent; the other side learns of it after what is on its way."""
        if not self._ended:
            self._ended = True
            self._schedule(delay, b"")

    def cut(self, delay: float) -> None:
        """What is on its way is lost from some point on; the end is noticed later."""
        if not self._ended:
            self._left = self._world.random.randrange(0, 3)
            self.end(delay)

    def _schedule(self, delay: float, piece: bytes) -> None:
        self._last = max(self._last, self._world.now + delay)
        self._world.at(self._last - self._world.now, self._arrive, piece)

    def _arrive(self, piece: bytes) -> None:
        if piece and self._left is not None:
            if self._left == 0:
                return
            self._left -= 1
        self._world.boundary(self._name, piece)
        self._deliver(piece)


class AgentSocket:
    """The agent's end, as a non-blocking socket."""

    _files = itertools.count(1000)

    def __init__(self, loop: AgentLoop) -> None:
        self.loop = loop
        self.connection: Connection | None = None
        self._file = next(self._files)
        self._buffer = b""
        self._ended = False
        self._closed = False

    def setblocking(self, flag: bool) -> None:
        pass

    def fileno(self) -> int:
        return self._file

    def take(self, data: bytes) -> None:
        if self._closed or self.loop.dead:
            return
        self._buffer += data
        self._ended = self._ended or not data
        self.loop.ready(self._file)

    def recv(self, size: int) -> bytes:
        if not self._buffer and not self._ended:
            raise BlockingIOError
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        if self._buffer or self._ended:
            self.loop.ready(self._file)
        return data

    def send(self, data: bytes) -> int:
        assert self.connection is not None
        if self._ended:
            raise BrokenPipeError("the manager is gone")
        taken = len(data)
        if taken > 1 and self.loop.world.chance(0.05):
            taken = self.loop.world.random.randrange(taken)
        if taken:
            self.connection.to_manager.send(data[:taken])
        return taken

    def close(self) -> None:
        self._closed = True
        if self.connection is not None:
            self.connection.to_manager.end()


class _Transport:
    def __init__(self, writer: "ManagerWriter") -> None:
        self._writer = writer

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self._writer.close()


class ManagerWriter:
    """The manager's end, as much of a StreamWriter as it uses."""

    family = socket.AF_INET  # so that the token counts

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self.transport = _Transport(self)

    def get_extra_info(self, name: str) -> "ManagerWriter":
        return self

    def write(self, data: bytes) -> None:
        if not self._connection.life.dead:
            self._connection.to_agent.send(data)

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self._connection.to_agent.end()
        self._connection.to_manager.end()


class Connection:
    """Between one life of the manager and one process of an agent."""

    def __init__(self, world: World, life: "Life", end: AgentSocket) -> None:
        self.life = life
        self.reader = asyncio.StreamReader(loop=life.loop, limit=1 << 24)
        self.to_manager = Channel(world, f"{end.loop.name}>", self._hear)
        self.to_agent = Channel(world, f"{end.loop.name}<", end.take)
        self.writer = ManagerWriter(self)
        self._world = world
        end.connection = self
        life.serve(self)

    def cut(self) -> None:
        """Neither side knows; each notices in its own time."""
        self.to_manager.cut(self._world.random.choice([0.0, 0.3, 12.0, 35.0]))
        self.to_agent.cut(self._world.random.choice([0.0, 0.3, 12.0, 35.0]))

    def _hear(self, data: bytes) -> None:
        if self.life.dead or self.reader.at_eof() or self.reader._eof:
            return
        if data:
            self.reader.feed_data(data)
        else:
            self.reader.feed_eof()
