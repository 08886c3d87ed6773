"""The manager's clock: starts at the calendar's time, then nobody can set it."""

import time

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", None)  # goes on while the machine sleeps


class Clock:
    """Seconds since 1970 that never go back, whatever happens to the calendar's clock."""

    def __init__(self, not_before: float = 0.0) -> None:
        self._base = max(time.time(), not_before) - elapsed()

    def now(self) -> float:
        return self._base + elapsed()


def elapsed() -> float:
    """Seconds by a clock that only goes forward."""
    return time.monotonic() if _ELAPSED is None else time.clock_gettime(_ELAPSED)
