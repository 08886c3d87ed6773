"""The manager's clock: starts at the calendar's time, then nobody can set it."""

import sys
import time


class Clock:
    """Seconds since 1970 that never go back, whatever happens to the calendar's clock."""

    def __init__(self, not_before: float = 0.0) -> None:
        self._base = max(time.time(), not_before) - elapsed()

    def now(self) -> float:
        return self._base + elapsed()


def elapsed() -> float:
    """Seconds by a clock that only goes forward."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the machine sleeps
    return time.monotonic()
