"""Programs that run for a manager and are started by a process beside it.

To start one holds the interpreter until it has begun, some milliseconds on a busy machine, and
all that the manager does meanwhile. So where sockets can be handed on, `running` is a process.
"""

import asyncio
import atexit
import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

from solveyard import forks
from solveyard.backends import openfiles, precedence
from solveyard.backends.hosts import running
from solveyard.backends.hosts.running import LIMIT, Told

__all__ = ["LIMIT", "Told", "helped", "talk"]

_LOOK = 0.02  #: s between two looks whether it has ended
_LATE = 15.0  #: s beyond a program's own time for the other process to say what came of it
_CUT = "was cut off: the process that had started it ended"
_AHEAD = 1 << 20  #: bytes that are read before they are asked for
_LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  #: variables that Python itself may need


async def talk(
    argv: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes = b"",
    *,
    timeout: float,  # noqa: ASYNC109  # what is over then is told, not raised
    limit: int = LIMIT,
) -> Told:
    """Run it in a session of its own: a Ctrl-C is not for it. Raises OSError: it didn't start."""
    if sys.platform == "win32":
        return await running.run(argv, environment, stdin, timeout, limit)
    process, connection = _HELPER.connected()
    reader, writer = await asyncio.open_connection(sock=connection, limit=_AHEAD)
    trouble = ""
    try:
        async with asyncio.timeout(timeout + _LATE):
            writer.write(running.question(argv, environment, stdin, timeout, limit))
            await writer.drain()
            return await running.answer(reader)
    except TimeoutError:
        trouble = f"had not ended after {timeout:g} s"
    except (asyncio.IncompleteReadError, ConnectionError):
        trouble = _CUT
    except asyncio.CancelledError:
        if not writer.transport.get_write_buffer_size():  # else it was never started
            await _until_ended(reader, writer)
        raise
    finally:
        writer.transport.abort()
    process.kill()
    await _gone(process, _HELPER.let_go(process))
    return Told(None, b"", b"", trouble)


async def _until_ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The other process ends what nobody asks for any more."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(running.LEAVING):
            writer.write_eof()
            await reader.read()


@contextlib.asynccontextmanager
async def helped() -> AsyncIterator[None]:
    """For whoever needs it for long: with the last of them, the process ends."""
    _HELPER.needed()
    try:
        yield
    finally:
        await _left()


async def _left() -> None:
    """One fewer needs it."""
    if (last := _HELPER.done_with()) is not None:
        await _gone(last.process, last)


class _Connected(NamedTuple):
    process: subprocess.Popen[bytes]
    socket: socket.socket


async def _gone(process: subprocess.Popen[bytes], connected: _Connected | None) -> None:
    """Until it has ended, with what it runs. No thread waits: there may be none any more while the
    interpreter ends.
    """
    if connected is not None:
        connected.socket.close()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + running.LEAVING
    while process.poll() is None:
        if loop.time() > deadline:
            process.kill()
        await asyncio.sleep(_LOOK)


class _Helper:
    """The process, started when it is needed, and again after it ended."""

    def __init__(self) -> None:
        self._started: _Connected | None = None
        self._users = 0
        self._turn = threading.Lock()  # several loops may need it

    def needed(self) -> None:
        with self._turn:
            self._users += 1

    def done_with(self) -> _Connected | None:
        """Whom nobody needs any more, to be ended."""
        with self._turn:
            self._users -= 1
            if self._users:
                return None
            last, self._started = self._started, None
            return last

    def connected(self) -> _Connected:
        """To it, for one program. Raises OSError."""
        with self._turn:
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    process = self._hand_over(theirs)
                except OSError:
                    ours.close()
                    raise
            ours.setblocking(False)
            return _Connected(process, ours)

    def end(self) -> None:
        """With what it runs. Blocking."""
        with self._turn:
            self._end()

    def forked(self) -> None:
        """In a child: the process is its parent's."""
        if self._started is not None:
            self._started.process.returncode = 0  # it isn't the child's to wait for
            self._started.socket.close()
        self._started, self._users = None, 0
        self._turn = threading.Lock()  # a thread that isn't here may have it

    def let_go(self, process: subprocess.Popen[bytes]) -> _Connected | None:
        """It is dead, or does nothing any more: the next program has another one."""
        with self._turn:
            known = self._started
            if known is None or known.process is not process:
                return None
            self._started = None
            return known

    def _hand_over(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        for _ in range(2):
            process, connections = self._started = self._started or _start()
            try:
                if sys.platform != "win32":
                    socket.send_fds(connections, [b"c"], [connection.fileno()])
            except ConnectionError:
                self._end()
            else:
                return process
        raise OSError(errno.EIO, "the process that starts programs ended at once")

    def _end(self) -> None:
        if self._started is None:
            return
        (process, connections), self._started = self._started, None
        connections.close()
        try:
            process.wait(running.LEAVING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start() -> _Connected:
    """It has no environment: what it starts is given one. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            with precedence.without(), openfiles.without():
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", running.__file__],
                    env={name: os.environ[name] for name in _LIBRARIES if name in os.environ},
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except OSError as error:  # it isn't the program that can't be started
            ours.close()
            raise OSError(errno.EIO, f"{sys.executable}: {error.strerror}") from error
    forks.parents(ours.fileno())
    ours.setblocking(False)  # nobody waits for one that doesn't take what it is given
    return _Connected(process, ours)


_HELPER = _Helper()
atexit.register(_HELPER.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HELPER.forked)
