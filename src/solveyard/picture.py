"""Scattering parameters drawn over frequency, many in one picture. matplotlib is an extra."""

import contextlib
import math
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from solveyard.model.errors import InvalidRequest
from solveyard.model.overlaid import Overlaid

Curve = tuple[Sequence[float], Sequence[complex]]  #: frequencies in Hz, ascending, and S there

SUFFIXES = (".svg", ".png", ".pdf")
_FLOOR = -200.0  #: dB, shown for nothing at all
_LEGEND = 30  #: curves in a column of the legend


class MissingPlotter(InvalidRequest):
    """matplotlib is not installed."""


def prepare() -> None:
    """Begin to load what `plot` needs, which takes half a second, while others work."""

    def load() -> None:
        with contextlib.suppress(ImportError):  # `plot` says so
            import_module("matplotlib.backends.backend_svg")
            import_module("matplotlib.figure")

    threading.Thread(target=load, name="load-matplotlib", daemon=True).start()


def decibels(s: complex) -> float:
    """|S| in dB, at least -200."""
    return max(20 * math.log10(abs(s)), _FLOOR) if s else _FLOOR


def plot(path: Path, curves: Mapping[str, Curve], title: str, name: str = "S11") -> None:
    """Draw |`name`| in dB over MHz, all curves in one picture, of the type that `path` ends in.

    The same curves give the same bytes. Raises MissingPlotter; InvalidRequest where `path` can't be
    written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidRequest(f"a picture's name ends with {', '.join(SUFFIXES)}, not as {path}")
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
        _draw(figure.subplots(), curves, mpl.colormaps["viridis"], title, name)
        # An SVG's date would differ from run to run.
        metadata = {"Date": None} if path.suffix == ".svg" else None
        try:
            figure.savefig(path, metadata=metadata)
        except OSError as error:
            raise InvalidRequest(f"cannot write {path}: {error.strerror}") from error


def draw(path: Path, overlaid: Sequence[Overlaid], title: str, s: str) -> None:
    """Lay the curves that there are over each other. Raises InvalidRequest where there is none."""
    curves: dict[str, Curve] = {}
    for one in overlaid:
        label = one.label if one.label not in curves else f"{one.label} (task {one.task})"
        if not one.trouble:
            curves[label] = one.frequencies, one.values
    if not curves:
        why = f": {overlaid[0].trouble}" if overlaid else ""
        raise InvalidRequest(f"{title} has no curve of S{s} to draw{why}")
    plot(path, curves, title, f"S{s}")


def _draw(axes: Any, curves: Mapping[str, Curve], colours: Any, title: str, name: str) -> None:
    # matplotlib may be missing, so its types can't be named here
    for index, (label, (frequencies, s)) in enumerate(curves.items()):
        axes.plot(
            [frequency / 1e6 for frequency in frequencies],
            [decibels(value) for value in s],
            color=colours(0.92 * index / max(len(curves) - 1, 1)),
            linewidth=1.8,
            label=label,
        )
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", pad=10)
    axes.set_xlabel("Frequency (MHz)")
    axes.set_ylabel(f"|{name}| (dB)")
    axes.margins(x=0)
    if name[1:2] == name[2:]:  # a reflection: nothing is above 0 dB
        axes.set_ylim(top=0.5)
    axes.grid(visible=True, color="#d8dce3", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#8a93a3")
    axes.tick_params(color="#8a93a3")
    if curves:
        columns = math.ceil(len(curves) / _LEGEND)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, ncols=columns)
