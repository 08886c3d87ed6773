"""Event loops on simulated time: asyncio's for the manager, the agent's own for agents."""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from simulation.world import Crash, Event, Violation, World

TURN = 0.00002  #: s that one turn of a loop takes


class ManagerLoop(asyncio.AbstractEventLoop):
    """Runs what is ready, one turn at a time, until its process is dead."""

    def __init__(self, world: World) -> None:
        self.dead = False
        self.faults: list[str] = []
        self._world = world
        self._ready: deque[asyncio.Handle] = deque()
        self._turn: Event | None = None

    # What asyncio asks of a loop

    def time(self) -> float:
        return self._world.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coroutine: Any, *, name: object = None, context: Context | None = None
    ) -> "asyncio.Task[Any]":
        return asyncio.Task(coroutine, loop=self, context=context)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        if self._turn is None and not self.dead:
            self._turn = self._world.at(TURN, self._run)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._world.at(max(0.0, when - self._world.now), self._due, handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        return self.call_at(self._world.now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is left where it waits."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead:
            self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    # How it runs

    def inside(self, call: Callable[[], Any]) -> Any:
        """Call it as from within this loop."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            return self._world.inside(self, call)
        finally:
            asyncio._set_running_loop(before)

    def kill(self, tasks: "list[asyncio.Task[Any]]") -> None:
        """The process is gone: what it had begun comes to no end."""
        self.dead = True
        for task in tasks:
            task.cancel()
        for _ in range(100):
            if not self._ready:
                break
            self.inside(self._turn_once)
        if not all(task.done() for task in tasks):
            raise Violation("a dead manager's task can't be ended")

    def _due(self, handle: asyncio.TimerHandle) -> None:
        if self.dead or handle.cancelled():
            return
        self._ready.append(handle)
        if self._turn is None:
            self._turn = self._world.at(TURN, self._run)

    def _run(self) -> None:
        self._turn = None
        if self.dead:
            return
        self.inside(self._turn_once)
        if self.faults:
            raise Violation(f"a task of the manager failed: {self.faults}")
        if self._ready and not self.dead and self._turn is None:
            self._turn = self._world.at(TURN, self._run)

    def _turn_once(self) -> None:
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()


class Timer:
    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class AgentLoop:
    """As `solveyard.agent.loop.Loop`; whoever is killed in it never runs again."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.stopped_until = 0.0  #: the process gets no time before
        self.on_wake: list[Callable[[], None]] = []
        self.at_turn_end: list[Callable[[], None]] = []
        self.wakeup = self
        self.stopped: Callable[[], None] = lambda: None
        self._files: dict[int, tuple[int, Callable[[], None]]] = {}
        self._ready: dict[int, None] = {}
        self._timers: deque[Timer] = deque()
        self._woken = False
        self._turn: Event | None = None

    def watch(self, file: int, events: int, call: Callable[[], None]) -> None:
        self._files[file] = (events, call)
        if events & selectors.EVENT_WRITE:
            self.ready(file)

    def unwatch(self, file: int) -> None:
        del self._files[file]

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        self.world.at(max(0.0, delay), self._due, timer)
        return timer

    def post(self, call: Callable[[], None]) -> None:
        self.later(0.0, call)

    def stop(self) -> None:
        self.dead = True
        self.stopped()

    def send(self, data: bytes) -> None:
        """A byte into `wakeup`."""
        self._woken = True
        self.turn_soon()

    def ready(self, file: int) -> None:
        self._ready[file] = None
        self.turn_soon()

    def turn_soon(self) -> None:
        if self._turn is None and not self.dead:
            wait = max(TURN, self.stopped_until - self.world.now)
            self._turn = self.world.at(wait, self._run)

    def _due(self, timer: Timer) -> None:
        if timer.call is not None and not self.dead:
            self._timers.append(timer)
            self.turn_soon()

    def _run(self) -> None:
        self._turn = None
        if self.dead:
            return
        if self.stopped_until > self.world.now:
            self.turn_soon()
            return
        try:
            self.world.inside(self, self._turn_once)
        except Crash:
            assert self.dead
        except OSError as error:
            raise Violation(f"{self.name} failed: {error!r}") from error

    def _turn_once(self) -> None:
        ready, self._ready = [*self._ready], {}
        for file in ready:
            if file in self._files:
                self._files[file][1]()
        if self._woken:
            self._woken = False
            for call in self.on_wake:
                call()
        for _ in range(len(self._timers)):
            due = self._timers.popleft().call
            if due is not None:
                due()
        for call in self.at_turn_end:
            call()
            if self.dead:
                return
