"""Jobs that run and do nothing: found, told, and ended where they say so."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from solveyard.model.jobs import JobSpec
from solveyard.model.policies import HangWatch, RetryPolicy

STILL = "echo begun; exec sleep 1000"
#: Writes, and uses next to no CPU.
WRITES = "while :; do echo line; sleep 0.3; done"
#: Computes, and says nothing.
COMPUTES = "while :; do :; done"


def shell(line: str, **fields: Any) -> JobSpec:
    options = msgspec.json.encode({"argv": ["sh", "-c", line]})
    return JobSpec(solver="command", options=msgspec.Raw(options), grace=5, **fields)


@pytest.fixture
def client(service: Callable[..., Any]) -> Any:
    return service("--cores", "4").start().client


def test_a_job_that_does_nothing_is_ended_where_it_says_so_and_others_go_on(client: Any) -> None:
    watch = HangWatch(after=2, end=True)
    for name, line in (("writes", WRITES), ("computes", COMPUTES)):
        client.submit(shell(line, name=name, hang=watch))
    client.submit(shell(STILL, name="still", hang=watch))
    assert client.wait(["still"], 60)
    ended = client.job("still")
    assert (ended.state, ended.reason) == ("failed", "hang"), ended.message
    assert "no line, no CPU, no growth" in ended.message
    [note] = ended.attempts[-1].notes
    assert note.startswith("no line, no CPU and no growth for 2 s, since 20")
    for name in ("writes", "computes"):
        going = client.job(name)
        assert (going.state, going.attempts[-1].notes) == ("running", ())


def test_it_is_only_told_where_it_says_nothing_of_an_end(
    client: Any, until: Callable[..., None]
) -> None:
    client.submit(shell(STILL, name="told", hang=HangWatch(after=1)))
    until(lambda: client.job("told").attempts[-1].notes, "it's told")
    assert client.job("told").state == "running"


def test_a_hang_is_tried_again_where_asked(client: Any) -> None:
    once = 'if [ "$SOLVEYARD_TRY" = 1 ]; then exec sleep 1000; fi'
    retry = RetryPolicy(tries=2, on=("hang",))
    client.submit(shell(once, name="again", hang=HangWatch(after=1, end=True), retry=retry))
    assert client.wait(["again"], 60)
    ended = client.job("again")
    assert ended.state == "completed"
    assert [one.reason for one in ended.attempts] == ["hang", "success"]
