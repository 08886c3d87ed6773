"""What a benchmark found, what it promised, and whether the promise holds."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rich.table import Table

REFERENCE = 2920.0  #: launches/s of the C loop on the machine that absolute times are meant for
TOLERANCE = 0.2  #: how far from it a machine may be for an absolute time to be judged


class Verdict(enum.StrEnum):
    OK = "ok"
    MISSED = "missed"
    NO_TARGET = "no target"
    NOT_JUDGED = "not judged"  #: an absolute time, and the machine is not like the reference


class Judged(enum.Enum):
    """Which number a target and a goal are about."""

    RATIO = "ratio"
    AMOUNT = "amount"  #: the value, the same on any machine
    TIME = "time"  #: the value, which depends on the machine's speed


class Bound(NamedTuple):
    kind: Literal["at least", "under"]
    limit: float

    def holds(self, value: float) -> bool:
        """NaN holds nothing."""
        return value >= self.limit if self.kind == "at least" else value < self.limit

    def __str__(self) -> str:
        return f"{self.kind} {self.limit:g}"


def at_least(limit: float) -> Bound:
    return Bound("at least", limit)


def under(limit: float) -> Bound:
    return Bound("under", limit)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    ratio: float | None = None  #: to what the bare machine does, measured in the same run
    target: Bound | None = None  #: the promise; None: none yet
    goal: Bound | None = None  #: what is to be promised later
    judged: Judged = Judged.RATIO

    @property
    def number(self) -> float:
        """What target and goal are about; a missing ratio is NaN."""
        if self.judged is not Judged.RATIO:
            return self.value
        return math.nan if self.ratio is None else self.ratio


def verdict(figure: Figure, loop: float) -> Verdict:
    """Whether its target holds, on a machine whose C loop makes `loop` launches/s."""
    if figure.target is None:
        return Verdict.NO_TARGET
    if figure.judged is Judged.TIME and abs(loop / REFERENCE - 1) > TOLERANCE:
        return Verdict.NOT_JUDGED
    return Verdict.OK if figure.target.holds(figure.number) else Verdict.MISSED


def rows(figures: Sequence[Figure], loop: float) -> list[dict[str, str | float | None]]:
    """The figures as `last.json` holds them."""
    return [
        {
            "name": figure.name,
            "figure": figure.value,
            "unit": figure.unit,
            "ratio": figure.ratio,
            "target": None if figure.target is None else figure.target.limit,
            "verdict": verdict(figure, loop).value,
        }
        for figure in figures
    ]


_COLOURS = {Verdict.OK: "green", Verdict.MISSED: "red"}


def table(figures: Sequence[Figure], loop: float) -> Table:
    """The figures for people."""
    shown = Table()
    shown.add_column("what")
    for heading in ("figure", "ratio"):
        shown.add_column(heading, justify="right")
    for heading in ("target", "later", "verdict"):
        shown.add_column(heading)
    for figure in figures:
        judged = verdict(figure, loop)
        colour = _COLOURS.get(judged, "yellow")
        shown.add_row(
            figure.name,
            f"{_short(figure.value)} {figure.unit}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            str(figure.target or ""),
            str(figure.goal or ""),
            f"[{colour}]{judged.value}[/]",
        )
    return shown


def _short(value: float) -> str:
    """Three digits that count; whole numbers from a hundred on."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
