"""How fast this Python is: nearly all of our own CPU is its."""

import sys
import time

_STEPS = 200_000
_TRIES = 5


class _Counted:
    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def sum(self, other: int) -> int:
        return self.number + other


def told() -> str:
    """Which one this is, and its pace, in words."""
    version = ".".join(map(str, sys.version_info[:3]))
    return f"Python {version} ({sys.base_prefix}): {pace():.0f} ns for a step of plain Python"


def pace(steps: int = _STEPS) -> float:
    """CPU of one step of plain Python: an object, a call, a dictionary's entry; ns, the best."""
    return min(_tried(steps) for _ in range(_TRIES)) / steps * 1e9


def _tried(steps: int) -> float:
    begun = time.process_time()
    known: dict[int, _Counted] = {}
    total = 0
    for number in range(steps):
        one = _Counted(number)
        known[number % 1000] = one
        if isinstance(one, _Counted) and len(known) > 1:
            total += one.sum(3)
    return time.process_time() - begun
