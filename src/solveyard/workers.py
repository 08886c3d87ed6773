"""Threads that do one blocking thing after another for an event loop.

Not concurrent.futures: its threads refuse work while the interpreter ends, which is when an
embedded manager has to drain.
"""

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from solveyard import forks

if sys.platform == "win32":
    _SystemLoop = asyncio.ProactorEventLoop
else:

    class _SystemLoop(asyncio.SelectorEventLoop):
        """Whose sockets no forked child keeps."""

        def __init__(self) -> None:
            super().__init__(forks.Selector())


T = TypeVar("T")

#: Takes what a function returned, else what it raised; in the loop.
Settle = Callable[[Any, BaseException | None], None]


class Workers:
    """So many daemon threads, each taking the next thing to do.

    The loop hears of what was done meanwhile all at once: waking it costs more than most calls.
    """

    def __init__(self, name: str, count: int = 1) -> None:
        # Any: each call's type goes through its own future
        self._calls: SimpleQueue[
            tuple[asyncio.AbstractEventLoop, Callable[[], Any], Settle] | None
        ] = SimpleQueue()
        self._over: deque[tuple[Settle, Any, BaseException | None]] = deque()
        self._announced = False  #: the loop will look at what is over
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True)
            for i in range(count)
        ]
        for thread in self._threads:
            thread.start()

    async def call(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises, from one of the threads."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._calls.put((loop, function, lambda *outcome: _settle(future, *outcome)))
        return await future

    def post(self, function: Callable[[], T], done: Callable[[T], None]) -> None:
        """Have `done` called in the loop with what `function` returned; it must raise nothing."""

        def told(result: T, error: BaseException | None) -> None:
            if error is not None:
                raise error
            done(result)

        self._calls.put((asyncio.get_running_loop(), function, told))

    def close(self) -> None:
        """Finish what was asked for, then end the threads."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            loop, function, settle = call
            result, error = None, None
            try:
                result = function()
            except BaseException as failure:
                error = failure
            self._over.append((settle, result, error))
            if self._announced:
                continue
            self._announced = True
            try:
                loop.call_soon_threadsafe(self._tell)
            except RuntimeError:
                self._announced = False
                return  # the loop is closed: nobody waits any more

    def _tell(self) -> None:
        self._announced = False  # first: what is over from here on is announced anew
        while self._over:
            settle, result, error = self._over.popleft()
            settle(result, error)


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


class Pool(ThreadPoolExecutor):
    """What a loop runs blocking things in, `asyncio.to_thread` for one; as Workers, it goes on
    while the interpreter ends.
    """

    def __init__(self, name: str, count: int) -> None:
        super().__init__(1)  # of whose threads none is ever started
        # Any: each call's type goes through its own future
        self._given: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self.ends: list[Future[None]] = [Future() for _ in range(count)]  #: of its threads
        self._own = [
            threading.Thread(target=self._take, args=(end,), name=f"{name}-{i}", daemon=True)
            for i, end in enumerate(self.ends)
        ]
        for thread in self._own:
            thread.start()

    def submit(self, function: Callable[..., T], /, *args: Any, **more: Any) -> "Future[T]":
        future: Future[T] = Future()
        self._given.put((future, partial(function, *args, **more)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was asked for, then end the threads."""
        for _ in self._own:
            self._given.put(None)
        for thread in self._own if wait else ():
            thread.join()

    def _take(self, end: "Future[None]") -> None:
        while (given := self._given.get()) is not None:
            future, call = given
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as failure:
                future.set_exception(failure)
            else:
                future.set_result(result)
        end.set_result(None)


def run(main: Coroutine[Any, Any, T], pool: Pool) -> T:
    """As asyncio.run, with `pool` for what blocks; its end, too, may come as the interpreter's."""
    with asyncio.Runner(loop_factory=lambda: _Loop(pool)) as runner:
        return runner.run(main)


class _Loop(_SystemLoop):
    """Waits for its pool without the thread that asyncio starts for it, which Python 3.12 refuses
    while the interpreter ends.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.set_default_executor(pool)

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  asyncio's own
    ) -> None:
        self._pool.shutdown(wait=False)
        ends = [asyncio.wrap_future(end) for end in self._pool.ends]
        _, late = await asyncio.wait(ends, timeout=timeout)
        if not late:
            self._pool.shutdown()
