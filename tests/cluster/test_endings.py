"""Every way in which a real Slurm ends a job is told as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, job, known, refused, running, submit, waits_for
from cluster.slurm import Slurm
from conftest import Service, until
from solveyard.model.jobs import JobState, Reason
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Resources

LATER = ["--begin=now+1hour"]  #: keeps a job waiting
ALL_NODES = Resources(nodes=4, cores=8)


@pytest.fixture(scope="module")
def service(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from serving(slurm, tmp_path_factory.mktemp("endings"), SETTINGS)


def evidence(record: object) -> str:
    return "; ".join(record.evidence)  # type: ignore[attr-defined]


def test_success_takes_the_expected_output(slurm: Slurm, service: Service) -> None:
    one = submit(service, "echo 1 > result", options={"outputs": ["result"]})
    record = ended(service, one)
    assert (record.state, record.exit_code) == (JobState.COMPLETED, 0)
    missing = submit(service, "true", options={"outputs": ["result"]})
    assert ended(service, missing).reason is Reason.NO_OUTPUT


def test_an_exit_code(service: Service) -> None:
    record = ended(service, submit(service, "exit 7"))
    assert (record.state, record.reason, record.exit_code) == (JobState.FAILED, "exit_code", 7)
    assert "slurm says FAILED" in evidence(record)


def test_a_signal(service: Service) -> None:
    record = ended(service, submit(service, "kill -SEGV $$"))
    assert (record.reason, record.signal) == (Reason.SIGNAL, 11)


def test_a_refusal_is_told_in_slurms_words(service: Service) -> None:
    record = refused(service, "true", batch={"queue": "nosuch"})
    assert (record.state, record.reason) == (JobState.FAILED, Reason.LAUNCH)
    assert "slurm refused it" in record.message
    assert "invalid partition" in record.message.lower()


def test_more_memory_than_any_node_has_is_refused(service: Service) -> None:
    record = refused(service, "true", resources=Resources(memory=10**6))
    assert record.reason is Reason.LAUNCH
    assert "Memory specification can not be satisfied" in record.message


def test_a_prologue_that_fails_keeps_the_command_from_starting(service: Service) -> None:
    record = ended(service, submit(service, "echo ran", batch={"prologue": "false"}))
    assert record.reason is Reason.LAUNCH
    assert "its prologue failed" in record.message
    assert service.client.log(record.number).content == b""


def test_one_whose_script_never_began_is_handed_in_again_once(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    """Slurm can't open its standard input."""
    given = tmp_path / "input"
    wish = {"native": [f"--input={given}"]}
    never = ended(service, submit(service, "echo ran", batch=wish))
    assert (never.state, never.reason) == (JobState.FAILED, Reason.LAUNCH)
    assert "before its script began: JobLaunchFailure" in never.message
    assert "its script never began as" in evidence(never)
    assert service.client.log(never.number).content == b""
    one = submit(service, "echo ran", batch=wish)
    first = known(service, one)
    until(lambda: slurm.state(first) == "FAILED", "it could not begin")
    given.touch()
    record = ended(service, one)
    assert record.state is JobState.COMPLETED
    assert record.scheduler_job_id != first
    assert f"its script never began as {first}" in evidence(record)
    assert service.client.log(one).content == b"ran\n"
    assert len(record.attempts) == 1


def test_a_running_job_is_cancelled(slurm: Slurm, service: Service) -> None:
    one = submit(service, "sleep 600")
    running(service, one)
    service.client.cancel(one)
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.CANCELLED, Reason.CANCELLED)
    assert slurm.state(record.scheduler_job_id) == "CANCELLED"
    assert "slurm says CANCELLED" in evidence(record)


def test_a_waiting_job_is_cancelled_and_slurms_reason_stands_on_it(
    slurm: Slurm, service: Service
) -> None:
    one = submit(service, "true", batch={"native": LATER})
    waits_for(service, one, "slurm to start it (BeginTime)")
    record = service.client.job(one)
    assert (record.state, record.status) == (JobState.SUBMITTED, "scheduled")
    service.client.cancel(one)
    record = ended(service, one)
    assert record.state is JobState.CANCELLED
    assert slurm.state(record.scheduler_job_id) == "CANCELLED"


def test_one_that_somebody_else_cancels_is_cancelled(slurm: Slurm, service: Service) -> None:
    one = submit(service, "echo begun; sleep 600")
    until(lambda: service.client.log(one).content == b"begun\n", "its command has begun")
    slurm.run("scancel", known(service, one))
    record = ended(service, one)
    assert record.state is JobState.CANCELLED
    assert record.message == "cancelled in its batch system, not from here"
    assert not record.cancel_requested


