"""Windows: a Job Object around each command, so that its tree can be listed and ended whole.

Not run where this was written: checked by types, by tests with a kernel that is made up, and by
sharing with `portable` all that isn't Windows' own. A Job Object has no name after its spawner
died, so what a new spawner adopts is found by its first process, by psutil where that is
importable.
Source: "Job Objects", "GetProcessTimes", "GenerateConsoleCtrlEvent", "NtQuerySystemInformation" in
Microsoft's documentation; NtResumeProcess isn't in it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from ctypes import wintypes
from typing import Any, Dict, Iterable, List, Optional, Set

from solveyard.agent.platform.base import (
    AGENT,
    MARK,
    Child,
    End,
    LaunchError,
    Order,
    Row,
    Tree,
    own_mark,
    why_not,
    with_descendants,
)
from solveyard.agent.platform.portable import Portable

assert sys.platform == "win32"

try:
    import psutil
except ImportError:
    psutil = None  # type: ignore[assignment]  # the agent does without

_SUSPENDED = 0x4  # CREATE_SUSPENDED: nothing escapes before it is in its Job Object
_PROCESS_IDS = 3  # JobObjectBasicProcessIdList
_TIME_OF_DAY = 3  # SystemTimeOfDayInformation
_MOST = 4096  # processes of one tree that are listed at a time
_QUERY, _TERMINATE = 0x1000, 0x1  # PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE
_STILL_ACTIVE = 259
_CTRL_BREAK = 1  # CTRL_BREAK_EVENT
_EPOCH = 11644473600.0  # s from 1601, where Windows' file times begin, to 1970
_SLACK = 2.0  # s by which two readings of one start time may differ

_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_ntdll = ctypes.WinDLL("ntdll")
_kernel.CreateJobObjectW.restype = wintypes.HANDLE
_kernel.CreateJobObjectW.argtypes = (wintypes.LPVOID, wintypes.LPCWSTR)
_kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
_kernel.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)
_kernel.OpenProcess.restype = wintypes.HANDLE
_kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
_kernel.TerminateProcess.argtypes = (wintypes.HANDLE, wintypes.UINT)
_kernel.GenerateConsoleCtrlEvent.argtypes = (wintypes.DWORD, wintypes.DWORD)
_kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
_kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4)
_kernel.GetTickCount64.restype = ctypes.c_ulonglong
_kernel.QueryInformationJobObject.argtypes = (
    wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD, wintypes.LPVOID,
)  # fmt: skip
_ntdll.NtResumeProcess.argtypes = (wintypes.HANDLE,)
_ntdll.NtQuerySystemInformation.argtypes = (
    ctypes.c_int, wintypes.LPVOID, wintypes.ULONG, wintypes.LPVOID,
)  # fmt: skip


class _TimeOfDay(ctypes.Structure):
    """SYSTEM_TIMEOFDAY_INFORMATION: moments in 100 ns since 1601.

    Its size is documented, its fields are as Windows' kernel has had them since 2000.
    """

    _fields_ = (
        ("boot", ctypes.c_longlong),  # moved whenever the clock is set
        ("now", ctypes.c_longlong),
        ("time_zone_bias", ctypes.c_longlong),
        ("time_zone", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("boot_bias", ctypes.c_longlong),  # by how much, in all
        ("sleep_bias", ctypes.c_longlong),
    )


class _ProcessIds(ctypes.Structure):
    """JOBOBJECT_BASIC_PROCESS_ID_LIST."""

    _fields_ = (
        ("assigned", wintypes.DWORD),
        ("listed", wintypes.DWORD),
        ("ids", ctypes.c_size_t * _MOST),
    )


class Windows(Portable):
    """Start times are seconds since 1970."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs: Dict[int, int] = {}  # first process -> its Job Object
        self._leaders: Set[int] = set()  # first processes that live: a group and a console of ours

    def boot_id(self) -> str:
        """The moment of the boot, as the clock was then: the kernel keeps how far it was set since.

        Where it doesn't say, that moment by today's clock, to ten seconds.
        """
        found = _TimeOfDay()
        size = ctypes.sizeof(found)
        if _ntdll.NtQuerySystemInformation(_TIME_OF_DAY, ctypes.byref(found), size, None) == 0:
            return "boot-{}".format(found.boot - found.boot_bias)
        began = time.time() - _kernel.GetTickCount64() / 1000.0
        return "boot-{}".format(round(began / 10.0))

    def table(self) -> Dict[int, Row]:
        rows: Dict[int, Row] = {}
        if psutil is None:
            return rows
        for process in psutil.process_iter():
            try:
                row = Row(process.ppid(), 0, 0, process.create_time(), dead=False)
            except (psutil.Error, OSError):
                continue
            rows[process.pid] = row
        return rows

    def row(self, pid: int) -> Optional[Row]:
        times = _times(pid)
        return None if times is None else Row(0, 0, 0, times[0], dead=False)

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

    def leftovers(self, tree: Tree, *, alone: bool) -> bool:
        return bool(self._listed(tree))

    def sure(self, tree: Tree, *, alone: bool) -> bool:
        return tree.pid in self._jobs

    def members(self, tree: Tree, *, alone: bool) -> Set[int]:
        if tree.pid in self._jobs:
            return self._listed(tree)
        found = {tree.pid} if self.alive(Child(tree.pid, tree.start)) else set()
        rows = self.table()
        marked = {pid for pid, mark in self.marks(rows).items() if mark == tree.attempt}
        return with_descendants(found | marked, rows) - {os.getpid()}

    def signal(self, pids: Iterable[int], name: str) -> None:
        """TERM is CTRL_BREAK to the group that a command leads, KILL ends it; no other exists.

        For one that leads none it would go to our whole console, and us. Where it can't be sent
        nothing is: `os.kill` ends the process then.
        """
        for pid in pids:
            if name == "TERM" and pid in self._leaders:
                _kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, pid)
            elif name == "KILL":
                _terminate(pid)

    def signal_group(self, pid: int, name: str) -> None:
        if name not in ("TERM", "INT", "BREAK"):
            raise ValueError("Windows has no signal {!r}".format(name))
        self.signal([pid], "TERM")

    def kill(self, tree: Tree, members: Set[int], *, alone: bool) -> None:
        job = self._jobs.get(tree.pid)
        if job is not None:
            _kernel.TerminateJobObject(job, 1)
        else:
            self.signal(members, "KILL")

    def release(self, tree: Tree, *, again: bool) -> None:
        job = self._jobs.pop(tree.pid, None)
        if job is not None:
            _kernel.CloseHandle(job)

    def _options(self) -> Dict[str, Any]:
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | _SUSPENDED}

    def _started(self, process: "subprocess.Popen[bytes]", order: Order) -> Child:
        handle = int(process._handle)  # type: ignore[attr-defined]  # noqa: SLF001  no public name
        job = _kernel.CreateJobObjectW(None, None)
        if job and _kernel.AssignProcessToJobObject(job, handle):
            self._jobs[process.pid] = job
        elif job:  # inside a job that allows none within: its first process is all we know
            _kernel.CloseHandle(job)
        if _ntdll.NtResumeProcess(handle) != 0:
            process.kill()
            error = ctypes.WinError(ctypes.get_last_error())
            raise LaunchError(why_not(order, error))
        self._leaders.add(process.pid)
        now = time.time()
        return Child(process.pid, "{}:{}".format(now - _SLACK, now + _SLACK))

    def _end(self, process: "subprocess.Popen[bytes]") -> End:
        code = process.wait()
        self._leaders.discard(process.pid)  # while its handle is open no other has the number
        handle = int(process._handle)  # type: ignore[attr-defined]  # noqa: SLF001  no public name
        times = _handle_times(handle)
        return End(process.pid, code, None, times[1] if times else 0.0, 0)

    def _listed(self, tree: Tree) -> Set[int]:
        job = self._jobs.get(tree.pid)
        if job is None:
            return set()
        found = _ProcessIds()
        size = ctypes.sizeof(found)
        _kernel.QueryInformationJobObject(job, _PROCESS_IDS, ctypes.byref(found), size, None)
        return set(found.ids[: found.listed])


def _times(pid: int) -> "Optional[List[float]]":
    """Start (s since 1970) and CPU seconds of a living process."""
    handle = _kernel.OpenProcess(_QUERY, False, pid)
    if not handle:
        return None
    try:
        code = wintypes.DWORD()
        _kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        return _handle_times(handle) if code.value == _STILL_ACTIVE else None
    finally:
        _kernel.CloseHandle(handle)


def _handle_times(handle: int) -> "Optional[List[float]]":
    start, end, kernel, user = (wintypes.FILETIME() for _ in range(4))
    parts = (ctypes.byref(part) for part in (start, end, kernel, user))
    if not _kernel.GetProcessTimes(handle, *parts):
        return None
    return [_seconds(start) - _EPOCH, _seconds(kernel) + _seconds(user)]


def _seconds(moment: wintypes.FILETIME) -> float:
    """From Windows' unit of 100 ns."""
    return float((moment.dwHighDateTime << 32) + moment.dwLowDateTime) / 1e7


def _terminate(pid: int) -> None:
    handle = _kernel.OpenProcess(_TERMINATE, False, pid)
    if handle:
        _kernel.TerminateProcess(handle, 1)
        _kernel.CloseHandle(handle)
