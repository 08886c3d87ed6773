"""What our own program around ansysedt is told, and what its exit codes mean."""

import ntpath
import posixpath
from collections.abc import Sequence

import msgspec

from solveyard.model.jobs import Outcome, Reason
from solveyard.solvers.base import PYTHON, Exit
from solveyard.solvers.hfss.batch import HfssOptions

#: The programs' own exit codes: cause, and what they say. Of others the solve's evidence tells.
_ENDS = {
    120: ("hfss.project", "the project could not be copied (standard error says why)"),
    121: ("hfss.disk", "too little disk was free to begin (standard error says how much)"),
    122: ("hfss.launch", "ansysedt could not be started (standard error says why)"),
}
SHORT = 123  #: it failed while too little disk was free
COPY_LEAST = 1.0  #: GiB that a copy leaves free where nothing else is said
_VAGUE = {"", "hfss.error", "hfss.crash", "hfss.incomplete"}  #: causes that a full disk explains


def least(chosen: HfssOptions) -> int:
    """Bytes that must be free; 0: it isn't looked at."""
    if chosen.min_disk_gb is not None:
        return round(chosen.min_disk_gb * 1024**3)
    return round(COPY_LEAST * 1024**3) if chosen.workspace == "copy" else 0


def argv(chosen: HfssOptions, command: Sequence[str]) -> tuple[str, ...]:
    """`command`, in our program's charge where the job wants something of it."""
    options: list[str] = []
    if needed := least(chosen):
        options += ["--least", str(needed)]
        if chosen.layout_options.temp_directory:
            options += ["--scratch", chosen.layout_options.temp_directory]
    if chosen.stop_with:
        options += ["--stop", msgspec.json.encode(chosen.stop_with).decode()]
    if chosen.keep != "all":
        project = chosen.project_path
        name = (posixpath if project.startswith("/") else ntpath).basename(project)
        options += ["--project", name, "--keep", chosen.keep]
    if not options:
        return tuple(command)
    return (PYTHON, "-P", "-m", "solveyard.programs.hfss_run", *options, "--", *command)


def own_end(chosen: HfssOptions, end: Exit) -> Outcome | None:
    """None: the solve was started, and its own evidence tells."""
    if not _is_ours(chosen) or end.code not in _ENDS or end.ended_by or end.lost:
        return None
    cause, message = _ENDS[end.code]
    return Outcome(reason=Reason.EXIT_CODE, cause=cause, exit_code=end.code, message=message)


def with_disk(chosen: HfssOptions, outcome: Outcome) -> Outcome:
    """`outcome` of a solve that failed while too little disk was free, which may be why."""
    if not _is_ours(chosen) or outcome.exit_code != SHORT or outcome.cause not in _VAGUE:
        return outcome
    told = f"{outcome.message}; " if outcome.cause else ""
    message = f"{told}it failed while too little disk was free (standard error says how much)"
    return msgspec.structs.replace(outcome, cause="hfss.disk", message=message)


def _is_ours(chosen: HfssOptions) -> bool:
    asked = chosen.workspace == "copy" or chosen.keep != "all" or bool(chosen.stop_with)
    return asked or least(chosen) > 0
