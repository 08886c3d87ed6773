"""Whole campaigns in simulated time keep every promise, whatever crashes, and when."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tools.simulate import PLANTED, Planted

from simulation.campaign import FAULTS, run
from simulation.world import Violation

ROOT = Path(__file__).parents[2]
SCHEDULES = int(os.environ.get("SOLVEYARD_SCHEDULES", "1000"))
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_no_crash_schedule_breaks_a_promise(part: int) -> None:
    struck = 0
    for seed in range(part, SCHEDULES, PARTS):
        struck += bool(run(seed).struck)
    assert struck > SCHEDULES // PARTS // 2


@pytest.mark.parametrize(
    ("boundary", "kind", "later"),
    [(40, "machine", 3), (45, "spawner", 2), (72, "agent", 2), (24, "connection", 5)],
)
def test_a_manager_may_die_before_it_has_heard_that_somebody_is_gone(
    boundary: int, kind: str, later: int
) -> None:
    faults = {boundary: kind, boundary + later: "manager"}
    compared = (run(seed, faults).struck["restored engines compared"] for seed in range(300))
    assert any(compared)  # whether they are is left to chance: one in twenty, or more


def test_a_seed_replays_exactly_in_every_process() -> None:
    script = "from simulation.campaign import run; print([run(s).trace for s in range(3, 9)])"
    path = os.pathsep.join([str(ROOT / "tests"), *sys.path])
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{[run(seed).trace for seed in range(3, 9)]}\n"}
    assert run(3).trace != run(4).trace


@pytest.mark.parametrize("kind", FAULTS)
def test_each_kind_of_fault_strikes_where_it_is_told_to(kind: str) -> None:
    assert run(5, {40: kind}).struck[kind] == 1
    assert run(5, {}).struck == {}


def test_who_starts_an_attempt_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulation.processes import SimulatedPlatform

    once = SimulatedPlatform.spawn
    monkeypatch.setattr(SimulatedPlatform, "spawn", lambda *a: (once(*a), once(*a))[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what breaks off leaves coroutines behind
        with pytest.raises(Violation, match="is started twice"):
            run(5, {})


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.what)
def test_a_planted_fault_still_has_its_place(fault: Planted) -> None:
    """Each is planted, and has to be found, by `make simulate`."""
    code = (ROOT / "src" / "solveyard" / fault.file).read_text(encoding="utf-8")
    assert code.count(fault.right) == 1
