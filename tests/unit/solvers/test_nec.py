"""NEC2 as a job: decks, progress, verdicts."""

from typing import Any

import msgspec
import pytest

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.programs.nec2 import EXIT_CODES
from solveyard.solvers.base import PYTHON, Exit, OutputFile, Progress
from solveyard.solvers.nec import CAUSES, NecSolver

SOLVER = NecSolver()
DIPOLE = {
    "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
    "frequencies": {"start": 2e8, "stop": 4e8, "points": 3},
}
DECK = "CE\nGW 1 3 0 0 -1 0 0 1 .01\nGE\nEX 0 1 2 0 1\nFR 0 1 0 0 70\nXQ\nEN\n"
SWEEP = b"# Hz S RI R 50.0\n200000000 0.9 0\n300000000 0.1 0.2\n400000000 0.8 0\n"


def spec(**options: Any) -> JobSpec:  # options as a user may give them
    return JobSpec(solver="nec", options=msgspec.Raw(msgspec.json.encode(options)))


def test_a_dipole_becomes_a_deck_that_the_runner_solves() -> None:
    command = SOLVER.command(spec(**DIPOLE, result="d.s1p", z0=75.0, engine="nec2c"))
    assert command.argv == (
        PYTHON, "-P", "-m", "solveyard.programs.nec2", "--deck", "d.nec",
        "--result", "d.s1p", "--z0", "75.0", "--engine", "nec2c",
    )  # fmt: skip
    assert command.outputs == ("d.s1p",)
    assert command.own_folder
    cards = command.files["d.nec"].splitlines()
    assert "GW 1 21 0 0 -0.25 0 0 0.25 0.001" in cards
    assert "EX 0 1 11 0 1 0" in cards
    assert "FR 0 3 0 0 200 100" in cards
    assert cards[-1] == "EN"


def test_a_deck_is_solved_as_it_was_given() -> None:
    assert SOLVER.command(spec(deck=DECK)).files == {"result.nec": DECK}


def test_a_card_in_a_comment_is_none() -> None:
    for hidden in ("\x0c", "\x1c", "\x85", "\u2028"):
        deck = DECK.replace("CE\n", f"CM see{hidden}EX on page 2\nCE\n").replace("EX 0", "CM 0")
        with pytest.raises(InvalidJob, match="EX"):
            SOLVER.command(spec(deck=deck))
    for ending in ("\r\n", "\r"):
        assert SOLVER.command(spec(deck=DECK.replace("\n", ending)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "expected either `deck` or `dipole`"),
        ({**DIPOLE, "deck": DECK}, "expected either `deck` or `dipole`"),
        ({"dipole": DIPOLE["dipole"]}, "expected `frequencies` with `dipole`"),
        (
            {**DIPOLE, "dipole": DIPOLE["dipole"] | {"segments": "9"}},
            "expected an integer, got '9'",
        ),
        ({"deck": "CE\nGE\nEN\n"}, "expected a card EX (a source), FR (frequencies)"),
        ({"deck": DECK + "\0"}, "without NUL"),
        ({**DIPOLE, "dipole": {**DIPOLE["dipole"], "segments": 20}}, "21 instead of 20"),
        ({**DIPOLE, "dipole": {**DIPOLE["dipole"], "radius": 0.1}}, "a smaller radius"),
        ({**DIPOLE, "dipole": {**DIPOLE["dipole"], "length": -1}}, "`options.dipole.length`"),
        ({**DIPOLE, "frequencies": {"start": 2, "stop": 1, "points": 3}}, "`stop` above"),
        ({**DIPOLE, "frequencies": {"start": 1, "stop": 2, "points": 1}}, "`stop` above"),
        ({**DIPOLE, "result": "x.s2p"}, "ends in .s1p"),
        ({**DIPOLE, "result": "../x.s1p"}, "expected a path inside"),
        ({**DIPOLE, "engine": "hfss"}, "`options.engine`"),
        ({**DIPOLE, "z0": 0}, "`options.z0`"),
    ],
)
def test_options_that_make_no_antenna_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        SOLVER.command(spec(**options))
    assert words in str(caught.value)


def test_progress_is_the_newest_frequency() -> None:
    reader = SOLVER.reader()
    assert reader.feed(b"engine: nec2c 1.3 (/usr/bin/nec2c)\nfrequency 1 of") is None
    assert reader.feed(b" 4\nfrequency 2 of 4\n") == Progress(fraction=0.5, text="frequency 2 of 4")
    assert reader.feed(b"frequency 5 of 4\nfrequency x of 4\nfrequency 0 of 0\n") is None


def judged(content: bytes | None, code: int = 0, error: bytes | None = None) -> Outcome:
    output = OutputFile(path="result.s1p", size=None if content is None else 9, fresh=True)
    return SOLVER.verdict(
        spec(**DIPOLE),
        Exit(code=code, outputs=(output,)),
        {"result.s1p": content, "result.s1p.error": error},
    )


def test_a_whole_sweep_is_success() -> None:
    assert judged(SWEEP).reason is Reason.SUCCESS


def test_a_sweep_that_lacks_frequencies_is_not() -> None:
    head, low, middle, high = SWEEP.splitlines(keepends=True)
    for content in (head + low + middle, head + low + high, SWEEP.replace(b"2000", b"2100")):
        found = judged(content)
        assert (found.reason, found.cause) == (Reason.CRITERIA, "result.invalid")
        assert "3 from 2e+08 to 4e+08 Hz were asked" in found.message


def test_a_value_that_is_not_finite_fails_the_job() -> None:
    found = judged(SWEEP.replace(b"0.9", b"nan"))
    assert (found.reason, found.cause) == (Reason.CRITERIA, "result.invalid")


def test_an_antenna_that_gives_out_more_than_it_gets_is_not_physical() -> None:
    found = judged(SWEEP.replace(b"0.9", b"1.001"))
    assert (found.reason, found.cause) == (Reason.CRITERIA, "nec.nonphysical")
    assert "|S11| is 1.001 at 200 MHz" in found.message
    assert judged(SWEEP.replace(b"0.9", b"1.00005")).reason is Reason.SUCCESS


def test_the_runners_exit_codes_and_the_solvers_causes_are_the_same_list() -> None:
    assert sorted(EXIT_CODES.values()) == sorted(CAUSES)


@pytest.mark.parametrize(
    ("code", "cause"), [(2, "nec.card"), (3, "nec.engine"), (6, "nec.geometry")]
)
def test_the_runners_own_words_are_the_message(code: int, cause: str) -> None:
    found = judged(None, code, b"line 3: a wire of\n no length\n")
    assert (found.reason, found.cause, found.exit_code) == (Reason.EXIT_CODE, cause, code)
    assert found.message == "line 3: a wire of no length"


def test_a_runner_that_left_no_words_is_judged_by_its_code() -> None:
    assert judged(None, 4).message == "exit code 4"
    assert judged(None, 1, b"from another run").message == "exit code 1"
    assert judged(None, 1).cause == ""


def test_an_impedance_that_is_not_finite_is_an_invalid_result() -> None:
    found = judged(None, 5)
    assert (found.reason, found.cause) == (Reason.CRITERIA, "result.invalid")


def test_a_job_that_another_version_accepted_is_still_judged() -> None:
    strange = spec(**DIPOLE, from_the_future=1)
    assert list(SOLVER.evidence(strange)) == []
    assert SOLVER.verdict(strange, Exit(code=0), {}).reason is Reason.SUCCESS
