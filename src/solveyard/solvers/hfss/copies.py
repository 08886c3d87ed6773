"""Solves on a copy, in the job's own folder: for sweeps, read-only projects and archives."""

import ntpath
import posixpath

import msgspec

from solveyard.model.jobs import Outcome, Reason
from solveyard.model.resources import Allocation
from solveyard.solvers.base import PYTHON, Command, Exit
from solveyard.solvers.hfss import arguments
from solveyard.solvers.hfss.batch import HfssOptions

#: What `programs/hfss_copy.py` puts in place of the folder that it runs in.
FOLDER = "/{folder}"
_PLAN = "copy.json"
#: Its own exit codes: cause, and what to do.
_ENDS = {
    120: ("hfss.project", "the project could not be copied (standard error says why)"),
    121: ("hfss.disk", "there is no room for a copy of the project (standard error says how much)"),
    122: ("hfss.launch", "ansysedt could not be started (standard error says why)"),
}


def name(chosen: HfssOptions) -> str:
    """What the project that is solved is called; of an archive "board.aedtz" it is "board.aedt"."""
    path = chosen.project_path
    last = posixpath.basename(path) if path.startswith("/") else ntpath.basename(path)
    return last[:-1] if last.lower().endswith(".aedtz") else last


def command(
    chosen: HfssOptions, program: str, jobid: str, allocation: Allocation, log: str
) -> Command:
    here = chosen.model_copy(update={"project_path": f"{FOLDER}/{name(chosen)}"})
    made = arguments.made(here, program, jobid, allocation)
    plan = {
        "source": chosen.project_path,
        "project": name(chosen),
        "argv": made.argv,
        "keep": chosen.keep,
        "min_disk": round(chosen.min_disk_gb * 1024**3),
    }
    return Command(
        argv=(PYTHON, "-P", "-m", "solveyard.programs.hfss_copy", _PLAN),
        env=chosen.environment,
        files={**made.files, _PLAN: msgspec.json.encode(plan).decode()},
        outputs=() if chosen.run == "runscript" else (log,),
        own_folder=True,
    )


def verdict(exit_: Exit) -> Outcome | None:
    """None: the solve was started, and its own evidence tells."""
    if exit_.code not in _ENDS or exit_.ended_by or exit_.lost:
        return None
    cause, message = _ENDS[exit_.code]
    return Outcome(reason=Reason.EXIT_CODE, cause=cause, exit_code=exit_.code, message=message)
