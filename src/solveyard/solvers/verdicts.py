"""What an exit alone says, the same for every solver."""

from collections.abc import Iterable, Mapping

from solveyard.model.errors import InvalidResult
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.solvers import touchstone
from solveyard.solvers.base import Exit, OutputFile, Query

RESULT_LIMIT = 16 << 20  #: bytes of a result file that are read to judge it

# By Linux's numbers (signal(7)): a job may have run on another system than this one.
SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS",
    8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE",
    14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}  # fmt: skip
_SIGNAL_HINTS = {
    9: "; it was not sent from here: see the machine's kernel log, memory may have run out",
    24: "; the machine limits CPU time (ulimit -t)",
    25: "; the machine limits the size of files (ulimit -f)",
}
_CODE_HINTS = {
    126: ": a shell found the command but can't execute it (check its permissions)",
    127: ": a shell did not find the command (check its name and PATH)",
    0xC0000005: " (0xC0000005): access violation",
    0xC0000135: " (0xC0000135): a DLL was not found",
    0xC000013A: " (0xC000013A): interrupted by Ctrl-C",
}
_ENDERS = {
    "cancelled": (Reason.CANCELLED, "cancelled on request"),
    "cancelled_there": (Reason.CANCELLED, "cancelled in its batch system, not from here"),
    "hang": (
        Reason.HANG,
        "ended for doing nothing any more: no line, no CPU, no growth (`hang`)",
    ),
    "shutdown": (Reason.SHUTDOWN, "ended because the manager was told to end its jobs"),
    "session": (
        Reason.CANCELLED,
        "ended because the program that submitted it had died, and no manager ran",
    ),
    "out_of_memory": (Reason.OUT_OF_MEMORY, "it used more memory than it had asked for"),
    "node_failure": (Reason.NODE_FAILURE, "a node that it ran on failed"),
    "preempted": (Reason.PREEMPTED, "its batch system ended it for a more urgent job"),
    "licence": (Reason.LICENCE, "its licence server had none free for as long as it may ask"),
    "dependency": (Reason.DEPENDENCY, "what it depended on there can't come any more"),
}


def judge(spec: JobSpec, end: Exit, expected: Iterable[str] = ()) -> Outcome:
    """SUCCESS where nothing speaks against it; `expected` are outputs that must be reported.

    The first that holds decides: status unknown, never started, ended by us, signal, exit code,
    outputs.
    """
    facts = tuple(_facts(end))

    def outcome(reason: Reason, message: str = "") -> Outcome:
        return Outcome(
            reason=reason,
            exit_code=end.code,
            signal=end.signal,
            message=message,
            evidence=facts,
        )

    if end.lost:
        return outcome(Reason.LOST, f"how it ended is not known: {end.lost}")
    if end.launch_error:
        return outcome(Reason.LAUNCH, end.launch_error)
    if end.ended_by == "time_limit":
        limit = f" of {spec.time_limit:g} s" if spec.time_limit is not None else ""
        return outcome(Reason.TIME_LIMIT, f"reached its time limit{limit} (raise `time_limit`)")
    if end.ended_by == "wait_limit":
        limit = f"{spec.wait_limit:g} s" if spec.wait_limit is not None else "too long"
        told = f"it waited {limit}, and its batch system had not started it (raise `wait_limit`)"
        return outcome(Reason.WAIT_LIMIT, told)
    if end.ended_by in _ENDERS:
        return outcome(*_ENDERS[end.ended_by])
    if end.signal is not None:
        hint = _SIGNAL_HINTS.get(end.signal, "")
        return outcome(Reason.SIGNAL, f"killed by {signal_name(end.signal)}{hint}")
    if end.code is None:
        return outcome(Reason.LOST, "how it ended is not known: no status was reported")
    if end.code not in accepted(spec):
        good = f"; {_listed(accepted(spec))} would be success" if spec.success else ""
        return outcome(Reason.EXIT_CODE, f"exit code {end.code}{_code_hint(end.code)}{good}")
    wrong = [text for text in map(complaint, _outputs(end, expected)) if text]
    if wrong:
        return outcome(Reason.NO_OUTPUT, f"exit code {end.code}, but " + "; ".join(wrong))
    return outcome(Reason.SUCCESS)


