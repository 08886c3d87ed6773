"""What an engineer wants to see of antenna sweeps: resonance and matching."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from solveyard.results.picture import Curve, decibels


class Resonance(NamedTuple):
    frequency: float  #: Hz
    resistance: float  #: ohm, at the feed


class Row(NamedTuple):
    """One line of the table."""

    label: str
    resonance: Resonance | None  #: None: not within the sweep
    minimum: float  #: dB, of |S11|


def impedance(s11: complex, z0: float) -> complex:
    """Feed impedance in ohm; infinite for an open end."""
    return z0 * (1 + s11) / (1 - s11) if s11 != 1 else complex(math.inf)


def resonance(frequencies: Sequence[float], s11: Sequence[complex], z0: float) -> Resonance | None:
    """The first frequency where the reactance rises through zero, between two points by a line.

    None: it doesn't within the sweep.
    """
    feed = [impedance(value, z0) for value in s11]
    for index in range(len(feed) - 1):
        low, high = feed[index], feed[index + 1]
        if low.imag < 0 <= high.imag:
            part = low.imag / (low.imag - high.imag)
            span = frequencies[index + 1] - frequencies[index]
            return Resonance(
                frequencies[index] + part * span, low.real + part * (high.real - low.real)
            )
    return None


def minimum_s11(s11: Sequence[complex]) -> float:
    """The best match of the sweep, in dB."""
    return min(map(decibels, s11))


def rows(curves: Mapping[str, Curve], z0: float) -> list[Row]:
    """One row for each curve, in the order given."""
    return [
        Row(label, resonance(frequencies, s11, z0), minimum_s11(s11))
        for label, (frequencies, s11) in curves.items()
    ]
