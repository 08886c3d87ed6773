"""The frequency sweeps of one solution: points that are asked for, and solved."""

import datetime as dt
import re

from msgspec.structs import replace

from solveyard.solvers.hfss.progress import HfssProgress

_NAMED = re.compile(r"Solution - ([^:]+?) :\s*(\w+)?")
_POINTS = re.compile(r"\b(\d{1,9}) Frequenc")
_ANNOUNCED = re.compile(r"\bsweep with (\d{1,9}) points")
_DONE = re.compile(r"Frequency - (\S+) : Elapsed time", re.IGNORECASE)
_BEGUN = re.compile(r"Frequency - \S+")
_ERROR = re.compile(r"S Matrix Error\s*[=:]\s*(\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*%", re.IGNORECASE)
_CONVERGED = re.compile(r"sweep converged(?: after\s+(\d{1,9}) solutions)?", re.IGNORECASE)
_KINDS = {"Interpolating", "Discrete", "Fast"}
_ENOUGH = 2  #: points that are solved before the rest can be foretold


class Sweeps:
    """Sweeps of one solution, which follow one another."""

    def __init__(self) -> None:
        self.solved: list[str] = []  #: frequencies, as they are told: "3GHz"
        self._name: str | None = None
        self._kind: str | None = None
        self._points: int | None = None  #: of the sweeps before, and of this one once it's told
        self._this = 0  #: of the points, those of the present sweep
        self._before = 0  #: solved in the sweeps before
        self._said = 0  #: solved, as a line at the end says
        self._error: float | None = None
        self.begun = False
        self._began: dt.datetime | None = None
        self._times: list[dt.datetime] = []  #: of this sweep's beginning, and of solved points

    def announced(self, text: str) -> None:
        """A message that tells how many points there are; mostly the log tells it before."""
        if (match := _ANNOUNCED.search(text)) and not self._this:
            self._add(int(match[1]))

    def take(self, text: str, at: dt.datetime | None) -> bool:
        """Is it a line about a sweep?"""
        if text.startswith("Frequency Sweep"):
            self.begun = True
        elif match := _NAMED.match(text):
            self._next(match[1], match[2], at)
        elif match := _POINTS.search(text):
            if not self.begun:
                return False
            self._add(int(match[1]))
        elif match := _DONE.match(text):
            self.begun = True
            self.solved.append(match[1])
            if at is not None:
                self._times.append(at)
        elif _BEGUN.match(text):
            self.begun = True
        elif match := _ERROR.search(text):
            self._error = float(match[1])
        elif match := _CONVERGED.search(text):
            self._said += int(match[1] or 0)
        else:
            return False
        return True

    def put(self, told: HfssProgress) -> HfssProgress:
        """`told`, with what is known of sweeps."""
        if not self.begun:
            return told
        return replace(
            told,
            sweep=self._name,
            sweep_kind=self._kind,
            sweep_points=self._points,
            sweep_solved=tuple(self.solved),
            sweep_began=self._began,
            sweep_points_solved=max(len(self.solved), self._said),
            sweep_error=self._error,
            remaining=self._remaining() if told.phase == "sweep" else None,
        )

    def _next(self, name: str, kind: str | None, at: dt.datetime | None) -> None:
        self.begun = True
        self._began = self._began or at
        self._name, self._kind = name.strip(), kind if kind in _KINDS else None
        self._this, self._before, self._error = 0, len(self.solved), None
        self._times = [at] if at is not None else []

    def _add(self, points: int) -> None:
        """This sweep has so many; told twice, they count once."""
        self.begun = True
        self._points = (self._points or 0) - self._this + points
        self._this = points

    def _remaining(self) -> float | None:
        """s; of a discrete sweep alone, all of whose points are solved, each about as long."""
        done = len(self.solved) - self._before
        if self._kind != "Discrete" or done < _ENOUGH or not self._this or len(self._times) < 2:
            return None
        took = (self._times[-1] - self._times[0]).total_seconds()
        return max(0.0, took / done * max(0, self._this - done))
