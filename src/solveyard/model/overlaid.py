"""One scattering parameter of one of several jobs, to be laid over those of the others."""

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

import msgspec

from solveyard.model.arrays import Value, text


class Overlaid(msgspec.Struct, frozen=True, kw_only=True):
    """One job's curve, or why there is none."""

    id: str
    task: int | None  #: of an array's task: its index
    parameters: Mapping[str, Value]
    path: str = ""  #: of the Touchstone file, in the job's folder
    frequencies: tuple[float, ...] = ()  #: Hz, ascending
    real: tuple[float, ...] = ()
    imag: tuple[float, ...] = ()
    trouble: str = ""  #: why there is no curve
    unread: bool = False  #: since this answer holds enough already: ask again, from here on

    @property
    def label(self) -> str:
        """What a legend calls it: "length 0.4, radius 0.001"."""
        told = ", ".join(f"{name} {text(each)}" for name, each in self.parameters.items())
        return told or (self.id if self.task is None else f"task {self.task}")

    @property
    def values(self) -> list[complex]:
        """At each frequency."""
        return [complex(*pair) for pair in zip(self.real, self.imag, strict=True)]


def all_of(page: Callable[[int], Sequence[Overlaid]]) -> list[Overlaid]:
    """The curves of all jobs, of which `page` answers some, from a place on."""
    found: list[Overlaid] = []
    while some := page(len(found)):
        found += list(takewhile(lambda one: not one.unread, some)) or some
    return found
