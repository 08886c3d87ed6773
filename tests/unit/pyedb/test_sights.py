"""How a session's jobs are when it is closed, whatever others do to them meanwhile."""

from typing import Any

import pytest
from msgspec.structs import replace

from solveyard.client.sync import Client
from solveyard.model.jobs import JobId, JobState
from solveyard.pyedb import sights
from unit.client.test_clients import SPEC


@pytest.mark.parametrize(
    ("call", "first"),
    [("hold", True), ("cancel", True), ("wait", True), ("wait", False), ("log", True)],
)
def test_a_job_that_somebody_removes_while_its_session_is_closed_is_drained(
    served: Any, monkeypatch: pytest.MonkeyPatch, call: str, first: bool
) -> None:
    asked = getattr(Client, call)

    def removed() -> None:
        served.manager.records.pop(JobId(1), None)

    def meanwhile(client: Client, *words: Any, **more: Any) -> Any:
        if first:
            served.do(removed)
        told = asked(client, *words, **more)
        served.do(removed)
        return told

    with Client(served.folder) as client:
        made = [client.submit(replace(SPEC, name=name)) for name in ("one", "two", "three")]
        own = {record.id: sights.Own(record.id, record.number) for record in made}
        starting = [2] if call == "hold" else [1, 2]
        served.do(*(lambda number=number: served.manager.start(number) for number in starting))
        monkeypatch.setattr(Client, call, meanwhile)
        last = sights.drained(client, own, made[0].session, 30.0, 5.0)
    assert {job: sight.record.state for job, sight in last.items() if job != "one"} == {
        "two": JobState.CANCELLED,
        "three": JobState.HELD,
    }
    assert ("one" in last) is (call == "log")  # it had ended by then
    states = {job.spec.name: job.state for job in served.manager.records.values()}
    assert states == {"two": JobState.CANCELLED, "three": JobState.HELD}
