"""What the control groups allow this process: its own and those above it, of either version.

Source: cgroups(7), proc_pid_mountinfo(5), sched(7); the kernel's Documentation/admin-guide/
cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

import os
import sys
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple

NEVER = 1 << 60  #: bytes; version 1 tells one beyond this where there is no limit
MIB = 1024 * 1024
_CONTROLLERS = ("", "cpu", "cpuacct", "memory")  # "": version 2


class Limit(NamedTuple):
    """A figure, and the file that says so."""

    value: float
    file: str

    @property
    def version(self) -> str:
        return "cgroup-v2" if self.file.endswith(".max") else "cgroup-v1"


class Groups:
    """The groups' folders, from our own upwards, as far as they can be seen from here."""

    def __init__(self, root: str = "/") -> None:
        """`root`: where /proc and /sys are."""
        self._root = root
        self._folders = self._find()
        self.cpu = self._cpu()  #: the tightest quota, in cores; None: no limit
        self.memory = self._memory()  #: the tightest limit, in bytes; None: no limit

    def cores(self, usable: int) -> int:
        """Whole cores, at least one; `usable`: that the process may be scheduled on."""
        return max(1, min(usable, int(self.cpu.value))) if self.cpu else usable

    def memory_left(self) -> Optional[int]:
        """Bytes until the first limit on the way up is reached; None: there is none.

        What the kernel gives back when asked (the cache that nobody used lately) counts as left.
        """
        rooms = []
        for folder, limit in self._memory_limits():
            idle = "inactive_file " if limit.version == "cgroup-v2" else "total_inactive_file "
            name = "memory.current" if limit.version == "cgroup-v2" else "memory.usage_in_bytes"
            used = self._number(folder, name)
            if used is not None:
                cached = line(self._place(folder, "memory.stat"), idle) or 0
                rooms.append(int(limit.value) - max(0, used - cached))
        return max(0, min(rooms)) if rooms else None

    def cpu_seconds(self) -> Optional[float]:
        """CPU time that was spent in the group whose quota is the tightest."""
        if self.cpu is None:
            return None
        group = os.path.dirname(self.cpu.file)
        if self.cpu.version == "cgroup-v2":
            used = line(self._place(group, "cpu.stat"), "usage_usec ")
            return None if used is None else used / 1e6
        levels = len(self._folders["cpu"]) - self._folders["cpu"].index(group)
        accounts = self._folders["cpuacct"]
        if levels > len(accounts):
            return None
        spent = self._number(accounts[-levels], "cpuacct.usage")
        return None if spent is None else spent / 1e9

    def _cpu(self) -> Optional[Limit]:
        found = []
        for folder in self._folders[""]:
            words = self._text(folder, "cpu.max").split()
            if len(words) == 2 and all(map(str.isdigit, words)):
                found.append(Limit(int(words[0]) / int(words[1]), folder + "/cpu.max"))
        for folder in self._folders["cpu"]:
            quota = self._number(folder, "cpu.cfs_quota_us")  # -1, no number here: no limit
            period = self._number(folder, "cpu.cfs_period_us")
            if quota and period:
                found.append(Limit(quota / period, folder + "/cpu.cfs_quota_us"))
        return min(found, default=None)

    def _memory(self) -> Optional[Limit]:
        return min((limit for _, limit in self._memory_limits()), default=None)

    def _memory_limits(self) -> Iterator[Tuple[str, Limit]]:
        for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
            for folder in self._folders[controller]:
                value = self._number(folder, name)
                if value is not None and value < NEVER:
                    yield folder, Limit(value, folder + "/" + name)
        for folder in self._folders["memory"][:1]:  # counts groups that a container can't see
            value = line(self._place(folder, "memory.stat"), "hierarchical_memory_limit ")
            if value is not None and value < NEVER:
                yield folder, Limit(value, folder + "/memory.stat")

    def _find(self) -> Dict[str, List[str]]:
        folders: Dict[str, List[str]] = {controller: [] for controller in _CONTROLLERS}
        own = {}
        for entry in text(self._place("/proc/self/cgroup")).splitlines():
            _, controllers, path = entry.split(":", 2)
            own.update(dict.fromkeys(controllers.split(","), path))
        for mounted, base, point in self._mounts():
            for controller in mounted:
                if controller in own and controller in folders and not folders[controller]:
                    folders[controller] = self._upwards(own[controller], base, point)
        return folders

    def _mounts(self) -> Iterator[Tuple[List[str], str, str]]:
        """Controllers, the group that is mounted, and where, of each hierarchy."""
        for entry in text(self._place("/proc/self/mountinfo")).splitlines():
            before, _, after = entry.partition(" - ")
            fields, kind = before.split(" "), after.split(" ")
            if kind[0] == "cgroup2":
                yield [""], _unescaped(fields[3]), _unescaped(fields[4])
            elif kind[0] == "cgroup":
                yield kind[2].split(","), _unescaped(fields[3]), _unescaped(fields[4])

    def _upwards(self, path: str, base: str, point: str) -> List[str]:
        """Our group's folder and those above it; a container may see only the top one."""
        if path == base or path.startswith(base.rstrip("/") + "/"):
            path = path[len(base.rstrip("/")) :]
        found = []
        while path not in ("/", ""):
            if "/.." not in path:  # of a namespace that we are outside of
                found.append(point + path)
            path = os.path.dirname(path)
        return [folder for folder in [*found, point] if os.path.isdir(self._place(folder))]

    def _place(self, *parts: str) -> str:
        return os.path.join(self._root, os.path.join(*parts).lstrip("/"))

    def _text(self, folder: str, name: str) -> str:
        return text(self._place(folder, name)).strip()

    def _number(self, folder: str, name: str) -> Optional[int]:
        told = self._text(folder, name)
        return int(told) if told.isdigit() else None


