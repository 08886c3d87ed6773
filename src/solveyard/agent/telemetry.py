"""What a machine has and how busy it is; in a container, what the container may use."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from typing import Dict, Iterable, List, Optional, Tuple

from solveyard.wire.frames import Message

MIB = 1024 * 1024
NEVER = 1 << 60  #: bytes; control groups without a limit tell one beyond this
PATIENCE = 0.2  #: s for the first answer of the folder's file system
TICK = 0.5  #: s; CPU time over a shorter span says nothing


class Telemetry:
    """Samples of this machine; never waits for a file system."""

    def __init__(self, folder: str) -> None:
        """`folder`: whose file system is watched."""
        self._groups = _Groups()
        self.cores = self._groups.cores(_usable_cores())  #: this process may use, at least 1
        total = _memory()[0]
        limit = self._groups.memory_limit()
        self._limited = limit is not None and limit < total
        self._total = limit if limit is not None and self._limited else total
        self.memory = self._total // MIB  #: MiB
        self._busy = (time.monotonic(), self._cpu_seconds())
        self._cpu = 0.0
        self._disk = (0, 0)
        self._folder = folder
        self._asked = threading.Event()
        self._answered = threading.Event()
        threading.Thread(target=self._watch_disk, daemon=True).start()
        self._asked.set()
        self._answered.wait(PATIENCE)

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
            "source": self._groups.source if self._limited or self._groups.quota else "host",
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
        return self._groups.quota or float(os.cpu_count() or 1)

    def _cpu_seconds(self) -> float:
        used = self._groups.cpu_seconds() if self._groups.quota else None
        return _busy_seconds() if used is None else used

    def _memory_free(self) -> int:
        free = _memory()[1]
        used = self._groups.memory_used() if self._limited else None
        return free if used is None else max(0, min(free, self._total - used))

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


class _Groups:
    """The control groups that limit this process, of either version; none elsewhere."""

    def __init__(self) -> None:
        self._folders: Dict[str, List[str]] = {"": [], "cpu": [], "cpuacct": [], "memory": []}
        for line in _text("/proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                if controller in self._folders:
                    self._folders[controller] = _upwards(controller, path)
        unified = any(os.path.exists(os.path.join(f, "cpu.stat")) for f in self._folders[""])
        self.source = "cgroup-v2" if unified and not self._folders["memory"] else "cgroup-v1"
        self.quota = self._quota()  #: cores' worth of CPU time; None: no limit

    def cores(self, usable: int) -> int:
        return max(1, min(usable, int(self.quota))) if self.quota else usable

    def memory_limit(self) -> Optional[int]:
        """Bytes: the tightest of the group's and its ancestors'."""
        limits = self._numbers("", "memory.max")
        limits += self._numbers("memory", "memory.limit_in_bytes")
        return min((limit for limit in limits if limit < NEVER), default=None)

    def memory_used(self) -> Optional[int]:
        """Bytes in use in our own group, without what the kernel gives back when asked."""
        for kind, name, idle in (
            ("", "memory.current", "inactive_file "),
            ("memory", "memory.usage_in_bytes", "total_inactive_file "),
        ):
            used = self._numbers(kind, name)
            if used:
                cached = _line(os.path.join(self._folders[kind][0], "memory.stat"), idle)
                return used[0] - (cached or 0)
        return None

    def cpu_seconds(self) -> Optional[float]:
        for folder in self._folders[""][:1]:
            used = _line(os.path.join(folder, "cpu.stat"), "usage_usec ")
            if used is not None:
                return used / 1e6
        used_v1 = self._numbers("cpuacct", "cpuacct.usage")
        return used_v1[0] / 1e9 if used_v1 else None

    def _quota(self) -> Optional[float]:
        found = []
        for folder in self._folders[""]:
            words = _text(os.path.join(folder, "cpu.max")).split()
            if len(words) == 2 and words[0] != "max":
                found.append(int(words[0]) / int(words[1]))
        for folder in self._folders["cpu"]:
            quota = _text(os.path.join(folder, "cpu.cfs_quota_us")).strip()
            period = _text(os.path.join(folder, "cpu.cfs_period_us")).strip()
            if period and int(quota or -1) > 0:
                found.append(int(quota) / int(period))
        return min(found, default=None)

    def _numbers(self, kind: str, name: str) -> List[int]:
        texts = [_text(os.path.join(folder, name)).strip() for folder in self._folders[kind]]
        return [int(text) for text in texts if text.isdigit()]


def _upwards(controller: str, path: str) -> List[str]:
    """The group's folder and those above it; a container may see only the top one."""
    tops = (
        ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        if not controller
        else ["/sys/fs/cgroup/" + controller, "/sys/fs/cgroup/cpu,cpuacct"]
    )
    for top in tops:
        if os.path.isdir(top):
            folders = []
            while path not in ("/", ""):
                folders.append(top + path)
                path = os.path.dirname(path)
            return [folder for folder in [*folders, top] if os.path.isdir(folder)]
    return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _line(path: str, begin: str) -> Optional[int]:
    """The number in the file's line that begins so."""
    for line in _text(path).splitlines():
        if line.startswith(begin):
            return int(line[len(begin) :].split()[0])
    return None


def _usable_cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> Tuple[int, int]:
    """Total and free bytes of the machine; zeros where nothing tells."""
    total = _line("/proc/meminfo", "MemTotal:")
    if total is not None:
        return total * 1024, (_line("/proc/meminfo", "MemAvailable:") or 0) * 1024
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


def _busy_seconds() -> float:
    """CPU time that the machine spent on anything. Source: proc_stat(5)."""
    words = _text("/proc/stat").partition("\n")[0].split()
    if words and sys.platform == "linux":
        ticks = [int(word) for word in words[1:9]]
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    try:
        import psutil
    except ImportError:
        return 0.0
    spent = psutil.cpu_times()
    return float(sum(spent) - spent.idle)
