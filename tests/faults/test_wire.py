"""Whatever arrives at a spawner's socket: no lie, no loss, no hang."""

import json
import struct
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solveyard.wire.frames import LIMIT, encode

Stage = Any  # tests/faults/conftest.py

SETTINGS = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
KINDS = ["launch", "recall", "kill", "signal", "modify", "forget", "ask", "ping", "welcome", "new"]
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = ["attempt", "attempts", "argv", "env", "cwd", "limit", "grace", "because", "signal"]


@pytest.fixture(autouse=True)
def _only_where_it_runs() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("these tests start a spawner of Linux")


def _still_works(stage: Stage) -> None:
    """The spawner that was there first runs a command, through whatever connection it has."""
    n = len(stage.manager.told)
    assert stage.run(f"after-{n}", "true", brief=True)["code"] == 0


@given(junk=st.binary(min_size=1, max_size=200))
@SETTINGS
def test_random_bytes_cost_the_connection_at_most(stage: Stage, junk: bytes) -> None:
    if not stage.processes:
        stage.spawner()
    stage.manager.spawner().link.sendall(junk)
    stage.manager.cut()  # what was a frame's beginning stays one
    _still_works(stage)


@given(kind=st.sampled_from(KINDS), fields=st.dictionaries(st.sampled_from(FIELDS), VALUES))
@SETTINGS
def test_malformed_messages_change_nothing(stage: Stage, kind: str, fields: dict[str, Any]) -> None:
    if not stage.processes:
        stage.spawner()
    stage.manager.say({"t": kind, **fields})
    _still_works(stage)
    stage.manager.settled()
    assert len(stage.manager.peers) == 1


@pytest.mark.parametrize(
    "bad",
    [
        b"SY" + struct.pack(">BBI", 1, 0, LIMIT + 1),  # oversized
        b"SY" + struct.pack(">BBI", 2, 0, 2) + b"[]",  # of a newer version
        b"SY" + struct.pack(">BBI", 1, 0, 3) + b"[1]",
        b"SY" + struct.pack(">BBI", 1, 0, 2) + b"{}",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_frame_ends_the_connection_and_no_command(stage: Stage, bad: bytes) -> None:
    stage.spawner()
    program = "until [ -e go ]; do sleep 0.02; done; exit 5"
    stage.manager.say(stage.launch("a", "sh", "-c", program))
    pid = stage.manager.started("a")
    first = stage.manager.spawner()
    first.link.sendall(bad)
    stage.manager.until(lambda: not first.open, "the spawner's hanging up")
    stage.manager.told.clear()
    stage.manager.say({"t": "ask", "attempts": ["a"]})
    assert stage.manager.started("a") == pid
    (stage.work / "go").touch()
    assert stage.manager.end("a")["code"] == 5


def test_a_frame_may_come_byte_by_byte(stage: Stage) -> None:
    stage.spawner()
    peer = stage.manager.spawner()
    for byte in encode([stage.launch("a", "sh", "-c", "exit 6")]):
        peer.link.send(bytes([byte]))
    assert stage.manager.end("a")["code"] == 6


def test_a_frame_that_was_cut_launches_nothing(stage: Stage) -> None:
    stage.spawner()
    frame = encode([stage.launch("a", "touch", "made")])
    stage.manager.spawner().link.sendall(frame[:-1])
    stage.manager.cut()
    stage.manager.say({"t": "ask", "attempts": ["a"]})
    stage.manager.heard("missing", "a")
    assert not (stage.work / "made").exists()


def test_messages_and_fields_of_a_newer_manager_are_ignored(stage: Stage) -> None:
    stage.spawner()
    newer = stage.launch("a", "sh", "-c", "exit 3", colour={"deep": [1]})
    stage.manager.say({"t": "levitate", "attempt": "a"}, newer)
    assert stage.manager.end("a")["code"] == 3


def test_a_manager_that_does_not_read_is_waited_for(stage: Stage) -> None:
    """More than may wait for it is dropped, and told again when it reads."""
    stage.spawner()
    text = "x" * 60_000
    names = [f"s{n}" for n in range(150)]
    stage.manager.say(*[stage.launch(n, f"/no/{text}", brief=True) for n in names])
    (stage.work / "go").touch()
    stage.manager.say({"t": "ask", "attempts": names})
    stage.manager.spawner()
    stage.manager.forgetting = True
    for name in names:
        assert text in stage.manager.end(name)["launch_error"]


def test_a_message_too_large_for_a_frame_is_left_out_and_said_in_the_log(stage: Stage) -> None:
    from solveyard.agent.connection import _encode_each

    small = {"t": "pong", "n": 1}
    large = {"t": "ended", "lost": "x" * (LIMIT + 1)}
    frames = _encode_each([(large, ""), (small, "")])
    assert json.loads(frames[8:]) == [small]
