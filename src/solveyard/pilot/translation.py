"""From QCG-PilotJob's job descriptions to specifications, and from its node lists to nodes.

Pure. Where QCG-PilotJob would take a job and never start it, the job is refused here.

Read, and then left out: `model` and `model_opts`, since outside of Slurm QCG-PilotJob too starts
one process, which is told its cores and nodes; and `attributes`, which its governor alone reads.
Not set are the variables QCG_PM_*: only its start tells a job its nodes, and a shell before each
program to put them in would cost more than a small task itself.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob, InvalidSettings
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import Dependency
from solveyard.model.resources import MOST_CORES, Range, Resources
from solveyard.pilot import description, execution
from solveyard.pilot.description import Description, Iteration, Needs, Scheduler, Size
from solveyard.pilot.words import AT_START, ITERATION, Known, substitute, substituted

_FORBIDDEN = frozenset("${}()'\": \t\n")
_TIME = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_PARTS = re.compile(r"0*[1-9]\d{0,8}", re.ASCII)
_CORES = re.compile(r"\d{1,9}", re.ASCII)
_AFTER = re.compile(r"(?P<job>[^:]+):(?:(?P<index>-?\d+)|\$\{it\}|\$it)", re.ASCII)


def jobs(
    given: object, submitted: Mapping[str, str], root: str, earlier: Mapping[str, ArraySpec]
) -> list[JobSpec]:
    """The jobs of a submit request, all or none.

    `submitted`: the variables that the request has (`rcnt`, `uniq`, `sname`, `date`, `time`,
    `dateTime`); `root`: the absolute path that `wd` starts from; `earlier`: of the jobs that there
    are, by name, those with iterations. Raises InvalidJob.
    """
    try:
        return _jobs(given, submitted, root, earlier)
    except RecursionError as error:
        raise InvalidJob("Wrong submit request - nested too deep") from error


def _jobs(
    given: object, submitted: Mapping[str, str], root: str, earlier: Mapping[str, ArraySpec]
) -> list[JobSpec]:
    if not isinstance(given, list) or not given:
        raise InvalidJob("Wrong submit request - missing jobs data")
    read: dict[str, Description] = {}
    arrays: dict[str, ArraySpec | None] = {**earlier}
    for one in given:
        job = _read(one, submitted)
        if job.name in read:
            raise InvalidJob(f"Job {job.name} already exist: the request has it twice")
        read[job.name] = job
        with _named(job):
            arrays[job.name] = _array(job.iteration)
    specs: list[JobSpec] = []
    for job in read.values():
        with _named(job):
            specs.append(_spec(job, root, arrays))
            msgspec.json.encode(specs[-1])  # else a name that is no Unicode fails in the store
    return specs


def _read(given: object, submitted: Mapping[str, str]) -> Description:
    """One of them. Raises InvalidJob."""
    if not isinstance(given, dict):
        raise InvalidJob("Wrong submit request - wrong job data")
    if "name" not in given:
        raise InvalidJob("Missing name in job description")
    if "execution" not in given:
        raise InvalidJob("Missing execution element in job description")
    named = substitute(str(given["name"]), submitted)
    read = description.read(substituted(given, {**submitted, "jname": named}))
    if not read.name or not _FORBIDDEN.isdisjoint(read.name):
        raise InvalidJob(
            f"Job identifier '({read.name})' contains invalid characters or unknown variables"
        )
    return read


@contextmanager
def _named(job: Description) -> Iterator[None]:
    """What is wrong with it is said with its name."""
    try:
        yield
    except (InvalidJob, ValueError) as error:
        raise InvalidJob(f"job {job.name!r}: {error}") from error


def nodes(text: str) -> dict[str, Resources]:
    """What `--nodes` says: "a:4,b:4", or "4,4" for nodes n0 and n1. Raises InvalidSettings."""
    found: dict[str, Resources] = {}
    for number, entry in enumerate(text.split(",")):
        name, _, cores = entry.strip().rpartition(":")
        name = name or f"n{number}"
        if not _CORES.fullmatch(cores) or not 1 <= int(cores) <= MOST_CORES:
            raise InvalidSettings(
                f"node {number + 1} of {text!r}: expected NAME:CORES or CORES, with 1 to"
                f" {MOST_CORES} cores, got {entry!r}"
            )
        if name in found:
            raise InvalidSettings(f"the nodes {text!r} have two that are called {name!r}")
        found[name] = Resources(cores=int(cores))
    return found


def _spec(read: Description, root: str, arrays: Mapping[str, ArraySpec | None]) -> JobSpec:
    execution.check(read.execution)
    array = arrays[read.name]
    need = _resources(read.resources)
    if array is None and _is_shared(need):
        raise InvalidJob("a `scheduler` shares among iterations, and the job has no `iteration`")
    known: Known = {
        **AT_START, **_certain(need), "root_wd": root, **(ITERATION if array is not None else {})
    }  # fmt: skip
    argv, environment = execution.command(read.execution, known)
    options = {"argv": argv, "env": environment} if environment else {"argv": argv}
    after = (read.dependencies and read.dependencies.after) or []
    return JobSpec(
        solver="command",
        options=msgspec.Raw(msgspec.json.encode(options)),
        name=read.name,
        resources=need,
        directory=posixpath.normpath(root),
        time_limit=None if read.resources.wt is None else _seconds(read.resources.wt),
        array=array,
        after=tuple(_dependency(text, array, arrays) for text in after),
    )


def _array(iteration: Iteration | None) -> ArraySpec | None:
    if iteration is None:
        return None
    if (iteration.stop is None) is (iteration.values is None):
        raise InvalidJob("`iteration` has one of `stop` and `values`")
    if iteration.values is not None:
        if iteration.start is not None:
            raise InvalidJob("`iteration.start` goes with `stop`")
        if not iteration.values:
            raise InvalidJob("`iteration.values` is empty")
        return ArraySpec(values=tuple(str(value) for value in iteration.values))
    assert iteration.stop is not None
    start = iteration.start or 0
    if start >= iteration.stop:
        raise InvalidJob(
            "Wrong format of iteration directive: start index larger then stop one"
            f" ({start}, {iteration.stop})"
        )
    return ArraySpec(start=start, stop=iteration.stop)


def _dependency(
    text: str, array: ArraySpec | None, arrays: Mapping[str, ArraySpec | None]
) -> Dependency:
    """ "job", its iteration "job:3", or "job:${it}" for that of the same number."""
    if ":" not in text:
        return Dependency(job=text)
    match = _AFTER.fullmatch(text)
    if match is None:
        raise InvalidJob(f"`after`: expected JOB, JOB:ITERATION or JOB:${{it}}, got {text!r}")
    if match["index"] is not None:
        return Dependency(job=f"{match['job']}[{match['index']}]")
    if array is None:
        raise InvalidJob(f"`after`: {text!r} has ${{it}}, and the job no iterations")
    other = arrays.get(match["job"])
    if other is None:
        raise InvalidJob(f"`after`: {text!r}: there is no job {match['job']!r} with iterations")
    # a dependency pairs tasks by their place, which is by number where both have the same numbers
    if (array.start, array.step, len(array)) != (other.start, other.step, len(other)):
        raise InvalidJob(
            f"`after`: {text!r} pairs iterations of the same number, so both jobs need the same"
            f" ones; {match['job']!r} has {_numbers(other)}, and this job {_numbers(array)}"
        )
    return Dependency(job=f"{match['job']}[{{{{index}}}}]")


def _numbers(array: ArraySpec) -> str:
    """Of its iterations, in words."""
    return f"{array.index(0)} to {array.index(len(array) - 1)}"


def _seconds(wt: str) -> float:
    match = _TIME.fullmatch(wt)
    if match is None or not any(match.groups()):
        raise InvalidJob(f"`wt`: expected [HOURSh][MINUTESm][SECONDSs], such as 1h30m, got {wt!r}")
    hours, minutes, seconds = (int(number or 0) for number in match.groups())
    found = 3600 * hours + 60 * minutes + seconds
    if not found:
        raise InvalidJob("`wt`: Wall time must be greater than 0")
    return float(found)


def _resources(needs: Needs) -> Resources:
    if needs.cores is None and needs.nodes is None:
        raise InvalidJob("No resources defined: `resources` has neither `numCores` nor `numNodes`")
    gpus, memory = _node_crs(needs)
    nodes_ = None if needs.nodes is None else _amount("numNodes", needs.nodes)
    if needs.cores is None:
        return Resources(nodes=nodes_, whole_nodes=True, gpus=gpus, memory=memory)
    return Resources(cores=_amount("numCores", needs.cores), nodes=nodes_, gpus=gpus, memory=memory)


def _node_crs(needs: Needs) -> tuple[int, int]:
    """GPUs, and memory in MiB, of each node."""
    if needs.nodeCrs is None:
        return 0, 0
    if needs.nodes is None:
        raise InvalidJob("`nodeCrs` is of each node: it goes with `numNodes`")
    if not needs.nodeCrs:
        raise InvalidJob("`nodeCrs` is empty (leave it out, or name gpu or mem)")
    found: dict[str, int] = {}
    for name, amount in needs.nodeCrs.items():
        kind = name.lower()
        if kind not in {"gpu", "mem"}:
            raise InvalidJob(f"Unknown consumable resource {name} (there is gpu and mem)")
        if kind in found:
            raise InvalidJob(f"Consumable resource {name} already defined")
        if amount < 1:
            raise InvalidJob(f"Number of consumable resource {name} must be greater than 0")
        found[kind] = amount
    return found.get("gpu", 0), found.get("mem", 0)


def _amount(name: str, given: int | Size) -> int | Range:
    size = Size(exact=given) if isinstance(given, int) else given
    ranged = (size.min, size.max, size.scheduler)
    if size.exact is not None and ranged != (None, None, None):
        raise InvalidJob(f"`{name}`: `exact` excludes `min`, `max` and `scheduler`")
    if size.exact is None and size.min is None and size.max is None:
        raise InvalidJob(f"`{name}`: No resources defined: expected `exact`, or `min` and `max`")
    for bound in ("exact", "min", "max"):
        number = getattr(size, bound)
        if number is not None and number < 1:
            raise InvalidJob(f"`{name}.{bound}` is {number}; it must be 1 or more")
    if size.exact is not None:
        return size.exact
    if size.scheduler is not None:
        if size.max is not None:
            raise InvalidJob(f"`{name}`: a `scheduler` excludes `max`")
        return _shared(f"{name}.scheduler", size.min or 1, size.scheduler)
    if size.min is None or size.max is None:
        raise InvalidJob(f"`{name}`: Both core's range boundaries (min, max) must be defined")
    if size.min > size.max:
        raise InvalidJob(f"`{name}`: `min` is {size.min}, more than `max`, {size.max}")
    return Range(min=size.min, max=size.max)


def _shared(where: str, least: int, scheduler: Scheduler) -> Range:
    """An unknown scheduler is taken for "maximum-iters", as QCG-PilotJob does."""
    if scheduler.name.lower() != "split-into":
        return Range(min=least, split="rounds")
    parts = scheduler.params.get("parts")
    if parts is None:
        return Range(min=least, split="parts")
    if not _PARTS.fullmatch(str(parts)):
        raise InvalidJob(
            f"`{where}.params.parts` is {parts!r}; it must be a number from 1 to 999999999"
        )
    return Range(min=least, split="parts", parts=int(parts))


def _is_shared(need: Resources) -> bool:
    amounts = (need.cores, need.nodes)
    return any(isinstance(one, Range) and one.split is not None for one in amounts)


def _certain(need: Resources) -> dict[str, str]:
    """The variables of a start that are known before."""
    if need.whole_nodes or isinstance(need.nodes, Range):
        return {}
    known = {} if need.nodes is None else {"nnodes": str(need.nodes)}
    if isinstance(need.cores, int):
        known["ncores"] = str(need.cores * (need.nodes or 1))
    return known
