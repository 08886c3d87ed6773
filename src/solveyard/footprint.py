"""How our programs keep their memory: one that begins, and a service that is open."""

import contextlib
import gc
import sys

_MMAP_THRESHOLD = -3  #: mallopt(3)'s M_MMAP_THRESHOLD
_LARGE = 128 * 1024  #: bytes; glibc's own default, which it raises with what is freed


_SELDOM = 50_000, 20, 20  #: objects until the collector looks; Python's own is 700, 10, 10


def begin() -> None:
    """What a program imports stays: to look through it again and again is a tenth of its start."""
    gc.set_threshold(*_SELDOM)


def settle() -> None:
    """What is there now stays, so the collector needn't look at it again; and large buffers, of
    requests and answers, go back to the system when they are done with.
    """
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    if sys.platform == "linux":
        import ctypes  # here, since nobody else needs it

        with contextlib.suppress(AttributeError, OSError):  # another C library has no such thing
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)