class Machine:
    """What of this machine jobs may have, and who says so."""

    def __init__(self, root: str = "/", processors: Optional[FrozenSet[int]] = None) -> None:
        """`processors`: those that this process may be scheduled on, where it's known already."""
        self.groups = Groups(root)
        self.processors = usable() if processors is None else processors
        self.installed = _installed(root) or max(1, len(self.processors))
        self.cores = self.groups.cores(max(1, len(self.processors)))
        total = line(os.path.join(root, "proc/meminfo"), "MemTotal:")
        self.physical = total * 1024 if total is not None else None  #: bytes; None: not told
        limit = self.groups.memory
        self.limited = limit is not None and not (self.physical and limit.value >= self.physical)

    @property
    def memory(self) -> Optional[int]:
        """Bytes; None: nothing here tells."""
        limit = self.groups.memory
        return int(limit.value) if limit is not None and self.limited else self.physical

    @property
    def source(self) -> str:
        """The version of the groups that set a limit; "affinity"; else "host"."""
        if self.groups.cpu is not None and self.cores < len(self.processors):
            return self.groups.cpu.version
        if self.limited and self.groups.memory is not None:
            return self.groups.memory.version
        if self.groups.cpu is not None:
            return self.groups.cpu.version
        return "affinity" if len(self.processors) < self.installed else "host"

    @property
    def cores_from(self) -> str:
        """In words."""
        quota = self.groups.cpu
        if quota is not None and quota.value <= len(self.processors):
            return "{:g} by {}".format(round(quota.value, 3), quota.file)
        if len(self.processors) < self.installed:
            return "the processors that this process may use, of {}".format(self.installed)
        return "all that the machine has"

    @property
    def memory_from(self) -> str:
        """In words."""
        limit = self.groups.memory
        if limit is not None and self.limited:
            return "by {}".format(limit.file)
        return "all that the machine has"


def usable() -> FrozenSet[int]:
    """The processors that this process may be scheduled on: a cpuset's, or an affinity's."""
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def text(path: str) -> str:
    """What the file says; "" where it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def line(path: str, begin: str) -> Optional[int]:
    """The number in the file's line that begins so."""
    for entry in text(path).splitlines():
        if entry.startswith(begin):
            return int(entry[len(begin) :].split()[0])
    return None


def _installed(root: str) -> int:
    """Processors of the machine, by the lines "cpu0 ...", of /proc/stat."""
    lines = text(os.path.join(root, "proc/stat")).splitlines()
    return sum(1 for entry in lines if entry.startswith("cpu") and entry[3:4].isdigit())


def _unescaped(field: str) -> str:
    for octal, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(octal, plain)
    return field
