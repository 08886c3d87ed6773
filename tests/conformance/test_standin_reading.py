"""What the stand-in does and what our reader tells of its log are the same. No Ansys software."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import standin
from solveyard.solvers.hfss import reader, verdict
from solveyard.solvers.hfss.progress import HfssProgress

#: Scenario -> the verdict and the cause, from its log alone.
TOLD = {
    "success": ("success", None),
    "big": ("success", None),
    "nan": ("success", None),
    "unconverged": ("not_converged", "hfss.not_converged"),
    "sweep": ("failed", "hfss.sweep"),
    "licence": ("failed", "hfss.licence"),
    "mpi": ("failed", "hfss.mpi"),
    "mesh": ("failed", "hfss.mesh"),
    "memory": ("failed", "hfss.memory"),
    "disk": ("failed", "hfss.disk"),
    "fail": ("failed", "hfss.model"),
    "error": ("failed", "hfss.model"),
    "crash": ("failed", "hfss.crash"),
    "cut": ("unfinished", None),
    "partial": ("unfinished", None),
}


@pytest.fixture(autouse=True)
def _only_where_it_runs() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the stand-in was written for Linux")


def start(place: Path, words: Sequence[str] = (), spec: Sequence[str] = ()) -> Any:
    program = [sys.executable, str(standin.ANSYSEDT)]
    command = [*program, "-jobid", place.stem, "-logfile", f"{place}.log"]
    return subprocess.Popen([*command, *words, "-batchsolve", *spec, str(place)])


def read(place: Path) -> HfssProgress:
    return reader.read(Path(f"{place}.log").read_bytes())[0]


def solved(place: Path, words: Sequence[str] = (), spec: Sequence[str] = ()) -> HfssProgress:
    assert start(place, words, spec).wait() == 0
    return read(place)


def passes(place: Path, name: str = "board") -> list[tuple[int, int, str]]:
    """By the convergence file: number, segments, delta S."""
    [file] = (place.parent / "board.aedtresults").rglob(f"{name}.conv")
    rows = file.read_text().partition("Delta S|\n")[2].splitlines()
    cells = [row.split("|") for row in rows]
    return [(int(row[0]), int(row[1]), row[2].strip()) for row in cells]


def by_reader(told: HfssProgress) -> list[tuple[int, int | None, str]]:
    return [
        (one.number, one.tetrahedra, "N/A" if one.delta is None else f"{one.delta:.5g}")
        for one in told.passes
    ]


def test_its_passes_its_mesh_and_its_machine_are_read_as_they_were(tmp_path: Path) -> None:
    board = standin.project(tmp_path, memory_scale=200)
    told = solved(board, ["-machinelist", "list=localhost:2:6:90%"])
    assert by_reader(told) == passes(board)
    assert len(told.passes) > 3
    assert (told.converged, told.phase) == (True, "ended")
    assert (told.tasks, told.cores, told.errors) == (2, 6, 0)
    assert told.product == "stand-in for HFSS"
    assert told.tetrahedra == told.passes[-1].tetrahedra
    assert (told.peak_memory or 0) > 1024, "told in G"


def test_its_sweep_is_counted_as_it_was_solved(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    told = solved(board)
    elements = Path(f"{board}.log").read_text().count("Basis Element #")
    assert (told.sweep_points, told.sweep_points_solved) == (81, elements)
    assert 0 < (told.sweep_error or 0) <= 0.5
    other = standin.project(tmp_path, name="other.aedt", sweep="discrete", points=7)
    told = solved(other)
    assert (told.sweep_points, told.sweep_points_solved) == (7, 7)


def test_its_variations_are_counted(tmp_path: Path) -> None:
    lengths = [{"length": 0.45}, {"length": 0.5}]
    board = standin.project(tmp_path, variations=lengths, sweep="discrete", points=3)
    told = solved(board, spec=["D:Optimetrics:P1"])
    assert told.variation == 2
    assert by_reader(told) == passes(board, "board_1") != passes(board, "board_0")


def test_the_line_ends_make_no_difference(tmp_path: Path) -> None:
    one = standin.project(tmp_path / "a", sweep="discrete", points=3)
    two = standin.project(tmp_path / "b", sweep="discrete", points=3, crlf=True)
    assert by_reader(solved(one)) == by_reader(solved(two))
    assert b"\r\n" in Path(f"{two}.log").read_bytes()


def test_every_scenario_is_judged_by_its_log_as_meant(tmp_path: Path) -> None:
    places = {
        scenario: standin.project(tmp_path, scenario, f"{scenario}.aedt", megabytes=1)
        for scenario in TOLD
    }
    for each in [start(place) for place in places.values()]:
        each.wait()
    for scenario in ("cut", "partial"):
        for pid in (tmp_path / f"{scenario}.pids").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    found = {}
    for scenario, place in places.items():
        summary = verdict.summary(*reader.read(Path(f"{place}.log").read_bytes()))
        found[scenario] = (summary.verdict, summary.cause)
    assert found == TOLD
    cut, partial = read(places["cut"]), read(places["partial"])
    assert (cut.adaptive_pass, len(cut.passes), cut.phase) == (1, 0, "adaptive")
    assert (partial.adaptive_pass, len(partial.passes)) == (2, 1)
    assert (read(places["unconverged"]).converged, len(read(places["memory"]).passes)) == (False, 1)
