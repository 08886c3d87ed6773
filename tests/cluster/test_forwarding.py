"""Jobs for a cluster are forwarded to a real Slurm, followed there, and end with evidence."""

from cluster.jobs import ended, submit
from cluster.slurm import Slurm
from conftest import Service


def test_a_job_runs_on_a_node_and_ends_with_two_witnesses(slurm: Slurm, service: Service) -> None:
    one = submit(service, "echo $SLURMD_NODENAME; echo $SOLVEYARD_JOB")
    record = ended(service, one)
    assert record.state == "completed", record
    assert record.status == "completed"
    node, number = service.client.log(one).content.split()
    assert node in {b"n1", b"n2", b"n3", b"n4"}
    assert int(number) == one
    assert any("slurm says COMPLETED" in line for line in record.evidence), record.evidence
    assert any("recorded its end" in line for line in record.evidence)
    (attempt,) = record.attempts
    assert attempt.machine == "slurm"
    assert attempt.native_id == record.scheduler_job_id
    assert slurm.run("squeue", "-h", "-t", "all", "-o", "%i", "-j", attempt.native_id)
