"""Windows' decisions, with a kernel that is made up: Windows itself isn't here."""

import ctypes
import subprocess
import sys
from importlib import util
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil  # noqa: F401  as itself, before the module takes this for Windows
import pytest

from solveyard.agent.platform import portable  # noqa: F401  likewise
from solveyard.agent.platform.base import Order
from solveyard.wire import apart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has a kernel of its own")

FIRST, OTHER = 40, 41


class Function:
    """One of a library: it notes its calls, and does what `does` does; 0 is what it answers."""

    def __init__(self, name: str, calls: list[tuple[Any, ...]]) -> None:
        self.name = name
        self.calls = calls
        self.does: Any = lambda *_: 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls.append((self.name, *arguments))
        return self.does(*arguments)


class Library:
    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Function:
        function = Function(name, self._calls)
        setattr(self, name, function)
        return function


class Process:
    """One that the kernel would have started."""

    pid = FIRST
    _handle = 400

    def wait(self) -> int:
        return 0


@pytest.fixture
def calls() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def windows(calls: list[tuple[Any, ...]]) -> ModuleType:
    """The module, imported as if this were Windows."""
    spec = util.find_spec("solveyard.agent.platform.windows")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctypes, "WinDLL", lambda *_, **__: Library(calls), raising=False)
        patch.setattr(sys, "platform", "win32")
        spec.loader.exec_module(module)
    return module


def started(windows: ModuleType) -> Any:
    platform = windows.Windows()
    order = Order("a", ["a.exe"], {}, ".", "out", "err", "")
    platform._started(Process(), order)
    return platform


def breaks(calls: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [call[1:] for call in calls if call[0] == "GenerateConsoleCtrlEvent"]


def test_term_goes_to_the_group_that_a_command_leads_and_to_nobody_alone(
    windows: ModuleType, calls: list[tuple[Any, ...]]
) -> None:
    platform = started(windows)
    platform.signal({FIRST, OTHER}, "TERM")
    platform.signal_group(FIRST, "INT")
    assert breaks(calls) == [(1, FIRST), (1, FIRST)]
    assert not [call for call in calls if "Terminate" in call[0]]


def test_the_number_of_a_command_that_ended_is_sent_nothing(
    windows: ModuleType, calls: list[tuple[Any, ...]]
) -> None:
    platform = started(windows)
    platform._end(Process())
    platform.signal({FIRST}, "TERM")
    assert breaks(calls) == []


def test_a_boot_has_one_name_however_the_clock_is_set(windows: ModuleType) -> None:
    moment, step = 133_800_000_000_000_000, 36_000_000_000
    platform = windows.Windows()

    def tell(boot: int, bias: int) -> str:
        def query(kind: int, place: Any, size: int, _: None) -> int:
            assert (kind, size) == (3, 48)
            place._obj.boot, place._obj.boot_bias = boot, bias
            return 0

        windows._ntdll.NtQuerySystemInformation.does = query
        return str(platform.boot_id())

    assert tell(moment, 0) == tell(moment + step, step) == tell(moment - step, -step)
    assert tell(moment, 0) != tell(moment + step, 0)


def test_a_kernel_that_does_not_say_when_it_began_is_asked_how_long_it_has_run(
    windows: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows._ntdll.NtQuerySystemInformation.does = lambda *_: -1073741820
    windows._kernel.GetTickCount64.does = lambda: 5_000
    monkeypatch.setattr(windows, "time", SimpleNamespace(time=lambda: 1_005.0))
    assert windows.Windows().boot_id() == "boot-100"


def test_what_outlives_its_starter_has_a_console_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detached, new_group, no_window = 0x8, 0x200, 0x8000000
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", new_group, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", no_window, raising=False)
    monkeypatch.setattr(subprocess, "DETACHED_PROCESS", detached, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert apart.apart() == {"creationflags": new_group | no_window}
