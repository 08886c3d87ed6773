"""What every dialect reads of a job: its amounts, its times and its words, checked."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from solveyard.backends.dialects.base import BatchJob, NativeState, Unreadable
from solveyard.model import signals, walltime
from solveyard.model.errors import InvalidJob
from solveyard.model.resources import Range

MARK = re.compile(r"[0-9a-f]{32}(?:\.[0-9]{1,18}){1,4}")  #: an attempt's id
_MARKED = re.compile(rf"(?:^|\.)({MARK.pattern})$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FEATURE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@%+-]+")
_UNQUOTABLE = re.compile(r'[\0-\x1f\x7f"\\]')


class Shape(NamedTuple):
    """How cores lie on nodes; tasks are processes that the batch system counts."""

    nodes: int | None  #: None: wherever there are cores
    tasks: int  #: on each node; without `nodes` in all
    cores: int  #: of each task


def shape(job: BatchJob) -> Shape:
    """Without `nodes` each core is a task of its own, unless `tasks_per_node` makes nodes of them.

    Raises InvalidJob.
    """
    wanted, per_node = job.resources, job.options.tasks_per_node
    cores, nodes = wanted.cores, wanted.nodes
    if isinstance(cores, Range) or isinstance(nodes, Range):
        field = "cores" if isinstance(cores, Range) else "nodes"
        raise InvalidJob(f"`resources.{field}`: expected a number for a batch system, not a range")
    if cores < 1 or (nodes is not None and nodes < 1):
        raise InvalidJob("`resources.cores`: expected at least 1 core, on at least 1 node")
    if per_node is None:
        return Shape(nodes, cores, 1)
    if nodes is None:
        if cores % per_node:
            raise InvalidJob(
                f"`batch.tasks_per_node` is {per_node}; {cores} cores aren't so many on each node"
            )
        return Shape(cores // per_node, per_node, 1)
    if cores % per_node:
        raise InvalidJob(
            f"`batch.tasks_per_node` is {per_node}; it doesn't divide a node's {cores} cores"
        )
    return Shape(nodes, per_node, cores // per_node)


def seconds(job: BatchJob) -> int | None:
    """Its wall time; None: none is asked for. `no_limit` tells "unlimited" from that."""
    if job.options.time:
        return walltime.seconds(job.options.time)
    return None if job.time_limit is None else max(1, math.ceil(job.time_limit))


def no_limit(job: BatchJob) -> bool:
    """It asks in so many words for no limit."""
    return bool(job.options.time) and walltime.seconds(job.options.time) is None


def signal(job: BatchJob) -> str:
    """What warns it. Raises InvalidJob."""
    if job.warning_signal not in signals.NAMES:
        raise InvalidJob(f"`warning_signal` is no signal's name: {job.warning_signal[:40]!r}")
    return job.warning_signal


def title(job: BatchJob, most: int = 120) -> str:
    """Its name in the batch system: a word for people, then its mark; `most` letters."""
    word = re.sub(r"[^A-Za-z0-9_-]+", "-", job.name).strip("-_") or "job"
    word = word if word[0].isalpha() else f"j-{word}"
    return f"{word[: min(40, most - len(job.mark) - 1)]}.{job.mark}"


def marked(name: str) -> str:
    """The mark in a title, or in a comment that is nothing else; empty: there is none."""
    match = _MARKED.search(name)
    return match[1] if match else ""


def alone(job: BatchJob) -> bool:
    """Nobody else's jobs on its nodes."""
    return job.options.exclusive or job.resources.whole_nodes


def licences(job: BatchJob) -> list[tuple[str, int]]:
    """Features and seats that the batch system is asked for, by name. Raises InvalidJob."""
    own = () if job.server is None else job.server.features
    return [(name, seats) for name, seats in _seats(job) if name not in own]


def served(job: BatchJob) -> list[tuple[str, int]]:
    """Those for which its script asks the licence server. Raises InvalidJob."""
    own = () if job.server is None else job.server.features
    return [(name, seats) for name, seats in _seats(job) if name in own]


