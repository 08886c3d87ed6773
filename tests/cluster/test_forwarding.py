"""Jobs for a cluster are forwarded to a real Slurm, followed there, and end with evidence."""

from typing import Any

import msgspec

from cluster.slurm import Slurm
from conftest import Service
from solveyard.model.jobs import JobSpec
from solveyard.model.records import JobRecord


def job(*argv: str, **more: Any) -> JobSpec:
    options = msgspec.Raw(msgspec.json.encode({"argv": argv}))
    return JobSpec(solver="command", options=options, on="slurm", **more)


def ended(service: Service, number: int) -> JobRecord:
    assert service.client.wait([number], 60)
    return service.client.job(number)


def test_a_job_runs_on_a_node_and_ends_with_two_witnesses(slurm: Slurm, service: Service) -> None:
    text = "echo $SLURMD_NODENAME; echo $SOLVEYARD_JOB"
    one = service.client.submit(job("sh", "-c", text)).number
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
