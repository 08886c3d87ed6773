"""How each scenario's job ends, wherever it runs."""

from typing import Any, NamedTuple

QUICK: dict[str, Any] = {"sweep": "discrete", "points": 3}  #: of a project: little to solve
SPECIAL: dict[str, dict[str, Any]] = {"slow": {"seconds": 0.05}, "big": {"megabytes": 2}}


class Ended(NamedTuple):
    state: str
    reason: str
    cause: str
    words: str  #: of the message or of the evidence


#: By the scenario; `hang` has a time limit of 3 s.
ENDINGS: dict[str, Ended] = {
    "success": Ended("completed", "success", "", "normal completion"),
    "big": Ended("completed", "success", "", "normal completion"),
    "slow": Ended("completed", "success", "", "normal completion"),
    "unconverged": Ended("failed", "not_converged", "hfss.not_converged", "did not converge"),
    "sweep": Ended("failed", "exit_code", "hfss.sweep", "Sweep Sweep1 failed"),
    "licence": Ended("failed", "licence", "hfss.licence", "elec_solve_hfss does not exist"),
    "lapse": Ended("failed", "licence", "hfss.licence", "elec_solve_hfss does not exist"),
    "mpi": Ended("failed", "exit_code", "hfss.mpi", "attemped launch of solvers via MPI failed"),
    "mesh": Ended("failed", "exit_code", "hfss.mesh", "G3dMesher"),
    "memory": Ended("failed", "out_of_memory", "hfss.memory", "SOLVER_OUT_OF_MEMORY"),
    "disk": Ended("failed", "exit_code", "hfss.disk", "No space left on device"),
    "fail": Ended("failed", "exit_code", "hfss.model", "Too few conductors"),
    "error": Ended("failed", "criteria", "hfss.model", "Too few conductors"),
    "crash": Ended("failed", "criteria", "hfss.crash", "process hf3d exited with code 139"),
    "nan": Ended("failed", "criteria", "result.invalid", "nan.s1p"),
    "unsaved": Ended("failed", "no_output", "", "its results are not saved"),
    "nolog": Ended("failed", "no_output", "", "is missing"),
    "cut": Ended("failed", "criteria", "hfss.incomplete", "no normal completion"),
    "partial": Ended("failed", "signal", "", "no normal completion"),
    "locked": Ended("failed", "exit_code", "hfss.lock", "locked.aedt.lock is there"),
    "hang": Ended("failed", "time_limit", "", "time limit of 3 s"),
}


def ended(scenario: str, record: Any) -> Ended:
    """A job's record in that form; all of its words where the right ones are missing."""
    told = "\n".join([record.message, *record.evidence])
    words = ENDINGS[scenario].words
    return Ended(
        str(record.state), str(record.reason), record.cause, words if words in told else told
    )
