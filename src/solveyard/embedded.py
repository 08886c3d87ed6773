"""A manager in a thread of its own, for a process that finds none running."""

import asyncio
import os
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from solveyard.backends import precedence
from solveyard.model.errors import ManagerUnavailable
from solveyard.serve import Running, ServeOptions, opened
from solveyard.workers import Pool, run

THREADS = 6  #: for what blocks


class Embedded:
    """Runs from construction until `close`; opens no port."""

    def __init__(self, folder: Path, options: ServeOptions) -> None:
        """Raises StoreError: LeaseTaken where another manager has the store. ManagerUnavailable in
        a process that was forked from one that ran a manager then.
        """
        if _Here.inherited:
            raise ManagerUnavailable(
                f"no manager runs on the store {folder}, and a process that was forked from one"
                " that ran a manager can't run it (start one: solveyard serve; or make the first"
                " Yard after the fork)"
            )
        self._started: Future[tuple[asyncio.AbstractEventLoop, Running]] = Future()
        self._thread = threading.Thread(
            target=self._run,
            args=(folder, replace(options, embedded=True)),
            name="solveyard-manager",
            daemon=True,
        )
        self._thread.start()
        try:
            self._loop, self._running = self._started.result()
        except BaseException:  # a Ctrl-C, too: nobody would ever stop it
            self._started.add_done_callback(_stop)
            self._thread.join()
            raise

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self, how: str = "") -> None:
        """Stop it by "leave", "drain", "now", or "" for what its options say; wait for that."""
        if self._thread.is_alive() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._running.stop, how)
        self._thread.join()

    def _run(self, folder: Path, options: ServeOptions) -> None:
        _Here.running.add(self)
        try:
            # asyncio's own pool takes nothing more once the interpreter ends, when a drain begins
            run(self._serve(folder, options), Pool("solveyard-aside", THREADS))
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            _Here.running.discard(self)

    async def _serve(self, folder: Path, options: ServeOptions) -> None:
        with precedence.held():
            async with opened(folder, options) as running:
                self._started.set_result((asyncio.get_running_loop(), running))
                await running.stopped.wait()


def _stop(started: "Future[tuple[asyncio.AbstractEventLoop, Running]]") -> None:
    if started.exception() is None:
        loop, running = started.result()
        loop.call_soon_threadsafe(running.stop, "")


class _Here:
    """The managers of this process. A child that is forked meanwhile has SQLite's notes on files
    that are its parent's: what it opened then, it would keep locked.
    """

    running: ClassVar[set[Embedded]] = set()
    inherited = False

    @classmethod
    def forked(cls) -> None:
        cls.inherited = cls.inherited or bool(cls.running)
        cls.running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Here.forked)
