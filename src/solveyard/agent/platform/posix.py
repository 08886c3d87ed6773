"""macOS, BSDs, and Linux without its own ways: sessions and groups, psutil where it is, else ps.

Without psutil no mark is read: what left its session and its parents is not found. And what
becomes another process faster than the table can be read may get away from any look at it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any, Dict, Iterable

from solveyard.agent.platform.base import MARK, Child, End, Order, Row, Tree
from solveyard.agent.platform.portable import Portable

if sys.platform != "win32":
    from solveyard.agent.platform.unix import end_of, number, send

assert sys.platform != "win32"

try:
    import psutil
except ImportError:
    psutil = None  # type: ignore[assignment]  # the agent does without

_SLACK = 2.0  #: s by which two readings of one start time may differ


class Posix(Portable):
    """Start times are seconds since 1970, as far as the system tells."""

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
                mark = psutil.Process(pid).environ().get(MARK)
            except (psutil.Error, OSError):
                continue
            if mark:
                found[pid] = mark
        return found

    def leftovers(self, tree: Tree, *, alone: bool, mains: Iterable[int]) -> bool:
        try:
            os.killpg(tree.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # macOS says so of zombies
            pass
        return True

    def signal(self, pids: Iterable[int], name: str) -> None:
        send(pids, number(name))

    def signal_group(self, pid: int, name: str) -> None:
        send([-pid], number(name))

    def _options(self) -> Dict[str, Any]:
        return {"start_new_session": True}

    def _started(self, process: "subprocess.Popen[bytes]", order: Order) -> Child:
        now = time.time()
        return Child(process.pid, "{}:{}".format(now - _SLACK, now + _SLACK))

    def _end(self, process: "subprocess.Popen[bytes]") -> End:
        pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = status  # it must not wait by itself
        return end_of(pid, status, usage)


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
                dead=process.status() == psutil.STATUS_ZOMBIE,
            )
        except (psutil.Error, OSError):
            continue
    return rows


def _from_ps() -> Dict[int, Row]:
    """`ps` tells how long a process has run, in "[[days-]hours:]minutes:seconds". ps(1), POSIX."""
    now = time.time()
    text = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,etime="], capture_output=True, check=False
    ).stdout.decode("ascii", "replace")
    rows = {}
    for line in text.splitlines():
        pid, parent, group, state, elapsed = line.split()
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
