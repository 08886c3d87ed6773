"""Looks that go on while a script is busy elsewhere."""

import logging
import os
import threading
from collections.abc import Callable

from solveyard.model.errors import SolveyardError
from solveyard.pyedb.errors import JobManagerError

_GLANCE = 1.0  #: s between two looks
_LONGEST = 30.0  #: s between two, once some have failed

log = logging.getLogger("JobManager")


class Watch:
    """`look` is called in a thread of its own until `end`; a forked child has none."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._over = threading.Event()
        self._process = os.getpid()
        threading.Thread(target=self._run, name="solveyard-watch", daemon=True).start()

    def end(self) -> None:
        """Look no more; one look may be under way."""
        if self._process == os.getpid():  # else the thread may have left the event locked
            self._over.set()

    def _run(self) -> None:
        pause = _GLANCE
        while not self._over.wait(pause):
            try:
                self._look()
                pause = _GLANCE
            except (SolveyardError, JobManagerError, OSError) as error:
                log.debug("looks again later", extra={"error": str(error)})
                pause = min(_LONGEST, 2 * pause)
            except RuntimeError:  # no thread begins any more once the interpreter ends
                return
