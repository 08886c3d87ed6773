"""Two witnesses, and what is concluded from them."""

import pytest

from solveyard.backends.batch.ending import ended, never_began
from solveyard.backends.dialects.base import NativeState, State
from solveyard.backends.dialects.record import Record
from solveyard.model.jobs import Usage

BEGUN = Record("a", "7", "n1", began=100)
DONE = Record("a", "7", "n1", began=100, ended=103, stage="command", code=0)
CODE = DONE._replace(code=4)
KILLED = DONE._replace(code=143, signalled="TERM")
CAUGHT = DONE._replace(code=0, signalled="TERM")
PROLOGUE = DONE._replace(stage="prologue", code=9)


def said(state: State, **more: object) -> NativeState:
    return NativeState(state, state.value.upper(), **more)  # type: ignore[arg-type]


AGAIN = said(State.FAILED, code=125, restarts=1)


def test_what_failed_without_a_record_never_began_and_its_log_says_why() -> None:
    state = said(State.FAILED, code=2)
    told = ended("slurm", state, None, "", None, "sh: 0: cannot open slurm_script")
    assert told.launch_error == (
        "slurm ended it before its script began: exit status 2 (sh: 0: cannot open slurm_script)"
    )
    assert never_began(state, None)
    assert not never_began(state, BEGUN)
    unclaimed = said(State.FAILED, code=125)
    assert not never_began(unclaimed, None)
    told = ended("slurm", unclaimed, None, "", None, "can't write a.record")
    assert told.launch_error.startswith("its script can't write its record")
    assert told.launch_error.endswith("(can't write a.record)")
    assert not never_began(said(State.CANCELLED), None)


@pytest.mark.parametrize(
    ("state", "record", "because", "expected"),
    [
        (said(State.COMPLETED, code=0), DONE, "", (0, None, "", "", "")),
        (said(State.FAILED, code=4), CODE, "", (4, None, "", "", "")),
        (said(State.FAILED, code=143), KILLED, "", (None, 15, "", "", "")),
        # what the batch system ended, and what had ended by itself before
        (said(State.CANCELLED), KILLED, "cancelled", (None, 15, "cancelled", "", "")),
        (said(State.CANCELLED), CAUGHT, "", (0, None, "cancelled_there", "", "")),
        (said(State.CANCELLED, ended=109), DONE, "cancelled", (0, None, "", "", "")),
        (said(State.TIMEOUT, ended=109), CODE, "", (4, None, "", "", "")),
        (said(State.NODE_FAILURE, ended=400), DONE, "", (0, None, "", "", "")),
        # a command that ends well when it is told to end, before its script is told, too
        (said(State.TIMEOUT, ended=103), DONE, "", (0, None, "time_limit", "", "")),
        (said(State.PREEMPTED, ended=107), DONE, "", (0, None, "preempted", "", "")),
        (said(State.NODE_FAILURE, ended=103), DONE, "", (0, None, "node_failure", "", "")),
        (said(State.CANCELLED, ended=3), DONE, "", (0, None, "cancelled_there", "", "")),
        (said(State.CANCELLED), DONE, "", (0, None, "cancelled_there", "", "")),
        (said(State.CANCELLED), CODE, "hang", (4, None, "hang", "", "")),
        (said(State.CANCELLED), None, "shutdown", (None, None, "shutdown", "", "")),
        (said(State.TIMEOUT), KILLED, "", (None, 15, "time_limit", "", "")),
        (said(State.NODE_FAILURE), BEGUN, "", (None, None, "node_failure", "", "")),
        (said(State.PREEMPTED), None, "", (None, None, "preempted", "", "")),
        (said(State.OUT_OF_MEMORY), CODE, "", (4, None, "out_of_memory", "", "")),
        # what its batch system forgot, or has no word for, and the record tells
        (None, KILLED, "cancelled", (None, 15, "cancelled", "", "")),
        (said(State.FAILED), KILLED, "cancelled", (None, 15, "cancelled", "", "")),
        (None, CODE, "cancelled", (4, None, "", "", "")),
        (said(State.FAILED), None, "cancelled", (None, None, "cancelled", "", "")),
        (None, KILLED, "", (None, 15, "", "", "")),
        # it was started again under its id: the first start's own end counts, else nobody's
        (AGAIN, KILLED, "", (None, 15, "preempted", "", "")),
        (AGAIN, BEGUN, "", (None, None, "preempted", "", "")),
        (AGAIN, KILLED, "cancelled", (None, 15, "cancelled", "", "")),
        (AGAIN, CODE, "", (4, None, "", "", "")),
        # one witness alone
        (None, CODE, "", (4, None, "", "", "")),
        (said(State.COMPLETED), None, "", (0, None, "", "", "")),
        (said(State.FAILED, signal=9), BEGUN, "", (None, 9, "", "", "")),
        (None, None, "cancelled", (None, None, "cancelled", "", "")),
    ],
)
def test_what_ended_it(
    state: NativeState | None, record: Record | None, because: str, expected: object
) -> None:
    end = ended("far", state, record, because)
    assert (end.code, end.signal, end.ended_by, end.lost, end.launch_error) == expected


