"""This machine as a host: runs a batch system's client commands, each bounded in time and size."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

from solveyard.backends.dialects.base import Answer, Call

#: Bytes of output that are kept of one command; what writes more is ended.
LIMIT = 64 * 1024 * 1024
_PIECE = 1 << 16
_LEAVING = 5.0  #: s that a killed command may take to be gone
_NOT_FOUND = 127  #: a shell's word for it, too


class LocalHost:
    """Commands run in sessions of their own: a Ctrl-C is not theirs."""

    def __init__(self, environment: Mapping[str, str], limit: int = LIMIT) -> None:
        self._environment = {**environment, "LC_ALL": "C"}
        self._limit = limit
        self.commands = 0  #: that were issued

    async def run(self, call: Call) -> Answer:
        """Until it ends, its time is over, or it has written too much; then nothing is believed."""
        self.commands += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *call.argv, stdin=PIPE, stdout=PIPE, stderr=PIPE,
                env=self._environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            code = _NOT_FOUND if isinstance(error, FileNotFoundError) else None
            return Answer(code, "", f"cannot start {call.argv[0]}: {error.strerror}")
        return await self._talk(process, call)

    async def _talk(self, process: Process, call: Call) -> Answer:
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018
        assert process.stderr is not None
        out, err = bytearray(), bytearray()
        trouble = ""
        try:
            async with asyncio.timeout(call.timeout), asyncio.TaskGroup() as tasks:
                tasks.create_task(_write(process.stdin, call.stdin.encode()))
                tasks.create_task(_read(process.stdout, out, self._limit))
                tasks.create_task(_read(process.stderr, err, self._limit))
                tasks.create_task(process.wait())
        except* TimeoutError:
            trouble = f"{call.argv[0]} had not ended after {call.timeout:g} s"
        except* _TooMuch:
            trouble = f"{call.argv[0]} wrote more than {self._limit} bytes"
        finally:
            if process.returncode is None:
                await _kill(process)
            # what it started may hold the pipes, and asyncio has no other way to let go of them
            process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
        if trouble:
            return Answer(None, "", trouble)
        return Answer(process.returncode, _text(out), _text(err))


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


def _text(content: bytearray) -> str:
    return content.decode("utf-8", "replace")
