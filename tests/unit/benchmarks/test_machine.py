"""What others had of a machine, by two looks at its counters."""

import os
import sys

import pytest
from benchmarks.machine import Moment, others

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")
TICKS = os.sysconf("SC_CLK_TCK") if sys.platform != "win32" else 100


def look(at: float, *seconds: int) -> Moment:
    columns = " ".join(str(one * TICKS) for one in seconds)
    return Moment.read(f"cpu  {columns} 7 7\ncpu0 1 2 3\n", at)


def test_what_was_neither_ours_nor_idle_was_others() -> None:
    before = look(10.0, 5, 0, 5, 100, 3, 0, 0, 0)
    after = look(20.0, 9, 1, 8, 105, 5, 1, 1, 2)  # 12 s of work, 2 of them the host's
    assert others(before, after, ours=8.0, cores=2) == pytest.approx(0.2)
    assert others(before, after, ours=13.0, cores=2) == 0.0


def test_the_real_counters_are_read() -> None:
    before = Moment.now()
    while Moment.now().at < before.at + 0.1:
        pass
    assert Moment.now().busy >= before.busy
