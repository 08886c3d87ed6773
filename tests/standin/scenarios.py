"""What a run of the stand-in is to go through: its project's word, or its environment's.

The project is JSON: {"stand_in": true, "scenario": "success", ...}. STANDIN_SCENARIO, a scenario's
name or JSON of the same form, goes before it.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from standin.batchlog import Log

GENERIC = "Simulation completed with execution error on server: localhost."
NO_LICENCE = (
    "Request name elec_solve_hfss does not exist in the licensing pool.\n"
    "Cannot connect to license server system.\nFlexNet Licensing error:-15,10"
)
ALL_IN_USE = (
    "Licensed number of users already reached.\nFeature: {feature}\nFlexNet Licensing error:-4,132"
)
BY_LICENCE = "Simulation was terminated by license error."
NO_ROOM = "No space left on device"

#: Where an error comes, its lines, and the exit code.
ERRORS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "licence": ("licence", (NO_LICENCE, BY_LICENCE), 1),
    "mpi": ("launch", (
        "The attemped launch of solvers via MPI failed while connecting to communication pipes."
        " The probable cause is that the vendor MPI is not set up, or a password authentication"
        " failure", GENERIC), 1),
    "mesh": ("mesh", (
        "Process 'G3dMesher' terminated abnormally. It may have run out of memory or could have"
        " been killed by the user.", GENERIC), 1),
    "fail": ("mesh", (
        "Port refinement, process hf3d error: Too few conductors were found on port 1",
        GENERIC), 1),
    "error": ("mesh", (
        "Port refinement, process hf3d error: Too few conductors were found on port 1",
        GENERIC), 0),
    "memory": ("solve", (
        "Adaptive Pass 2, process hf3d error: Matrix solver exception: SOLVER_OUT_OF_MEMORY",
        "process hf3d: Out of memory", GENERIC), 1),
    "disk": ("solve", (f"Error closing file: fields.sd: {NO_ROOM}", GENERIC), 1),
}  # fmt: skip
#: The others; what each does is said in `ansysedt.py`.
OTHERS = {
    "success", "cut", "nolog", "slow", "crash", "unconverged", "sweep", "hang", "big", "locked",
    "lapse", "nan", "unsaved", "partial", "deaf",
}  # fmt: skip


class Failed(Exception):
    """The log says why; the argument is the exit code."""


class NoProject(Exception):
    """The file is none of the stand-in's."""


class Scenario(NamedTuple):
    """A project of the stand-in, with the values that a project may set."""

    scenario: str = "success"
    length: float = 0.47  #: m, of the wire
    radius: float = 0.0005  #: m
    frequency: float = 900e6  #: Hz, of the adaptive passes
    delta_s: float = 0.02  #: target
    passes: int = 10  #: at most
    sweep: str = "interpolating"  #: or "discrete"
    start: float = 100e6  #: Hz
    stop: float = 900e6  #: Hz
    points: int = 81
    solutions: int = 60  #: that an interpolating sweep may take
    tolerance: float = 0.5  #: %, of an interpolating sweep
    variations: tuple[dict[str, float], ...] = ()  #: for `:Optimetrics`
    seconds: float | None = None  #: a pass more, or how long the deaf stay deaf
    megabytes: int = 8  #: that `big` writes
    memory_scale: float = 1.0  #: of the memory in the log, which is nec2c's own
    crlf: bool = False  #: the log's line ends
    stand_in: bool = True

    @property
    def model(self) -> dict[str, float]:
        return {"length": self.length, "radius": self.radius}


def read(project: Path) -> Scenario:
    """Raises NoProject."""
    inside = project / "project.json" if project.is_dir() else project
    try:
        content = json.loads(inside.read_text())
    except (OSError, ValueError) as error:
        raise NoProject(f"{project} is no project of the stand-in: {error}") from error
    if not isinstance(content, dict):
        raise NoProject(f"{project} is no project of the stand-in")
    return made(content | _environment())


def made(content: dict[str, Any]) -> Scenario:
    if unknown := content.keys() - set(Scenario._fields):
        raise NoProject(f"a project of the stand-in has no {sorted(unknown)}")
    found = Scenario(**content)
    if found.scenario not in OTHERS | ERRORS.keys():
        raise NoProject(f"there is no scenario {found.scenario!r}")
    if found.scenario == "unconverged":
        return found._replace(passes=min(found.passes, 3), delta_s=min(found.delta_s, 1e-6))
    if found.scenario == "sweep":
        return found._replace(solutions=5)
    return found


def fail_at(stage: str, scenario: Scenario, log: Log) -> None:
    """Where the scenario's error comes at this stage, say it and end. Raises Failed."""
    where, lines, code = ERRORS.get(scenario.scenario, ("", (), 0))
    if where == stage:
        fail(log, *lines, code=code)


def fail(log: Log, *lines: str, code: int = 1) -> NoReturn:
    """Raises Failed."""
    for line in lines:
        log.say(line, "error")
    raise Failed(code)


def _environment() -> dict[str, Any]:
    given = os.environ.get("STANDIN_SCENARIO", "").strip()
    if not given:
        return {}
    try:
        content = json.loads(given) if given.startswith("{") else {"scenario": given}
    except ValueError as error:
        raise NoProject(f"STANDIN_SCENARIO: {error}") from error
    return dict(content)
