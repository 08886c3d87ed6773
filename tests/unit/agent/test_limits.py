"""What control groups allow, read from trees of files in the kernel's own form."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solveyard.agent.limits import Machine

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
FOUR = frozenset(range(4))


def machine(root: Path, files: dict[str, str], processors: frozenset[int] = FOUR) -> Machine:
    files = {
        "proc/meminfo": "MemTotal:        8000000 kB\nMemAvailable:    7000000 kB\n",
        "proc/stat": "cpu  1 2 3\n" + "".join(f"cpu{n} 1 2 3\n" for n in range(4)),
        **files,
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Machine(str(root), processors)


def test_limits_of_version_2_are_the_tightest_on_the_way_up(tmp_path: Path) -> None:
    top = "sys/fs/cgroup"
    found = machine(tmp_path, {
        "proc/self/cgroup": "0::/outer.slice/inner.service\n",
        "proc/self/mountinfo": V2,
        f"{top}/outer.slice/inner.service/memory.max": "max\n",
        f"{top}/outer.slice/inner.service/cpu.max": "300000 100000\n",
        f"{top}/outer.slice/inner.service/cpu.stat": "usage_usec 1\n",
        f"{top}/outer.slice/memory.max": "1000000000\n",
        f"{top}/outer.slice/memory.current": "300000000\n",
        f"{top}/outer.slice/memory.stat": "anon 1\ninactive_file 100000000\n",
        f"{top}/outer.slice/cpu.max": "250000 100000\n",
        f"{top}/outer.slice/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
    })  # fmt: skip
    assert (found.cores, found.memory, found.source) == (2, 1_000_000_000, "cgroup-v2")
    assert found.groups.memory_left() == 800_000_000
    assert found.groups.cpu_seconds() == 2.5
    assert found.cores_from == "2.5 by /sys/fs/cgroup/outer.slice/cpu.max"
    assert found.memory_from == "by /sys/fs/cgroup/outer.slice/memory.max"


def test_a_container_of_version_2_sees_its_own_group_at_the_top(tmp_path: Path) -> None:
    found = machine(tmp_path, {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": V2,
        "sys/fs/cgroup/memory.max": "536870912\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
    })  # fmt: skip
    assert (found.cores, found.memory) == (1, 536870912)


def test_a_container_of_version_1_finds_its_group_by_what_is_mounted(tmp_path: Path) -> None:
    mounts = "".join(
        f"3{n} 31 0:3{n} /docker/c0ffee /sys/fs/cgroup/{name} ro - cgroup cgroup rw,{name}\n"
        for n, name in enumerate(("memory", "cpu,cpuacct"))
    )
    top = "sys/fs/cgroup"
    found = machine(tmp_path, {
        "proc/self/cgroup": "3:memory:/docker/c0ffee\n2:cpu,cpuacct:/docker/c0ffee/sub\n",
        "proc/self/mountinfo": mounts,
        f"{top}/memory/memory.limit_in_bytes": "9223372036854771712\n",
        f"{top}/memory/memory.usage_in_bytes": "200000000\n",
        f"{top}/memory/memory.stat": (
            "cache 1\nhierarchical_memory_limit 500000000\ntotal_inactive_file 50000000\n"
        ),
        f"{top}/cpu,cpuacct/sub/cpu.cfs_quota_us": "-1\n",
        f"{top}/cpu,cpuacct/sub/cpu.cfs_period_us": "100000\n",
        f"{top}/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
        f"{top}/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        f"{top}/cpu,cpuacct/cpuacct.usage": "3000000000\n",
    })  # fmt: skip
    assert (found.cores, found.memory, found.source) == (3, 500_000_000, "cgroup-v1")
    assert found.groups.memory_left() == 350_000_000
    assert found.groups.cpu_seconds() == 3.0


def test_a_machine_without_limits_offers_all_of_itself(tmp_path: Path) -> None:
    found = machine(tmp_path, {
        "proc/self/cgroup": "0::/../elsewhere\n",
        "proc/self/mountinfo": V2,
        "sys/fs/cgroup/cgroup.procs": "1\n",
    })  # fmt: skip
    assert (found.cores, found.memory, found.source) == (4, 8_192_000_000, "host")
    assert found.groups.memory_left() is None


def test_fewer_processors_than_installed_are_told_as_such(tmp_path: Path) -> None:
    found = machine(tmp_path, {}, frozenset({2, 3}))
    assert (found.cores, found.source) == (2, "affinity")
    assert found.cores_from == "the processors that this process may use, of 4"


def test_a_real_quota_and_memory_limit_are_found_by_who_is_below_them() -> None:
    top = Path("/sys/fs/cgroup")
    names = ("cpu", "memory")
    groups = [top / name / f"solveyard-test-{os.getpid()}" for name in names]
    try:
        for group in groups:
            (group / "below").mkdir(parents=True)
        (groups[0] / "cpu.cfs_quota_us").write_text("150000")
        (groups[1] / "memory.limit_in_bytes").write_text(str(256 << 20))
    except OSError as error:
        remove(groups)
        pytest.skip(f"no version 1 group can be made here: {error}")
    joining = "; ".join(f"echo $$ > {group}/below/cgroup.procs" for group in groups)
    ask = "from solveyard.agent.limits import Machine as M; m = M()"
    ask += "; print(m.groups.cpu.value, m.cores, m.memory, m.source)"
    try:
        told = subprocess.run(
            ["sh", "-c", f'{joining}; exec "$@"', "sh", sys.executable, "-c", ask],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        remove(groups)
    assert told.stdout.split() == ["1.5", "1", str(256 << 20), "cgroup-v1"], told.stderr


def remove(groups: list[Path]) -> None:
    for group in groups:
        for folder in (group / "below", group):
            if folder.exists():
                folder.rmdir()
