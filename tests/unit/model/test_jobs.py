"""Specifications and records: what they refuse, and that they survive being copied and stored."""

import copy

import msgspec
import pytest

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import (
    FINAL,
    Attempt,
    AttemptId,
    Job,
    JobId,
    JobSpec,
    JobState,
    Limits,
    Outcome,
    Placement,
    Reason,
)
from solveyard.model.reading import MalformedJob, spec
from solveyard.model.resources import Allocation, Range, Resources, Share

OPTIONS = msgspec.Raw(b'{"argv": ["echo",  "\\u00e9"]}')
PLACEMENT = Placement(
    machine="m", allocation=Allocation(shares=(Share(node="a", cores=2),)), slot=3
)
ATTEMPT = Attempt(id=AttemptId("u.1.0.1"), placement=PLACEMENT, placed_at=1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"time_limit": -1.0}, "`time_limit` is -1.0; it must be a number of seconds, from 0"),
        ({"time_limit": float("nan")}, "`time_limit` is nan; it must be a number of seconds"),
        ({"wait_limit": float("inf")}, "`wait_limit` is inf; it must be a number of seconds"),
        ({"warning": -0.1}, "`warning` is -0.1; it must be a number of seconds, from 0"),
        ({"grace": -3}, "`grace` is -3; it must be a number of seconds, from 0"),
        ({"priority": 10**9 + 1}, "`priority` is 1000000001; it must be within"),
        ({"priority": -(10**9) - 1}, "`priority` is -1000000001; it must be within"),
        ({"exclusive": ("p", "p")}, "`exclusive` names a key twice"),
        ({"resources": Resources(nodes=0)}, "`resources.nodes` is 0; it is 1 at least"),
    ],
)
def test_a_specification_that_makes_no_sense_is_refused(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        JobSpec(solver="x", **fields)  # type: ignore[arg-type]  # that is what is tried


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cores": -1}, "`cores` is -1; it can't be negative"),
        ({"memory": -1}, "`memory` is -1; it can't be negative"),
        ({"licences": {"hfss": -1}}, "`licences.hfss` is -1; it can't be negative"),
        ({"counts": {"bench": -1}}, "`counts.bench` is -1; it can't be negative"),
    ],
)
def test_negative_amounts_are_refused_by_their_name(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Resources(**fields)  # type: ignore[arg-type]  # that is what is tried


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min": 3, "max": 2}, r"range 3\.\.2 is empty or negative"),
        ({"min": -1}, r"range -1\.\.None is empty or negative"),
        ({"split": "thirds"}, "cores can be split by 'rounds' or 'parts', not 'thirds'"),
        ({"parts": 2}, "`parts` goes with split 'parts'"),
        ({"split": "parts", "parts": 0}, "`parts` goes with split 'parts', and is at least 1"),
    ],
)
def test_a_range_that_is_empty_or_wrongly_split_is_refused(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Range(**fields)  # type: ignore[arg-type]  # that is what is tried


def test_limits_below_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="`max_concurrent` is -1; it can't be negative"):
        Limits(max_concurrent=-1)


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        (b"{}", "$.solver", "`$.solver` is missing; it must be given"),
        (b'{"solver": 7}', "$.solver", "`$.solver` must be str, not int"),
        (
            b'{"solver": "x", "resources": {"cores": "2"}}',
            "$.resources.cores",
            "`$.resources.cores` must be int | object, not str",
        ),
        (
            b'{"solver": "x", "priorty": 2}',
            "$.priorty",
            "there is no field `priorty` at `$` (did you mean 'priority'?)",
        ),
        (
            b'{"solver": "x", "resources": {"core": 2}}',
            "$.resources.core",
            "there is no field `core` at `$.resources` (did you mean 'cores'?)",
        ),
        (
            b'{"solver": "x", "grace": -1}',
            "$.grace",
            "`grace` is -1.0; it must be a number of seconds, from 0",
        ),
        (b'{"solver": "x"', "$", "it is not valid JSON: input data was truncated"),
        (b'{"solver": 1e}', "$", "it is not valid JSON: invalid number (byte 13)"),
        (
            b'{"solver": "x", "after": [{"job": "a", "on": "sucess"}]}',
            "$.after[0].on",
            "`$.after[0].on` is 'sucess'; it must be 'end', 'failure' or 'success' (did you mean"
            " 'success'?)",
        ),
        (b'{"solver": "\xff"}', "$", "it is not UTF-8 at `$`"),
    ],
)
def test_what_is_wrong_with_a_specification_is_said_with_its_place(
    text: bytes, field: str, message: str
) -> None:
    with pytest.raises(MalformedJob) as caught:
        spec(text)
    assert isinstance(caught.value, InvalidJob)
    assert (caught.value.field, str(caught.value)[: len(message)]) == (field, message)


def test_options_survive_copies_changes_and_storing_byte_for_byte() -> None:
    one = JobSpec(solver="x", options=OPTIONS)
    stored = msgspec.json.decode(msgspec.json.encode(one), type=JobSpec)
    changed = msgspec.structs.replace(one, priority=7)
    for other in (copy.copy(one), copy.deepcopy(one), changed, stored):
        assert bytes(other.options) == bytes(OPTIONS)
    assert stored == one
    assert msgspec.json.encode(stored) == msgspec.json.encode(one)


def test_options_do_not_change_with_the_text_that_they_were_read_from() -> None:
    text = bytearray(b'{"solver": "x", "options": {"n": 1}}')
    read = spec(bytes(text))
    text[:] = b" " * len(text)
    assert bytes(read.options) == b'{"n": 1}'


def test_a_record_survives_storing() -> None:
    need = Resources(
        cores=Range(min=2, max=4), nodes=2, memory=10, licences={"hfss": 1}, counts={"bench": 1}
    )
    outcome = Outcome(reason=Reason.SIGNAL, signal=9, cause="nec.geometry", evidence=("core",))
    job = Job(
        id=JobId(1),
        spec=JobSpec(solver="x", options=OPTIONS, resources=need, exclusive=("p",), hold=True),
        owner="eve",
        submitted_at=1.0,
        arrival=4,
        priority=-2,
        state=JobState.FAILED,
        attempts=(msgspec.structs.replace(ATTEMPT, outcome=outcome, notes=("late",)),),
        outcome=outcome,
    )
    assert msgspec.json.decode(msgspec.json.encode(job), type=Job) == job


def test_an_attempt_is_live_until_it_ends_or_is_taken_back() -> None:
    ended = msgspec.structs.replace(ATTEMPT, outcome=Outcome(reason=Reason.SUCCESS))
    withdrawn = msgspec.structs.replace(ATTEMPT, withdrawn=True)
    assert [each.live for each in (ATTEMPT, ended, withdrawn)] == [True, False, False]


def test_the_live_attempt_is_the_newest_or_none() -> None:
    job = Job(
        id=JobId(1),
        spec=JobSpec(solver="x"),
        owner="",
        submitted_at=0.0,
        arrival=1,
        priority=0,
        state=JobState.QUEUED,
    )
    assert (job.attempt, job.live_attempt) == (None, None)
    withdrawn = msgspec.structs.replace(ATTEMPT, withdrawn=True)
    again = msgspec.structs.replace(job, attempts=(withdrawn,))
    assert (again.attempt, again.live_attempt) == (withdrawn, None)
    running = msgspec.structs.replace(job, attempts=(withdrawn, ATTEMPT))
    assert running.live_attempt is running.attempts[1]


def test_three_states_are_final() -> None:
    assert {state for state in JobState if state.final} == FINAL
    assert sorted(FINAL) == ["cancelled", "completed", "failed"]
