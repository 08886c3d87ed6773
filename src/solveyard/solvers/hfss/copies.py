"""Solves on a copy, in the job's own folder: for sweeps, read-only projects and archives."""

import ntpath
import posixpath
from functools import lru_cache

import msgspec

from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Allocation
from solveyard.solvers.base import PYTHON, Command
from solveyard.solvers.hfss import arguments, wrapped
from solveyard.solvers.hfss.batch import HfssOptions

#: What `programs/hfss_copy.py` puts in place of the folder that it runs in.
FOLDER = "/{folder}"
_PLAN = "copy.json"


def name(chosen: HfssOptions) -> str:
    """What the project that is solved is called; of an archive "board.aedtz" it is "board.aedt"."""
    return _called(chosen.project_path)


@lru_cache(maxsize=256)
def _called(path: str) -> str:
    last = posixpath.basename(path) if path.startswith("/") else ntpath.basename(path)
    return last[:-1] if last.lower().endswith(".aedtz") else last


def command(
    spec: JobSpec, chosen: HfssOptions, program: str, jobid: str, allocation: Allocation, log: str
) -> Command:
    here = chosen.model_copy(update={"project_path": f"{FOLDER}/{name(chosen)}"})
    made = arguments.made(here, program, jobid, allocation)
    plan = {
        "source": chosen.project_path,
        "project": name(chosen),
        "argv": wrapped.found(chosen, made.argv),
        "keep": chosen.keep,
        "min_disk": wrapped.least(chosen),
        "scratch": chosen.layout_options.temp_directory or "",
        "stop": chosen.stop_with,
        "deaf": bool(spec.on),
        "end": spec.grace if chosen.low_disk == "end" else None,
    }
    return Command(
        argv=(PYTHON, "-P", "-m", "solveyard.programs.hfss_copy", _PLAN),
        env=chosen.environment,
        files={**made.files, _PLAN: msgspec.json.encode(plan).decode()},
        outputs=() if chosen.run == "runscript" else (log,),
        own_folder=True,
        ends_itself=bool(chosen.stop_with),
    )
