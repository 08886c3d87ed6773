"""Commands of the manager's own: how they are started, and what they started is ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType
from typing import IO

from solveyard.backends import openfiles, precedence
from solveyard.wire.apart import apart


async def start(
    argv: Sequence[str],
    withheld: Container[str],
    more: Mapping[str, str] = MappingProxyType({}),
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    said: IO[bytes],
) -> asyncio.subprocess.Process:
    """In a session of its own, with our environment but what is `withheld` or ours, and `more`.

    `said`: what takes its output and its errors. Raises OSError, ValueError: it can't be started.
    """
    environment = {
        name: text
        for name, text in os.environ.items()
        if name not in withheld and not name.startswith("SOLVEYARD_")
    }
    with precedence.without(), openfiles.without():
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=stdin,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**environment, **more},
            **apart(),
        )


def end_group(process: asyncio.subprocess.Process) -> None:
    """KILL for its whole group, which outlives its first process; it leads one."""
    if sys.platform != "win32":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
    elif process.returncode is None:
        import psutil

        try:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        except psutil.Error:
            pass
        process.kill()
