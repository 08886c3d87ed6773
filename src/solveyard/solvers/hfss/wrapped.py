"""What our own program around ansysedt is told, and what its exit codes mean."""

import ntpath
import posixpath
import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.solvers.base import PYTHON, STDERR, Exit, Query
from solveyard.solvers.hfss import searched
from solveyard.solvers.hfss.batch import HfssOptions

#: The programs' own exit codes: cause, and what they say. Of others the solve's evidence tells.
_ENDS = {
    120: ("hfss.project", "the project could not be copied (standard error says why)"),
    121: ("hfss.disk", "too little disk was free to begin (standard error says how much)"),
    122: ("hfss.launch", "ansysedt could not be started (standard error says why)"),
}
SHORT = 123  #: it failed while too little disk was free
LOW = 124  #: it was ended since too little disk was free
_TOLD = re.compile(rb"^note: disk: (?P<said>.+?)\s*$", re.MULTILINE)
_AGAIN = b" free again "
_LONGEST = 200  #: bytes of a line that is told
_MOST = 3  #: of what it told of the disk, the newest, in the evidence
_LAST = 1 << 16  #: bytes from the end of standard error that are looked through
COPY_LEAST = 1.0  #: GiB that a copy leaves free where nothing else is said
_VAGUE = {"", "hfss.error", "hfss.crash", "hfss.incomplete"}  #: causes that a full disk explains


def least(chosen: HfssOptions) -> int:
    """Bytes that must be free; 0: it isn't looked at."""
    if chosen.min_disk_gb is not None:
        return round(chosen.min_disk_gb * 1024**3)
    return round(COPY_LEAST * 1024**3) if chosen.workspace == "copy" else 0


def argv(spec: JobSpec, chosen: HfssOptions, command: Sequence[str]) -> tuple[str, ...]:
    """`command`, in our program's charge where the job wants something of it."""
    options: list[str] = []
    if needed := least(chosen):
        options += ["--least", str(needed)]
        if chosen.low_disk == "end":
            options += ["--end", f"{spec.grace:g}"]
        if chosen.layout_options.temp_directory:
            options += ["--scratch", chosen.layout_options.temp_directory]
    if chosen.stop_with:
        options += ["--stop", msgspec.json.encode(chosen.stop_with).decode()]
        if spec.on:  # a batch system tells the whole tree at once
            options += ["--deaf", "yes"]
    if chosen.keep != "all":
        project = chosen.project_path
        name = (posixpath if project.startswith("/") else ntpath).basename(project)
        options += ["--project", name, "--keep", chosen.keep]
    if not options:
        return tuple(command)
    return (PYTHON, "-P", "-m", "solveyard.programs.hfss_run", *options, "--", *command)


def found(chosen: HfssOptions, command: Sequence[str]) -> Sequence[str]:
    """`command`, with an ansysedt that is looked for where it runs, if none is named."""
    return command if chosen.ansys_edt_path is not None else searched.argv(command)


def own_end(chosen: HfssOptions, end: Exit) -> Outcome | None:
    """None: the solve was started, and its own evidence tells."""
    if not _is_ours(chosen) or end.code not in _ENDS or end.ended_by or end.lost:
        return None
    cause, message = _ENDS[end.code]
    return Outcome(reason=Reason.EXIT_CODE, cause=cause, exit_code=end.code, message=message)


def evidence(chosen: HfssOptions) -> tuple[Query, ...]:
    return (Query(path=STDERR, limit=_LAST),) if least(chosen) else ()


def with_disk(chosen: HfssOptions, outcome: Outcome, stderr: bytes | None) -> Outcome:
    """`outcome`, with what was told of the disk; where that ended the solve, or may be why it
    failed, it is the cause.
    """
    if not _is_ours(chosen):
        return outcome
    told = [one["said"].decode("utf-8", "replace") for one in _TOLD.finditer(stderr or b"")]
    outcome = replace(outcome, evidence=(*outcome.evidence, *told[-_MOST:]))
    low = next((one for one in reversed(told) if _AGAIN.decode() not in one), "")
    if outcome.exit_code == LOW:
        why = low or "standard error says how much"
        message = f"it was ended, as `low_disk` has it, since too little disk was free: {why}"
        return replace(outcome, reason=Reason.EXIT_CODE, cause="hfss.disk", message=message)
    if outcome.exit_code != SHORT or outcome.cause not in _VAGUE:
        return outcome
    before = f"{outcome.message}; " if outcome.cause else ""
    message = f"{before}it failed while too little disk was free (standard error says how much)"
    return replace(outcome, cause="hfss.disk", message=message)


class DiskAlarm:
    """What is told of the disk while it solves."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> str | None:
        lines, end, rest = (self._rest + chunk).rpartition(b"\n")
        self._rest = rest[-_LONGEST:]
        told = [one["said"] for one in _TOLD.finditer(lines + end)]
        if not told:
            return None
        return "" if _AGAIN in told[-1] else told[-1].decode("utf-8", "replace")


def alarm(chosen: HfssOptions) -> DiskAlarm | None:
    return DiskAlarm() if least(chosen) else None


def _is_ours(chosen: HfssOptions) -> bool:
    asked = chosen.workspace == "copy" or chosen.keep != "all" or bool(chosen.stop_with)
    return asked or least(chosen) > 0 or chosen.ansys_edt_path is None
