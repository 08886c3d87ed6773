"""A manager's messages are checked field by field."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.agent import orders

GOOD: dict[str, Any] = {
    "t": "launch",
    "attempt": "a",
    "argv": ["true"],
    "env": {"A": "b"},
    "cwd": "/",
    "stdout": "/out",
    "stderr": "/err",
    "grace": 1,
}


def test_what_may_be_missing_has_a_default() -> None:
    launch = orders.launch(GOOD)
    assert (launch.argv, launch.limit, launch.after, launch.brief) == (["true"], None, None, False)
    assert (dict(launch.files), list(launch.outputs), launch.mkdir) == ({}, [], False)


@pytest.mark.parametrize("name", ["attempt", "argv", "env", "cwd", "stdout", "stderr", "grace"])
def test_what_must_be_there_is_named_when_it_is_not(name: str) -> None:
    message = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(orders.Malformed, match=name):
        orders.launch(message)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("argv", []),
        ("argv", [1]),
        ("env", {"A": 1}),
        ("cwd", "relative"),
        ("stdout", ""),
        ("grace", -1),
        ("grace", float("nan")),
        ("grace", True),
        ("limit", float("inf")),
        ("files", {"/etc/passwd": ""}),
        ("files", {"a/../../b": ""}),
        ("outputs", ["../x"]),
        ("outputs", "x"),
        ("brief", 1),
        ("after", ""),
        ("pin", [True]),
        ("pin", [-1]),
        ("pin", "0"),
    ],
)
def test_what_is_of_the_wrong_type_is_named(name: str, value: Any) -> None:
    with pytest.raises(orders.Malformed, match=f"`{name}`"):
        orders.launch({**GOOD, name: value})


@given(
    message=st.dictionaries(
        st.sampled_from([*GOOD, "limit", "files", "outputs", "after", "pin"]),
        st.none() | st.text() | st.integers() | st.lists(st.text()) | st.floats(),
    )
)
def test_any_message_is_a_launch_or_malformed(message: dict[str, Any]) -> None:
    try:
        launch = orders.launch({**message, "t": "launch"})
    except orders.Malformed:
        return
    assert launch.argv


USUAL = {
    "attempt": "a", "argv": ["x"], "env": {"A": "1"}, "cwd": "/c", "stdout": "/o", "stderr": "/e",
    "grace": 1.0, "mkdir": False, "files": {}, "outputs": [], "limit": None, "warning": None,
    "warning_signal": "USR1", "after": None, "brief": True, "pin": [],
    "session": "", "alone": 0.0,
}  # fmt: skip
ODD = st.sampled_from(
    [None, "", "b", "/d", 1, 0.0, -1.0, True, [], [1], ["y"], ["../y"], {}, {"k": 1}, {"k": "v"}]
)


@given(st.dictionaries(st.sampled_from(sorted(USUAL)), ODD, max_size=3), st.sets(
    st.sampled_from(sorted(USUAL)), max_size=2))  # fmt: skip
def test_the_short_way_through_takes_only_what_the_long_way_takes(changes, without):
    message = {k: v for k, v in {**USUAL, **changes}.items() if k not in without}

    def outcome(read: Callable[[dict[str, Any]], object]) -> object:
        try:
            return read(message)
        except orders.Malformed as error:
            return str(error)

    assert outcome(orders.launch) == outcome(orders._launch)
