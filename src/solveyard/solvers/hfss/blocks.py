"""A batch log in the blocks that PyEDB's own log parser made of it, beside our summary."""

import re

import msgspec

from solveyard.solvers.hfss.progress import HfssProgress
from solveyard.solvers.hfss.reader import Ending
from solveyard.solvers.hfss.verdict import Summary, summary

_AMOUNT = re.compile(r"([\d.]+)([kMGT]?)Hz\Z", re.IGNORECASE)
_USER = re.compile(r"^Running as user : (.*)$", re.MULTILINE)
_COMMAND = re.compile(r"Using command line: (.*)$", re.MULTILINE)
_MEMORY = re.compile(r"\bMemory ([0-9]+(?:\.[0-9]+)?) ([KMGT])\b")
_MIB = {"K": 2.0**-10, "M": 1.0, "G": 2.0**10, "T": 2.0**20}
_ENDS = re.compile(r"\[PROFILE\] (?:Stop|Adaptive) ")
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


class ProjectBlock(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None
    file: str | None
    design: str | None
    user: str | None  #: whose account ran it
    cmd_line: str | None


class MeshBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The mesh that the first pass began with; times are of all steps up to it."""

    tetrahedra: int | None
    memory_mb: float | None  #: MiB, the most that a step took
    real_time_sec: int | None
    cpu_time_sec: int | None


class ParserBlock(msgspec.Struct, frozen=True, kw_only=True):
    is_converged: bool


class PassBlock(msgspec.Struct, frozen=True, kw_only=True):
    """One adaptive pass."""

    pass_nr: int
    freq_hz: float | None
    tetrahedra: int | None
    matrix_size: int | None
    memory_mb: float | None  #: MiB, the most that any step of it took
    delta_s: float | None
    converged: bool  #: this pass made it so
    elapsed_sec: int | None  #: since the pass before


class SweepBlock(msgspec.Struct, frozen=True, kw_only=True):
    type: str | None
    frequencies: int | None
    solved: list[float]  #: Hz
    elapsed_sec: int | None  #: so far


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """What is null isn't told by the log."""

    project: ProjectBlock
    init_mesh: MeshBlock
    adaptive: list[PassBlock]
    sweep: SweepBlock | None
    log_parser: ParserBlock
    summary: Summary


def blocks(told: HfssProgress, ending: Ending, content: bytes) -> Blocks:
    """`content`: the log itself, for what isn't told otherwise."""
    file, text = told.project, content.decode("utf-8", "replace")
    return Blocks(
        project=ProjectBlock(
            name=re.split(r"[/\\]", file)[-1].rpartition(".")[0] if file else None,
            file=file,
            design=told.design,
            user=_last(_USER, text),
            cmd_line=_last(_COMMAND, text),
        ),
        init_mesh=_mesh(told, text),
        adaptive=_passes(told),
        sweep=_sweep(told),
        log_parser=ParserBlock(is_converged=bool(told.converged)),
        summary=summary(told, ending),
    )


def hertz(text: str) -> float | None:
    """ "1.505GHz"."""
    match = _AMOUNT.match(text)
    try:
        return float(match[1]) * _UNITS[match[2].upper()] if match else None
    except ValueError:
        return None


def _mesh(told: HfssProgress, text: str) -> MeshBlock:
    """Of the last run in the log."""
    _, begun, rest = text.rpartition("[PROFILE] Initial Meshing")
    steps = _ENDS.split(rest, maxsplit=1)[0] if begun else ""
    memory = [float(amount) * _MIB[unit] for amount, unit in _MEMORY.findall(steps)]
    real, cpu = (
        [_seconds(clock) for clock in re.findall(rf"{kind} Time (\d+:\d\d:\d\d)", steps)]
        for kind in ("Real", "CPU")
    )
    return MeshBlock(
        tetrahedra=told.initial_tetrahedra,
        memory_mb=max(memory, default=None),
        real_time_sec=sum(real) if real else None,
        cpu_time_sec=sum(cpu) if cpu else None,
    )


def _seconds(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def _last(line: re.Pattern[str], text: str) -> str | None:
    found = line.findall(text)
    return str(found[-1]).strip() if found else None


def _passes(told: HfssProgress) -> list[PassBlock]:
    before = [None, *(one.at for one in told.passes)]
    last = len(told.passes) - 1
    return [
        PassBlock(
            pass_nr=one.number,
            freq_hz=hertz(one.frequency),
            tetrahedra=one.tetrahedra,
            matrix_size=one.matrix_size,
            memory_mb=one.memory,
            delta_s=one.delta,
            converged=bool(told.converged) and index == last,
            elapsed_sec=int((one.at - since).total_seconds()) if one.at and since else None,
        )
        for index, (one, since) in enumerate(zip(told.passes, before, strict=False))
    ]


def _sweep(told: HfssProgress) -> SweepBlock | None:
    if told.sweep_points_solved is None:
        return None
    begun = told.sweep_began
    return SweepBlock(
        type=told.sweep_kind,
        frequencies=told.sweep_points,
        solved=[value for text in told.sweep_solved if (value := hertz(text)) is not None],
        elapsed_sec=int((told.last_at - begun).total_seconds()) if told.last_at and begun else None,
    )
