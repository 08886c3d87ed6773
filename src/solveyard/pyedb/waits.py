"""Waits for jobs in threads of their own: any of them can be given up, and none fills a pool."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from concurrent.futures import Future, InvalidStateError

from solveyard.client import calls
from solveyard.client.sync import Client
from solveyard.pyedb.errors import JobManagerError

_GLANCE = 1.0  #: s after which a thread that waits looks for a Ctrl-C: Windows tells it of none

Wait = Callable[[Callable[[], bool]], None]  #: until it is over, or nobody waits any more


class Waits:
    """Those that are under way. For any threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  #: a signal may have its own thread give up
        self._open: dict[Future[None], threading.Thread] = {}  #: and who began it

    def begin(self, wait: Wait) -> "Future[None]":
        """Its end: what `wait` raises, if anything. Cancelled, it is given up."""
        future: Future[None] = Future()
        with self._lock:
            self._open[future] = threading.current_thread()
        future.add_done_callback(self._forget)
        thread = threading.Thread(
            target=_run, args=(wait, future), name="solveyard-wait", daemon=True
        )
        thread.start()
        return future

    def give_up(self, error: JobManagerError) -> None:
        """All that wait get `error`."""
        with self._lock:
            left = list(self._open)
        for future in left:
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)

    def began_in(self) -> set[threading.Thread]:
        """The threads that began those that are under way."""
        with self._lock:
            return set(self._open.values())

    def _forget(self, future: "Future[None]") -> None:
        with self._lock:
            self._open.pop(future, None)


def outcome(future: "Future[None]") -> None:
    """Wait for it here; whoever is interrupted has given it up."""
    try:
        while not futures.wait([future], _GLANCE).done:
            continue
        future.result()
    finally:
        future.cancel()


def until_ended(
    client: Client,
    jobs: Mapping[str, str | int],
    deadline: float | None,
    given_up: Callable[[], bool],
) -> list[str]:
    """Which of `jobs` have not ended when the `deadline` has come.

    They are by id, each as the manager finds it.
    """
    while not given_up():
        left = math.inf if deadline is None else deadline - time.monotonic()
        if client.wait(jobs.values(), min(calls.LONG_POLL, left)):
            break
        if left <= calls.LONG_POLL:
            return [job for job, which in jobs.items() if not client.job(which).state.final]
    return []


def _run(wait: Wait, future: "Future[None]") -> None:
    error: BaseException | None = None
    try:
        wait(future.done)
    except BaseException as raised:
        error = raised
    with contextlib.suppress(InvalidStateError):  # it was given up
        future.set_exception(error) if error is not None else future.set_result(None)
