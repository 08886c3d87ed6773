"""What a spawner has to say leaves at once, unless it is busy."""

import selectors
import socket
from collections.abc import Callable, Iterator

import pytest

from solveyard.agent import connection as module
from solveyard.agent.connection import Connection, Owner
from solveyard.agent.loop import Loop, Timer
from solveyard.wire.frames import Decoder, Message, encode


class _Loop(Loop):
    """Time stands still until somebody says otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[tuple[float, Timer]] = []
        self.ready: Callable[[], None] = lambda: None

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        self.due.append((delay, timer))
        return timer

    def watch(self, file: int, events: int, call: Callable[[], None]) -> None:
        assert events & selectors.EVENT_READ
        self.ready = call

    def unwatch(self, file: int) -> None: ...


class _Spawner(Owner):
    busy = False

    def hello(self) -> Message:
        return {"t": "hello"}

    def joined(self) -> None: ...

    def away(self, seconds: float) -> None: ...


class Stage:
    """A connection that was welcomed, and the other end of it."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self.loop, self.owner = _Loop(), _Spawner()
        self.connection = Connection(self.loop, "unix:/nowhere", self.owner)
        self._theirs, self._decoder = theirs, Decoder()
        self.connection.dial()
        theirs.sendall(encode([{"t": "welcome"}]))
        self.loop.ready()
        assert self.heard() == ["hello"]
        self.loop.due.clear()

    def heard(self) -> list[str]:
        self._theirs.setblocking(False)
        try:
            return [message["t"] for message in self._decoder.feed(self._theirs.recv(65536))]
        except BlockingIOError:
            return []

    def turn_ends(self) -> None:
        for call in self.loop.at_turn_end:
            call()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(module, "_dial_unix", lambda path: ours)
    with ours, theirs:
        stage = Stage(ours, theirs)
        yield stage
        stage.loop.close()


def test_a_busy_one_collects_what_it_says(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COALESCE", 1e6)
    stage.connection.send({"t": "ended"})
    stage.turn_ends()
    assert stage.heard() == ["ended"]
    stage.owner.busy = True
    stage.connection.send({"t": "ended"})
    stage.turn_ends()
    assert stage.heard() == []
    (_, timer) = stage.loop.due[-1]
    assert timer.call is not None
    timer.call()
    assert stage.heard() == ["ended"]
