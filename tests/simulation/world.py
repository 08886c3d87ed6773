"""Simulated time: one queue of what happens next, one source of chance, one trace.

Everything that a campaign does goes through here, so a seed replays it exactly. `boundary` is
called wherever one process hands something to another or to its disk; faults strike there.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Protocol

BEGIN = 1_790_000_000.0  #: s since 1970


class Violation(AssertionError):
    """A promise was broken, or a process failed by itself."""


class Crash(BaseException):
    """The process that is at work is gone; nothing of ours may catch it."""


class Runner(Protocol):
    """A process that may be killed."""

    dead: bool


class Event:
    """What is to happen; `cancel` takes it back."""

    __slots__ = ("arguments", "call")

    def __init__(self, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.call: Callable[..., object] | None = call
        self.arguments = arguments

    def cancel(self) -> None:
        self.call, self.arguments = None, ()


class World:
    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.random = random.Random(seed)
        self.now = BEGIN
        self.boundaries = 0
        self.strikes: dict[int, Callable[[], None]] = {}  #: boundary to what strikes there
        self.verbose = verbose
        self.violation: Violation | None = None  #: the first; those at work may swallow it
        self.running: Runner | None = None  #: whose code is at work
        self._trace = blake2b(digest_size=16)
        self._queue: list[tuple[float, int, Event]] = []
        self._order = 0

    @property
    def trace(self) -> str:
        return self._trace.hexdigest()

    def note(self, what: str, data: bytes = b"") -> None:
        """Part of the trace."""
        line = f"{self.now - BEGIN:.6f} {what} "
        self._trace.update(line.encode())
        self._trace.update(data)
        if self.verbose:
            print(line, data.decode("utf-8", "replace")[:300])

    def at(self, delay: float, call: Callable[..., object], *arguments: object) -> Event:
        event = Event(call, arguments)
        self._order += 1
        heapq.heappush(self._queue, (self.now + delay, self._order, event))
        return event

    def soon(self, call: Callable[..., object], *arguments: object) -> Event:
        """After a delay as between two processes, mostly short."""
        return self.at(self.delay(), call, *arguments)

    def delay(self) -> float:
        draw = self.random.random()
        return 0.0001 + (0.4 * (draw - 0.9) if draw > 0.9 else 0.003 * draw)

    def boundary(self, what: str, data: bytes = b"") -> None:
        self.boundaries += 1
        self.note(what, data)
        if (strike := self.strikes.pop(self.boundaries, None)) is not None:
            strike()
            if self.running is not None and self.running.dead:
                raise Crash

    def inside(self, runner: "Runner", call: Callable[[], Any]) -> Any:  # Any: as `call` has it
        """Call it as `runner`, which may be killed by it."""
        before, self.running = self.running, runner
        try:
            return call()
        finally:
            self.running = before

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let it happen, until that time or until `done`."""
        queue, steps = self._queue, 0
        while queue and queue[0][0] <= until and not done():
            at, _, event = heapq.heappop(queue)
            if event.call is not None:
                self.now = max(self.now, at)
                event.call(*event.arguments)
                if self.violation is not None:
                    raise self.violation
                steps += 1
                if steps > 200_000:
                    raise Violation("it goes round and round")
        if not done():
            self.now = max(self.now, until)

    def violated(self, what: str) -> Violation:
        """To be raised where it was seen; it stands even if that is swallowed."""
        self.violation = self.violation or Violation(what)
        return self.violation

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def one_of(self, things: Iterable[Any]) -> Any:  # Any: of whatever type they are
        return self.random.choice([*things])


class Clock:
    """Takes the place of the module `time`."""

    CLOCK_BOOTTIME = 7

    def __init__(self, world: World) -> None:
        self._world = world

    def time(self) -> float:
        return self._world.now

    def monotonic(self) -> float:
        return self._world.now - BEGIN + 1000.0

    def clock_gettime(self, which: int) -> float:
        return self.monotonic()
