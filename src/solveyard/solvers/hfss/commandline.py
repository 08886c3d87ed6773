"""ansysedt's command line as PyEDB has it, as a list of arguments and as one line for shells."""

import ntpath
import re
import shlex
from collections.abc import Iterable, Sequence

from solveyard.solvers.hfss.config import (
    HFSS3DLayoutBatchOptions,
    HFSSSimulationConfig,
    MachineNode,
    SchedulerType,
)

RAM_LIMIT = 90  #: % of a machine's memory, as PyEDB has it, whatever its nodes say
_LAYOUT = "HFSS 3D Layout Design"
_LIMITED = (_LAYOUT, "HFSS", "Maxwell 2D", "Maxwell 3D", "Q3D Extractor")
_BARE = re.compile(r"[A-Za-z0-9_./\\:=+-]+\Z")


def arguments(config: HFSSSimulationConfig, program: str, jobid: str) -> tuple[str, ...]:
    """The whole command, `program` first; no shell is meant to read it."""
    argv = [program, "-jobid", jobid, *_placement(config)]
    if config.non_graphical:
        argv.append("-ng")
    if config.monitor:
        argv.append("-monitor")
    argv += ["-batchoptions", batch_options(config.layout_options), "-batchsolve"]
    if design := design_string(config):
        argv.append(design)
    return (*argv, config.project_path)


def line(argv: Sequence[str], *, windows: bool) -> str:
    """One line that the machine's shell reads as `argv`."""
    return windows_line(argv) if windows else shlex.join(argv)


def windows_line(argv: Iterable[str]) -> str:
    """By the rules of Windows' own CommandLineToArgvW; what isn't plain stands in quotes.

    A batch file would replace %...% even there: it is meant for CreateProcess and a prompt.
    """
    return " ".join(one if _BARE.match(one) else _windows_quoted(one) for one in argv)


def machine_list(nodes: Iterable[MachineNode]) -> str:
    """ "list=a:1:20:90%,b:1:20:90%", or nothing."""
    entries = ",".join(map(str, nodes))
    return f"list={entries}" if entries else ""


def design_string(config: HFSSSimulationConfig) -> str:
    """ "design:mode:setup" or "design:mode"; nothing: everything in the project is solved."""
    if not config.design_name:
        return ""
    parts = [config.design_name, config.design_mode or "Nominal", config.setup_name]
    return ":".join(part for part in parts if part)


def batch_pairs(options: HFSS3DLayoutBatchOptions) -> dict[str, str]:
    """ansysedt's keys and their values, in order."""
    pairs = {
        f"{_LAYOUT}/CreateStartingMesh": _flag(options.create_starting_mesh),
        f"{_LAYOUT}/DefaultProcessPriority": options.default_process_priority,
        f"{_LAYOUT}/EnableGPU": _flag(options.enable_gpu),
        f"{_LAYOUT}/MPIVendor": options.mpi_vendor,
        f"{_LAYOUT}/MPIVersion": options.mpi_version,
        f"{_LAYOUT}/RemoteSpawnCommand": options.remote_spawn_command,
        f"{_LAYOUT}/SolveAdaptiveOnly": _flag(options.solve_adaptive_only),
        f"{_LAYOUT}/ValidateOnly": _flag(options.validate_only),
        **{f"{product}/RAMLimitPercent": str(RAM_LIMIT) for product in _LIMITED},
    }
    if options.temp_directory is not None:
        pairs["TempDirectory"] = _slashed(options.temp_directory)
    return pairs


def batch_options(options: HFSS3DLayoutBatchOptions) -> str:
    """The value of -batchoptions: 'key'='value' pairs in one text."""
    return " ".join(f"'{key}'='{value}'" for key, value in batch_pairs(options).items())


def _placement(config: HFSSSimulationConfig) -> list[str]:
    """Here by the list of machines; under a batch system by the cores that it gave."""
    if config.scheduler_type is SchedulerType.NONE:
        machines = machine_list(config.machine_nodes)
        return ["-machinelist", machines] if machines else []
    argv = ["-distributed"] if config.distributed else []
    argv += ["-machinelist", f"numcores={config.scheduler_options.cores}"]
    return [*argv, "-auto"] if config.auto else argv


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _slashed(path: str) -> str:
    """Windows' backslashes as "/": in batch options a backslash escapes what follows it."""
    windows = ntpath.splitdrive(path)[0] != "" and not path.startswith("/")
    return path.replace("\\", "/") if windows else path


def _windows_quoted(text: str) -> str:
    """Backslashes count only before a quote, and there they are doubled."""
    inner = re.sub(r'(\\*)"', r'\1\1\\"', text)
    return '"' + re.sub(r"(\\+)\Z", r"\1\1", inner) + '"'
