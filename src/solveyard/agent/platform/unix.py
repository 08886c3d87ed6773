"""What Linux and the other Unixes share: signals, statuses, usage."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Iterable

from solveyard.agent.platform.base import End

if TYPE_CHECKING:
    import resource

assert sys.platform != "win32"


def number(name: str) -> int:
    """A signal's number by its name without SIG. Raises ValueError."""
    try:
        return signal.Signals["SIG" + name.upper()].value
    except KeyError:
        raise ValueError("no signal is called {!r}".format(name)) from None


def send(pids: Iterable[int], signum: int) -> None:
    """To each that still is there; a negative number means a whole group."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)


def end_of(pid: int, status: int, usage: "resource.struct_rusage") -> End:
    """A child's end from wait4.

    Linux counts into the peak what the child shared with us before its exec: some 20 MiB.
    """
    killed = os.WIFSIGNALED(status)
    peak = usage.ru_maxrss // (1024 if sys.platform != "darwin" else 1024 * 1024)
    return End(
        pid,
        code=None if killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if killed else None,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=peak,
    )
