"""The first of very many places for which something holds, without a look at each of them."""

from collections.abc import Callable
from heapq import heappop, heappush


class Search:
    """It comes to hold only where somebody tells so, or anywhere after `anew`."""

    __slots__ = ("_passed", "_told")

    def __init__(self) -> None:
        self._told: list[int] = []  #: a heap
        self._passed = 0  #: those below it are looked at only where somebody tells of them

    def tell(self, place: int) -> None:
        """It may hold there from now on."""
        heappush(self._told, place)

    def anew(self) -> None:
        """It may hold anywhere."""
        self._passed = 0

    def first(self, holds: Callable[[int], bool], start: int, end: int) -> int | None:
        """From `start` to `end` each place is looked at, and beside these those that are told."""
        while self._told and not holds(self._told[0]):
            heappop(self._told)  # it is told again should it hold once more
        told = self._told[0] if self._told else None
        end = end if told is None else min(end, told)
        self._passed = max(self._passed, start)
        while self._passed < end:
            if holds(self._passed):
                return self._passed
            self._passed += 1
        return told
