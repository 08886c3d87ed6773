"""A control group for each command: what its processes can't leave, whatever they do.

Version 2, else version 1 (freezer or pids); each needs a folder that we may write. Source:
cgroups(7), and the kernel's Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sys
from typing import Dict, Iterator, List, Set, Tuple

from solveyard.agent.platform.procfs import read

KILL = 9  # signal.SIGKILL, which not every platform that reads this knows
_KEPT = 32  #: groups whose files stay open, for the next commands after these
_log = logging.getLogger(__name__)


class _Group:
    """One of ours, with its files open: to open one costs more than to use it."""

    __slots__ = ("events", "procs")

    def __init__(self, folder: str) -> None:
        self.procs = os.open(os.path.join(folder, "cgroup.procs"), os.O_WRONLY)
        try:
            self.events = os.open(os.path.join(folder, "cgroup.events"), os.O_RDONLY)
        except OSError:  # version 1 has none
            self.events = -1

    def close(self) -> None:
        os.close(self.procs)
        if self.events >= 0:
            os.close(self.events)


class Cgroups:
    """The control groups below one of our own, which no other process writes to.

    One that a short command leaves is the next one's: the kernel takes ten times as long to make
    a group and to go to a new one as to go to one that was there before.
    """

    def __init__(self, name: str) -> None:
        self._top = ""
        self._home = -1  #: the file by which we come back
        self._numbers = itertools.count(1)
        self._open: Dict[str, _Group] = {}  #: those that were made, by folder
        self._spare: List[str] = []  #: of these, those that nobody is in
        for own in _own_groups():
            top = os.path.join(own, name)
            if _works(top, own):
                self._top = top
                self._home = os.open(os.path.join(own, "cgroup.procs"), os.O_WRONLY)
                self._clean()
                return
        _log.warning("no control group can be written here; trees are found by other means")

    def folder(self) -> str:
        """That of the group that the next command would get; "" where none can be made."""
        if self._spare:
            return self._spare[-1]
        while self._top:
            folder = os.path.join(self._top, "{}-{}".format(os.getpid(), next(self._numbers)))
            if not os.path.exists(folder):  # else a process of our number left it
                return folder
        return ""

    def enter(self, folder: str) -> bool:
        """Go there, so that what is started next begins there; then `leave`."""
        try:
            group = self._open.get(folder) or self._made(folder)
            os.write(group.procs, b"0")
            self._take(folder)
            if len(self._open) > _KEPT:
                self._open.pop(folder).close()
        except OSError as error:
            self.remove(folder)
            self._give_up(error)
            return False
        return True

    def leave(self) -> None:
        """Raises OSError, which is the end of a spawner: it would end with its command."""
        os.write(self._home, b"0")

    def occupied(self, folder: str) -> bool:
        group = self._open.get(folder)
        # Windows, since its type checker knows no `pread`
        if sys.platform == "win32" or group is None or group.events < 0:
            return occupied(folder)
        try:
            return b"populated 1" in os.pread(group.events, 4096, 0)
        except OSError:
            return occupied(folder)

    def release(self, folder: str, *, again: bool) -> None:
        """Its command is over. `again`: it may serve another, if nobody is in it."""
        if again and folder in self._open and not self.occupied(folder) and _bare(folder):
            self._spare.append(folder)
        else:
            self.remove(folder)

    def remove(self, folder: str) -> None:
        self._take(folder)
        group = self._open.pop(folder, None)
        if group is not None:
            group.close()
        for place in _inside_out(folder):
            with contextlib.suppress(OSError):  # occupied or gone: tried again at the next start
                os.rmdir(place)

    def close(self) -> None:
        self._spare.clear()
        for folder in list(self._open):
            self.remove(folder)
        self._clean()
        if self._top:
            try:
                os.rmdir(self._top)
            except OSError:
                _log.info("control groups are left in %s", self._top)
        if self._home >= 0:
            os.close(self._home)
            self._home = -1

    def _take(self, folder: str) -> None:
        """It is nobody else's to have."""
        if folder in self._spare:
            self._spare.remove(folder)

    def _made(self, folder: str) -> _Group:
        os.mkdir(folder)
        group = self._open[folder] = _Group(folder)
        return group

    def _clean(self) -> None:
        if self._top:
            for entry in os.listdir(self._top):
                place = os.path.join(self._top, entry)
                if os.path.isdir(place) and not members(place):
                    self.remove(place)

    def _give_up(self, error: OSError) -> None:
        _log.warning("control groups can't be used any more: %s", error)
        self._top = ""
        self._spare.clear()


def members(folder: str) -> Set[int]:
    """The processes in a group and in those that they made below it; never ourselves."""
    found: Set[int] = set()
    for place in _inside_out(folder):
        found.update(_pids(place))
    return found - {0, os.getpid()}


def occupied(folder: str) -> bool:
    events = read(os.path.join(folder, "cgroup.events"))
    if events:
        return b"populated 1" in events
    return bool(members(folder))


def kill(folder: str) -> None:
    """KILL everything there: in one step where the kernel can (5.14), else one by one."""
    if os.getpid() not in _pids(folder):
        try:
            with open(os.path.join(folder, "cgroup.kill"), "wb", buffering=0) as file:
                file.write(b"1")
        except OSError:
            _log.debug("no cgroup.kill in %s", folder)
        else:
            return
    for pid in members(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, KILL)


def _pids(folder: str) -> List[int]:
    try:
        with open(os.path.join(folder, "cgroup.procs"), "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _inside_out(folder: str) -> Iterator[str]:
    for place, _, _ in os.walk(folder, topdown=False):
        yield place


def _bare(folder: str) -> bool:
    """Did its command make no group below it? Each would be a link of the folder."""
    try:
        return os.stat(folder).st_nlink <= 2
    except OSError:
        return False


def _join(folder: str) -> None:
    file = os.open(os.path.join(folder, "cgroup.procs"), os.O_WRONLY)
    try:
        os.write(file, b"0")
    finally:
        os.close(file)


def _works(top: str, own: str) -> bool:
    """Try the whole way once: make a group, go there, come back, remove it."""
    trial = os.path.join(top, "trial")
    try:
        os.makedirs(trial, exist_ok=True)
        try:
            _join(trial)
        finally:
            _join(own)
        os.rmdir(trial)
    except OSError:
        for place in (trial, top):
            with contextlib.suppress(OSError):  # what can't be removed stays
                os.rmdir(place)
        return False
    return True


def _own_groups() -> Iterator[str]:
    """The folders of the groups that this process is in: version 2's, freezer's, pids'."""
    own = {}
    for line in read("/proc/self/cgroup").decode().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    mounts = list(_mounts())
    for wanted in ("", "freezer", "pids"):
        for kind, options, root, point in mounts:
            fits = kind == "cgroup2" if not wanted else wanted in options.split(",")
            if fits and wanted in own:
                path = own[wanted]
                if root != "/" and path.startswith(root):
                    path = path[len(root) :]
                place = os.path.join(point, path.lstrip("/")).rstrip("/")
                if os.path.isdir(place):
                    yield place


def _mounts() -> Iterator[Tuple[str, str, str, str]]:
    """Type, super options, root and place of each cgroup mount. Source: proc_pid_mountinfo(5)."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.rstrip("\n").partition(" - ")
            kind, _, options = after.split(" ", 2)
            if kind in ("cgroup", "cgroup2"):
                fields = before.split(" ")
                yield kind, options, fields[3], fields[4]
