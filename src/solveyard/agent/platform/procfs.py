"""Linux's /proc, read with as few system calls as it allows."""

from __future__ import annotations

import errno
import os
import sys
from typing import Dict, Iterable, List, Optional, Tuple

from solveyard.agent.platform.base import AGENT, MARK, Row, own_mark

_MARK, _AGENT = (b"\0" + name.encode() + b"=" for name in (MARK, AGENT))
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def read(path: str, size: int = 65536) -> bytes:
    """The file's first bytes; b"" when it can't be read: its process is gone or not ours."""
    try:
        return seen(path, size)
    except OSError:
        return b""


def seen(path: str, size: int = 65536) -> bytes:
    """`read`, which can tell that nobody knows: raises OSError where no file can be opened now."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno in _FULL:
            raise
        return b""
    try:
        return os.read(file, size)
    except OSError:
        return b""
    finally:
        os.close(file)


def row(pid: int) -> Optional[Row]:
    """A process, its start in clock ticks since boot; None: there is none. Raises as `seen` does.

    Source: proc_pid_stat(5).
    """
    data = seen("/proc/{}/stat".format(pid), 4096)
    if not data:
        return None
    # The name, in parentheses, may hold anything, parentheses too.
    fields = data[data.rindex(b")") + 2 :].split()
    return Row(
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start=float(fields[19]),
        # the first of several threads may have ended, and the others go on
        dead=fields[0] in (b"Z", b"X") and int(fields[17]) <= 1,
    )


def table() -> Dict[int, Row]:
    rows = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = row(int(name))
            if found is not None:
                rows[int(name)] = found
    return rows


Times = Dict[int, Tuple[int, float, float]]  #: pid to parent, own and waited-for CPU seconds


if sys.platform != "win32":

    def times(pids: Optional[Iterable[int]] = None) -> Times:
        """Of these processes, or of all. Source: proc_pid_stat(5)."""
        found: Times = {}
        tick = float(os.sysconf("SC_CLK_TCK"))
        if pids is None:
            pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        for pid in pids:
            data = read("/proc/{}/stat".format(pid), 4096)
            if data:
                fields = data[data.rindex(b")") + 2 :].split()
                own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
                found[pid] = (int(fields[1]), own / tick, waited / tick)
        return found


def marks(pids: Iterable[int]) -> Dict[int, str]:
    """Which attempt's mark each process carries in the environment it was started with."""
    found = {}
    for pid in pids:
        environment = b"\0" + environ(pid)
        mark = _value(environment, _MARK)
        if mark and (mark := own_mark(mark, _value(environment, _AGENT))):
            found[pid] = mark
    return found


def is_anothers(pid: int) -> bool:
    """Does it carry another agent's mark?"""
    return _value(b"\0" + environ(pid), _AGENT) not in {None, os.environ.get(AGENT)}


def _value(environment: bytes, name: bytes) -> Optional[str]:
    at = environment.find(name)
    return None if at < 0 else os.fsdecode(environment[at + len(name) :].split(b"\0", 1)[0])


def environ(pid: int) -> bytes:
    """The whole environment: it may be far larger than one read returns. Raises as `seen` does."""
    try:
        with open("/proc/{}/environ".format(pid), "rb") as file:
            return file.read()
    except OSError as error:
        if error.errno in _FULL:
            raise
        return b""


def children(pid: int) -> Optional[List[int]]:
    """The children of a process's main thread, the eldest first; None: this kernel doesn't tell."""
    path = "/proc/{0}/task/{0}/children".format(pid)
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        text = b""
        while True:
            more = os.read(file, 1 << 16)  # a page at most comes at a time
            if not more:
                return [int(child) for child in text.split()]
            text += more
    finally:
        os.close(file)
