"""An array's tasks whose own exclusive keys are busy: each waits for one, and keeps nobody else."""

from collections.abc import Callable
from heapq import heappop, heappush


class Keyed:
    """By key; of those that wait for one that is free again only the first is looked at."""

    __slots__ = ("_by_key", "_firsts", "_free", "_key_of")

    def __init__(self) -> None:
        self._by_key: dict[str, list[int]] = {}  #: positions, heaps
        self._key_of: dict[int, str] = {}
        self._free: set[str] = set()  #: keys that are free again, as far as is known
        self._firsts: list[tuple[int, str]] = []  #: of these the first that waits, a heap

    def __contains__(self, position: int) -> bool:
        return position in self._key_of

    def park(self, position: int, key: str) -> None:
        """It waits for `key`, which is busy, and for none that it waited for."""
        before = self._key_of.get(position)
        self._free.discard(key)
        if before == key:
            return
        self._key_of[position] = key
        heappush(self._by_key.setdefault(key, []), position)
        if before is not None:
            self._offer(before)

    def freed(self, key: str) -> None:
        if key in self._by_key:
            self._free.add(key)
            self._offer(key)

    def first(self, holds: Callable[[int], bool]) -> int | None:
        """Of those whose key is free again. For whom it doesn't hold waits here no longer."""
        while self._firsts:
            position, key = self._firsts[0]
            if key in self._free and self._key_of.get(position) == key:
                if holds(position):
                    return position
                del self._key_of[position]
            heappop(self._firsts)
            self._offer(key)
        return None

    def _offer(self, key: str) -> None:
        """The next one that waits for `key`, where that is free."""
        heap = self._by_key.get(key, [])
        while heap and self._key_of.get(heap[0]) != key:
            heappop(heap)
        if not heap:
            self._by_key.pop(key, None)
            self._free.discard(key)
        elif key in self._free:
            heappush(self._firsts, (heap[0], key))
