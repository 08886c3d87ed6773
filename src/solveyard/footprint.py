"""How a service keeps its memory, from the moment at which it is open."""

import contextlib
import gc
import sys

_MMAP_THRESHOLD = -3  #: mallopt(3)'s M_MMAP_THRESHOLD
_LARGE = 128 * 1024  #: bytes; glibc's own default, which it raises with what is freed


def settle() -> None:
    """What is there now stays, so the collector needn't look at it again; and large buffers, of
    requests and answers, go back to the system when they are done with.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    if sys.platform == "linux":
        import ctypes  # here, since nobody else needs it

        with contextlib.suppress(AttributeError, OSError):  # another C library has no such thing
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)
