"""Pictures of many curves can be read, however many there are and whatever they are called."""

from pathlib import Path
from typing import Any

import pytest

from solveyard.model.arrays import Value
from solveyard.model.overlaid import Overlaid
from solveyard.results import picture

pytest.importorskip("matplotlib")

FREQUENCIES = (200e6, 300e6, 400e6)


def curve(number: int, parameters: dict[str, Value], trouble: str = "") -> Overlaid:
    return Overlaid(
        id=f"sweep[{number}]", task=number, parameters=parameters, frequencies=FREQUENCIES,
        real=(0.9, 0.1 + number / 1000, 0.8), imag=(0.1, 0.0, 0.2), trouble=trouble,
    )  # fmt: skip


SWEEPS = {
    "one parameter": lambda number: {"length": 0.4 + number / 200},
    "two parameters": lambda number: {"length": 0.4 + number // 10 / 200, "radius": number % 10},
    "words": lambda number: {"_file": f"board_{number}.aedt"},
    "dollars": lambda number: {"$w": number, "$h^{": f"\\{number}"},
    "long words": lambda number: {f"parameter_{name}": f"{'m' * 90}{number}" for name in "abcd"},
    "a long name": lambda number: {"m" * 200: 1e9 + number},
    "no parameters": lambda _: {},
}


def drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, curves: list[Overlaid], **more: str
) -> Any:
    """The picture, laid out as it was saved."""
    made: list[Any] = []
    make = picture.figure
    monkeypatch.setattr(picture, "figure", lambda *given: made.append(make(*given)) or made[0])
    picture.draw(tmp_path / "a.png", curves, more.get("title", "sweep"), "11")
    return made[0]


@pytest.mark.parametrize("count", [1, 2, 12, 20, 21, 30, 100, 300])
@pytest.mark.parametrize("sweep", SWEEPS)
def test_all_words_are_in_the_picture_and_the_plot_keeps_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sweep: str, count: int
) -> None:
    curves = [curve(number, SWEEPS[sweep](number)) for number in range(count)]
    figure = drawn(tmp_path, monkeypatch, curves, title="t" * 200 if "long" in sweep else "sweep")
    assert len(figure.axes[0].lines) == count
    all_words, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= all_words.x0 < all_words.x1 <= width
    assert 0 <= all_words.y0 < all_words.y1 <= height
    plot = figure.axes[0].get_position()
    assert plot.width * plot.height >= 0.5
    low, high = figure.axes[0].get_ylim()
    assert low <= picture.decibels(0.1)
    assert high == 0.5


def test_few_curves_are_named_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = [curve(number, {"$w": number, "_$h": 2}) for number in range(20)]
    figure = drawn(tmp_path, monkeypatch, curves)
    told = [one.get_text() for one in figure.axes[0].get_legend().get_texts()]
    assert told == [rf"\$w {number}, _\$h 2" for number in range(20)]
    assert len(figure.axes) == 1


def test_many_curves_have_their_colours_by_the_one_number_in_which_they_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = [(number - 50) ** 2 / 8 for number in range(100)]
    curves = [curve(n, {"kind": "a", "length": length}) for n, length in enumerate(lengths)]
    troubled = [curve(100, {"kind": "b", "length": 1e9}, "there is no file")]
    figure = drawn(tmp_path, monkeypatch, curves + troubled)
    _, bar = figure.axes
    assert bar.get_ylabel() == "length"
    assert bar.get_ylim() == (min(lengths), max(lengths))
    assert figure.axes[0].get_legend() is None
    colours = [line.get_color() for line in figure.axes[0].lines]
    assert colours[40] == colours[60]  # as long
    assert len(set(colours)) > 40


def test_many_curves_that_differ_in_more_are_named_here_and_there_first_and_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = [curve(number, {"w": number // 10, "h": number % 10}) for number in range(100)]
    figure = drawn(tmp_path, monkeypatch, curves)
    _, bar = figure.axes
    told = [one.get_text() for one in bar.get_yticklabels()]
    assert (told[0], told[-1], len(told)) == ("w 0, h 0", "w 9, h 9", 9)
    assert list(bar.get_yticks())[::8] == [0, 99]
    assert len({line.get_color() for line in figure.axes[0].lines}) == 100


def test_many_curves_give_the_same_picture_each_time(tmp_path: Path) -> None:
    curves = [curve(number, {"length": number}) for number in range(40)]
    for name in ("a.svg", "b.svg"):
        picture.draw(tmp_path / name, curves, "sweep", "11")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
