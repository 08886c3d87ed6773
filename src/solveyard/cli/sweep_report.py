"""What an engineer wants to see of antenna sweeps: resonance, matching, curves."""

import contextlib
import math
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

Curve = tuple[Sequence[float], Sequence[complex]]  #: frequencies in Hz, ascending, and S11 there

_FLOOR = -200.0  #: dB, shown for a reflection of nothing at all


class MissingPlotter(Exception):
    """matplotlib is not installed."""


def prepare() -> None:
    """Begin to load what `plot` needs, which takes half a second, while others work."""

    def load() -> None:
        with contextlib.suppress(ImportError):  # `plot` says so
            import_module("matplotlib.backends.backend_svg")
            import_module("matplotlib.figure")

    threading.Thread(target=load, name="load-matplotlib", daemon=True).start()


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


def decibels(s11: complex) -> float:
    """|S11| in dB, at least -200."""
    return max(20 * math.log10(abs(s11)), _FLOOR) if s11 else _FLOOR


def minimum_s11(s11: Sequence[complex]) -> float:
    """The best match of the sweep, in dB."""
    return min(map(decibels, s11))


def rows(curves: Mapping[str, Curve], z0: float) -> list[Row]:
    """One row for each curve, in the order given."""
    return [
        Row(label, resonance(frequencies, s11, z0), minimum_s11(s11))
        for label, (frequencies, s11) in curves.items()
    ]


def plot(path: Path, curves: Mapping[str, Curve], title: str) -> None:
    """Draw |S11| in dB over MHz, all curves in one picture, of the type that `path` ends in.

    The same curves give the same bytes. Raises MissingPlotter.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPlotter(
            'no plot: matplotlib is not installed (pip install "solveyard[plot]")'
        ) from error

    with mpl.rc_context({"svg.hashsalt": "solveyard", "font.size": 10.0}):
        figure = Figure(figsize=(9.0, 5.2), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        _draw(figure.subplots(), curves, mpl.colormaps["viridis"], title)
        # An SVG's date would differ from run to run.
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: Any, curves: Mapping[str, Curve], colours: Any, title: str) -> None:
    # matplotlib may be missing, so its types can't be named here
    for index, (label, (frequencies, s11)) in enumerate(curves.items()):
        axes.plot(
            [frequency / 1e6 for frequency in frequencies],
            [decibels(value) for value in s11],
            color=colours(0.92 * index / max(len(curves) - 1, 1)),
            linewidth=1.8,
            label=label,
        )
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", pad=10)
    axes.set_xlabel("Frequency (MHz)")
    axes.set_ylabel("|S11| (dB)")
    axes.margins(x=0)
    axes.set_ylim(top=0.5)
    axes.grid(visible=True, color="#d8dce3", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#8a93a3")
    axes.tick_params(color="#8a93a3")
    if curves:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
