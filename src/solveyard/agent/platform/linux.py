"""Linux: posix_spawn, SIGCHLD, /proc, control groups; orphans of our commands come to us."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from typing import Dict, Iterable, Iterator, List, Optional, Set

from solveyard.agent.platform import cgroups, procfs
from solveyard.agent.platform.base import (
    MARK,
    Child,
    End,
    LaunchError,
    Order,
    Platform,
    Programs,
    Row,
    Tree,
    bound,
    clean_environment,
    why_not,
)

if sys.platform != "win32":
    from solveyard.agent.platform.adoption import Adoption
    from solveyard.agent.platform.unix import end_of, number, send, wake_for_children

assert sys.platform != "win32"

import resource  # noqa: E402  Windows has none

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_TICKS = os.sysconf("SC_CLK_TCK")
_DEFAULTS = tuple(
    signum
    for signum in signal.valid_signals()
    if signum not in (signal.SIGKILL, signal.SIGSTOP) and not signum >= 32
)
_ANYWHERE = contextlib.nullcontext()
_RESERVE = 128  #: files that stay for all else but waiting for processes that we adopted


def usable() -> bool:
    """Whether this C library's posix_spawn starts sessions."""
    try:
        os.posix_spawn("/", ["/"], {}, setsid=True)
    except NotImplementedError:
        return False
    except (AttributeError, OSError) as error:
        return isinstance(error, OSError)  # a folder is no program: it was tried
    return True


class Linux(Platform):
    def __init__(self, group: str) -> None:
        self._programs = Programs()
        self._environment = clean_environment()
        self._group = group
        self._cgroups: Optional[cgroups.Cgroups] = None
        self._adoption: Adoption

    def open(self, wakeup: socket.socket) -> None:
        self._cgroups = cgroups.Cgroups(self._group)
        self._adoption = Adoption()
        self.adopts = self._adoption.works
        wake_for_children(wakeup)

    def boot_id(self) -> str:
        return procfs.read("/proc/sys/kernel/random/boot_id").decode().strip()

    def folder(self) -> str:
        return self._cgroups.folder() if self._cgroups else ""

    def spawn(self, order: Order) -> Child:
        environment = {**self._environment, **order.env, MARK: order.attempt}
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, order.stdout, _WRITE, 0o666),
            (os.POSIX_SPAWN_DUP2, 1, 2)
            if order.stderr == order.stdout
            else (os.POSIX_SPAWN_OPEN, 2, order.stderr, _WRITE, 0o666),
        ]
        try:
            # the loop's thread is the only one that looks at the folder
            os.chdir(order.cwd if order.entered is None else order.entered)
            program = self._programs.find(order, environment.get("PATH", os.defpath))
            inside = self._inside(order.folder) if order.folder else _ANYWHERE
            pinned = bound(order.pin) if order.pin else _ANYWHERE
            with inside, pinned:
                begin = _now()
                pid = os.posix_spawn(
                    program,
                    order.argv,
                    environment,
                    file_actions=files,
                    setsid=True,
                    setsigmask=(),
                    setsigdef=_DEFAULTS,
                )
        except (OSError, ValueError) as error:  # ValueError: a NUL in a string
            self._programs.forget()
            self._remove(order.folder)
            raise LaunchError(why_not(order, error)) from error
        except LaunchError:
            self._remove(order.folder)
            raise
        finally:
            os.chdir("/")  # hold nobody's file system
        self._adoption.started(pid)
        return Child(pid, "{}:{}".format(begin, _now()))

    @contextlib.contextmanager
    def _inside(self, folder: str) -> Iterator[None]:
        """What is started meanwhile begins in the control group, without a race."""
        if not folder or self._cgroups is None or not self._cgroups.enter(folder):
            yield
            return
        try:
            yield
        finally:
            try:
                self._cgroups.leave()
            except OSError as error:  # whoever ends the command would end us: let another go on
                why = "cannot leave a command's control group: {}".format(error)
                raise SystemExit(why) from error

    def _remove(self, folder: str) -> None:
        if folder and self._cgroups is not None:
            self._cgroups.remove(folder)

    def reap(self) -> List[End]:
        ends = self._adoption.take()
        try:
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    break
                self._adoption.commands.discard(pid)
                ends.append(end_of(pid, status, usage))
        except ChildProcessError:
            self._adoption.none_left()
        return ends

    def watch(self, pid: int) -> Optional[int]:
        if sys.version_info < (3, 9):
            return None
        try:
            file = os.pidfd_open(pid)
        except OSError:
            return None
        if file < resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVE:
            return file
        os.close(file)
        return None

    def table(self) -> Dict[int, Row]:
        return procfs.table()

    def row(self, pid: int) -> Optional[Row]:
        return procfs.row(pid)

    def age(self, start: float) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - start / _TICKS

    def marks(self, pids: Iterable[int]) -> Dict[int, str]:
        return procfs.marks(pids)

    def is_anothers(self, pid: int) -> bool:
        return procfs.is_anothers(pid)

    def contained(self, folder: str) -> Set[int]:
        return cgroups.members(folder)

    def leftovers(self, tree: Tree, *, alone: bool) -> bool:
        if tree.folder and self._cgroups is not None and self._cgroups.occupied(tree.folder):
            return True
        if self._adoption.childless():  # much the commonest, and cheap to know
            return False
        try:
            os.killpg(tree.pid, 0)
        except ProcessLookupError:
            pass
        except PermissionError:
            return True
        else:
            return True
        return any(self._adoption.orphans(tree, alone=alone)) or self.restless

    def orphans(self, tree: Tree, *, alone: bool) -> Set[int]:
        return set(self._adoption.orphans(tree, alone=alone))

    @property
    def restless(self) -> bool:
        return self._adoption.restless

    def sure(self, tree: Tree, *, alone: bool) -> bool:
        contained = bool(tree.folder) and os.path.isdir(tree.folder)
        return contained or super().sure(tree, alone=alone)

    def signal(self, pids: Iterable[int], name: str) -> None:
        send(pids, number(name))

    def signal_group(self, pid: int, name: str) -> None:
        send([-pid], number(name))

    def kill(self, tree: Tree, members: Set[int], *, alone: bool) -> None:
        if tree.folder and os.path.isdir(tree.folder):
            cgroups.kill(tree.folder)
        send(members, signal.SIGKILL)
        self._adoption.pursue(tree, alone=alone)

    def release(self, tree: Tree, *, again: bool) -> None:
        if tree.folder and self._cgroups is not None:
            self._cgroups.release(tree.folder, again=again)

    def close(self) -> None:
        if self._cgroups is not None:
            self._cgroups.close()


def _now() -> int:
    """In the unit of /proc/PID/stat's start: clock ticks since boot, suspended time too."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)
