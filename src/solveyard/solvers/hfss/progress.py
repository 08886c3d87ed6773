"""How far a solve is, typed; and the same for people and plots."""

import datetime as dt
from typing import Literal

import msgspec

from solveyard.model.arrays import Value
from solveyard.model.progress import Curve, Progress

Phase = Literal["starting", "mesh", "adaptive", "sweep", "ended"]


class Pass(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One adaptive pass that was solved."""

    number: int
    tetrahedra: int | None
    delta: float | None  #: None: it has nothing to be compared with, as the first pass
    frequency: str = ""  #: "4GHz"
    matrix_size: int | None = None
    memory: float | None = None  #: MiB, the most that any step of it took
    at: dt.datetime | None = None


class HfssProgress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a batch log tells of its last run. What is None isn't told there."""

    product: str | None = None  #: "HFSS 3D Layout 2025.2.0"
    project: str | None = None  #: its path there
    design: str | None = None
    phase: Phase | None = None
    passes: tuple[Pass, ...] = ()  #: of the solution that is under way, solved ones
    adaptive_pass: int | None = None  #: the one under way, or the last one
    measure: str = "Max Mag. Delta S"  #: what tells convergence
    target: float | None = None  #: of the measure
    converged: bool | None = None
    tetrahedra: int | None = None
    initial_tetrahedra: int | None = None  #: before the first pass
    matrix_size: int | None = None
    peak_memory: float | None = None  #: MiB, the most that any step told
    host: str | None = None
    tasks: int | None = None
    cores: int | None = None
    free_disk: float | None = None  #: GiB, when it started
    sweep: str | None = None  #: the name of the sweep that is under way
    sweep_kind: str | None = None  #: "Interpolating", "Discrete", "Fast"
    sweep_points: int | None = None  #: of all sweeps that have begun
    sweep_points_solved: int | None = None
    sweep_solved: tuple[str, ...] = ()  #: the frequencies, as they are told: "3GHz"
    sweep_began: dt.datetime | None = None
    sweep_error: float | None = None  #: %, of the interpolation
    variation: int | None = None  #: the one under way, from 1
    variations: int | None = None
    warnings: int = 0
    errors: int = 0
    started_at: dt.datetime | None = None
    last_at: dt.datetime | None = None
    remaining: float | None = None  #: s, where points of equal cost are left

    @property
    def delta(self) -> float | None:
        """The newest value of the measure."""
        return next((one.delta for one in reversed(self.passes) if one.delta is not None), None)

    @property
    def elapsed(self) -> float | None:
        """s, by the log's own times."""
        if self.started_at is None or self.last_at is None:
            return None
        return max(0.0, (self.last_at - self.started_at).total_seconds())

    def told(self) -> Progress:
        """The form that every solver's progress has."""
        points = tuple((one.number, one.delta) for one in self.passes)
        curve = Curve(name=self.measure, step="pass", points=points, target=self.target)
        return Progress(
            text=self.text,
            remaining=self.remaining,
            values=self._values(),
            curve=curve if points else None,
        )

    def _values(self) -> dict[str, Value]:
        found: dict[str, Value | None] = {
            "phase": self.phase,
            "pass": self.adaptive_pass,
            "delta_s": self.delta if "Delta S" in self.measure else None,
            "target": self.target,
            "converged": self.converged,
            "tetrahedra": self.tetrahedra,
            "matrix_size": self.matrix_size,
            "peak_memory_mib": mebibytes(self.peak_memory),
            "host": self.host,
            "cores": self.cores,
            "free_disk_gib": self.free_disk,
            "sweep": self.sweep,
            "sweep_points": self.sweep_points,
            "sweep_points_solved": self.sweep_points_solved,
            "sweep_error_percent": self.sweep_error,
            "variation": self.variation,
            "variations": self.variations,
            "elapsed_s": self.elapsed,
        }
        return {name: value for name, value in found.items() if value is not None}

    @property
    def text(self) -> str:
        """In one line, for people."""
        parts = []
        if self.variation is not None:
            of = f" of {self.variations}" if self.variations else ""
            parts.append(f"variation {self.variation}{of}")
        match self.phase:
            case "mesh":
                parts.append("meshing")
            case "adaptive":
                parts.append(self._under_way())
            case "sweep":
                parts.append(self._sweep())
            case "ended" | "starting":
                parts.append(self.phase)
        if self.phase == "ended" and self.passes:
            parts.append(f"{len(self.passes)} pass" + ("es" if len(self.passes) > 1 else ""))
        if self.phase in {"mesh", "ended"}:
            parts += self._solved(self.delta)
        if self.converged is False:
            parts.append("not converged")
        return ", ".join(parts)

    def _under_way(self) -> str:
        """A pass, and what the last one came to that was solved, which may be the one before."""
        told = f"pass {self.adaptive_pass}"
        last = self.passes[-1] if self.passes else None
        solved = ", ".join(self._solved(None if last is None else last.delta))
        if last is not None and last.number != self.adaptive_pass and solved:
            return f"{told}, after pass {last.number}: {solved}"
        return f"{told}, {solved}" if solved else told

    def _solved(self, delta: float | None) -> list[str]:
        found = [] if delta is None else [f"{self._name()} {delta:g}{self._aim()}"]
        if self.tetrahedra is not None:
            found.append(f"{self.tetrahedra} tetrahedra")
        return found

    def _sweep(self) -> str:
        name = f"sweep {self.sweep}" if self.sweep else "sweep"
        if self.sweep_points_solved is not None:
            of = f" of {self.sweep_points}" if self.sweep_points else ""
            name += f", {self.sweep_points_solved}{of} points solved"
        if self.sweep_error is not None:
            name += f", error {self.sweep_error:g} %"
        return name

    def _name(self) -> str:
        return "delta S" if "Delta S" in self.measure else self.measure

    def _aim(self) -> str:
        return f" (target {self.target:g})" if self.target is not None else ""


def mebibytes(amount: float | None) -> int | None:
    return None if amount is None else round(amount)
