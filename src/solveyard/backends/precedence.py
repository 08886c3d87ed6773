"""The manager's loop goes first where the system lets it: all wait for it, and it needs little.

On Linux a nice value is a thread's, and whatever the thread starts inherits it; so programs are
started `without` it. Source: setpriority(2), sched(7), and RLIMIT_NICE in getrlimit(2).
"""

import contextlib
import os
import sys
from collections.abc import Iterator

NICE = -10

_holders = 0  #: threads of this process that hold it


@contextlib.contextmanager
def held() -> Iterator[bool]:
    """By the calling thread, and by those that it begins meanwhile.

    False: it takes root, CAP_SYS_NICE or RLIMIT_NICE; or somebody has chosen a value already.
    """
    global _holders  # it is the process's
    if sys.platform != "linux" or os.getpriority(os.PRIO_PROCESS, 0) != 0 or not _set(NICE):
        yield False
        return
    _holders += 1
    try:
        yield True
    finally:
        _holders -= 1
        _set(0)


@contextlib.contextmanager
def without() -> Iterator[None]:
    """What the calling thread starts has an ordinary place."""
    if sys.platform == "win32" or not _holders or os.getpriority(os.PRIO_PROCESS, 0) != NICE:
        yield
        return
    _set(0)
    try:
        yield
    finally:
        _set(NICE)


def _set(nice: int) -> bool:
    try:
        if sys.platform != "win32":
            os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError:
        return False
    return True
