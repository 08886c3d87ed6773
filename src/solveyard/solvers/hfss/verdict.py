"""From a batch log to a verdict: by the log alone, or with the exit and the results beside it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from solveyard.model.arrays import Value
from solveyard.model.errors import InvalidResult
from solveyard.model.jobs import Outcome, Reason
from solveyard.solvers import touchstone, verdicts
from solveyard.solvers.base import TAIL
from solveyard.solvers.hfss.causes import CAUSES, Cause
from solveyard.solvers.hfss.progress import HfssProgress, Phase, mebibytes
from solveyard.solvers.hfss.reader import Ending

Word = Literal["success", "failed", "not_converged", "unfinished"]
SHOWN = 5  #: lines that are given as evidence
_NOT_DONE = "a parametric analysis began, and isn't done"
_LONGEST = 500  #: characters of a line in a message


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a log says, for programs. What is null isn't told there."""

    product: str | None
    phase: Phase | None
    passes: int | None  #: that were solved
    converged: bool | None
    delta_s: float | None
    tetrahedra: int | None
    peak_memory_mib: int | None
    sweep_points: int | None
    sweep_points_solved: int | None
    elapsed_s: float | None
    verdict: Word
    cause: str | None
    evidence: tuple[str, ...]


def summary(told: HfssProgress, ending: Ending) -> Summary:
    """The verdict is from the log alone: without its end it's unfinished, unless it failed."""
    verdict, cause, evidence = _alone(told, ending)
    return Summary(
        product=told.product,
        phase=told.phase,
        passes=len(told.passes) or (0 if told.adaptive_pass else None),
        converged=told.converged,
        delta_s=told.delta if "Delta S" in told.measure else None,
        tetrahedra=told.tetrahedra,
        peak_memory_mib=mebibytes(told.peak_memory),
        sweep_points=told.sweep_points,
        sweep_points_solved=told.sweep_points_solved,
        elapsed_s=told.elapsed,
        verdict=verdict,
        cause=cause or None,
        evidence=tuple(evidence),
    )


def _alone(told: HfssProgress, ending: Ending) -> tuple[Word, str, list[str]]:
    if ending.errors:
        worst = ending.explanations[0]
        return "failed", worst.cause, [str(one) for one in ending.explanations[:SHOWN]]
    seen = [
        *([f"line {ending.normal}: normal completion"] if ending.normal else ()),
        *([f"line {ending.parametric}: {_NOT_DONE}"] if ending.parametric else ()),
        *([f"line {ending.stopped}: the batch run's end"] if ending.stopped else ()),
    ]
    if not ending.stopped:
        last = f"no end of the batch run in {ending.lines} lines" if told.phase else "no line yet"
        return "unfinished", "", [*seen, last]
    if not ending.finished:
        why = ending.explanations[0].cause if ending.explanations else "hfss.incomplete"
        lines = [str(one) for one in ending.explanations[:SHOWN]]
        missing = () if ending.normal else ("no normal completion",)
        return "failed", why, [*lines, *seen, *missing]
    if ending.unconverged:
        lines = [str(one) for one in ending.unconverged[:SHOWN]]
        return "not_converged", ending.unconverged[0].cause, [*lines, *seen]
    return "success", "", seen


def judge(
    passed: Outcome,
    name: str,
    told: HfssProgress,
    ending: Ending,
    *,
    unconverged_fails: bool,
    solves: bool = True,
) -> Outcome:
    """`passed`, which the exit alone gave, unless the log called `name` speaks against it.

    A run that `solves` nothing completes no simulation, but must have come to its end.
    """
    evidence = [*passed.evidence, *_facts(name, told, ending, solves=solves)]
    passed = replace(passed, values={**passed.values, **_measured(told)})
    exited_well = passed.reason is Reason.SUCCESS
    explained = ending.explanations
    finished = ending.finished if solves else bool(ending.stopped)
    if ending.errors or (explained and not (exited_well and finished)):
        cause = CAUSES[explained[0].cause]
        said = f"the batch log says: {_cut(explained[0].text)}"
        message = f"{said} (line {explained[0].line}; {cause.advice})"
        return _failed(passed, cause, message, evidence)
    if exited_well and not finished:
        cause = CAUSES["hfss.incomplete"]
        end = "the simulation completed normally" if solves else "the batch run came to its end"
        if solves and ending.normal:
            end = f"the parametric analysis that began in line {ending.parametric} is done"
        message = f"exit code 0, but {name} doesn't say that {end}"
        return _failed(passed, cause, f"{message} ({cause.advice})", evidence)
    if passed.reason is Reason.SUCCESS and ending.unconverged:
        first = ending.unconverged[0]
        message = f"{_cut(first.text)} (line {first.line}){_how_far(told)}"
        if not unconverged_fails:
            return _outcome(passed, Reason.SUCCESS, "", f"warning: {message}", evidence)
        message += f"; {CAUSES['hfss.not_converged'].advice}"
        return _outcome(passed, Reason.NOT_CONVERGED, first.cause, message, evidence)
    return _outcome(passed, passed.reason, passed.cause, passed.message, evidence)


