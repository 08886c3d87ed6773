"""ansysedt's whole command line, with what the job was given; and the files that it refers to."""

import ntpath
import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from solveyard.model.errors import InvalidJob
from solveyard.model.resources import Allocation, Range, Resources, Share
from solveyard.solvers.hfss import commandline, forwarded
from solveyard.solvers.hfss.batch import HfssOptions, Scalar
from solveyard.solvers.hfss.config import HFSS3DLayoutBatchOptions

_PRODUCTS = ("HFSS", "HFSS 3D Layout Design")
_TEXTS = ("mpiversion", "tempdirectory")  #: values that are text, be they digits


class Made(NamedTuple):
    argv: tuple[str, ...]
    files: Mapping[str, str]  #: path in the project's folder -> content


def made(options: HfssOptions, program: str, jobid: str, allocation: Allocation) -> Made:
    """`program` first; no shell is meant to read it. Raises InvalidJob where cores don't suffice.

    What PyEDB's configuration says is passed as PyEDB passes it.
    """
    files: dict[str, str] = {}
    argv = [program, "-jobid", jobid, *_placement(options, allocation, jobid, files)]
    argv += [flag for flag, wanted in _flags(options) if wanted]
    if options.log_file:
        argv += ["-logfile", _beside(options.project_path, options.log_file)]
    if options.grpc_port is not None:
        argv += ["-grpcsrv", str(options.grpc_port)]
    argv += options.flags
    if options.features:
        argv.append(f"-features={','.join(options.features)}")
    argv += _batch_options(options, jobid, files)
    argv += _run(options)
    if options.batch_launcher:
        return Made(forwarded.launched(options.scheduler_type, argv), files)
    return Made(tuple(argv), files)


def asked(need: Resources) -> Allocation:
    """What a job that isn't placed yet would be given at the least."""
    cores = need.cores.min if isinstance(need.cores, Range) else need.cores
    nodes = need.nodes.min if isinstance(need.nodes, Range) else need.nodes or 1
    return Allocation(
        shares=tuple(Share(node=f"node{i}", cores=max(1, cores)) for i in range(1, nodes + 1))
    )


def beside(project: str, jobid: str, kind: str) -> str:
    """The name of a file of ours next to the project: "board-j7.machines"."""
    stem = _split(project)[1].rpartition(".")[0]
    return f"{stem}-{jobid}.{kind}"


def _flags(options: HfssOptions) -> tuple[tuple[str, bool], ...]:
    return (
        ("-ng", options.non_graphical),
        ("-monitor", options.monitor),
        ("-waitforlicense", options.wait_for_licence),
        ("-useelectronicsppe", options.ppe),
    )


# Where it runs


def _placement(
    options: HfssOptions, allocation: Allocation, jobid: str, files: dict[str, str]
) -> Iterator[str]:
    if options.placing in {"local", "remote"}:
        yield f"-{options.placing}"
    if options.spread:
        yield "-distributed"
        if options.include_types:
            yield f"includetypes={','.join(options.include_types)}"
        if options.max_levels is not None:
            yield f"maxlevels={options.max_levels}"
        if options.level1_tasks is not None:
            yield f"numlevel1={options.level1_tasks}"
    if machines := _machines(options, allocation, jobid, files):
        yield from machines
    if options.automatic:
        yield "-auto"
        if options.variations > 1:
            yield f"NumDistributedVariations={options.variations}"


def _machines(
    options: HfssOptions, allocation: Allocation, jobid: str, files: dict[str, str]
) -> tuple[str, ...]:
    match options.counted:
        case "nodes":
            machines = commandline.machine_list(options.machine_nodes)
            return ("-machinelist", machines) if machines else ()
        case "num":
            return "-machinelist", f"num={options.tasks or options.variations}"
        case "numcores":
            return "-machinelist", f"numcores={allocation.cores}"
        case "list":
            return "-machinelist", f"list={','.join(_entries(options, allocation))}"
        case "file" | "machinelistfile":
            name = beside(options.project_path, jobid, "machines")
            files[name] = "".join(f"{entry}\n" for entry in _entries(options, allocation))
            place = _beside(options.project_path, name)
            if options.machines == "machinelistfile":
                return (f"-machinelistfile={place}",)
            return "-machinelist", f"file={place}"
        case "none":
            return ()


