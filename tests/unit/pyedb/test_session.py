"""What a session keeps of the jobs that it was answered with."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from solveyard.client.sync import Client
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.records import JobRecord, record
from solveyard.pyedb import sights, views
from solveyard.pyedb.errors import InvalidConfig, ServiceError
from solveyard.pyedb.service import JobManager
from solveyard.pyedb.session import Session
from unit.client.test_clients import SPEC


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


class Remembering:
    """A host whose manager only remembers."""

    def __init__(self, folder: Any) -> None:
        self._folder = folder

    @contextmanager
    def client(self) -> Iterator[Client]:
        with Client(self._folder) as one:
            yield one


@pytest.fixture
def session(served: Any) -> Session:
    """With jobs one, two and three, of which the third has ended."""
    host: Any = Remembering(served.folder)
    session = Session(lambda: host)
    session._host = host
    with session.client() as client:
        for name in ("one", "two", "three"):
            number = client.submit(replace(SPEC, name=name)).number
            session._own[name] = sights.Own({}, number)
    served.do(lambda: served.manager.end(3))
    return session


def removal(served: Any, *jobs: int) -> None:
    served.do(*(lambda job=job: served.manager.records.pop(JobId(job)) for job in jobs))


@pytest.mark.parametrize("jobs", [None, ["one", "two", "three"]])
def test_a_job_that_somebody_removes_while_it_is_waited_for_has_ended(
    served: Any, session: Session, monkeypatch: pytest.MonkeyPatch, jobs: list[str] | None
) -> None:
    wait, meanwhile = Client.wait, [(1,), (2,)]

    def removed(client: Client, *given: Any) -> bool:
        if meanwhile:
            removal(served, *meanwhile.pop(0))
        return wait(client, *given)

    monkeypatch.setattr(Client, "wait", removed)
    session.wait(jobs, 60)
    assert (session.own, session.numbers) == (["three"], {3})


def test_a_job_of_others_that_is_removed_while_it_is_waited_for_is_told_to_be(
    served: Any, session: Session
) -> None:
    del session._own["three"]
    removal(served, 1, 3)
    with pytest.raises(ServiceError, match=r"'three' \(it was removed"):
        session.wait(["one", "three"], 60)


def test_jobs_that_are_removed_while_they_are_gone_through_are_left_out(
    served: Any, session: Session
) -> None:
    jobs = views.Jobs(session)
    pairs, values = iter(jobs.items()), iter(jobs.values())
    assert (next(pairs)[0], next(values).status) == ("one", "queued")
    removal(served, 2)
    assert ([job for job, _ in pairs], len(list(values))) == (["three"], 1)
    removal(served, 3)
    with pytest.raises(KeyError):
        jobs["three"]
    assert (list(jobs), len(jobs.items())) == (["one"], 1)


@pytest.mark.parametrize(
    "wrong", [None, 5, {1: 1}, {"self": 5}, {"limits": 5}, {}, {"a": object()}]
)
def test_what_are_no_limits_is_refused_and_changes_none(session: Session, wrong: Any) -> None:
    before = session.set_limits({"max_concurrent_jobs": 3})
    with pytest.raises(InvalidConfig):
        session.set_limits(wrong)
    manager = JobManager.of(session, None)
    assert asyncio.run(manager.edit_concurrent_limits(wrong)) is None
    assert session.set_limits({"max_concurrent_jobs": 3}) == before
