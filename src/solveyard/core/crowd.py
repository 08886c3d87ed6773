"""The slots in which somebody waits behind the first, and when that takes too long."""

from collections.abc import Iterator
from heapq import heappop, heappush

from solveyard.core.slots import PATIENCE, Slot


class Crowd:
    """Looks at a slot again only when its time has come, however many there are."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self._due: list[tuple[float, int]] = []  #: at most one entry a slot, never a late one
        self._listed: set[int] = set()  #: the slots that have one

    def __bool__(self) -> bool:
        return bool(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        """As they came."""
        return iter([self._slots[number] for number in sorted(self._slots)])

    def keep(self, slot: Slot) -> None:
        """Somebody waits there, or what they wait for has changed."""
        number = slot.placement.slot
        self._slots[number] = slot
        if number not in self._listed:
            self._listed.add(number)
            heappush(self._due, (slot.moved_at + PATIENCE, number))

    def discard(self, slot: Slot) -> None:
        """Nobody waits there any more."""
        self._slots.pop(slot.placement.slot, None)

    def impatient(self, now: float) -> list[Slot]:
        """Those whose first takes too long; each is told once, until it is kept again."""
        late: list[int] = []
        while self._due and self._due[0][0] <= now:
            _, number = heappop(self._due)
            self._listed.discard(number)
            slot = self._slots.get(number)
            if slot is None:
                continue
            if slot.moved_at + PATIENCE > now:
                self.keep(slot)
            else:
                late.append(number)
        return [self._slots[number] for number in sorted(late)]
