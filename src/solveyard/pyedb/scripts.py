"""Scripts for the batch systems, as their own submit commands take them.

Directives are written by each one's own rules: values are quoted where they hold more than plain
characters. Sources: sbatch(1), bsub(1), qsub(1B) of OpenPBS, and Microsoft's page on `job submit`.
"""

import math
import ntpath
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from solveyard.model import walltime
from solveyard.solvers.hfss import commandline
from solveyard.solvers.hfss.config import HFSSSimulationConfig, SchedulerOptions

_AMOUNT = re.compile(r"(?P<number>[\d.]+)\s*(?P<unit>[KMGT]?)", re.IGNORECASE)
_MIB = {"": 1 / (1 << 20), "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}
_PBS_PRIORITY = {"Low": -1000, "BelowNormal": -500, "AboveNormal": 500, "High": 1000}
_NICE = {"Low": 1000, "BelowNormal": 100}  #: only an operator can ask Slurm for more than normal
_WINDOWS_PRIORITY = {"Low": "Lowest", "High": "Highest"}


def slurm(config: HFSSSimulationConfig, command: Sequence[str]) -> str:
    """For `sbatch`: ansysedt starts its engines by srun, through Ansys' own wrapper."""
    root = posixpath.dirname(command[0])
    utilities = f"{root}/schedulers/scripts/utils"
    launcher = [
        f"{utilities}/ansysedt_launcher.sh",
        "/usr/bin/env",
        f"ANSYSEM_GENERIC_MPI_WRAPPER={utilities}/slurm_srun_wrapper.sh",
        f"ANSYSEM_COMMON_PREFIX={root}/common",
        "ANSOFT_PASS_DEBUG_ENV_TO_REMOTE_ENGINES=1",
        *("srun", "--overcommit", "--export=ALL", "-n", "1", "-N", "1"),
        *("--cpu-bind=none", "--mem-per-cpu=0", "--overlap"),
    ]
    directives = [f"--{name}" + ("" if value is None else f"={shlex.quote(value)}")
                  for name, value in _slurm(config)]  # fmt: skip
    return _script("#SBATCH", directives, shlex.join([*launcher, *command]))


def lsf(config: HFSSSimulationConfig, command: Sequence[str]) -> str:
    """For `bsub`, on its standard input."""
    directives = [" ".join((name, shlex.quote(value)) if value else (name,))
                  for name, value in _lsf(config)]  # fmt: skip
    return _script("#BSUB", directives, shlex.join(command))


def pbs(config: HFSSSimulationConfig, command: Sequence[str]) -> str:
    """For `qsub`."""
    directives = [f"{name} {shlex.quote(value)}" for name, value in _pbs(config)]
    folder = shlex.quote(_folder(config))
    return _script("#PBS", directives, f"cd {folder} || exit 1", shlex.join(command))


def windows_hpc(config: HFSSSimulationConfig, command: Sequence[str]) -> str:
    """A batch file that calls `job submit`."""
    argv = ["job", "submit", *_windows(config), *command]
    line = commandline.windows_line(argv).replace("%", "%%")  # a batch file's own
    return f"@echo off\r\n{line}\r\n"


def mebibytes(amount: str) -> int:
    """Of "4GB", "512M", "4 GiB"; all by powers of 1024, and rounded up."""
    match = _AMOUNT.match(amount)
    assert match is not None  # it was checked when the options were made
    return max(1, math.ceil(float(match["number"]) * _MIB[match["unit"].upper()]))


def _slurm(config: HFSSSimulationConfig) -> Iterator[tuple[str, str | None]]:
    options = config.scheduler_options
    limit = walltime.seconds(options.time)
    yield "export", "NONE"
    yield "chdir", _folder(config)
    yield "job-name", str(config.jobid)
    if options.queue != "default":
        yield "partition", options.queue
    yield "nodes", str(options.nodes)
    yield "ntasks", str(options.cores)
    yield "cpus-per-task", "1"
    yield "mem", f"{mebibytes(options.memory)}M"
    yield "time", "UNLIMITED" if limit is None else _clock(limit)
    for name in ("account", "reservation", "qos"):
        if value := getattr(options, name):
            yield name, value
    if options.constraints:
        yield "constraint", options.constraints
    if options.exclusive:
        yield "exclusive", None
    if options.gpus:
        yield (
            "gpus",
            f"{options.gpu_type}:{options.gpus}" if options.gpu_type else str(options.gpus),
        )
    if options.priority in _NICE:
        yield "nice", str(_NICE[options.priority])
    if options.email_notification:
        yield "mail-user", options.email_notification
        yield "mail-type", "END,FAIL"


def _lsf(config: HFSSSimulationConfig) -> Iterator[tuple[str, str]]:
    options = config.scheduler_options
    limit = walltime.seconds(options.time)
    yield "-J", str(config.jobid)
    yield "-cwd", _folder(config)
    yield "-o", f"{config.jobid}.%J.out"
    yield "-e", f"{config.jobid}.%J.err"
    if options.queue != "default":
        yield "-q", options.queue
    if limit is not None:
        minutes = math.ceil(limit / 60)
        yield "-W", f"{minutes // 60}:{minutes % 60:02}"
    yield "-n", str(options.cores)
    yield "-R", f"span[ptile={_cores_per_node(options)}]"
    yield "-R", f"rusage[mem={mebibytes(options.memory)}MB/host]"
    if options.account:
        yield "-P", options.account
    if options.reservation:
        yield "-U", options.reservation
    if options.constraints:
        yield "-R", f"select[{options.constraints}]"
    if options.exclusive:
        yield "-x", ""
    if options.gpus:
        model = f":gmodel={options.gpu_type}" if options.gpu_type else ""
        yield "-gpu", f"num={options.gpus}{model}"
    if options.email_notification:
        yield "-u", options.email_notification
        yield "-N", ""


def _pbs(config: HFSSSimulationConfig) -> Iterator[tuple[str, str]]:
    options = config.scheduler_options
    limit = walltime.seconds(options.time)
    cores = _cores_per_node(options)
    chunk = f"{options.nodes}:ncpus={cores}:mpiprocs={cores}:mem={mebibytes(options.memory)}mb"
    if options.gpus:
        chunk += f":ngpus={math.ceil(options.gpus / options.nodes)}"
    yield "-N", str(config.jobid)
    if options.queue != "default":
        yield "-q", options.queue
    yield "-l", f"select={chunk}"
    yield "-l", "place=scatter:excl" if options.exclusive else "place=scatter"
    if limit is not None:
        yield "-l", f"walltime={limit // 3600}:{limit // 60 % 60:02}:{limit % 60:02}"
    if options.account:
        yield "-A", options.account
    if options.priority in _PBS_PRIORITY:
        yield "-p", str(_PBS_PRIORITY[options.priority])
    if options.email_notification:
        yield "-M", options.email_notification
        yield "-m", "ae"


def _windows(config: HFSSSimulationConfig) -> Iterator[str]:
    options = config.scheduler_options
    limit = walltime.seconds(options.time)
    yield f"/jobname:{config.jobid}"
    if options.queue != "default":
        yield f"/jobtemplate:{options.queue}"
    yield f"/numcores:{options.cores}-{options.cores}"
    yield f"/memorypernode:{mebibytes(options.memory)}"
    if limit is not None:
        minutes = math.ceil(limit / 60)
        yield f"/runtime:{minutes // 1440}:{minutes // 60 % 24}:{minutes % 60}"
    yield f"/priority:{_WINDOWS_PRIORITY.get(options.priority, options.priority)}"
    if options.account:
        yield f"/projectname:{options.account}"
    if options.exclusive:
        yield "/exclusive:true"
    if options.run_as_administrator:
        yield "/runasadministrator:true"
    if options.email_notification:
        yield f"/emailaddress:{options.email_notification}"
        yield "/notifyoncompletion:true"
    yield f"/workdir:{_folder(config)}"
    yield f"/stdout:{config.jobid}.out"
    yield f"/stderr:{config.jobid}.err"


def _script(mark: str, directives: Sequence[str], *lines: str) -> str:
    return "\n".join(["#!/bin/bash", *(f"{mark} {one}" for one in directives), *lines, ""])


def _cores_per_node(options: SchedulerOptions) -> int:
    return options.cores_per_node or options.tasks_per_node


def _clock(seconds: int) -> str:
    """ "12:00:00", or with days "2-12:00:00"."""
    rest = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{seconds // 86400}-{rest}" if seconds >= 86400 else rest


def _folder(config: HFSSSimulationConfig) -> str:
    path = config.project_path
    return posixpath.dirname(path) if path.startswith("/") else ntpath.dirname(path)
