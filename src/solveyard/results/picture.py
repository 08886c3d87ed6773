"""Scattering parameters drawn over frequency, many in one picture. matplotlib is an extra."""

import contextlib
import math
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from solveyard.model.errors import InvalidRequest
from solveyard.model.overlaid import Overlaid

Curve = tuple[Sequence[float], Sequence[complex]]  #: frequencies in Hz, ascending, and S there


SUFFIXES = (".svg", ".png", ".pdf")
_FLOOR = -200.0  #: dB, shown for nothing at all
_LEGEND = 20  #: curves that a legend names
_NAMED = 9  #: of more, those that are named beside a bar of their colours
_SIZE, _TITLE = 10.0, 13.0  #: points
_LABEL = 2.2  #: inches that a label takes at most, so that the plot keeps half of the picture
_WIDE, _HIGH = 8.0, 4.0  #: inches for the title, and beside the bar


class Scale(NamedTuple):
    """A number that each curve has, in the curves' order."""

    name: str
    values: Sequence[float]


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


def plot(
    path: Path,
    curves: Mapping[str, Curve],
    title: str,
    name: str = "S11",
    scale: Scale | None = None,
) -> None:
    """Draw |`name`| in dB over MHz, all curves in one picture, of the type that `path` ends in.

    The same curves give the same bytes. Raises MissingPlotter; InvalidRequest where `path` can't be
    written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidRequest(f"a picture's name ends with {', '.join(SUFFIXES)}, not as {path}")
    drawn = figure(curves, title, name, scale)
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "solveyard"}):
        # An SVG's date would differ from run to run.
        metadata = {"Date": None} if path.suffix == ".svg" else None
        try:
            drawn.savefig(path, metadata=metadata)
        except OSError as error:
            raise InvalidRequest(f"cannot write {path}: {error.strerror}") from error


def figure(
    curves: Mapping[str, Curve], title: str, name: str = "S11", scale: Scale | None = None
) -> Any:
    """The picture, as matplotlib has it. Raises MissingPlotter.

    A legend names few curves. Many have their colours by `scale`, else by their order.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap, Normalize
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPlotter(
            'no plot: matplotlib is not installed (pip install "solveyard[plot]")'
        ) from error

    ramp = ListedColormap([mpl.colormaps["viridis"](0.92 * step / 255) for step in range(256)])
    with mpl.rc_context({"font.size": _SIZE}):
        found = Figure(figsize=(9.0, 5.2), dpi=120, layout="constrained")
        FigureCanvasAgg(found)
        axes = found.subplots()
        many = len(curves) > _LEGEND
        labels = [] if many else [_fitting(found, label, _LABEL) for label in curves]
        if scale is not None:  # without its middle a label may be another's, too
            many = many or any("…" in label for label in labels)
        values = scale.values if many and scale is not None else range(len(curves))
        norm = Normalize(min(values, default=0), max(values, default=1))
        for (frequencies, s), value in zip(curves.values(), values, strict=True):
            axes.plot(
                [frequency / 1e6 for frequency in frequencies],
                [decibels(each) for each in s],
                color=ramp(norm(value)),
                linewidth=1.0 if len(curves) > _LEGEND else 1.8,
            )
        _frame(axes, _fitting(found, title, _WIDE, _TITLE), name)
        if many:
            _bar(found, ScalarMappable(norm, ramp), list(curves), scale)
        elif labels:
            axes.legend(
                axes.lines,
                labels,
                loc="center left",
                bbox_to_anchor=(1.01, 0.5),
                frameon=False,
            )
    return found


def draw(path: Path, overlaid: Sequence[Overlaid], title: str, s: str) -> None:
    """Lay the curves that there are over each other. Raises InvalidRequest where there is none."""
    curves: dict[str, Curve] = {}
    drawn = [one for one in overlaid if not one.trouble]
    for one in drawn:
        label = one.label if one.label not in curves else f"{one.label} (task {one.task})"
        curves[label] = one.frequencies, one.values
    if not curves:
        why = f": {overlaid[0].trouble}" if overlaid else ""
        raise InvalidRequest(f"{title} has no curve of S{s} to draw{why}")
    scale = _scale(drawn) if len(curves) == len(drawn) else None
    plot(path, curves, title, f"S{s}", scale)


def _scale(overlaid: Sequence[Overlaid]) -> Scale | None:
    """The only number by which they differ: a parameter, or the task's index."""
    names = dict.fromkeys(name for one in overlaid for name in one.parameters)
    found: dict[str, list[object]] = {
        name: [one.parameters.get(name) for one in overlaid] for name in names
    } or {"task": [one.task for one in overlaid]}
    differing = {name: told for name, told in found.items() if any(one != told[0] for one in told)}
    if len(differing) != 1:
        return None
    [(name, told)] = differing.items()
    numbers = [
        float(one) for one in told if isinstance(one, int | float) and not isinstance(one, bool)
    ]
    exact = len(numbers) == len(told) and all(map(math.isfinite, numbers))
    return Scale(name, numbers) if exact else None


# matplotlib may be missing, so its types can't be named here


def _frame(axes: Any, title: str, name: str) -> None:
    axes.set_title(title, loc="left", fontsize=_TITLE, fontweight="bold", pad=10)
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


def _bar(figure: Any, colours: Any, labels: Sequence[str], scale: Scale | None) -> None:
    """Tell which curve has which colour."""
    bar = figure.colorbar(colours, ax=figure.axes, pad=0.02, aspect=40)
    bar.outline.set_visible(False)
    bar.ax.tick_params(color="#8a93a3")
    if scale is not None:
        bar.set_label(_fitting(figure, scale.name, _HIGH))
        return
    last = len(labels) - 1
    places = [round(last * step / (_NAMED - 1)) for step in range(_NAMED)]
    bar.set_ticks(places, labels=[_fitting(figure, labels[at], _LABEL) for at in places])
    bar.ax.invert_yaxis()  # the first on top, as in a legend


def _fitting(figure: Any, text: str, most: float, size: float = _SIZE) -> str:
    """`text` as matplotlib writes it, without its middle where it is wider than `most` inches."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(size=size, weight="bold" if size == _TITLE else "normal")
    renderer, dpi = figure.canvas.get_renderer(), figure.dpi

    def width(some: str) -> float:
        return float(renderer.get_text_width_height_descent(some, font, ismath=False)[0] / dpi)

    fits = whole = " ".join(text.split())
    kept = len(whole)
    while kept and width(fits) > most:
        kept = min(kept - 1, int(kept * 1.2 * most / width(fits)))
        fits = f"{whole[: kept - kept // 2]}…{whole[len(whole) - kept // 2 :]}"
    return fits.replace("$", r"\$")  # else what stands between two of them would be a formula
