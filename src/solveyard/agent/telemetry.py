"""What a machine has and how busy it is; in a container, what the container may use."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from typing import Dict, FrozenSet, Iterable, Optional, Tuple

from solveyard.agent.limits import MIB, Machine, line, text
from solveyard.wire.frames import Message

PATIENCE = 0.2  #: s for the first answer of the folder's file system
TICK = 0.5  #: s; CPU time over a shorter span says nothing


class Telemetry:
    """Samples of this machine; never waits for a file system."""

    def __init__(self, folder: str) -> None:
        """`folder`: whose file system is watched."""
        self._machine = Machine()
        self.cores = self._machine.cores  #: this process may use, at least 1
        self.memory = (self._machine.memory or _memory()[0]) // MIB  #: MiB
        self.processors = sorted(self._machine.processors)
        self._busy = (time.monotonic(), self._cpu_seconds())
        self._cpu = 0.0
        self._disk = (0, 0)
        self._folder = folder
        self._asked = threading.Event()
        self._answered = threading.Event()
        threading.Thread(target=self._watch_disk, daemon=True).start()
        self._asked.set()
        self._answered.wait(PATIENCE)

    @property
    def disk(self) -> int:
        """MiB in all; 0: the file system hasn't answered yet."""
        return self._disk[1] // MIB

    def sample(self) -> Message:
        self._asked.set()
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        disk_free, disk_total = self._disk
        return {
            "t": "sample",
            "at": time.time(),
            "cpu": self._cpu_percent(),
            "load": load,
            "memory_free": self._memory_free() // MIB,
            "memory_total": self.memory,
            "disk_free": disk_free // MIB,
            "disk_total": disk_total // MIB,
            "source": self._machine.source,
            "cores_from": self._machine.cores_from,
            "memory_from": self._machine.memory_from,
        }

    def _cpu_percent(self) -> float:
        """Of all usable cores, since the last sample that was long enough ago."""
        then, before = self._busy
        now, seconds = time.monotonic(), self._cpu_seconds()
        if now - then >= TICK:
            share = (seconds - before) / (now - then) / self._counted()
            self._cpu = round(min(100.0, max(0.0, 100.0 * share)), 1)
            self._busy = (now, seconds)
        return self._cpu

    def _counted(self) -> float:
        """The cores that `_cpu_seconds` is about."""
        quota = self._machine.groups.cpu
        within = float(len(self._machine.processors) or 1)
        return min(quota.value, within) if quota is not None else within

    def _cpu_seconds(self) -> float:
        used = self._machine.groups.cpu_seconds()
        return _busy_seconds(self._machine.processors) if used is None else used

    def _memory_free(self) -> int:
        free = _memory()[1]
        left = self._machine.groups.memory_left() if self._machine.limited else None
        return free if left is None else min(free, left)

    def _watch_disk(self) -> None:
        """In a thread of its own: a dead network file system answers never."""
        while True:
            self._asked.wait()
            self._asked.clear()
            try:
                found = shutil.disk_usage(self._folder)
            except OSError:
                continue
            self._disk = (found.free, found.total)
            self._answered.set()


def probe(programs: Iterable[str]) -> Dict[str, Optional[str]]:
    """Where each program is on the agent's own PATH."""
    return {name: shutil.which(name) for name in programs}


def _memory() -> Tuple[int, int]:
    """Total and free bytes of the machine; zeros where nothing tells."""
    total = line("/proc/meminfo", "MemTotal:")
    if total is not None:
        return total * 1024, (line("/proc/meminfo", "MemAvailable:") or 0) * 1024
    try:
        import psutil
    except ImportError:
        return _physical(), 0
    found = psutil.virtual_memory()
    return int(found.total), int(found.available)


def _physical() -> int:
    if sys.platform == "win32":
        return 0
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _busy_seconds(processors: FrozenSet[int]) -> float:
    """CPU time that these processors spent on anything. Source: proc_stat(5)."""
    ours = {"cpu{}".format(number) for number in processors}
    rows = [row.split() for row in text("/proc/stat").splitlines()]
    ticks = [[int(word) for word in row[1:9]] for row in rows if row and row[0] in ours]
    if ticks and sys.platform == "linux":
        spent = sum(sum(each) - each[3] - each[4] for each in ticks)
        return spent / float(os.sysconf("SC_CLK_TCK"))
    try:
        import psutil
    except ImportError:
        return 0.0
    times = psutil.cpu_times()
    return float(sum(times) - times.idle)
