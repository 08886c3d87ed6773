"""Our own programs, where nothing else of ours is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from solveyard import programs
from solveyard.backends.batch import carried

NAMES = sorted(one.stem for one in Path(programs.__path__[0]).glob("[a-z]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_what_travels_has_all_that_its_programs_need(name: str, tmp_path: Path) -> None:
    archive = tmp_path / "programs.pyz"
    archive.write_bytes(carried.archive())
    line = f"import sys; sys.path.insert(0, {str(archive)!r}); import solveyard.programs.{name}"
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", line], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
