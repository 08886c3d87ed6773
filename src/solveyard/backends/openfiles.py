"""How many files a manager may have open: each connection is one, and so is each log that is read.

The soft limit is often 1024, or 256. Programs that count on it inherit it, and batch systems give
it to their jobs: so programs are started `without` what was added. Source: RLIMIT_NOFILE in
getrlimit(2), PropagateResourceLimits in slurm.conf(5).
"""

import contextlib
import sys
import threading
from collections.abc import Iterator

if sys.platform != "win32":
    import resource

WANTED = 4096


class _Raised:
    """The process's soft limit, above what it began with unless somebody starts a program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starting = 0  #: how many do
        self._limits: tuple[int, int] | None = None  #: as it began, and above; None: not raised

    def __bool__(self) -> bool:
        return self._limits is not None

    def up(self) -> bool:
        """As far as the hard limit lets it; False: it is there already."""
        found = _limits()
        if found is None or found[0] >= found[1]:
            return False
        with self._lock:
            self._limits = found
            _set(found[1])
        return True

    def down(self) -> None:
        with self._lock:
            if self._limits is not None:
                _set(self._limits[0])
            self._limits = None

    def start(self, change: int) -> None:
        """One more, or one less, starts a program."""
        with self._lock:
            self._starting += change
            if self._limits is not None:
                _set(self._limits[0 if self._starting else 1])


_RAISED = _Raised()


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """The process may have `WANTED` open, or as many as its hard limit lets it."""
    up = _RAISED.up()
    try:
        yield
    finally:
        if up:
            _RAISED.down()


@contextlib.contextmanager
def without() -> Iterator[None]:
    """What is started has the limit that this process began with. Meanwhile files that are open
    stay so, and more are only where there is room below it.
    """
    if not _RAISED:
        yield
        return
    _RAISED.start(1)
    try:
        yield
    finally:
        _RAISED.start(-1)


def _limits() -> tuple[int, int] | None:
    """The soft one, and the highest that we want and may have; None: there is no such thing."""
    if sys.platform != "win32":
        soft, hard = map(_finite, resource.getrlimit(resource.RLIMIT_NOFILE))
        return soft, min(WANTED, hard)
    return None


def _finite(limit: int) -> int:
    """No limit is a negative one on some systems."""
    return limit if limit >= 0 else sys.maxsize


def _set(soft: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError, ValueError):  # some systems have a maximum of their own
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            )
