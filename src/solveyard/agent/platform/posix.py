"""macOS, BSDs, and Linux without its own ways: sessions and groups, psutil where it is, else ps.

On Linux orphans are adopted, as Windows lists them in a Job Object. Elsewhere, without psutil, no
mark is read: what left its session and its parents is not found. And what becomes another process
faster than the table can be read may get away from many looks at it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Dict, Iterable, List, Optional, Set

from solveyard.agent.platform.base import AGENT, MARK, Child, End, Order, Row, Tree, own_mark
from solveyard.agent.platform.portable import Portable

if sys.platform != "win32":
    from solveyard.agent.platform.adoption import Adoption
    from solveyard.agent.platform.unix import end_of, number, send, wake_for_children

assert sys.platform != "win32"

try:
    import psutil
except ImportError:
    psutil = None  # type: ignore[assignment]  # the agent does without

_SLACK = 2.0  #: s by which two readings of one start time may differ
_ROUNDS = 5  # of stopping who was found, and looking who else there is


class Posix(Portable):
    """Start times are seconds since 1970, as far as the system tells."""

    def __init__(self) -> None:
        super().__init__()
        self._adoption: Optional[Adoption] = None

    def open(self, wakeup: socket.socket) -> None:
        super().open(wakeup)
        if sys.platform == "linux":
            self._adoption = Adoption()
            self.adopts = self._adoption.works
            wake_for_children(wakeup)  # no thread waits for an orphan

    def boot_id(self) -> str:
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            found = subprocess.run(
                ["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, check=False
            )
            return found.stdout.decode("ascii", "replace").strip() or str(_boot_time())

    def table(self) -> Dict[int, Row]:
        return _from_psutil() if psutil is not None else _from_ps()

    def age(self, start: float) -> float:
        return time.time() - start

    def marks(self, pids: Iterable[int]) -> Dict[int, str]:
        found: Dict[int, str] = {}
        if psutil is None:
            return found
        for pid in pids:
            try:
                environment = psutil.Process(pid).environ()
            except (psutil.Error, OSError):
                continue
            if mark := own_mark(environment.get(MARK), environment.get(AGENT)):
                found[pid] = mark
        return found

    def reap(self) -> List[End]:
        ends = super().reap()
        if self._adoption is not None:
            self._adoption.commands.difference_update(end.pid for end in ends)
            ends += self._adoption.reap()
        return ends

    def leftovers(self, tree: Tree, *, alone: bool) -> bool:
        try:
            os.killpg(tree.pid, 0)
        except ProcessLookupError:
            return bool(self.orphans(tree, alone=alone)) or self.restless
        except PermissionError:  # macOS says so of zombies
            pass
        return True

    def orphans(self, tree: Tree, *, alone: bool) -> Set[int]:
        if self._adoption is None:
            return set()
        return set(self._adoption.orphans(tree, alone=alone))

    @property
    def restless(self) -> bool:
        return self._adoption is not None and self._adoption.restless

    def kill(self, tree: Tree, members: Set[int], *, alone: bool) -> None:
        """What is stopped forks no more and still is its children's parent: then look again."""
        found: Set[int] = set()
        fresh = members
        for _ in range(_ROUNDS):
            send(fresh, signal.SIGSTOP)
            found |= fresh
            fresh = self.members(tree, alone=alone) - found
            if not fresh:
                break
        found |= fresh
        if any(_group(pid) == tree.pid for pid in found):  # the number still is this tree's
            send([-tree.pid], signal.SIGKILL)
        send(found, signal.SIGKILL)
        if self._adoption is not None:
            self._adoption.pursue(tree, alone=alone)

    def signal(self, pids: Iterable[int], name: str) -> None:
        send(pids, number(name))

    def signal_group(self, pid: int, name: str) -> None:
        send([-pid], number(name))

    def _options(self) -> Dict[str, Any]:
        return {"start_new_session": True}

    def _started(self, process: "subprocess.Popen[bytes]", order: Order) -> Child:
        if self._adoption is not None:
            self._adoption.started(process.pid)
        now = time.time()
        return Child(process.pid, "{}:{}".format(now - _SLACK, now + _SLACK))

    def _end(self, process: "subprocess.Popen[bytes]") -> End:
        pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = status  # it must not wait by itself
        return end_of(pid, status, usage)


def _group(pid: int) -> int:
    """0: it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _from_psutil() -> Dict[int, Row]:
    rows = {}
    for process in psutil.process_iter():
        try:
            pid = process.pid
            rows[pid] = Row(
                parent=process.ppid(),
                group=os.getpgid(pid),
                session=os.getsid(pid),
                start=process.create_time(),
                dead=_is_dead(process),
            )
        except (psutil.Error, OSError):
            continue
    return rows


def _is_dead(process: Any) -> bool:
    """Of a Linux process the first thread alone may have ended."""
    dead: bool = process.status() == psutil.STATUS_ZOMBIE
    return dead and (sys.platform != "linux" or process.num_threads() <= 1)


def _from_ps() -> Dict[int, Row]:
    """`ps` tells how long a process has run, in "[[days-]hours:]minutes:seconds". ps(1), POSIX.

    It sees itself, a child of ours; nobody shall take it for an orphan of a command.
    """
    now = time.time()
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,etime="]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ps:
        text = ps.communicate()[0].decode("ascii", "replace")
    rows = {}
    for line in text.splitlines():
        pid, parent, group, state, elapsed = line.split()
        if int(pid) == ps.pid:
            continue
        try:
            session = os.getsid(int(pid))
        except OSError:
            session = int(group)
        rows[int(pid)] = Row(
            int(parent), int(group), session, now - _seconds(elapsed), state.startswith("Z")
        )
    return rows


def _seconds(elapsed: str) -> float:
    days, _, clock = elapsed.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds + 86400 * int(days or 0))


def _boot_time() -> int:
    found = subprocess.run(["sysctl", "-n", "kern.boottime"], capture_output=True, check=False)
    digits = "".join(c if c.isdigit() else " " for c in found.stdout.decode("ascii", "replace"))
    return int((digits.split() or ["0"])[0])
