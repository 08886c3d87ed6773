"""Threads that do one blocking thing after another for an event loop.

Not concurrent.futures: its threads refuse work while the interpreter ends, which is when an
embedded manager has to drain.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """So many daemon threads, each taking the next thing to do."""

    def __init__(self, name: str, count: int = 1) -> None:
        # Any: each call's type goes through its own future
        self._calls: SimpleQueue[
            tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Callable[[], Any]] | None
        ] = SimpleQueue()
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
        self._calls.put((loop, future, function))
        return await future

    def close(self) -> None:
        """Finish what was asked for, then end the threads."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            loop, future, function = call
            result, error = None, None
            try:
                result = function()
            except BaseException as failure:
                error = failure
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
