"""Linux gives us the orphans of our commands: a short list in which nobody of a tree can hide.

Source: PR_SET_CHILD_SUBREAPER in prctl(2), /proc/PID/task/TID/children in proc(5).
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from typing import Iterator, List, Set

from solveyard.agent.platform import procfs
from solveyard.agent.platform.base import End, Tree

if sys.platform != "win32":
    from solveyard.agent.platform.unix import end_of, send

assert sys.platform != "win32"

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 100  # in one look, against what forks faster than we read
_MOST = 10_000  # processes that are looked at below one orphan: likewise
_CHASE = 0.03  # s that one pursuit may take
_PAUSE = 0.0005  # s for what was killed to die and leave us its children
_log = logging.getLogger(__name__)


class Adoption:
    """The children of this process that it did not start: orphans of its commands.

    They, and all commands, are children of the main thread; no other may use this.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.works: bool = libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        self.commands: Set[int] = set()  #: children that we started and that nobody waited for
        self._nobody = False  # no child was left, and none was started since
        self.restless = False  #: the last look was given up: somebody forks faster than we read
        self._ended: List[End] = []
        if not self.works:
            _log.warning("orphans can't be adopted: %s", os.strerror(ctypes.get_errno()))

    def started(self, pid: int) -> None:
        """A command, a child of ours."""
        self.commands.add(pid)
        self._nobody = False

    def none_left(self) -> None:
        """A wait found no child at all."""
        self._nobody = True

    def childless(self) -> bool:
        """No child at all: then nobody of a tree is left whose first process was waited for."""
        if self._nobody:
            self.restless = False
            return self.works
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            self.restless = False
            return self.works
        return False

    def orphans(self, tree: Tree, *, alone: bool) -> Iterator[int]:
        """The living orphans that are of the tree, and theirs, the newest first; `alone`: all are.

        Who dies under the look leaves its children to us before it is seen dead; so when no
        child is new, nobody was missed: each process of the tree descends from an orphan, once
        the first is dead.
        """
        seen = set(self.commands)
        fresh: List[int] = []
        self.restless = False
        for _ in range(_ROUNDS):
            self._bury()  # a short list is a fast one
            fresh = [pid for pid in reversed(_children()) if pid not in seen]
            if not fresh:
                return
            seen.update(fresh)
            for pid in fresh:
                yield from _strays(pid, tree, alone=alone)
        self.restless = True
        if alone:
            yield from fresh

    def pursue(self, tree: Tree, *, alone: bool) -> None:
        """KILL orphans of the tree, and those that their deaths bring; gives up after a while.

        What has got a KILL can't fork any more, so it is enough to be faster once.
        """
        until = time.monotonic() + _CHASE
        found = True
        while found and time.monotonic() < until:
            found = False
            for pid in self.orphans(tree, alone=alone):
                send([pid], signal.SIGKILL)
                found = True
            if found:
                time.sleep(_PAUSE)

    def reap(self) -> List[End]:
        """The orphans that have ended since the last call; commands are left to their waiters."""
        self._bury()
        return self.take()

    def take(self) -> List[End]:
        """Those of them that a look came upon."""
        ends, self._ended = self._ended, []
        return ends

    def _bury(self) -> None:
        for pid in set(_children()) - self.commands:
            try:
                ended, status, usage = os.wait4(pid, os.WNOHANG)
            except ChildProcessError:
                continue
            if ended:
                self._ended.append(end_of(ended, status, usage))


def _children() -> List[int]:
    us = os.getpid()
    found = procfs.children(us)
    if found is None:
        found = [pid for pid, row in procfs.table().items() if row.parent == us]
    return found


def _strays(first: int, tree: Tree, *, alone: bool) -> Iterator[int]:
    """Who is of the tree, from `first` downwards; each is told before its children are read.

    What takes its time to die has children meanwhile that are not ours yet.
    """
    todo = [(first, alone)]
    for _ in range(_MOST):
        if not todo:
            return
        pid, ours = todo.pop()
        row = procfs.row(pid)
        if row is None or row.dead:
            continue
        ours = ours or row.session == tree.pid or procfs.marks([pid]).get(pid) == tree.attempt
        if ours:
            yield pid
        todo += [(child, ours) for child in procfs.children(pid) or ()]
