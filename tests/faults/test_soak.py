"""The soak, in small: `make soak` is the large one."""

import re
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "tools" / "soak.py"


def test_troubled_jobs_are_each_accounted_for() -> None:
    run = subprocess.run(
        [sys.executable, str(SOAK), "--jobs", "300", "--kills", "3", "--minutes", "4"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search("300 jobs, [1-3] kills, 0 wrong", run.stdout), run.stdout
    assert re.search("manager: at most [1-9][0-9]* MiB, [1-9][0-9]* open files", run.stdout)
