"""What only a Slurm with cgroups and accounting tells."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.accounted import Accounted, lacking
from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, job, known, running, submit
from cluster.slurm import Slurm, absent
from conftest import Service, until
from solveyard.model.jobs import JobState, Reason
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Resources

pytestmark = pytest.mark.timeout(290)
#: It would be lost only long after.
PATIENT = SETTINGS.replace("lost_after = 5", "lost_after = 3600")


@pytest.fixture(scope="module")
def accounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if missing := [*absent(), *lacking()]:
        pytest.skip(f"there is no {', '.join(missing)}")
    started = Accounted(tmp_path_factory.mktemp("accounted"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def service(accounted: Slurm, tmp_path: Path) -> Iterator[Service]:
    yield from serving(accounted, tmp_path, PATIENT)


def test_a_job_that_takes_too_much_memory_says_so_and_is_tried_with_more(
    service: Service,
) -> None:
    takes = "python3 -c 'b = bytearray(150 << 20); print(len(b))'"
    alone = submit(service, takes, resources=Resources(memory=60))
    record = ended(service, alone)
    assert (record.state, record.reason) == (JobState.FAILED, Reason.OUT_OF_MEMORY), record
    assert "slurm says OUT_OF_MEMORY" in "; ".join(record.evidence)
    retry = RetryPolicy(on=("out_of_memory",), delay=0, memory_factor=6)
    again = submit(service, takes, resources=Resources(memory=60), retry=retry)
    record = ended(service, again)
    assert record.state is JobState.COMPLETED
    reasons = [attempt.reason for attempt in record.attempts]
    assert reasons == [Reason.OUT_OF_MEMORY, Reason.SUCCESS]


def test_accounting_tells_how_a_job_ended_that_slurm_has_forgotten(
    accounted: Slurm, service: Service
) -> None:
    """Its node failed while no manager ran: its script could record no end."""
    one = submit(service, "sleep 600")
    native_id = running(service, one).scheduler_job_id or ""
    service.kill()
    node = accounted.run("squeue", "-h", "-o", "%N", "-j", native_id)
    accounted.run("scontrol", "update", f"NodeName={node}", "State=down", "Reason=test")
    until(lambda: not accounted.knows(native_id), "Slurm has forgotten it", 150)
    accounted.run("scontrol", "update", f"NodeName={node}", "State=resume", check=False)
    service.start()
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.FAILED, Reason.NODE_FAILURE), record
    assert "NODE_FAIL" in "; ".join(record.evidence)


def test_accounting_tells_of_tasks_that_somebody_cancelled_before_they_began(
    accounted: Slurm, service: Service
) -> None:
    """While no manager ran. A retry must not undo it."""
    spec = job("echo ran", batch={"native": ["--begin=now+1hour"]}, retry=RetryPolicy(delay=0))
    tasks = [one.number for one in service.client.submit_many([spec] * 3)]
    array = known(service, tasks[0]).partition("_")[0]
    assert [known(service, one) for one in tasks] == [f"{array}_{at}" for at in range(3)]
    service.kill()
    accounted.run("scancel", array)
    until(lambda: not accounted.knows(array), "Slurm has forgotten it", 150)
    service.start()
    for one in tasks:
        record = ended(service, one)
        assert (record.state, len(record.attempts)) == (JobState.CANCELLED, 1), record
        assert "slurm says CANCELLED by" in "; ".join(record.evidence)
