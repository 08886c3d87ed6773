"""A solve by a batch system: what PyEDB's options ask of it, and how ansysedt is started there."""

import math
import posixpath
import re
from collections.abc import Sequence

from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidJob
from solveyard.model.resources import Resources
from solveyard.solvers.hfss.config import SchedulerOptions, SchedulerType

#: The dialects that have another name than PyEDB's for the batch system.
_DIALECTS = {SchedulerType.WINDOWS_HPC: "winhpc"}
_AMOUNT = re.compile(r"(?P<number>[\d.]+)\s*(?P<unit>[BKMGT]?)", re.IGNORECASE)
_MIB = {"": 1.0, "B": 1 / (1 << 20), "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}
#: Slurm lets only operators ask for more than normal, and LSF's largest number is each site's own.
_NICE = {"Low": 1000, "BelowNormal": 100}
_PRIORITIES = {
    SchedulerType.PBS: {"Low": -1000, "BelowNormal": -500, "AboveNormal": 500, "High": 1000},
    SchedulerType.WINDOWS_HPC: {
        "Low": 0, "BelowNormal": 1000, "Normal": 2000, "AboveNormal": 3000, "High": 4000,
    },
}  # fmt: skip
_UTILITIES = "schedulers/scripts/utils"  #: below ansysedt's folder
LAUNCHER = "ansysedt_launcher.sh"


def dialect(kind: SchedulerType) -> str:
    """The name of the dialect in which that batch system is spoken to."""
    return _DIALECTS.get(kind, kind.value)


def kind(name: str) -> SchedulerType | None:
    """The batch system of a dialect; None: none that PyEDB knows."""
    found = [one for one in SchedulerType if one is not SchedulerType.NONE and dialect(one) == name]
    return found[0] if found else None


def resources(options: SchedulerOptions) -> Resources:
    """PyEDB counts GPUs on all nodes together, and everything else on each."""
    return Resources(
        nodes=options.nodes,
        cores=options.cores // options.nodes,
        memory=mebibytes(options.memory),
        gpus=math.ceil(options.gpus / options.nodes),
    )


def wishes(kind: SchedulerType, options: SchedulerOptions) -> BatchOptions:
    """What else is asked. Raises InvalidJob for what that batch system has no word for."""
    native: tuple[str, ...] = ()
    if options.run_as_administrator:
        if kind is not SchedulerType.WINDOWS_HPC:
            raise InvalidJob(
                f"`scheduler_options.run_as_administrator`: {kind.value} has no word for it"
            )
        native = ("/runasadministrator:true",)
    return BatchOptions(
        queue="" if options.queue == "default" else options.queue,
        time=options.time,
        account=options.account or "",
        reservation=options.reservation or "",
        qos=options.qos or "",
        constraint=options.constraints or "",
        gpu_type=options.gpu_type or "" if options.gpus else "",
        exclusive=options.exclusive,
        clean_environment=True,
        priority=_PRIORITIES.get(kind, {}).get(options.priority),
        nice=_NICE.get(options.priority) if kind is SchedulerType.SLURM else None,
        mail=(options.email_notification,) if options.email_notification else (),
        native=native,
    )


def launched(kind: SchedulerType, argv: Sequence[str]) -> tuple[str, ...]:
    """How `argv`, ansysedt's command, is started on a node.

    Under Slurm it starts its engines by srun, through Ansys' own wrapper.
    """
    if kind is not SchedulerType.SLURM:
        return tuple(argv)
    root = posixpath.dirname(argv[0])
    return (
        f"{utilities(argv[0])}/{LAUNCHER}",
        "/usr/bin/env",
        f"ANSYSEM_GENERIC_MPI_WRAPPER={utilities(argv[0])}/slurm_srun_wrapper.sh",
        f"ANSYSEM_COMMON_PREFIX={root}/common",
        "ANSOFT_PASS_DEBUG_ENV_TO_REMOTE_ENGINES=1",
        *("srun", "--overcommit", "--export=ALL", "-n", "1", "-N", "1"),
        *("--cpu-bind=none", "--mem-per-cpu=0", "--overlap"),
        *argv,
    )


def utilities(program: str) -> str:
    """The folder of Ansys' scripts for batch systems that belongs to an ansysedt."""
    return f"{posixpath.dirname(program)}/{_UTILITIES}"


def mebibytes(amount: str) -> int:
    """Of "4GB", "512M", "4 GiB", "512"; all by powers of 1024, and rounded up."""
    match = _AMOUNT.match(amount)
    assert match is not None  # it was checked when the options were made
    return max(1, math.ceil(float(match["number"]) * _MIB[match["unit"].upper()]))
