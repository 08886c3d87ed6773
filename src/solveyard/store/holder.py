"""Who has a store: a process, told from all others that ever had its number."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

#: s by which a process's start may be told otherwise than before, once the clock was set. Not on
#: Linux, which counts from the boot. psutil follows the clock on macOS and NetBSD, the kernel
#: itself on FreeBSD and OpenBSD.
SLACK = 86400.0


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A manager's process."""

    host: str
    boot_id: str  #: of the host, when the process started; empty where the system has none
    pid: int
    start_time: float  #: Linux: clock ticks since the boot; elsewhere s since 1970
    instance: str  #: random, one for each lease
    namespace: str = ""  #: in which `pid` is its number; empty: the system has one for all
    details: Mapping[str, str] = {}  #: what the holder wants others to know

    @classmethod
    def this_process(cls, instance: str, details: Mapping[str, str]) -> Self:
        return cls(
            host=socket.gethostname(),
            boot_id=boot_id(),
            pid=os.getpid(),
            start_time=start_time(os.getpid()) or 0.0,
            instance=instance,
            namespace=pid_namespace(),
            details=details,
        )

    @property
    def here(self) -> bool:
        """Whether it ran on this host, so that `gone` can be known."""
        return self.host == socket.gethostname()

    @property
    def hidden(self) -> bool:
        """Whether it ran in another container of this host's name: its number says nothing here."""
        return bool(self.here and self.namespace) and self.namespace != pid_namespace()

    @property
    def gone(self) -> bool:
        """Whether it has certainly ended: never True of a process on another host."""
        if not self.here:
            return False
        start = start_time(self.pid)
        if self.boot_id != boot_id() or start is None:
            return True
        return abs(start - self.start_time) > (0.0 if sys.platform == "linux" else SLACK)

    @property
    def doubtful(self) -> bool:
        """Whether its number doesn't tell for sure if it lives: ask for something that it keeps."""
        if not self.here or self.boot_id != boot_id():
            return False
        if self.hidden:
            return self.gone
        start = start_time(self.pid)
        return sys.platform != "linux" and start is not None and start != self.start_time


def boot_id() -> str:
    """What the kernel names this boot; empty where it doesn't (a start time tells enough there)."""
    if sys.platform == "linux":
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def pid_namespace() -> str:
    """The space of numbers in which this process has its own; empty where there is one for all."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def start_time(pid: int) -> float | None:
    """When the process started, as in `Holder`; None: it has ended, if only as a zombie.

    Source: proc_pid_stat(5), fields 3 and 22; field 2, a name in parentheses, may hold anything.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()
        return None if fields[0] in {b"Z", b"X"} else float(fields[19])
    import psutil  # slow, and not needed on Linux

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
