"""The end of the interpreter, before it waits for the threads of pools."""

import atexit
import logging
import threading
import weakref
from collections.abc import Callable, Set
from concurrent.futures import thread as pools
from typing import Protocol

from solveyard.pyedb.errors import JobManagerError

log = logging.getLogger("JobManager")


class Session(Protocol):
    def leave(self) -> None:
        """The interpreter ends."""

    def waiting_in(self) -> Set[threading.Thread]:
        """The threads that wait for its jobs."""


_open: "weakref.WeakSet[Session]" = weakref.WeakSet()
_told = False  #: that the interpreter has us called


def enter(session: Session) -> None:
    """Have it left when the interpreter ends, unless it has been by then."""
    global _told
    if not _told:
        _told = True
        _before_pools(_leave_what_pools_wait_for)
    _open.add(session)
    atexit.register(session.leave)


def left(session: Session) -> None:
    _open.discard(session)
    atexit.unregister(session.leave)


def _before_pools(call: Callable[[], None]) -> None:
    """atexit comes after the threads of all pools, and nothing public before them."""
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        try:
            register(call)
        except RuntimeError:  # the interpreter ends already: atexit is all there is
            return


def _leave_what_pools_wait_for() -> None:
    """A pool's thread that waits for a job would keep the interpreter until the job ends.

    A thread of the program's own may do so: somebody wanted it to outlive the main thread.
    """
    theirs = set(getattr(pools, "_threads_queues", ()))
    for session in list(_open):
        if theirs & session.waiting_in():
            try:
                session.leave()
            except JobManagerError:  # raised here it would keep the pools from being ended
                log.exception("a session was not ended")
