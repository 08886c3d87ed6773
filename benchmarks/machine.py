"""What the machine did while something was measured: how much of it others had."""

import os
import time
from pathlib import Path
from typing import NamedTuple, Self

_IDLE = (3, 4)  #: columns of a "cpu" line that are no work: idle, iowait


class Moment(NamedTuple):
    """All processors until now. Source: proc_stat(5)."""

    at: float  #: s
    busy: float  #: s of processors, of whoever, those that the host gave to others too

    @classmethod
    def now(cls) -> Self:
        return cls.read(Path("/proc/stat").read_text(encoding="ascii"), time.monotonic())

    @classmethod
    def read(cls, text: str, at: float) -> Self:
        columns = [int(word) for word in text.splitlines()[0].split()[1:9]]
        ticks = sum(column for index, column in enumerate(columns) if index not in _IDLE)
        return cls(at, ticks / os.sysconf("SC_CLK_TCK"))


def others(before: Moment, after: Moment, ours: float, cores: int) -> float:
    """The part of all cores that went to others; `ours`: s of processors."""
    return max(0.0, after.busy - before.busy - ours) / (after.at - before.at) / cores