def accepted(spec: JobSpec) -> tuple[int, ...]:
    """The exit codes that count as success."""
    return spec.success.exit_codes if spec.success is not None else (0,)


def signal_name(number: int) -> str:
    """ "SIGSEGV (11)"."""
    return f"{SIGNALS[number]} ({number})" if number in SIGNALS else f"signal {number}"


def result_queries(outputs: Iterable[str]) -> list[Query]:
    """What must be read of `outputs`: those that are Touchstone files."""
    return [Query(path=path, limit=RESULT_LIMIT) for path in outputs if touchstone.ports_of(path)]


def judge_results(
    passed: Outcome, end: Exit, evidence: Mapping[str, bytes | None], outputs: Iterable[str]
) -> Outcome:
    """`passed`, unless a Touchstone file among `outputs` is unreadable or not finite."""
    sizes = {output.path: output.size or 0 for output in end.outputs}
    facts = list(passed.evidence)
    for path in outputs:
        ports = touchstone.ports_of(path)
        if ports is None:
            continue
        if sizes.get(path, 0) > RESULT_LIMIT:
            facts.append(
                f"{path}: larger than {RESULT_LIMIT >> 20} MiB, its values were not checked"
            )
            continue
        try:
            touchstone.parse(_content(evidence, path), ports)
        except touchstone.NotRead as error:
            facts.append(f"{path}: values not checked: {error}")
        except InvalidResult as error:
            return criterion(passed, "result.invalid", f"{path}: {error}")
    return Outcome(
        reason=passed.reason, exit_code=passed.exit_code, message=passed.message,
        evidence=tuple(facts),
    )  # fmt: skip


def criterion(passed: Outcome, cause: str, message: str) -> Outcome:
    """The command went well, its result did not."""
    return Outcome(
        reason=Reason.CRITERIA,
        cause=cause,
        exit_code=passed.exit_code,
        message=message,
        evidence=passed.evidence,
        values=passed.values,
    )


def _content(evidence: Mapping[str, bytes | None], path: str) -> str:
    content = evidence.get(path)
    if content is None:
        raise InvalidResult("it could not be read")
    return content.decode("utf-8", "replace")


def _outputs(end: Exit, expected: Iterable[str]) -> list[OutputFile]:
    reported = {output.path for output in end.outputs}
    unreported = [OutputFile(path=path) for path in expected if path not in reported]
    return [*end.outputs, *unreported]


def complaint(output: OutputFile) -> str:
    """Why a file is no result of this run; "": it is one."""
    if output.size is None:
        return f"{output.path} is missing"
    if output.size == 0:
        return f"{output.path} is empty"
    return "" if output.fresh else f"{output.path} is old: it was not written by this run"


def _facts(end: Exit) -> Iterable[str]:
    if end.code is not None:
        yield f"exit code {end.code}"
    if end.signal is not None:
        yield signal_name(end.signal)
    for output in end.outputs:
        size = "missing" if output.size is None else f"{output.size} bytes"
        yield f"{output.path}: {size}" + ("" if output.fresh or output.size is None else ", old")
    yield from end.told
    if end.strays:
        were = "processes" if end.strays > 1 else "process"
        verb = "were" if end.strays > 1 else "was"
        yield f"{end.strays} {were} outlived the command and {verb} ended"


def _listed(codes: tuple[int, ...]) -> str:
    return " or ".join(map(str, codes))


def _code_hint(code: int) -> str:
    code &= 0xFFFFFFFF  # Windows' status codes are reported with either sign
    if code in _CODE_HINTS:
        return _CODE_HINTS[code]
    if 128 < code < 160:
        return f": what a shell reports of a command killed by {signal_name(code - 128)}"
    return ""
