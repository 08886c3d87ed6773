"""Scripts for the batch systems, as their own submit commands take them.

They ask what a manager asks for the same configuration, and start the same command: under Slurm by
Ansys' own launcher, unless the installation is seen here and has none.
"""

import ntpath
import posixpath

from solveyard import registry
from solveyard.backends.dialects.base import BatchJob, Run
from solveyard.model.errors import InvalidJob
from solveyard.pyedb import errors
from solveyard.solvers.hfss import commandline, forwarded
from solveyard.solvers.hfss.config import HFSSSimulationConfig, SchedulerType
from solveyard.surroundings import Here

_NOBODY = f"{'0' * 32}.0.0.1"  #: an attempt that there isn't: nobody follows the job


def script(config: HFSSSimulationConfig, kind: SchedulerType, program: str) -> str:
    """Of a configuration with a `jobid`. Raises InvalidConfig for what `kind` has no word for."""
    jobid = str(config.jobid)
    chosen = config.model_copy(update={"scheduler_type": kind})
    argv = commandline.arguments(chosen, program, jobid)
    run = Run(
        attempt=_NOBODY,
        argv=forwarded.launched(kind, argv) if _launches(program) else argv,
        directory=_folder(config.project_path),
        stdout="",
        stderr="",
        record="",
    )
    asked = config.scheduler_options
    try:
        job = BatchJob(
            name=jobid if jobid[0].isalnum() else f"j{jobid}",
            runs=(run,),
            resources=forwarded.resources(asked),
            options=forwarded.wishes(kind, asked),
        )
        return registry.dialects()[forwarded.dialect(kind)].plain(job)
    except InvalidJob as error:
        raise errors.InvalidConfig(str(error)) from error


def _launches(program: str) -> bool:
    here, folder = Here(), posixpath.dirname(program)
    seen = folder and here.listing(folder)
    return not seen or forwarded.LAUNCHER in here.listing(forwarded.utilities(program))


def _folder(path: str) -> str:
    return posixpath.dirname(path) if path.startswith("/") else ntpath.dirname(path)