@pytest.mark.parametrize(
    ("record", "because", "limit", "by"),
    [
        (KILLED, "", 5.0, "time_limit"),
        (KILLED._replace(ended=163), "", 3.0, "time_limit"),
        (KILLED._replace(ended=164), "", 3.0, ""),
        (KILLED, "", 5.5, ""),
        (KILLED, "", None, ""),
        (KILLED, "cancelled", 5.0, "cancelled"),
        (DONE._replace(code=140), "", 3.0, "time_limit"),
        (DONE._replace(code=139), "", 3.0, ""),
        (CODE, "", 3.0, ""),
        (CODE._replace(shell=False, code=143), "", 3.0, ""),
    ],
)
def test_what_is_signalled_when_its_time_is_over_reached_its_limit(
    record: Record, because: str, limit: float | None, by: str
) -> None:
    """Whether its batch system forgot it, or has one word for all that fails."""
    for state in (None, said(State.FAILED, explains=False)):
        end = ended("far", state, record, because, limit)
        assert end.ended_by == by
        assert any("were over" in line for line in end.told) is (by == "time_limit")
    for state in (said(State.CANCELLED, explains=False), said(State.FAILED, code=137)):
        assert ended("far", state, record, "", limit).ended_by != "time_limit"


def test_a_dependency_that_cant_be_met_is_told_apart_from_a_cancellation() -> None:
    state = said(State.CANCELLED, reason="DependencyNeverSatisfied")
    assert ended("far", state, None, "").ended_by == "dependency"


def test_what_slurm_cancelled_before_its_script_began_may_be_a_failed_prologs() -> None:
    state = said(State.CANCELLED, nodes="n1", asked=False)
    end = ended("slurm", state, None, "")
    assert end.launch_error == (
        "slurm took it from n1 before its script began (a prolog failed, or somebody cancelled it)"
    )
    assert not never_began(state, None)
    assert ended("slurm", state, None, "cancelled").ended_by == "cancelled"
    assert ended("slurm", state, BEGUN, "").ended_by == "cancelled_there"


def test_what_failed_before_the_command_is_a_failed_launch() -> None:
    end = ended("far", said(State.FAILED, code=9), PROLOGUE, "")
    assert end.launch_error == "its prologue failed: exit status 9 (see its standard error)"
    asking = DONE._replace(stage="asking", code=127)
    end = ended("far", said(State.FAILED, code=127), asking, "")
    assert end.launch_error.startswith("its licences can't be asked for: exit status 127")
    assert ended("far", said(State.FAILED, code=1), None, "").launch_error.endswith("status 1")


@pytest.mark.parametrize(
    ("state", "record"),
    [(None, None), (None, BEGUN), (said(State.ENDED), None), (said(State.FAILED, code=125), BEGUN)],
)
def test_without_evidence_of_an_end_it_is_lost(
    state: NativeState | None, record: Record | None
) -> None:
    end = ended("far", state, record, "")
    assert end.lost
    assert (end.code, end.signal) == (None, None)


def test_the_witnesses_words_are_the_evidence() -> None:
    told = ended("far", said(State.TIMEOUT, reason="TimeLimit", nodes="n3"), BEGUN, "").told
    assert told == ("far says TIMEOUT, TimeLimit on n3", "its script recorded a start and no end")
    assert ended("far", None, DONE, "").usage == Usage(wall=3.0)
