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
        self._number = 0
        self._lost = False  #: one may have been taken, though no answer came

    def begin(self) -> None:
        """One more; `end` is to follow."""
        with self._change:
            self._number += 1

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
                self._number -= 1
                self._change.notify_all()

    def landed(self, seconds: float) -> bool:
        """Wait until none is under way; False: one may have been taken that isn't known."""
        with self._change:
            return self._change.wait_for(lambda: not self._number, seconds) and not self._lost
