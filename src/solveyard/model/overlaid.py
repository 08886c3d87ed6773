"""One scattering parameter of one of several jobs, to be laid over those of the others."""

from collections.abc import Mapping

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

    @property
    def label(self) -> str:
        """What a legend calls it: "length 0.4, radius 0.001"."""
        told = ", ".join(f"{name} {text(each)}" for name, each in self.parameters.items())
        return told or (self.id if self.task is None else f"task {self.task}")

    @property
    def values(self) -> list[complex]:
        """At each frequency."""
        return [complex(*pair) for pair in zip(self.real, self.imag, strict=True)]
