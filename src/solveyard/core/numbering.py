"""Which of a node's cores or GPUs are free, by their numbers; the lowest go first."""

from collections.abc import Iterable


class Numbers:
    """Sets of numbers as bits, so that the commonest question, for one, costs next to nothing."""

    __slots__ = ("_all", "_free")

    def __init__(self, numbers: Iterable[int]) -> None:
        self._all = self._free = _bits(numbers)

    def lowest(self, count: int) -> tuple[int, ...]:
        """As many free ones, or all that there are; takes none."""
        left = self._free
        if count == 1 and left:
            return ((left & -left).bit_length() - 1,)
        found: list[int] = []
        while count > len(found) and left:
            bit = left & -left
            found.append(bit.bit_length() - 1)
            left ^= bit
        return tuple(found)

    def shift(self, numbers: Iterable[int], sign: int) -> None:
        """Give them back, or with a negative sign take them.

        What the node hasn't any more doesn't come back.
        """
        if sign < 0:
            self._free &= ~_bits(numbers)
        else:
            self._free |= _bits(numbers) & self._all


def _bits(numbers: Iterable[int]) -> int:
    found = 0
    for number in numbers:
        found |= 1 << number
    return found
