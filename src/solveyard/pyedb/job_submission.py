"""What to solve: configurations, and the commands and scripts that they stand for."""

import contextlib
import datetime as dt
import platform
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from solveyard.pyedb import ansys, errors, scripts, submission
from solveyard.pyedb.options import (
    Checked,
    HFSS3DLayoutBatchOptions,
    MachineNode,
    SchedulerOptions,
)
from solveyard.pyedb.statuses import JobStatus
from solveyard.solvers.hfss import commandline
from solveyard.solvers.hfss import config as hfss
from solveyard.solvers.hfss.config import SchedulerType

__all__ = [
    "HFSS3DLayoutBatchOptions", "HFSSSimulationConfig", "JobStatus", "MachineNode",
    "SchedulerOptions", "SchedulerType", "create_hfss_config",
]  # fmt: skip

FORM = "1.0.0"  #: of what `to_dict` gives, as PyEDB counted


def _unique() -> str:
    return f"JOB_{dt.datetime.now():%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"  # noqa: DTZ005  people read it


class HFSSSimulationConfig(Checked, hfss.HFSSSimulationConfig):
    """One solve of one project, on this machine or by a batch system.

    What isn't given is found here: the newest ansysedt, a unique `jobid`. A relative path is made
    absolute. Raises InvalidConfig (a ValueError); MissingFile (a FileNotFoundError) where the
    project isn't there.
    """

    machine_nodes: Annotated[
        tuple[MachineNode, ...],
        BeforeValidator(lambda nodes: tuple(nodes) if isinstance(nodes, list) else nodes),
    ] = (MachineNode(),)
    layout_options: HFSS3DLayoutBatchOptions = Field(default_factory=HFSS3DLayoutBatchOptions)
    scheduler_options: SchedulerOptions = SchedulerOptions()

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:  # whatever somebody gave
        if not isinstance(given, Mapping):
            return given
        filled = dict(given)
        filled["ansys_edt_path"] = given.get("ansys_edt_path") or ansys.newest()
        filled["jobid"] = given.get("jobid") or _unique()
        project = given.get("project_path") or Path(tempfile.gettempdir(), "simulation.aedt")
        if isinstance(project, str | Path):
            with contextlib.suppress(RuntimeError):  # nobody has that name: it isn't there
                project = Path(project).expanduser()
            project = str(Path(project).absolute())
        filled["project_path"] = project
        return filled

    def model_post_init(self, context: object, /) -> None:
        try:
            there = Path(self.project_path).exists()
        except OSError:
            there = False
        if not there:
            raise errors.MissingFile(f"no such project: {self.project_path!r}")

    def __str__(self) -> str:
        return self.generate_command_string()

    # The command

    def generate_machinelist_string(self) -> str:
        """ "list=a:1:20:90%,b:1:20:90%", or nothing."""
        return commandline.machine_list(self.machine_nodes)

    def generate_batch_options_string(self) -> str:
        return self.layout_options.to_batch_options_string()

    def generate_design_string(self) -> str:
        """ "design:mode:setup"; nothing: everything in the project is solved."""
        return commandline.design_string(self)

    def generate_command_list(self) -> list[str]:
        """The command as arguments; no shell is meant to read them. Raises AnsysNotFound."""
        program = self.ansys_edt_path or ansys.needed()
        return list(commandline.arguments(self, program, str(self.jobid)))

    def generate_command_string(self) -> str:
        """The same in one line, as this machine's shell reads it."""
        return commandline.line(self.generate_command_list(), windows=sys.platform == "win32")

    # Batch systems

    def generate_slurm_script(self) -> str:
        return self._script(SchedulerType.SLURM)

    def generate_lsf_script(self) -> str:
        return self._script(SchedulerType.LSF)

    def generate_pbs_script(self) -> str:
        return self._script(SchedulerType.PBS)

    def generate_windows_hpc_script(self) -> str:
        return self._script(SchedulerType.WINDOWS_HPC)

    def generate_scheduler_script(self) -> str:
        """Of the batch system that `scheduler_type` names, as a manager asks it, too.

        Raises InvalidConfig for "none", and for what the batch system has no word for.
        """
        if self.scheduler_type is SchedulerType.NONE:
            raise errors.InvalidConfig(
                "Unsupported scheduler type: none (give scheduler_type: slurm, lsf, pbs or"
                " windows_hpc)"
            )
        return self._script(self.scheduler_type)

    def submit_to_scheduler(
        self, script_path: str | Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Hand the script to the batch system's own command, without a manager.

        It is written to `script_path`, else beside the project. Raises SubmissionFailed (a
        RuntimeError), WaitTimeout.
        """
        return submission.submit(self, None if script_path is None else Path(script_path))

    def run_simulation(self, **subprocess_kwargs: Any) -> "subprocess.CompletedProcess[str] | str":
        """Solve it here and now, without a manager; or submit it: "slurm_job_42".

        `subprocess_kwargs` are those of subprocess.run. Raises ServiceError (a RuntimeError) where
        ansysedt fails, WaitTimeout where it takes longer than `timeout` s, MissingFile.
        """
        return submission.run(self, subprocess_kwargs)

    def _script(self, kind: SchedulerType) -> str:
        return scripts.script(self, kind, self.ansys_edt_path or ansys.needed())

    # As JSON

    def to_dict(self) -> dict[str, Any]:
        """With when and where it was written, which `from_dict` reads over."""
        noted = {
            "platform": platform.system(),
            "timestamp": dt.datetime.now(dt.UTC).isoformat(),
            "version": FORM,
        }
        return super().to_dict() | noted


def create_hfss_config(
    project_path: str | Path,
    jobid: str = "",
    ansys_edt_path: str = "",
    design_name: str = "",
    setup_name: str = "",
    machine_nodes: Sequence[MachineNode] | None = None,
    scheduler_type: SchedulerType | str = SchedulerType.NONE,
    scheduler_options: SchedulerOptions | Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> HFSSSimulationConfig:
    """A configuration; `kwargs` are its other fields, and unknown ones are refused."""
    given: dict[str, Any] = {
        "project_path": project_path,
        "jobid": jobid,
        "ansys_edt_path": ansys_edt_path,
        "design_name": design_name,
        "setup_name": setup_name,
        "scheduler_type": scheduler_type,
        **kwargs,
    }
    if machine_nodes is not None:
        given["machine_nodes"] = list(machine_nodes)
    if scheduler_options is not None:
        given["scheduler_options"] = scheduler_options
    return HFSSSimulationConfig(**given)