def _entries(options: HfssOptions, allocation: Allocation) -> list[str]:
    """ "host:tasks:cores:RAM%" of each node that it was given; alone it is "localhost"."""
    shares = allocation.shares
    hosts = ["localhost"] if len(shares) == 1 else [share.node for share in shares]
    if options.automatic:
        tasks = [-1] * len(shares)
    else:
        total = options.tasks or max(options.variations, len(shares))
        each, more = divmod(total, len(shares))
        tasks = [each + (index < more) for index in range(len(shares))]
    for host, share, count in zip(hosts, shares, tasks, strict=True):
        if count == 0:
            raise InvalidJob(
                f"`options.tasks`: {options.tasks} tasks leave {host} without one (ask for fewer"
                f" nodes, or at least {len(shares)} tasks)"
            )
        if count > share.cores:
            raise InvalidJob(
                f"{count} tasks on {host} need as many cores, and it was given {share.cores} (ask"
                " for more `cores`, or fewer `tasks` and `variations`)"
            )
    return [
        f"{host}:{count}:{share.cores}:{options.ram_percent}%"
        for host, share, count in zip(hosts, shares, tasks, strict=True)
    ]


# The products' own options


def batch_pairs(options: HfssOptions) -> dict[str, Scalar]:
    """ansysedt's keys and their values, in order; what `batch_options` says stands."""
    pairs = {**_own_pairs(options.layout_options, options.ram_percent, options.hpc_licence)}
    if options.batch_options:
        names = {key.lower(): key for key in pairs}
        for key, value in options.batch_options.items():
            pairs[names.get(key.lower(), key)] = int(value) if isinstance(value, bool) else value
    return pairs


@lru_cache(maxsize=64)
def _own_pairs(
    layout: HFSS3DLayoutBatchOptions, ram_percent: int, hpc_licence: str
) -> Mapping[str, Scalar]:
    """Those that most jobs have alike."""
    pairs: dict[str, Scalar] = {**commandline.batch_pairs(layout)}
    for key in pairs:
        if key.endswith("/RAMLimitPercent"):
            pairs[key] = str(ram_percent)
    if hpc_licence:
        pairs |= {f"{product}/HPCLicenseType": hpc_licence for product in _PRODUCTS}
    return pairs


def config_file(pairs: Mapping[str, Scalar]) -> str:
    """The file form: numbers bare, texts in quotes with their backslashes doubled."""
    lines = [f"'{key}'={_quoted(key, value)}" for key, value in pairs.items()]
    return "\n".join(["$begin 'Config'", *lines, "$end 'Config'", ""])


def _batch_options(options: HfssOptions, jobid: str, files: dict[str, str]) -> Iterator[str]:
    if options.run == "runscript" and not options.batch_options:
        return
    pairs = batch_pairs(options)
    texts = [f"'{key}'='{value}'" for key, value in pairs.items()]
    match options.batch_options_as:
        case "string":
            yield from ("-batchoptions", " ".join(texts))
        case "each":
            for text in texts:
                yield from ("-batchoptions", text)
        case "file":
            name = beside(options.project_path, jobid, "options")
            files[name] = config_file(pairs)
            yield from ("-batchoptions", _beside(options.project_path, name))


def _quoted(key: str, value: Scalar) -> str:
    text = str(value)
    number = text.isascii() and text.removeprefix("-").isdigit()
    if number and key.rpartition("/")[2].lower() not in _TEXTS:
        return text
    escaped = text.replace("\\", "\\\\")
    return f"'{escaped}'"


# What it does


def _run(options: HfssOptions) -> Iterator[str]:
    if options.script is not None:
        yield "-runscriptandexit" if options.run == "runscript" else "-runscript"
        yield options.script
        if options.script_arguments:
            yield from ("-scriptargs", options.script_arguments)
    if options.extract_script is not None:
        yield from ("-batchextract", options.extract_script)
    if options.run in {"batchsolve", "batchsave"}:
        yield f"-{options.run}"
        if design := commandline.design_string(options):
            yield design
    if options.run != "runscript":
        yield options.project_path


def _split(path: str) -> tuple[str, str]:
    return posixpath.split(path) if path.startswith("/") else ntpath.split(path)


def _beside(project: str, name: str) -> str:
    """The absolute path of a file in the project's folder."""
    join = posixpath.join if project.startswith("/") else ntpath.join
    return join(_split(project)[0], name)
