"""A manager in a thread of its own, for a process that finds none running."""

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

from solveyard.backends import precedence
from solveyard.serve import Running, ServeOptions, opened
from solveyard.workers import Pool, run

THREADS = 6  #: for what blocks


class Embedded:
    """Runs from construction until `close`; opens no port."""

    def __init__(self, folder: Path, options: ServeOptions) -> None:
        """Raises StoreError: LeaseTaken where another manager has the store."""
        self._started: Future[tuple[asyncio.AbstractEventLoop, Running]] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(folder, options), name="solveyard-manager", daemon=True
        )
        self._thread.start()
        self._loop, self._running = self._started.result()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self, how: str = "") -> None:
        """Stop it by "leave", "drain", "now", or "" for what its options say; wait for that."""
        if self._thread.is_alive() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._running.stop, how)
        self._thread.join()

    def _run(self, folder: Path, options: ServeOptions) -> None:
        try:
            # asyncio's own pool takes nothing more once the interpreter ends, when a drain begins
            run(self._serve(folder, options), Pool("solveyard-aside", THREADS))
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self, folder: Path, options: ServeOptions) -> None:
        with precedence.held():
            async with opened(folder, options) as running:
                self._started.set_result((asyncio.get_running_loop(), running))
                await running.stopped.wait()
