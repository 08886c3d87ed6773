"""A program on this machine: what it is given, what it says, bounded in time and size.

It is also a process of its own, of a manager that shall not wait for what starting a program
takes: run as a file, it takes connections from its standard input, each for one program, and
answers there. It ends when that ends. Standard library alone, and nothing else of ours.
"""

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

#: Bytes of output that are kept of one command; what writes more is ended.
LIMIT = 64 * 1024 * 1024
LEAVING = 5.0  #: s that a killed command may take to be gone
_PIECE = 1 << 16
#: Of a message: bytes of its head, which is JSON, and of two contents.
_SIZES = struct.Struct(">3Q")


class Told(NamedTuple):
    code: int | None  #: None: it was ended, and nothing of what it wrote is believed
    out: bytes
    err: bytes
    trouble: str = ""  #: why it was ended


async def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes,
    timeout: float,  # noqa: ASYNC109  # what is over then is told, not raised
    limit: int,
) -> Told:
    """Run it in a session of its own: a Ctrl-C is not for it. Raises OSError: it didn't start."""
    process = await _started(argv, environment)
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    assert process.stderr is not None
    out, err = bytearray(), bytearray()
    trouble = ""
    try:
        async with asyncio.timeout(timeout), asyncio.TaskGroup() as tasks:
            tasks.create_task(_write(process.stdin, stdin))
            tasks.create_task(_read(process.stdout, out, limit))
            tasks.create_task(_read(process.stderr, err, limit))
            tasks.create_task(process.wait())
    except* TimeoutError:
        trouble = f"had not ended after {timeout:g} s"
    except* _TooMuch:
        trouble = f"wrote more than {limit} bytes"
    finally:
        await _leave(process)
    if trouble:
        return Told(None, b"", b"", trouble)
    return Told(process.returncode, bytes(out), bytes(err))


async def _started(argv: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Who is cancelled while it starts has ended it with all that it had started by then."""
    starting = asyncio.get_running_loop().create_task(
        asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _leave(await starting)
        raise


class _TooMuch(Exception):
    """More output than is wanted."""


async def _write(stream: asyncio.StreamWriter, content: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it needn't read
        stream.write(content)
        await stream.drain()
        stream.close()


async def _read(stream: asyncio.StreamReader, into: bytearray, limit: int) -> None:
    while piece := await stream.read(_PIECE):
        if len(into) + len(piece) > limit:
            raise _TooMuch
        into += piece


async def _leave(process: Process) -> None:
    if process.returncode is None:
        await _kill(process)
    # what it started may hold the pipes, and asyncio has no other way to let go of them
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


async def _kill(process: Process) -> None:
    """With all that it started."""
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEAVING):
            await process.wait()


# What goes over a connection: a message to run a program, and one that tells what came of it


def question(
    argv: Sequence[str], environment: Mapping[str, str], stdin: bytes, timeout: float, limit: int
) -> bytes:
    head = {
        "argv": [_bytes_of(word) for word in argv],
        "environment": {_bytes_of(name): _bytes_of(env) for name, env in environment.items()},
        "timeout": timeout,
        "limit": limit,
    }
    return _message(head, stdin)


async def answer(reader: asyncio.StreamReader) -> Told:
    """Raises OSError: the program didn't start. IncompleteReadError: nobody knows."""
    head, out, err = await _next(reader)
    if "errno" in head:
        raise OSError(head["errno"], head["words"])
    return Told(head["code"], out, err, head["trouble"])


def _message(head: Mapping[str, Any], first: bytes = b"", second: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return b"".join((_SIZES.pack(len(text), len(first), len(second)), text, first, second))


async def _next(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes, bytes]:
    sizes = _SIZES.unpack(await reader.readexactly(_SIZES.size))
    head, first, second = [await reader.readexactly(size) for size in sizes]
    return json.loads(head), first, second


def _bytes_of(text: str) -> str:
    """As the system is given it: the other process may have another encoding for names."""
    return os.fsencode(text).decode("latin-1")


def _here(told: str) -> str:
    return os.fsdecode(told.encode("latin-1"))


# The process that runs them


def main() -> None:
    """It is ended by the end of its standard input alone."""
    if sys.platform == "win32":
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _heed_not)  # to ignore it would ignore it in what is started
    with socket.socket(fileno=os.dup(0)) as connections:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        if sys.version_info < (3, 12) and _pidfds():  # else it is a thread for each program
            asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
        asyncio.run(_serve(connections))


def _pidfds() -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def _heed_not(*_: object) -> None:
    return


async def _serve(connections: socket.socket) -> None:
    """Until nobody can send any more. Who went away ended what it had asked for."""
    over = asyncio.Event()

    def take() -> None:
        if sys.platform == "win32":
            return
        try:
            _, files, _, _ = socket.recv_fds(connections, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            files = []
        if files:
            tasks.create_task(_one(socket.socket(fileno=files[0])))
        else:
            over.set()

    connections.setblocking(False)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        loop.add_reader(connections, take)
        await over.wait()
        loop.remove_reader(connections)


async def _one(connection: socket.socket) -> None:
    """Run what is asked for, unless whoever asks goes away."""
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        head, stdin, _ = await _next(reader)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(_said(head, stdin))
            gone = tasks.create_task(reader.read(1))
            gone.add_done_callback(lambda _: running.cancel())
            with contextlib.suppress(asyncio.CancelledError):
                writer.write(await running)
            gone.cancel()
        await writer.drain()
    except Exception:  # whoever asked is told nothing, and believes nothing
        pass
    finally:
        writer.close()


async def _said(head: Mapping[str, Any], stdin: bytes) -> bytes:
    argv = [_here(word) for word in head["argv"]]
    environment = {_here(name): _here(value) for name, value in head["environment"].items()}
    try:
        told = await run(argv, environment, stdin, head["timeout"], head["limit"])
    except OSError as error:
        return _message({"errno": error.errno, "words": error.strerror})
    except ValueError as error:  # an argument that no program can be given
        return _message({"errno": errno.EINVAL, "words": str(error)})
    return _message({"code": told.code, "trouble": told.trouble}, told.out, told.err)


if __name__ == "__main__":
    main()
