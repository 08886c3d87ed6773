"""What a session keeps of the jobs that it was answered with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.records import JobRecord, record
from solveyard.pyedb.session import Session


class Silent:
    """A host whose manager, of before, answers with any job of the name, and tells no more."""

    @contextmanager
    def client(self) -> Iterator[Any]:
        yield self

    def submit_configs(self, *_: Any, **__: Any) -> list[JobRecord]:
        job = Job(
            id=JobId(3), spec=JobSpec(solver="command", name="a"), owner="eve", submitted_at=0.0,
            waiting_since=0.0, arrival=1, priority=0, state=JobState.QUEUED,
        )  # fmt: skip
        return [record(job, 0.0)]


def test_a_job_that_tells_no_configuration_may_be_submitted_again() -> None:
    host: Any = Silent()
    session = Session(lambda: host)
    session._host = host
    for _ in range(2):
        assert session.submit({"project_path": "/board.aedt", "jobid": "a"}) == "a"
    assert session.numbers == {3}
