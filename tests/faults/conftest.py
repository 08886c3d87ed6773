"""A stand-in for the manager, and real agents that it talks to."""

import contextlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from solveyard.wire.frames import Decoder, Message, encode

PATIENCE = 60  # s after which a test says that something never came


class Peer:
    """One connection from an agent's process."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.decoder = Decoder()
        self.hello: Message = {}
        self.open = True


class StandIn:
    """Speaks frames as a manager does; keeps all that it is told, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "manager.sock"
        self.told: list[Message] = []
        self.peers: list[Peer] = []
        self.refusing = False
        self.forgetting = False
        self.listening: socket.socket | None = None
        self.listen()

    @property
    def address(self) -> str:
        return f"unix:{self.path}"

    def listen(self) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self.path))
        self.listening.listen(64)

    def vanish(self) -> None:
        """Cut every connection and answer no dial."""
        if self.listening is not None:
            self.listening.close()
            self.listening = None
            self.path.unlink()
        self.cut()

    def cut(self) -> None:
        for peer in self.peers:
            peer.link.close()
            peer.open = False
        self.peers = []

    def spawner(self, index: int = 0) -> Peer:
        """The newest connection of a spawner; waits for it."""
        return self._peer(lambda hello: hello["role"] == "spawner" and hello["index"] == index)

    def supervisor(self) -> Peer:
        return self._peer(lambda hello: hello["role"] == "agent")

    def _peer(self, fits: Callable[[Message], bool]) -> Peer:
        def fitting() -> list[Peer]:
            return [peer for peer in self.peers if peer.open and peer.hello and fits(peer.hello)]

        self.until(lambda: bool(fitting()), "a connection")
        return fitting()[-1]

    def say(self, *messages: Message, index: int = 0) -> None:
        self.spawner(index).link.sendall(encode(messages))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Listen until `condition` holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            left = end - time.monotonic()
            assert left > 0, f"never came: {what}; told: {self.told[-5:]}\n{self.log()}"
            self._listen(min(left, 0.1))

    def log(self) -> str:
        path = self.folder / "state" / "agent.log"
        return path.read_text()[-3000:] if path.exists() else "no log"

    def ends(self, attempt: str) -> list[Message]:
        return [m for m in self.told if m["t"] == "ended" and m["attempt"] == attempt]

    def end(self, attempt: str) -> Message:
        """The attempt's end; waits for it."""
        self.until(lambda: bool(self.ends(attempt)), f"the end of {attempt}")
        return self.ends(attempt)[0]

    def heard(self, kind: str, attempt: str) -> Message:
        """The first message of that kind about the attempt; waits for it."""

        def found() -> list[Message]:
            return [m for m in self.told if m["t"] == kind and m.get("attempt") == attempt]

        self.until(lambda: bool(found()), f"{kind} {attempt}")
        return found()[0]

    def started(self, attempt: str) -> int:
        return int(self.heard("started", attempt)["pid"])

    def settled(self, index: int = 0) -> None:
        """All that was said before has been taken in."""
        n = len(self.told)
        self.say({"t": "ping", "n": n}, index=index)
        pong = {"t": "pong", "n": n}
        self.until(lambda: pong in self.told, "a pong")

    def _listen(self, timeout: float) -> None:
        with selectors.DefaultSelector() as selector:
            if self.listening is not None:
                selector.register(self.listening, selectors.EVENT_READ, None)
            for peer in self.peers:
                if peer.open:
                    selector.register(peer.link, selectors.EVENT_READ, peer)
            for key, _ in selector.select(timeout):
                if key.data is not None:
                    self._read(key.data)
                elif self.listening is not None:
                    self.peers.append(Peer(self.listening.accept()[0]))

    def _read(self, peer: Peer) -> None:
        try:
            data = peer.link.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            peer.open = False
            peer.link.close()
            self.peers.remove(peer)
            return
        for message in peer.decoder.feed(data):
            if message["t"] == "hello":
                answer = {"t": "welcome", "protocol": 1, "store": "s"}
                if self.refusing:
                    answer = {"t": "refused", "why": "another machine of this name"}
                peer.link.sendall(encode([answer]))
                peer.hello = message
            elif message["t"] == "ended" and self.forgetting:
                self.told.append(message)
                peer.link.sendall(encode([{"t": "forget", "attempts": [message["attempt"]]}]))
            else:
                self.told.append(message)


class Stage:
    """A folder, a stand-in manager and the agents of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        self.state = folder / "state"
        self.manager = StandIn(folder)
        self.processes: list[subprocess.Popen[bytes]] = []

    def agent(
        self, role: str, *arguments: str, python: str = sys.executable, **env: str
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                *(python, "-m", "solveyard.agent", role, "--state", str(self.state)),
                *("--address", self.manager.address, "--machine", "here", *arguments),
            ],
            env={**os.environ, **env},
        )
        self.processes.append(process)
        return process

    def spawner(
        self, platform: str = "auto", index: int = 0, linger: float = 600, **more: str
    ) -> subprocess.Popen[bytes]:
        arguments = ("--index", str(index), "--platform", platform, "--linger", str(linger))
        return self.agent("spawner", *arguments, **more)

    def launch(self, attempt: str, *argv: str, **fields: Any) -> Message:
        """A launch of `argv` in the stage's folder."""
        return {
            "t": "launch",
            "attempt": attempt,
            "argv": list(argv),
            "env": {},
            "cwd": str(self.work),
            "mkdir": False,
            "stdout": str(self.work / f"{attempt}.out"),
            "stderr": str(self.work / f"{attempt}.err"),
            "files": {},
            "outputs": [],
            "limit": None,
            "warning": None,
            "warning_signal": "USR1",
            "grace": 5.0,
            "after": None,
            "brief": False,
            **fields,
        }

    def python(self, attempt: str, program: str, **fields: Any) -> Message:
        return self.launch(attempt, sys.executable, "-S", "-c", program, **fields)

    def run(self, attempt: str, *argv: str, **fields: Any) -> Message:
        """Launch, and wait for the end."""
        self.manager.say(self.launch(attempt, *argv, **fields))
        return self.manager.end(attempt)

    def output(self, attempt: str) -> str:
        return (self.work / f"{attempt}.out").read_text()

    def close(self) -> None:
        self.manager.vanish()
        for process in self.processes:
            process.kill()
            process.wait()
        for pid in _processes_below(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes_below(folder: Path) -> list[int]:
    """What a test left: processes that name its folder, or are in it."""
    mark = str(folder).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if mark in words + os.fsencode((entry / "cwd").readlink()):
                    found.append(int(entry.name))
    return found


@pytest.fixture
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="sy-"))  # short: a Unix socket's path is
    made = Stage(folder)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["auto", "portable"])
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)
