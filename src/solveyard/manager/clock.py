"""The manager's clock: the calendar's time, but it never goes back."""

import sys
import time
from typing import NamedTuple

FAR = 1.0  #: s that the calendar's clock may be ahead before it's followed
#: s for which it has to be so: a mistake that is put right at once would have to be lived with
STEADY = 20.0


class Leap(NamedTuple):
    """The calendar's clock was set forward, or the machine slept for a time that isn't counted."""

    at: float  #: s since 1970, as this clock was before
    by: float  #: s
    elapsed: float  #: then


class Clock:
    """Seconds since 1970 that never go back, whatever happens to the calendar's clock.

    Where that is set forward, and stays so, this one leaps, so that what is told of now agrees with
    what other programs tell. `leaps` are for those who measure how long something takes.
    """

    def __init__(self) -> None:
        self.leaps: list[Leap] = []
        self._began = elapsed()
        self._base = time.time() - self._began
        self._ahead_since: float | None = None  #: the calendar is, by `elapsed`

    def go_on(self, last: float) -> None:
        """From `last` at the earliest: so far it had come, also in an earlier process."""
        self._base = max(self._base, last - elapsed())

    def now(self) -> float:
        at = elapsed()
        now = self._base + at
        by = time.time() - now
        if by <= FAR:
            self._ahead_since = None
            return now
        if self._ahead_since is None:
            self._ahead_since = at
        if at < self._ahead_since + STEADY:
            return now
        self.leaps.append(Leap(now, by, at))
        self._base += by
        return now + by

    def ahead(self) -> float:
        """Seconds by which the calendar is behind, since it was once set too far forward."""
        ahead = self.now() - time.time()
        return ahead if ahead > FAR else 0.0

    def ago(self, seconds: float) -> float:
        """What it told when surely so many seconds had yet to pass until now, or more.

        Leaps are no time that has passed. What was told before this clock began may be of a
        calendar that was ahead, so the calendar counts where it is behind.
        """
        then = self.now() - seconds
        at = elapsed() - seconds
        then -= sum(leap.by for leap in self.leaps if leap.elapsed > at)
        return then if at >= self._began else min(then, time.time() - seconds)


def elapsed() -> float:
    """Seconds by a clock that only goes forward."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the machine sleeps
    return time.monotonic()
