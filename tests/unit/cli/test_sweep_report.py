"""The demo's jobs, table and picture."""

import sys
from pathlib import Path

import msgspec
import pytest

from solveyard.cli import demo_sweep, sweep_report
from solveyard.registry import solver
from solveyard.results import picture


def resonator(resistance: float, at: float, frequencies: list[float]) -> list[complex]:
    """S11 at 50 ohm of a series circuit, whose reactance rises by 1 ohm in 1 MHz."""
    feed = [complex(resistance, (frequency - at) / 1e6) for frequency in frequencies]
    return [(value - 50) / (value + 50) for value in feed]


def test_resonance_is_where_the_reactance_rises_through_zero() -> None:
    frequencies = [290e6, 295e6, 305e6, 310e6]
    found = sweep_report.resonance(frequencies, resonator(72, 301e6, frequencies), 50.0)
    assert found is not None
    assert found.frequency == pytest.approx(301e6)
    assert found.resistance == pytest.approx(72)


def test_a_falling_reactance_is_no_resonance() -> None:
    frequencies = [290e6, 310e6]
    falling = resonator(72, 300e6, frequencies)[::-1]
    assert sweep_report.resonance(frequencies, falling, 50.0) is None
    assert sweep_report.resonance([], [], 50.0) is None


def test_reflections_are_in_decibels_and_nothing_reflected_has_a_floor() -> None:
    assert sweep_report.minimum_s11([0.5, -0.1j, 0.9]) == pytest.approx(-20)
    assert picture.decibels(0) == -200


def test_an_open_end_has_an_infinite_impedance() -> None:
    assert abs(sweep_report.impedance(1, 50.0)) == float("inf")


def test_a_row_stands_for_each_curve_in_order() -> None:
    frequencies = [290e6, 310e6]
    curves = {
        "long": (frequencies, resonator(50, 300e6, frequencies)),
        "short": (frequencies, resonator(50, 500e6, frequencies)),
    }
    table = sweep_report.rows(curves, 50.0)
    assert [(row.label, row.resonance is None) for row in table] == [
        ("long", False),
        ("short", True),
    ]


def test_the_plot_says_what_it_shows_and_is_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    frequencies = [290e6, 300e6, 310e6]
    curves = {"0.50 m": (frequencies, resonator(72, 300e6, frequencies))}
    for name in ("a.svg", "b.svg"):
        picture.plot(tmp_path / name, curves, "Dipoles")
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    for words in ("Dipoles", "Frequency (MHz)", "|S11| (dB)", "0.50 m"):
        assert words in drawn
    picture.plot(tmp_path / "a.png", curves, "Dipoles")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_way_to_get_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(picture.MissingPlotter, match=r'pip install "solveyard\[plot\]"'):
        picture.plot(tmp_path / "a.svg", {}, "Dipoles")


def test_the_demo_has_eleven_dipoles_that_its_solver_accepts() -> None:
    specs = demo_sweep.demo_specs()
    assert [spec.name for spec in specs][::5] == ["dipole-0.40", "dipole-0.50", "dipole-0.60"]
    assert len(specs) == len({spec.name for spec in specs}) == 11
    outputs = [solver(spec.solver).command(spec).outputs for spec in specs]
    assert outputs == [(demo_sweep.result_name(length),) for length in demo_sweep.LENGTHS]
    options = msgspec.json.decode(specs[0].options)
    assert options["dipole"] == {"length": 0.4, "radius": 0.001, "segments": 21}
    assert options["frequencies"] == {"start": 200e6, "stop": 400e6, "points": 101}
