"""What Linux and the other Unixes share: signals, statuses, usage."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import Iterable

from solveyard.agent.platform.base import End

assert sys.platform != "win32"

import resource  # noqa: E402  Windows has none


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


def wake_for_children(wakeup: socket.socket) -> None:
    """Write a byte to `wakeup` whenever a child ends; call it in the main thread."""
    signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _wake)


def _wake(signum: int, frame: object) -> None:
    """Having a handler is what makes SIGCHLD reach the wake-up socket."""


def end_of(pid: int, status: int, usage: "resource.struct_rusage") -> End:
    """A child's end from wait4.

    Linux counts into the peak what the child shared with us before its exec; a peak that could
    be ours is told as 0: not known.
    """
    killed = os.WIFSIGNALED(status)
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    peak = usage.ru_maxrss // unit if _beyond_ours(usage.ru_maxrss) else 0
    return End(
        pid,
        code=None if killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if killed else None,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=peak,
    )


_ours = 0  # our own peak when last looked: it only grows


def _beyond_ours(peak: int) -> bool:
    global _ours  # it is the process's
    if peak > _ours:
        _ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak > _ours
