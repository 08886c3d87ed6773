"""What a machine has, judged by the system's own words."""

import os
import time
from pathlib import Path

import pytest

from solveyard.agent import telemetry
from solveyard.agent.telemetry import Telemetry


def test_a_sample_is_within_what_the_machine_has(tmp_path: Path) -> None:
    found = Telemetry(str(tmp_path))
    sample = found.sample()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert 0 < sample["memory_free"] <= sample["memory_total"] == found.memory
    assert 0 <= sample["cpu"] <= 100
    assert abs(sample["at"] - time.time()) < 60
    assert sample["source"] in ("cgroup-v2", "cgroup-v1", "host")


def _groups(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    def text(path: str) -> str:
        return files.get(path, "")

    monkeypatch.setattr(telemetry, "_text", text)
    folders = {str(parent) for path in files for parent in Path(path).parents}
    monkeypatch.setattr(os.path, "isdir", lambda path: str(path) in folders)
    monkeypatch.setattr(os.path, "exists", lambda path: str(path) in files)


def test_limits_of_version_2_are_the_tightest_on_the_way_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    top = "/sys/fs/cgroup"
    files = {
        "/proc/self/cgroup": "0::/outer/inner\n",
        f"{top}/outer/inner/memory.max": "max\n",
        f"{top}/outer/inner/memory.current": "300000000\n",
        f"{top}/outer/inner/memory.stat": "anon 1\ninactive_file 100000000\n",
        f"{top}/outer/inner/cpu.stat": "usage_usec 2500000\n",
        f"{top}/outer/memory.max": "1000000000\n",
        f"{top}/outer/cpu.max": "250000 100000\n",
    }
    _groups(monkeypatch, files)
    groups = telemetry._Groups()
    assert groups.source == "cgroup-v2"
    assert groups.memory_limit() == 1_000_000_000
    assert groups.memory_used() == 200_000_000
    assert groups.quota == 2.5
    assert (groups.cores(8), groups.cores(1)) == (2, 1)
    assert groups.cpu_seconds() == 2.5


def test_limits_of_version_1(monkeypatch: pytest.MonkeyPatch) -> None:
    top = "/sys/fs/cgroup"
    files = {
        "/proc/self/cgroup": "3:memory:/x\n2:cpu:/x\n1:cpuacct:/x\n0::/\n",
        f"{top}/memory/x/memory.limit_in_bytes": "500000000\n",
        f"{top}/memory/memory.limit_in_bytes": "9223372036854771712\n",
        f"{top}/cpu/x/cpu.cfs_quota_us": "50000\n",
        f"{top}/cpu/x/cpu.cfs_period_us": "100000\n",
        f"{top}/cpuacct/x/cpuacct.usage": "3000000000\n",
    }
    _groups(monkeypatch, files)
    groups = telemetry._Groups()
    assert groups.source == "cgroup-v1"
    assert groups.memory_limit() == 500_000_000
    assert groups.quota == 0.5
    assert groups.cores(8) == 1
    assert groups.cpu_seconds() == 3.0
