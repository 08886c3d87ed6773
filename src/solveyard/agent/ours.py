"""How much of a machine's work is our own attempts', from the kernel's process table.

What a spawner has waited for, and all that lives below it: orphans come to it, too. Of trees whose
spawner died, the next one notes the first processes.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from solveyard.agent.platform import procfs

NOTED = 65536  #: bytes of a lock file that are read
TICK = 0.5  #: s; CPU time over a shorter span says nothing


class Ours:
    """The cores' worth of work between two looks."""

    def __init__(
        self,
        spawners: Sequence[str],
        table: Optional[Callable[[Set[int], Set[int]], procfs.Times]] = None,
    ) -> None:
        """`spawners`: their lock files: the pid, then those of first processes it adopted.

        `table` is asked for what lives below spawners and adopted ones, and for these.
        """
        self._spawners = spawners
        self._table = table
        if sys.platform == "linux" and table is None:
            self._table = _table
        self._last: Optional[Tuple[float, float]] = None  # moment, CPU seconds until then
        self._cores: Optional[float] = None

    def look(self, now: Optional[float] = None) -> Optional[float]:
        """None: it can't be told, or not yet."""
        if self._table is None:
            return None
        now = time.monotonic() if now is None else now
        if self._last is not None and now - self._last[0] < TICK:
            return self._cores
        spawners, adopted = _pids(self._spawners)
        seconds = _seconds(spawners, adopted, self._table(spawners, adopted))
        if self._last is not None:
            then, before = self._last
            self._cores = round(max(0.0, seconds - before) / (now - then), 2)
        self._last = (now, seconds)
        return self._cores


if sys.platform != "win32":

    def _table(spawners: Set[int], adopted: Set[int]) -> procfs.Times:
        """The whole table, but where nothing runs, which is cheap: a spawner has one thread."""
        if adopted or any(procfs.children(pid) != [] for pid in spawners):
            return procfs.times()
        return procfs.times(spawners)


def _seconds(spawners: Set[int], adopted: Set[int], table: procfs.Times) -> float:
    """It only grows while every process is waited for by its parent or by a spawner."""
    children: Dict[int, List[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found = 0.0
    todo = [pid for pid in spawners | adopted if pid in table]
    for pid in todo:  # grows meanwhile
        _, own, waited = table[pid]
        found += waited if pid in spawners else own + waited
        todo += children.get(pid, ())
    return found


def _pids(locks: Sequence[str]) -> Tuple[Set[int], Set[int]]:
    """Spawners, and what they adopted."""
    spawners: Set[int] = set()
    adopted: Set[int] = set()
    for path in locks:
        words = procfs.read(path, NOTED).split()
        if all(word.isdigit() for word in words) and words[:1] != [b"%d" % os.getpid()]:
            spawners.update(map(int, words[:1]))
            adopted.update(map(int, words[1:]))
    return spawners, adopted - spawners