def _seats(job: BatchJob) -> list[tuple[str, int]]:
    for name in job.resources.licences:
        if not _FEATURE.fullmatch(name):
            raise InvalidJob(f"`resources.licences`: {name!r} can't be asked of a batch system")
    return sorted((name, seats) for name, seats in job.resources.licences.items() if seats)


def refuse(system: str, job: BatchJob, fields: Iterable[str]) -> None:
    """Raises InvalidJob where a job wishes what `system` has no word for."""
    for name in fields:
        holder, _, field = name.rpartition(".")
        value = getattr(job.resources if holder == "resources" else job.options, field)
        if value:
            raise InvalidJob(f"`{holder or 'batch'}.{field}`: {system} has no word for it")


def untimely(system: str, job: BatchJob) -> None:
    """Raises InvalidJob where a job wants to be warned, which `system` doesn't do."""
    if job.warning is not None:
        raise InvalidJob(f"`warning`: {system} sends no signal before a limit")


def check(job: BatchJob) -> None:
    """What holds for every dialect. Raises InvalidJob, naming the field."""
    if not job.runs or (len(job.runs) > 1 and not job.array):
        raise InvalidJob(f"{len(job.runs)} runs are no single job")
    for run in job.runs:
        if not MARK.fullmatch(run.attempt):
            raise InvalidJob(f"{run.attempt!r} is no attempt's id")
        if not run.argv or not run.argv[0]:
            raise InvalidJob("`argv`: expected a program's name first")
        for word in run.argv:
            _text("argv", word)
        for name, value in run.env.items():
            if not _NAME.fullmatch(name) or name.startswith("solveyard_"):
                raise InvalidJob(f"`env`: {name[:60]!r} can't be a variable of a batch job")
            _text(f"env.{name}", value)
        for field in ("directory", "stdout", "stderr", "record"):
            _text(field, getattr(run, field), lines=False)
    _text("name", job.name)
    _text("log", job.log, lines=False)


def quoted(field: str, value: str) -> str:
    """For a directive's line: in double quotes unless plain. Raises InvalidJob, naming the field.

    In them all four batch systems take every character but quotes, backslashes and controls.
    """
    if _UNQUOTABLE.search(value):
        raise InvalidJob(
            f"`{field}`: a line, quote or backslash can't be handed over: {value[:60]!r}"
        )
    return value if _PLAIN.fullmatch(value) else f'"{value}"'


def by_mark(
    told: Mapping[str, NativeState] | Unreadable,
) -> Mapping[str, Sequence[str]] | Unreadable:
    """Native ids by mark, where an answer about all jobs tells both."""
    if isinstance(told, Unreadable):
        return told
    known: dict[str, list[str]] = {}
    for native_id, state in told.items():
        if state.mark:
            known.setdefault(state.mark, []).append(native_id)
    return known


def native(option: str, form: re.Pattern[str], owned: Collection[str]) -> str:
    """A further option as a directive has it. `form` has the groups name, between and value.

    Raises InvalidJob where it isn't one of its kind, or says what is solveyard's to say.
    """
    match = form.fullmatch(option)
    if match is None:
        raise InvalidJob(f"`batch.native`: {option[:60]!r} isn't one option of this batch system")
    name = match["name"]
    short = len(name) > 3 and name.startswith("--")  # getopt takes any beginning of a long one
    if name in owned or any(short and own.startswith(name) for own in owned):
        raise InvalidJob(f"`batch.native`: {option[:60]!r} is solveyard's own to say")
    value = match["value"]
    return name + (f"{match['between']}{quoted('batch.native', value)}" if value else "")


def _text(field: str, value: str, *, lines: bool = True) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidJob(f"`{field}`: {value[:60]!r} is no text") from error
    if "\0" in value or (not lines and re.search(r"[\r\n]", value)):
        what = "NUL characters" if lines else "lines and NUL characters"
        raise InvalidJob(f"`{field}`: expected text without {what}, got {value[:60]!r}")
