"""Locks that are left, and locks that are held, with real processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.test_hfss_licences import Lab
from standin import project

LONG_AGO = 1_000_000_000


@pytest.fixture
def lab(service: Callable[..., Any], tmp_path: Path) -> Lab:
    return Lab(service, tmp_path, "")


@pytest.fixture
def holder(lab: Lab) -> "Iterator[subprocess.Popen[bytes]]":
    """A process that works on the project, as far as can be seen."""
    wait = "import sys; sys.stdin.read()"
    board = str(lab.projects / "board.aedt")
    with subprocess.Popen([sys.executable, "-c", wait, board], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def left(lab: Lab) -> tuple[str, Path]:
    board = project(lab.projects)
    lock = Path(f"{board}.lock")
    lock.write_text("left")
    os.utime(lock, (LONG_AGO, LONG_AGO))
    return str(board), lock


def test_a_lock_that_a_crash_left_is_told_and_removed_when_asked(lab: Lab) -> None:
    board, lock = left(lab)
    refused = lab.run("hfss", board)
    assert (refused.returncode, lock.exists()) == (4, True)
    assert "is stale: it was written" in refused.stderr
    assert f"hfss {board} --unlock removes it" in refused.stderr
    removed = lab.run("hfss", board, "--unlock")
    assert (removed.returncode, lock.exists()) == (0, False)
    assert "AEDT" in removed.stderr
    solved = lab.run("hfss", board, "--wait")
    assert solved.returncode == 0, solved.stderr
    again = lab.run("hfss", board, "--unlock")
    assert (again.returncode, "there is no" in again.stderr) == (0, True)


def test_a_layouts_project_is_looked_at_too(lab: Lab) -> None:
    layout = project(lab.projects, name="board.aedb")
    lock = lab.projects / "board.aedt.lock"
    lock.touch()
    os.utime(lock, (LONG_AGO, LONG_AGO))
    refused = lab.run("hfss", str(layout))
    assert (refused.returncode, f"{lock} is stale" in refused.stderr) == (4, True), refused.stderr
    assert lab.run("hfss", f"{lab.projects}/board.aedt", "--unlock").returncode == 0
    assert not lock.exists()


def test_a_lock_that_somebody_may_hold_stays(lab: Lab, holder: "subprocess.Popen[bytes]") -> None:
    board, lock = left(lab)
    kept = lab.run("hfss", board, "--unlock")
    assert (kept.returncode, lock.exists()) == (4, True)
    assert f"(process {holder.pid} of" in kept.stderr
    assert "works on this project" in kept.stderr
    holder.kill()
    holder.wait()
    os.utime(lock)
    kept = lab.run("hfss", board, "--unlock").stderr
    # an engine of another test may have been running when it was written
    assert "may just be starting" in kept or "may have the project open" in kept
    assert lock.exists()
