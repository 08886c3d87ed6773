import contextlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from solveyard.backends import translation
from solveyard.backends.base import Order, RawEnd
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Placement
from solveyard.model.messages import Launch, Missing, Started
from solveyard.model.resources import Allocation, Share
from solveyard.solvers.base import Command

ENDED = {
    "t": "ended", "attempt": "u.1.0.1", "pid": 5, "started_at": 10.0, "code": 0, "signal": None,
    "ended_by": "", "launch_error": "", "lost": "", "outputs": [["a", 3, True], ["b", None, False]],
    "strays": 2, "wall": 1.5, "cpu": 0.5, "peak": 20,
}  # fmt: skip


def test_an_end_becomes_what_the_solver_judges():
    end = translation.report(ENDED, "boot", "ledger")
    assert isinstance(end, RawEnd)
    assert (end.attempt, end.native_id, end.started_at) == ("u.1.0.1", "5", 10.0)
    assert [(o.path, o.size, o.fresh) for o in end.exit.outputs] == [
        ("a", 3, True),
        ("b", None, False),
    ]
    assert end.exit.usage.wall == 1.5


def test_what_never_started_used_nothing():
    end = translation.report({**ENDED, "started_at": None, "pid": None}, "boot", "ledger")
    assert (end.exit.usage, end.native_id, end.started_at) == (None, "", None)


def test_a_missing_attempt_is_missing_under_that_boot_and_ledger():
    assert translation.report({"t": "missing", "attempt": "x"}, "boot", "ledger") == Missing(
        attempt=AttemptId("x"), boot_id="boot", ledger="ledger"
    )


def test_a_start_carries_its_process():
    message = {"t": "started", "attempt": "x", "pid": 7, "at": 1.0}
    started = Started(attempt=AttemptId("x"), native_id="7", at=1.0)
    assert translation.report(message, "", "") == started


def test_names_that_are_no_characters_can_be_stored():
    end = translation.report({**ENDED, "outputs": [["\udcff", 1, True]]}, "", "")
    assert msgspec.json.encode(end.exit)


@given(
    st.fixed_dictionaries(
        {"t": st.sampled_from(["started", "ended", "missing", "recalled", "waiting", "blocked"])},
        optional={
            key: st.none() | st.floats() | st.text() | st.lists(st.integers())
            for key in ENDED
            if key != "t"
        },
    )
)
def test_what_is_not_as_it_should_be_is_a_validation_error_and_nothing_else(message):
    with contextlib.suppress(msgspec.ValidationError):
        translation.report(message, "", "")


def test_a_launch_tells_the_spawner_all_it_needs():
    spec = JobSpec(solver="command", time_limit=5.0, warning=1.0, grace=2.0)
    share = Share(node="here", cores=1, core_ids=(3,))
    at = Placement(machine="here", allocation=Allocation(shares=(share,)), slot=1)
    launch = Launch(
        job=JobId(1), attempt=AttemptId("u.1.0.1"), spec=spec, placement=at,
        after=AttemptId("u.0.0.1"), brief=True,
    )  # fmt: skip
    command = Command(argv=("a", "b"), env={"X": "1"}, directory="/d", files={"in": "text"},
                      outputs=("out",), own_folder=True)  # fmt: skip
    assert translation.launch(Order(launch, command, "/o", "/e", session="/s")) == {
        "t": "launch", "attempt": "u.1.0.1", "argv": ["a", "b"], "env": {"X": "1"}, "cwd": "/d",
        "mkdir": True, "stdout": "/o", "stderr": "/e", "files": {"in": "text"},
        "outputs": ["out"], "limit": 5.0, "warning": 1.0, "warning_signal": "USR1", "grace": 2.0,
        "after": "u.0.0.1", "brief": True, "pin": [], "session": "/s", "alone": 0.0,
        "within": [],
    }  # fmt: skip
    pinned = msgspec.structs.replace(launch, spec=JobSpec(solver="command", pin=True))
    assert translation.launch(Order(pinned, command, "/o", "/e"))["pin"] == [3]

    itself = msgspec.structs.replace(command, ends_itself=True)
    assert translation.launch(Order(launch, itself, "/o", "/e"))["alone"] == 1.0


def test_a_command_is_bound_to_folders_unless_it_has_one_of_its_own():
    at = Placement(machine="here", allocation=Allocation(shares=(Share(node="here", cores=1),)),
                   slot=1)  # fmt: skip
    launch = Launch(job=JobId(1), attempt=AttemptId("u.1.0.1"), spec=JobSpec(solver="command"),
                    placement=at, within=("/p",))  # fmt: skip
    for own, within in ((False, ["/p"]), (True, [])):
        command = Command(argv=("a",), directory="/p/d", own_folder=own)
        assert translation.launch(Order(launch, command, "/o", "/e"))["within"] == within
