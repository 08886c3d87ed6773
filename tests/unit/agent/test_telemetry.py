"""What a machine has, judged by the system's own words."""

import os
import time
from pathlib import Path

from solveyard.agent.telemetry import Telemetry


def test_a_sample_is_within_what_the_machine_has(tmp_path: Path) -> None:
    found = Telemetry(str(tmp_path))
    sample = found.sample()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert 0 < sample["memory_free"] <= sample["memory_total"] == found.memory
    assert 0 <= sample["cpu"] <= 100
    assert abs(sample["at"] - time.time()) < 60
    assert sample["source"] in ("cgroup-v2", "cgroup-v1", "affinity", "host")
