"""Submissions that are under way: until they have landed, nobody knows which jobs there are."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from solveyard.model.errors import ManagerUnavailable
from solveyard.pyedb.errors import JobManagerError


class Flights:
    """Those of one session. For any threads."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._threads: list[int] = []  #: that have one under way
        self._lost = False  #: one may have been taken, though no answer came

    def begin(self) -> None:
        """One more; `end` is to follow."""
        with self._change:
            self._threads.append(threading.get_ident())

    @contextmanager
    def end(self) -> Iterator[None]:
        """One less after this; errors are the package's."""
        try:
            yield
        except BaseException as error:
            refused = isinstance(error, JobManagerError)
            if not refused or isinstance(error.__cause__, ManagerUnavailable):
                self._lost = True
            raise
        finally:
            with self._change:
                self._threads.remove(threading.get_ident())
                self._change.notify_all()

    def landed(self, seconds: float) -> bool:
        """Wait until none is under way; False: one may have been taken that isn't known.

        This thread's own, that a signal interrupted, can't land meanwhile.
        """
        mine = threading.get_ident()
        with self._change:
            self._change.wait_for(lambda: set(self._threads) <= {mine}, seconds)
            return not self._threads and not self._lost
