"""The dipole of the demo, from its specification to its Touchstone file, against theory.

The oracle is Hallén's integral equation for a thin wire, solved here in plain arithmetic; it
shares nothing with NEC2's formulation (Pocklington's equation, three-term basis functions).
Source: R. S. Elliott, Antenna Theory and Design, chapter 7; S. J. Orfanidis, Electromagnetic
Waves and Antennas, chapter 24.
"""

import cmath
import importlib.util
import math
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from solveyard.cli import demo_sweep, sweep_report
from solveyard.model.jobs import JobSpec, Reason
from solveyard.registry import solver
from solveyard.solvers import touchstone
from solveyard.solvers.base import PYTHON, Exit, OutputFile

LIGHT = 299_792_458.0  #: m/s
ETA = 376.730313668  #: ohm, of free space

ENGINES = [
    pytest.param(
        "nec2c", marks=pytest.mark.skipif(not shutil.which("nec2c"), reason="no nec2c on PATH")
    ),
    pytest.param(
        "pynec",
        marks=pytest.mark.skipif(not importlib.util.find_spec("PyNEC"), reason="no PyNEC"),
    ),
]


class Solved(NamedTuple):
    frequency: float  #: Hz, of resonance
    resistance: float  #: ohm, at the feed there


@cache
def hallen(length: float, radius: float, frequency: float, cells: int = 30) -> complex:
    """Feed impedance in ohm of a centre-fed wire: pulses on its upper half, matched at points."""
    k = 2 * math.pi * frequency / LIGHT
    step = length / 2 / cells

    def static(at: float, centre: float) -> float:
        above, below = centre + step / 2 - at, centre - step / 2 - at
        return math.asinh(above / radius) - math.asinh(below / radius)

    def retarded(at: float, centre: float) -> complex:
        total = 0j
        for node, weight in ((-math.sqrt(0.6), 5 / 18), (0.0, 8 / 18), (math.sqrt(0.6), 5 / 18)):
            distance = math.hypot(centre + node * step / 2 - at, radius)
            total += weight * step * (cmath.exp(-1j * k * distance) - 1) / distance
        return total

    def kernel(at: float, centre: float) -> complex:
        return (static(at, centre) + retarded(at, centre)) / (4 * math.pi)

    rows = []
    for m in range(cells + 1):
        z = m * step
        row = [kernel(z, 0.0)]
        row += [kernel(z, n * step) + kernel(z, -n * step) for n in range(1, cells)]
        row += [1j / ETA * math.cos(k * z), -1j / (2 * ETA) * math.sin(k * z)]
        rows.append(row)
    return 1 / eliminate(rows)[0]


def eliminate(rows: list[list[complex]]) -> list[complex]:
    """Solve a linear system whose last column is the right-hand side."""
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, size):
            factor = rows[r][i] / rows[i][i]
            rows[r][i:] = [a - factor * b for a, b in zip(rows[r][i:], rows[i][i:], strict=True)]
    found = [0j] * size
    for i in reversed(range(size)):
        known = sum(rows[i][c] * found[c] for c in range(i + 1, size))
        found[i] = (rows[i][size] - known) / rows[i][i]
    return found


def resonance_by_theory(length: float, radius: float) -> Solved:
    """Bisection on Hallén's reactance, between 0.44 and 0.50 wavelengths."""
    low, high = 0.44 * LIGHT / length, 0.50 * LIGHT / length
    assert hallen(length, radius, low).imag < 0 < hallen(length, radius, high).imag
    for _ in range(14):
        middle = (low + high) / 2
        if hallen(length, radius, middle).imag < 0:
            low = middle
        else:
            high = middle
    return Solved(low, hallen(length, radius, low).real)


def solve(spec: JobSpec, folder: Path) -> touchstone.Network:
    """Run the solver's own command as a child process, and let the solver judge its end."""
    nec = solver("nec")
    command = nec.command(spec)
    assert command.argv[0] == PYTHON
    for path, content in command.files.items():
        (folder / path).write_text(content)
    ended = subprocess.run(
        [sys.executable, *command.argv[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("engine: ")
    (path,) = command.outputs
    content = (folder / path).read_bytes()
    output = OutputFile(path=path, size=len(content), fresh=True)
    outcome = nec.verdict(spec, Exit(code=0, outputs=(output,)), {path: content})
    assert outcome.reason is Reason.SUCCESS, outcome.message
    progress = nec.reader().feed(ended.stdout.encode())
    assert progress is not None
    assert progress.fraction == 1.0
    return touchstone.parse(content.decode(), 1)


def s11_of(network: touchstone.Network) -> list[complex]:
    return [s11 for ((s11,),) in network.s]


def resonance_of(network: touchstone.Network) -> Solved:
    found = sweep_report.resonance(network.frequencies, s11_of(network), network.resistance)
    assert found is not None
    return Solved(*found)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_dipole_of_the_demo_resonates_where_hallens_equation_says(
    engine: str, tmp_path: Path
) -> None:
    solved = []
    for length, spec in zip(demo_sweep.LENGTHS, demo_sweep.demo_specs(engine=engine), strict=True):
        found, theory = resonance_of(solve(spec, tmp_path)), resonance_by_theory(length, 0.001)
        assert found.frequency == pytest.approx(theory.frequency, rel=0.01)
        assert found.resistance == pytest.approx(theory.resistance, abs=2.0)
        # A thin dipole is shorter than half a wave, by 4 to 6 % at this thickness.
        assert 0.94 < 2 * length * found.frequency / LIGHT < 0.96
        solved.append(found.frequency)
    assert len(solved) == 11
    assert all(longer < shorter for shorter, longer in pairwise(solved))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_impedance_agrees_with_hallens_equation_below_and_above_resonance(
    engine: str, tmp_path: Path
) -> None:
    spec = demo_sweep.demo_specs(engine=engine)[5]
    network = solve(spec, tmp_path)
    feed = dict(zip(network.frequencies, s11_of(network), strict=True))
    for frequency in (250e6, 270e6, 290e6, 310e6):
        found = sweep_report.impedance(feed[frequency], 50.0)
        theory = hallen(0.5, 0.001, frequency)
        assert found.real == pytest.approx(theory.real, rel=0.06)
        assert found.imag == pytest.approx(theory.imag, abs=10.0)


def test_a_thinner_wire_resonates_closer_to_half_a_wave_by_theory() -> None:
    thick, thin = (resonance_by_theory(0.5, radius) for radius in (0.001, 0.00001))
    assert thick.frequency < thin.frequency < LIGHT / (2 * 0.5)
    # The classical half-wave dipole of no thickness has 73.1 ohm; at resonance a little less.
    assert 65 < thin.resistance < 75


@pytest.mark.skipif(
    not (shutil.which("nec2c") and importlib.util.find_spec("PyNEC")), reason="needs both engines"
)
def test_both_engines_give_the_same_reflection(tmp_path: Path) -> None:
    ours = [
        solve(demo_sweep.demo_specs(engine=engine)[5], tmp_path) for engine in ("nec2c", "pynec")
    ]
    assert ours[0].frequencies == ours[1].frequencies
    for one, other in zip(*map(s11_of, ours), strict=True):
        assert abs(one - other) < 2e-4  # nec2c prints five digits