def so_far(passed: Outcome, name: str, told: HfssProgress, ending: Ending) -> Outcome:
    """`passed`, of a run that was ended from outside, with how far its log was."""
    evidence = (*passed.evidence, *_facts(name, told, ending, solves=True))
    return replace(passed, evidence=evidence, values={**passed.values, **_measured(told)})


def locked(passed: Outcome, locks: Iterable[str], evidence: Mapping[str, bytes | None]) -> Outcome:
    """`passed`, of a run without a batch log, unless one of its locks tells why there is none."""
    lock = next((one for one in locks if evidence.get(one) is not None), "")
    content = evidence.get(lock)
    if content is None or passed.reason not in {Reason.EXIT_CODE, Reason.NO_OUTPUT}:
        return passed
    cause = CAUSES["hfss.lock"]
    said = " ".join(content.decode("utf-8", "replace").split())
    holds = f"{lock} holds: {_cut(said)}" if said else f"{lock} is empty"
    message = f"{passed.message}; no batch log of this run, and {lock} is there ({cause.advice})"
    return replace(passed, cause=cause.name, message=message, evidence=(*passed.evidence, holds))


def results(
    passed: Outcome, evidence: Mapping[str, bytes | None], owed: Sequence[str] = ()
) -> Outcome:
    """`passed`, unless a Touchstone file in `evidence` can't be read or isn't finite.

    `owed` are folders: in one of them there must be something of this run.
    """
    if passed.reason is not Reason.SUCCESS:
        return passed
    folders = tuple(f"{folder}/" for folder in owed)
    if owed and not any(path.startswith(folders) for path in evidence):
        where = " or ".join(owed)
        message = f"exit code 0, but this run wrote nothing into {where}: its results are not saved"
        return replace(passed, reason=Reason.NO_OUTPUT, message=message)
    facts = list(passed.evidence)
    for path, content in sorted(evidence.items()):
        name = path.removesuffix(TAIL)
        ports = touchstone.ports_of(name)
        if ports is None or path + TAIL in evidence:
            continue
        try:
            if name != path:
                facts.append(f"{name}: {_end(content)}")
            else:
                facts.append(f"{path}: {_points(content, ports)} frequencies, all values finite")
        except touchstone.NotRead as error:
            facts.append(f"{name}: values not checked: {error}")
        except InvalidResult as error:
            return verdicts.criterion(passed, "result.invalid", f"{name}: {error}")
    return replace(passed, evidence=tuple(facts))


def _end(content: bytes | None) -> str:
    """What is known of a file of which only the end was read. Raises InvalidResult."""
    if not content:
        return "too large, its values were not checked"
    try:
        found = touchstone.check_end(content.decode("utf-8", "replace"))
    except InvalidResult as error:
        raise InvalidResult(f"in its last {len(content) >> 10} KiB, {error}") from error
    return f"too large, the last {found} values were checked, all finite"


def _points(content: bytes | None, ports: int) -> int:
    """How many frequencies a Touchstone file has. Raises InvalidResult."""
    if content is None:
        raise InvalidResult("it could not be read")
    return len(touchstone.parse(content.decode("utf-8", "replace"), ports).frequencies)


def _failed(passed: Outcome, cause: Cause, why: str, evidence: list[str]) -> Outcome:
    reason = cause.reason or passed.reason
    if reason is Reason.SUCCESS:
        reason = Reason.CRITERIA
    message = f"{passed.message}; {why}" if passed.message else why
    return _outcome(passed, reason, cause.name, message, evidence)


def _facts(name: str, told: HfssProgress, ending: Ending, *, solves: bool) -> Iterator[str]:
    said = f"normal completion, line {ending.normal}" if ending.normal else "no normal completion"
    said += f", but line {ending.parametric}: {_NOT_DONE}" if ending.parametric else ""
    said = said if solves else "nothing was to be solved"
    end = "" if ending.stopped else ", and its end is missing"
    lines = "1 error line" if told.errors == 1 else f"{told.errors} error lines"
    yield f"{name}: {lines}, {said}{end}"
    if told.phase not in {None, "starting"} and (text := told.text):
        yield f"{name}: {text}"
    for one in (*ending.explanations[:SHOWN], *ending.unconverged[:SHOWN]):
        yield _cut(str(one))


def _measured(told: HfssProgress) -> dict[str, Value]:
    """What a table of several solves tells of each."""
    found: dict[str, Value | None] = {
        "passes": len(told.passes) or None,
        "delta_s": told.delta if "Delta S" in told.measure else None,
        "converged": told.converged,
        "tetrahedra": told.tetrahedra,
        "peak_memory_mib": mebibytes(told.peak_memory),
    }
    return {name: value for name, value in found.items() if value is not None}


def _how_far(told: HfssProgress) -> str:
    if told.delta is None:
        return ""
    return f", {told.measure} {told.delta:g} after {len(told.passes)} passes"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _outcome(
    passed: Outcome, reason: Reason, cause: str, message: str, evidence: list[str]
) -> Outcome:
    return Outcome(
        reason=reason,
        cause=cause,
        exit_code=passed.exit_code,
        signal=passed.signal,
        message=message,
        evidence=tuple(evidence),
        values=passed.values,
    )
