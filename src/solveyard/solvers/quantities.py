"""What can be asked of a Touchstone file in a few words: "S11 dB min", "S21 dB at 2.4 GHz".

    S<to><from> dB|mag|deg|re|im  min|max|mean|argmin|argmax [from F to F]  |  at F

Ports above 9 are written S10,2. `argmin` and `argmax` are the frequency, in Hz. At a frequency
between two of the file's, S is interpolated linearly as a complex number. A frequency that is
asked for means the file's where they differ by rounding alone: 0.067 GHz is no float of 67 MHz.
"""

import bisect
import cmath
import math
import re
from collections.abc import Callable
from statistics import fmean
from typing import NamedTuple

from solveyard.model.errors import InvalidJob, InvalidResult
from solveyard.solvers.touchstone import Network

_FREQUENCY = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([kMGT]?Hz)"
_GRAMMAR = re.compile(
    r"\s*S(?:(?P<to>[1-9])(?P<by>[1-9])|(?P<far>\d{1,3}),(?P<near>\d{1,3}))"
    r"\s+(?P<form>dB|mag|deg|re|im)"
    rf"\s+(?:(?P<how>min|max|mean|argmin|argmax)(?:\s+from\s+{_FREQUENCY}\s+to\s+{_FREQUENCY})?"
    rf"|at\s+{_FREQUENCY})\s*",
    re.ASCII,
)
_SAME = 1e-9  #: relative; frequencies that are closer are one, written or rounded in two ways
_UNITS = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9, "THz": 1e12}


def _decibels(value: complex) -> float:
    return 20 * math.log10(abs(value)) if value else -math.inf


_FORMS: dict[str, Callable[[complex], float]] = {
    "dB": _decibels,
    "mag": abs,
    "deg": lambda value: math.degrees(cmath.phase(value)),
    "re": lambda value: value.real,
    "im": lambda value: value.imag,
}


class Quantity(NamedTuple):
    """A number that is asked of a network."""

    to: int  #: the port that the wave leaves by, from 1
    by: int  #: the port that it enters by
    form: str
    how: str  #: "at": at the frequency `low`
    low: float = 0.0  #: Hz
    high: float = math.inf  #: Hz


def parse(text: str) -> Quantity:
    """Raises InvalidJob, with the grammar."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise InvalidJob(
            f"{text!r} is no quantity of a Touchstone file: write 'S11 dB min', 'S21 mag max from"
            " 1GHz to 2GHz', 'S21 deg at 2.4GHz' (dB, mag, deg, re or im; min, max, mean, argmin,"
            " argmax or at)"
        )
    to, by = int(match["to"] or match["far"]), int(match["by"] or match["near"])
    if not (to and by):
        raise InvalidJob(f"{text!r} names port 0; the first port is 1")
    numbers = match.groups()[-6:]
    low, high, at = (
        float(number) * _UNITS[unit] if number else None
        for number, unit in zip(numbers[::2], numbers[1::2], strict=True)
    )
    if at is not None:
        return Quantity(to, by, match["form"], "at", at)
    if low is None or high is None:
        return Quantity(to, by, match["form"], match["how"])
    if low > high and not _same(low, high):
        raise InvalidJob(f"{text!r} goes from a higher frequency to a lower one")
    return Quantity(to, by, match["form"], match["how"], low, high)


def value(asked: Quantity, network: Network) -> float:
    """Raises InvalidResult when the network doesn't have it."""
    try:
        found = _value(asked, network)
    except OverflowError:
        found = math.inf
    if found == -math.inf:
        raise InvalidResult("it has a zero, which is no number of dB")
    if not math.isfinite(found):
        raise InvalidResult("its values are too large")
    return found


def _value(asked: Quantity, network: Network) -> float:
    ports = len(network.s[0])
    if max(asked.to, asked.by) > ports:
        raise InvalidResult(f"it has {ports} ports, so no S{asked.to},{asked.by}")
    entries = [matrix[asked.to - 1][asked.by - 1] for matrix in network.s]
    form = _FORMS[asked.form]
    low = _filed(network.frequencies, asked.low)
    if asked.how == "at":
        return form(_between(network.frequencies, entries, low))
    begin = bisect.bisect_left(network.frequencies, low)
    end = bisect.bisect_right(network.frequencies, _filed(network.frequencies, asked.high))
    found = [form(entry) for entry in entries[begin:end]]
    if not found:
        raise InvalidResult(f"it has no frequency from {asked.low:.12g} to {asked.high:.12g} Hz")
    match asked.how:
        case "min":
            return min(found)
        case "max":
            return max(found)
        case "mean":
            return fmean(found)
        case "argmin":
            return network.frequencies[begin + found.index(min(found))]
        case _:
            return network.frequencies[begin + found.index(max(found))]


def _filed(frequencies: tuple[float, ...], asked: float) -> float:
    """The file's own frequency that is meant by `asked`; where there is none, that itself."""
    place = bisect.bisect_left(frequencies, asked)
    nearest = min(frequencies[max(place - 1, 0) : place + 1], key=lambda one: abs(one - asked))
    return nearest if _same(nearest, asked) else asked


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_SAME)


def _between(frequencies: tuple[float, ...], entries: list[complex], at: float) -> complex:
    if not frequencies[0] <= at <= frequencies[-1]:
        raise InvalidResult(
            f"its frequencies go from {frequencies[0]:.12g} to {frequencies[-1]:.12g} Hz,"
            f" so it has none at {at:.12g}"
        )
    above = bisect.bisect_left(frequencies, at)
    if frequencies[above] == at:
        return entries[above]
    part = (at - frequencies[above - 1]) / (frequencies[above] - frequencies[above - 1])
    return entries[above - 1] * (1 - part) + entries[above] * part
