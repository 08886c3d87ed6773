"""The core's tests are worth something: they find faults that are planted for them."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[3] / "tools" / "plant_faults.py"


@pytest.mark.timeout(900)
def test_planted_faults_are_each_found() -> None:
    run = subprocess.run(
        [sys.executable, str(TOOL)], capture_output=True, text=True, timeout=800, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert ", 0 wrong verdicts" in run.stdout
