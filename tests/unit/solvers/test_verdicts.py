"""What an exit alone says."""

import pytest

from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.solvers.base import Exit, OutputFile
from solveyard.solvers.verdicts import RESULT_LIMIT, judge, judge_results, result_queries

SPEC = JobSpec(solver="command", time_limit=60)
GOOD = OutputFile(path="out.txt", size=3, fresh=True)


def outcome(**facts: object) -> Outcome:
    return judge(SPEC, Exit(**facts))  # type: ignore[arg-type]  # fields by name, as tests give them


def test_code_0_with_fresh_outputs_is_success() -> None:
    found = outcome(code=0, outputs=(GOOD,))
    assert found.reason is Reason.SUCCESS
    assert found.exit_code == 0
    assert found.evidence == ("exit code 0", "out.txt: 3 bytes")


def test_what_is_said_first_decides() -> None:
    everything = {
        "lost": "the spawner is gone",
        "launch_error": "no such file: solver",
        "ended_by": "cancelled",
        "signal": 15,
        "code": 3,
        "outputs": (OutputFile(path="out.txt"),),
    }
    reasons = []
    for name in list(everything):
        reasons.append(outcome(**everything).reason)
        everything[name] = {"ended_by": "", "signal": None, "code": 0}.get(name, "")
        if name == "outputs":
            everything[name] = ()
    reasons.append(outcome(**everything).reason)
    assert reasons == [
        Reason.LOST,
        Reason.LAUNCH,
        Reason.CANCELLED,
        Reason.SIGNAL,
        Reason.EXIT_CODE,
        Reason.NO_OUTPUT,
        Reason.SUCCESS,
    ]


@pytest.mark.parametrize(
    ("ended_by", "reason"),
    [
        ("cancelled", Reason.CANCELLED),
        ("cancelled_there", Reason.CANCELLED),
        ("shutdown", Reason.SHUTDOWN),
        ("time_limit", Reason.TIME_LIMIT),
        ("wait_limit", Reason.WAIT_LIMIT),
    ],
)
def test_who_ended_it_counts_more_than_how(ended_by: str, reason: Reason) -> None:
    assert outcome(ended_by=ended_by, code=0, outputs=(GOOD,)).reason is reason
    assert outcome(ended_by=ended_by, signal=9).reason is reason


def test_a_wait_in_a_batch_systems_line_that_was_too_long_is_named() -> None:
    told = judge(JobSpec(solver="command", wait_limit=60), Exit(ended_by="wait_limit")).message
    assert told == ("it waited 60 s, and its batch system had not started it (raise `wait_limit`)")


def test_a_reached_time_limit_is_named() -> None:
    assert outcome(ended_by="time_limit", signal=15).message == (
        "reached its time limit of 60 s (raise `time_limit`)"
    )


def test_signals_are_named_and_a_foreign_kill_hints_at_memory() -> None:
    assert outcome(signal=11).message == "killed by SIGSEGV (11)"
    assert "memory may have run out" in outcome(signal=9).message
    assert outcome(signal=9).reason is Reason.SIGNAL
    assert outcome(signal=60).message == "killed by signal 60"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "exit code 3"),
        (126, "can't execute"),
        (127, "did not find the command"),
        (137, "killed by SIGKILL (9)"),
        (3221225477, "access violation"),
        (-1073741819, "access violation"),
    ],
)
def test_an_exit_code_is_named_with_what_it_means(code: int, words: str) -> None:
    found = outcome(code=code)
    assert found.reason is Reason.EXIT_CODE
    assert found.exit_code == code
    assert words in found.message


def test_an_exit_without_any_status_is_lost() -> None:
    assert outcome().reason is Reason.LOST


def test_every_missing_empty_and_old_output_is_named() -> None:
    found = outcome(
        code=0,
        outputs=(
            OutputFile(path="a"),
            OutputFile(path="b", size=0, fresh=True),
            OutputFile(path="c", size=5),
            GOOD,
        ),
    )
    assert found.reason is Reason.NO_OUTPUT
    assert found.message == (
        "exit code 0, but a is missing; b is empty; c is old: it was not written by this run"
    )


def test_an_expected_output_that_nobody_reports_is_missing() -> None:
    found = judge(SPEC, Exit(code=0), ["x.s1p"])
    assert found.message == "exit code 0, but x.s1p is missing"


def test_processes_that_outlived_the_command_are_told() -> None:
    assert "2 processes outlived the command and were ended" in outcome(code=0, strays=2).evidence
    assert "1 process outlived the command and was ended" in outcome(code=0, strays=1).evidence


def results(content: bytes | None, size: int = 10) -> Outcome:
    end = Exit(code=0, outputs=(OutputFile(path="r.s1p", size=size, fresh=True),))
    return judge_results(judge(SPEC, end), end, {"r.s1p": content}, ["r.s1p", "log.txt"])


def test_a_touchstone_result_must_be_readable_and_finite() -> None:
    assert results(b"# Hz S RI R 50\n1 0 0\n").reason is Reason.SUCCESS
    for bad, words in (
        (b"# Hz S RI R 50\n1 nan 0\n", "r.s1p: line 2: nan is not finite"),
        (b"\xff\x00", "r.s1p: line 1: data before an option line"),
        (None, "r.s1p: it could not be read"),
    ):
        found = results(bad)
        assert found.reason is Reason.CRITERIA
        assert found.cause == "result.invalid"
        assert found.exit_code == 0
        assert found.message.startswith(words)


def test_a_result_over_the_limit_is_not_judged_and_says_so() -> None:
    found = results(b"the end of a large file", RESULT_LIMIT + 1)
    assert found.reason is Reason.SUCCESS
    assert "its values were not checked" in found.evidence[-1]


def test_a_result_of_a_kind_that_is_not_read_is_not_judged_and_says_so() -> None:
    for content, words in (
        (b"[Version] 2.0\n# GHz S MA R 50\n", "r.s1p: values not checked: line 1: [Version]"),
        (b"# GHz Z RI R 50\n1 .5 .1\n", "r.s1p: values not checked: line 1: Z-parameters"),
    ):
        found = results(content)
        assert found.reason is Reason.SUCCESS
        assert found.evidence[-1].startswith(words)


def test_only_touchstone_outputs_are_read() -> None:
    assert [query.path for query in result_queries(["a.s2p", "b.csv", "c.S1P"])] == [
        "a.s2p",
        "c.S1P",
    ]
