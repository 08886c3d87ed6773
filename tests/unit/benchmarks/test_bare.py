"""The C loop, where it can be compiled."""

import shutil
import sys
from pathlib import Path

import pytest
from benchmarks.bare import Bare, Loop
from benchmarks.failure import CannotMeasure

needs_a_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="there is no C compiler here"
)


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(CannotMeasure, match="'no-such-compiler'"):
        Bare.compiled(tmp_path / "bare")


def test_a_loop_with_all_of_both_cores_is_wholly_busy() -> None:
    assert Loop(rate=2000.0, cpu=0.001).busy() == pytest.approx(1.0)
    assert Loop(rate=500.0, cpu=0.001).busy() == pytest.approx(0.25)


@needs_a_compiler
def test_each_launch_leaves_two_files_in_a_fresh_folder(tmp_path: Path) -> None:
    bare = Bare.compiled(tmp_path / "bare")
    for run in (1, 2):
        loop = bare.launches(7)
        assert loop.rate > 0
        assert loop.cpu > 0
        left = sorted(path.name for path in (tmp_path / "bare" / f"run-{run}").iterdir())
        assert left == sorted(f"{n}.{kind}" for n in range(7) for kind in ("out", "err"))


@needs_a_compiler
def test_each_single_launch_is_timed_and_written(tmp_path: Path) -> None:
    bare = Bare.compiled(tmp_path / "bare")
    times = bare.singles(5)
    assert len(times) == 5
    assert all(each > 0 for each in times)
    assert (tmp_path / "bare" / "run-1" / "log").stat().st_size == 5 * 1024