def test_a_prolog_that_fails_on_a_node_keeps_the_command_from_starting(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    """Slurm says that it's cancelled, and takes the node out of service."""
    prolog = tmp_path / "prolog"
    prolog.write_text("#!/bin/sh\nexit 1\n")
    prolog.chmod(0o755)
    settings = slurm.conf.read_text()
    slurm.conf.write_text(f"{settings}Prolog={prolog}\n")
    slurm.run("scontrol", "reconfigure")
    try:
        record = ended(service, submit(service, "echo ran"))
    finally:
        slurm.conf.write_text(settings)
        slurm.run("scontrol", "reconfigure")
    assert (record.state, record.reason) == (JobState.FAILED, Reason.LAUNCH)
    assert "slurm took it from n" in record.message
    assert service.client.log(record.number).content == b""
    for number in range(1, 5):  # of which but one is out
        slurm.run("scontrol", "update", f"NodeName=n{number}", "State=resume", check=False)
    until(lambda: slurm.idle() == 4, "the node is back")


def test_a_waiting_job_is_held_and_released(slurm: Slurm, service: Service) -> None:
    one = submit(service, "true", batch={"native": LATER})
    waits_for(service, one, "BeginTime")
    service.client.hold(one)
    waits_for(service, one, "JobHeld")
    service.client.release(one)
    waits_for(service, one, "BeginTime")
    slurm.run("scontrol", "update", f"JobId={known(service, one)}", "StartTime=now")
    assert ended(service, one).state is JobState.COMPLETED


def test_its_time_limit(slurm: Slurm, service: Service) -> None:
    """Slurm's limits are minutes; so the end is moved, and its sweep comes each half minute."""
    one = submit(service, "sleep 600", time_limit=600)
    native_id = running(service, one).scheduler_job_id
    slurm.run("scontrol", "update", f"JobId={native_id}", "EndTime=now+2")
    record = ended(service, one, 90)
    assert (record.state, record.reason) == (JobState.FAILED, Reason.TIME_LIMIT)
    assert "slurm says TIMEOUT" in evidence(record)


def test_a_node_that_fails(slurm: Slurm, service: Service) -> None:
    one = submit(service, "sleep 600")
    node = slurm.run("squeue", "-h", "-o", "%N", "-j", running(service, one).scheduler_job_id or "")
    slurm.run("scontrol", "update", f"NodeName={node}", "State=down", "Reason=test")
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.FAILED, Reason.NODE_FAILURE)
    assert node in evidence(record)
    slurm.run("scontrol", "update", f"NodeName={node}", "State=resume", check=False)  # it may be
    until(lambda: slurm.idle() == 4, "the node is back")


@pytest.mark.parametrize("queue", ["low", "again"])
def test_preemption_and_its_own_retry(slurm: Slurm, service: Service, queue: str) -> None:
    """Exactly two attempts run: the preempted one and the next, though "again" would requeue it."""
    low = submit(
        service, "echo $SOLVEYARD_TRY; [ $SOLVEYARD_TRY = 2 ] || sleep 600",
        resources=ALL_NODES, batch={"queue": queue}, retry=RetryPolicy(on=("preempted",), delay=0),
    )  # fmt: skip
    running(service, low)
    high = submit(service, "true", resources=ALL_NODES, batch={"queue": "high"})
    assert ended(service, high).state is JobState.COMPLETED
    record = ended(service, low)
    assert record.state is JobState.COMPLETED
    assert [attempt.reason for attempt in record.attempts] == [Reason.PREEMPTED, Reason.SUCCESS]
    assert len({attempt.native_id for attempt in record.attempts}) == 2


def test_one_that_slurm_starts_again_runs_once_for_each_attempt(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    """Somebody takes it back from its node, against what its script asked for."""
    marks = tmp_path / "marks"
    once = f"echo $SOLVEYARD_TRY >> {marks}; [ $SOLVEYARD_TRY = 2 ] || sleep 600"
    one = submit(service, once, retry=RetryPolicy(on=("preempted",), delay=0))
    native_id = running(service, one).scheduler_job_id
    until(marks.exists, "its command has begun")
    slurm.run("scontrol", "update", f"JobId={native_id}", "Requeue=1")
    slurm.run("scontrol", "requeue", native_id or "")
    waits_for(service, one, "slurm to start it again")
    record = ended(service, one, 120)
    assert record.state is JobState.COMPLETED
    assert [attempt.reason for attempt in record.attempts] == [Reason.PREEMPTED, Reason.SUCCESS]
    assert "slurm took it back, and started it again" in record.attempts[0].evidence
    assert marks.read_text().split() == ["1", "2"]


def test_a_dependency_that_can_never_be_met_wherever_its_nodes_are(
    slurm: Slurm, service: Service
) -> None:
    failed = ended(service, submit(service, "exit 1"))
    native = [f"--dependency=afterok:{failed.scheduler_job_id}"]
    record = ended(service, submit(service, "true", batch={"native": native}))
    assert (record.state, record.reason) == (JobState.FAILED, Reason.DEPENDENCY)
    slurm.run("scontrol", "update", "NodeName=n1", "State=drain", "Reason=test")
    record = ended(service, submit(service, "true", batch={"native": [*native, "--nodelist=n1"]}))
    slurm.run("scontrol", "update", "NodeName=n1", "State=undrain")
    assert (record.state, record.reason) == (JobState.FAILED, Reason.DEPENDENCY), record.evidence


def test_a_suspended_job_goes_on(slurm: Slurm, service: Service) -> None:
    one = submit(service, "until [ -e go ]; do sleep 0.1; done")
    record = running(service, one)
    native_id = record.scheduler_job_id or ""
    slurm.run("scontrol", "suspend", native_id)
    waits_for(service, one, "SUSPENDED")
    assert service.client.job(one).state is JobState.RUNNING
    slurm.run("scontrol", "resume", native_id)
    (service.store / "jobs" / str(one) / "go").touch()
    assert ended(service, one).state is JobState.COMPLETED


def test_the_log_of_a_running_job_is_read_as_it_grows(service: Service) -> None:
    one = submit(service, "echo first; until [ -e go ]; do sleep 0.1; done; echo second")
    running(service, one)
    until(lambda: service.client.log(one).content == b"first\n", "its first line is there")
    (service.store / "jobs" / str(one) / "go").touch()
    assert b"".join(service.client.follow_log(one)) == b"first\nsecond\n"


def test_a_job_here_and_one_there_run_side_by_side(service: Service) -> None:
    far = submit(service, "until [ -e go ]; do sleep 0.1; done")
    running(service, far)
    here = service.client.submit(replace(job("true"), on="")).number
    assert ended(service, here).state is JobState.COMPLETED
    assert service.client.job(far).state is JobState.RUNNING
    (service.store / "jobs" / str(far) / "go").touch()
    assert ended(service, far).state is JobState.COMPLETED
