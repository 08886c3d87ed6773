"""A program on this machine: what it is given, what it says, bounded in time and size."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: Bytes of output that are kept of one command; what writes more is ended.
LIMIT = 64 * 1024 * 1024
_PIECE = 1 << 16
_LEAVING = 5.0  #: s that a killed command may take to be gone


class Told(NamedTuple):
    code: int | None  #: None: it was ended, and nothing of what it wrote is believed
    out: bytes
    err: bytes
    trouble: str = ""  #: why it was ended


async def talk(
    argv: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes = b"",
    *,
    timeout: float,  # noqa: ASYNC109  # what is over then is told, not raised
    limit: int = LIMIT,
) -> Told:
    """Run it in a session of its own: a Ctrl-C is not for it. Raises OSError: it didn't start."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
    )
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
        if process.returncode is None:
            await _kill(process)
        # what it started may hold the pipes, and asyncio has no other way to let go of them
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
    if trouble:
        return Told(None, b"", b"", trouble)
    return Told(process.returncode, bytes(out), bytes(err))


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


async def _kill(process: Process) -> None:
    """With all that it started."""
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LEAVING):
            await process.wait()
