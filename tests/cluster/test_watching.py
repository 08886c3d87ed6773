"""Jobs on a cluster are watched as those here: whether they do something, and how far they are."""

from collections.abc import Iterator

import pytest

from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, running, submit
from cluster.slurm import Slurm
from conftest import Service, until
from solveyard.model.jobs import JobState, Reason
from solveyard.model.policies import HangWatch
from solveyard.model.resources import Resources

SMALL = Resources(memory=10)


@pytest.fixture(scope="module")
def service(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from serving(slurm, tmp_path_factory.mktemp("watching"), SETTINGS)


def test_a_job_that_does_nothing_there_is_ended_where_it_says_so_and_others_go_on(
    service: Service,
) -> None:
    watch = HangWatch(after=4, end=True)
    lines = {
        "computes": "while :; do :; done",
        "writes": "while :; do echo line; sleep 0.3; done",
        "unwatched": "sleep 600",
        "still": "echo begun; sleep 600",
    }
    numbers = {
        name: submit(
            service, line, name=name, resources=SMALL, hang=None if name == "unwatched" else watch
        )
        for name, line in lines.items()
    }
    record = ended(service, numbers["still"])
    assert (record.state, record.reason) == (JobState.FAILED, Reason.HANG)
    [note] = record.attempts[-1].notes
    assert note.startswith("no line, no CPU and no growth for 4 s, since 20")
    assert "slurm says CANCELLED" in "; ".join(record.evidence)
    for name in ("computes", "writes", "unwatched"):
        going = service.client.job(numbers[name])
        assert (going.state, going.attempts[-1].notes) == (JobState.RUNNING, ())
        service.client.cancel(numbers[name])
        assert ended(service, numbers[name]).state is JobState.CANCELLED


def test_one_that_only_wants_it_told_goes_on(service: Service) -> None:
    one = submit(service, "sleep 600", resources=SMALL, hang=HangWatch(after=2))
    running(service, one)
    until(lambda: bool(service.client.job(one).attempts[-1].notes), "it is told")
    assert service.client.job(one).state is JobState.RUNNING
    service.client.cancel(one)
    assert ended(service, one).state is JobState.CANCELLED
