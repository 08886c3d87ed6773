"""The event loop of an agent's process: sockets, timers, wake-ups; one thread.

Not asyncio: a spawner's turn of this loop costs some ten microseconds less, and there is one
for each command that it starts.
"""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import logging
import selectors
import socket
import time
from typing import Callable, Deque, List, Optional, Tuple

Call = Callable[[], None]
SWEEP = 1000  #: timers
LONGEST = 86_400.0  #: s of one wait: the system takes some 24 days at most
_log = logging.getLogger(__name__)


class Timer:
    """A call that is due later; `cancel` takes it back."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call: Optional[Call] = call

    def cancel(self) -> None:
        self.call = None


class Loop:
    """Waits for files and time, and calls back. `post` alone may be used by other threads."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: List[Tuple[float, int, Timer]] = []
        self._sweep_at = SWEEP
        self._order = itertools.count()
        self._posted: Deque[Call] = collections.deque()
        self._woken, self.wakeup = socket.socketpair()  # a byte into `wakeup` ends the wait
        self._woken.setblocking(False)
        self.wakeup.setblocking(False)
        self._running = True
        self.on_wake: List[Call] = []  #: called whenever `wakeup` was written to
        self.at_turn_end: List[Call] = []  #: called before each wait
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake)

    def watch(self, file: int, events: int, call: Call) -> None:
        """Call `call` while `file` is ready for `events`; replaces an earlier watch of it."""
        try:
            self._selector.modify(file, events, call)
        except KeyError:
            self._selector.register(file, events, call)

    def unwatch(self, file: int) -> None:
        """Must come before the file is closed."""
        self._selector.unregister(file)

    def later(self, delay: float, call: Call) -> Timer:
        """Call `call` once, `delay` seconds from now."""
        if len(self._timers) > self._sweep_at:  # those that were taken back are in the way
            self._timers = [entry for entry in self._timers if entry[2].call is not None]
            heapq.heapify(self._timers)
            self._sweep_at = max(SWEEP, 2 * len(self._timers))
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), timer))
        return timer

    def post(self, call: Call) -> None:
        """Call `call` in the loop's thread; from any thread."""
        self._posted.append(call)
        with contextlib.suppress(BlockingIOError):  # enough bytes are waiting already
            self.wakeup.send(b"p")

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        """Until `stop`."""
        while self._running:
            for call in self.at_turn_end:
                call()
            if not self._running:
                break
            for key, _ in self._selector.select(self._wait()):
                key.data()
            self._call_due()

    def close(self) -> None:
        self._selector.close()
        self._woken.close()
        self.wakeup.close()

    def _wait(self) -> Optional[float]:
        timers = self._timers
        while timers and timers[0][2].call is None:
            heapq.heappop(timers)
        if not timers:
            return None
        return min(max(0.0, timers[0][0] - time.monotonic()), LONGEST)

    def _call_due(self) -> None:
        timers = self._timers
        if not timers:
            return
        now = time.monotonic()
        while timers and timers[0][0] <= now:
            timer = heapq.heappop(timers)[2]
            if timer.call is not None:
                try:
                    timer.call()
                except Exception:  # with this process, all that it watches would be lost
                    _log.exception("what was due failed")

    def _wake(self) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            return
        for call in self.on_wake:
            call()
        while self._posted:
            self._posted.popleft()()
