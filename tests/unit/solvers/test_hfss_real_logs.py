"""Two real batch logs, which aren't ours to publish: where they aren't, this is skipped."""

import os
import random
from pathlib import Path

import pytest

from solveyard.solvers.hfss.reader import HfssReader, read
from solveyard.solvers.hfss.verdict import Summary, summary

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("HFSS_LOGS") or ROOT.parent / "shared" / "data" / "hfss")
LAYOUT = "hfss-3d-layout-2025r2-in-progress"
SIWAVE = "siwave-2026r1-complete"

pytestmark = pytest.mark.skipif(
    not (FOLDER / f"{LAYOUT}.log").is_file(), reason="there are no real logs here"
)


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.log").read_bytes()


def found(name: str) -> Summary:
    return summary(*read(content(name)))


def test_a_solve_in_progress_is_read_to_its_last_line() -> None:
    told, _ = read(content(LAYOUT))
    seen = found(LAYOUT)
    assert (seen.product, seen.phase, seen.verdict) == (
        "HFSS 3D Layout 2025.2.0",
        "sweep",
        "unfinished",
    )
    assert (seen.passes, seen.converged, seen.delta_s) == (8, True, 0.017318)
    assert (seen.tetrahedra, seen.peak_memory_mib) == (65671, 1208)
    assert (seen.sweep_points, seen.sweep_points_solved) == (201, 4)
    assert (told.matrix_size, told.cores, told.free_disk) == (333319, 2, 397.0)
    assert seen.elapsed_s == 157


def test_siwaves_end_is_judged_by_what_else_it_says() -> None:
    seen = found(SIWAVE)
    assert (seen.product, seen.phase) == ("SIwave 2026.1.0", "ended")
    assert (seen.verdict, seen.cause) == ("success", None)
    assert (seen.passes, seen.converged, seen.peak_memory_mib) == (None, None, 992)
    assert seen.elapsed_s == 290


@pytest.mark.parametrize("name", [LAYOUT, SIWAVE])
def test_one_result_byte_by_byte_and_in_a_thousand_chunkings(name: str) -> None:
    text = content(name)
    whole = read(text)
    reader = HfssReader()
    for index in range(len(text)):
        reader.feed(text[index : index + 1])
    assert reader.seen() == whole
    dice = random.Random(7)
    for _ in range(1000):
        reader, start = HfssReader(), 0
        while start < len(text):
            size = dice.choice((1, 50, 1000, 10_000, 40_000))
            reader.feed(text[start : start + size])
            start += size
        assert reader.seen() == whole


@pytest.mark.parametrize("name", [LAYOUT, SIWAVE])
def test_any_prefix_is_read(name: str) -> None:
    text = content(name)
    for end in range(0, len(text) - 1, 97):
        assert summary(*read(text[:end])).verdict == "unfinished"
