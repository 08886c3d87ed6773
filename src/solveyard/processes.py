"""Commands of the manager's own: how what they started is ended."""

import asyncio
import os
import signal
import sys


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
