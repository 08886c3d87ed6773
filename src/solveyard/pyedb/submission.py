"""Run a configuration, or hand it to a batch system, without any manager. Blocking."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solveyard.pyedb import errors
from solveyard.solvers.hfss.config import SchedulerType

if TYPE_CHECKING:
    from solveyard.pyedb.job_submission import HFSSSimulationConfig

PATIENCE = 30.0  #: s that a batch system's submit command may take
_SUFFIXES = {
    SchedulerType.SLURM: "_slurm.sh",
    SchedulerType.LSF: "_lsf.sh",
    SchedulerType.PBS: "_pbs.sh",
    SchedulerType.WINDOWS_HPC: "_windows_hpc.cmd",
}
_IDS = {
    SchedulerType.SLURM: re.compile(r"Submitted batch job (\d+)"),
    SchedulerType.LSF: re.compile(r"Job <(\d+)>"),
    SchedulerType.PBS: re.compile(r"^(\d+)(?:\[\])?(?:\.\S+)?\s*$", re.MULTILINE),
    SchedulerType.WINDOWS_HPC: re.compile(r"ID: (\d+)"),
}


def submit(
    config: "HFSSSimulationConfig", place: Path | None
) -> "subprocess.CompletedProcess[str]":
    """As `HFSSSimulationConfig.submit_to_scheduler`."""
    script = config.generate_scheduler_script()
    kind = config.scheduler_type
    where = place or Path(config.project_path).parent / f"{config.jobid}{_SUFFIXES[kind]}"
    try:
        where.write_text(script, encoding="utf-8", newline="")
        where.chmod(0o750)
    except OSError as error:
        raise errors.SubmissionFailed(f"cannot write {where}: {error.strerror}") from error
    argv = {
        SchedulerType.SLURM: ["sbatch", str(where)],
        SchedulerType.LSF: ["bsub"],
        SchedulerType.PBS: ["qsub", str(where)],
        SchedulerType.WINDOWS_HPC: ["cmd", "/c", str(where)],
    }[kind]
    done = _called(argv, script if kind is SchedulerType.LSF else None)
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or "it said nothing"
        raise errors.SubmissionFailed(f"{argv[0]} ended with {done.returncode}: {said[:1000]}")
    return done


def job_id(kind: SchedulerType, said: str) -> str | None:
    """The batch system's number of the job, from what its submit command printed."""
    match = _IDS[kind].search(said)
    return match[1] if match else None


def run(
    config: "HFSSSimulationConfig", subprocess_kwargs: Mapping[str, Any]
) -> "subprocess.CompletedProcess[str] | str":
    """As `HFSSSimulationConfig.run_simulation`."""
    kind = config.scheduler_type
    if kind is not SchedulerType.NONE:
        native = job_id(kind, submit(config, None).stdout)
        return f"{kind.value}_job_{native}" if native else f"submitted_to_{kind.value}"
    argv = config.generate_command_list()
    captured = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    given: dict[str, Any] = {
        **({} if "capture_output" in subprocess_kwargs else captured),
        "text": True,
        "errors": "replace",
        "cwd": os.path.dirname(config.project_path),  # noqa: PTH120  a text, as ansysedt is given
        **subprocess_kwargs,
    }
    given["check"] = False
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(argv, **given)
    except FileNotFoundError as error:
        raise errors.MissingFile(f"cannot start {argv[0]}: no such file") from error
    except subprocess.TimeoutExpired as error:
        raise errors.WaitTimeout(
            f"{config.jobid} took longer than {error.timeout} s, and was ended"
        ) from error
    except OSError as error:
        raise errors.ServiceError(f"cannot start {argv[0]}: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise errors.InvalidConfig(f"subprocess.run takes no such arguments: {error}") from error
    if done.returncode:
        said = str(done.stderr or done.stdout or "").strip()
        raise errors.ServiceError(
            f"{config.jobid}: ansysedt ended with {done.returncode}"
            + (f": {said[-1000:]}" if said else "")
        )
    return done


def _called(argv: list[str], text: str | None) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            argv,
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError as error:
        raise errors.SubmissionFailed(
            f"{argv[0]}: command not found (127; is the batch system's client installed, or its"
            " module loaded?)"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise errors.WaitTimeout(f"{argv[0]} didn't answer in {PATIENCE:g} s") from error
    except OSError as error:
        raise errors.SubmissionFailed(f"cannot start {argv[0]}: {error.strerror}") from error
