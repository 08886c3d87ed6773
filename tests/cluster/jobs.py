"""Jobs for a cluster, "slurm" where none is named, and what the tests wait for."""

from typing import Any

import msgspec
import pytest

from conftest import Service, until
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import BackendError
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.records import JobRecord


def job(
    text: str, *, on: str = "slurm", batch: dict[str, Any] | None = None, **more: Any
) -> JobSpec:
    """Shell text; `batch` are wishes to the batch system."""
    options = {"argv": ["sh", "-c", text], **more.pop("options", {})}
    return JobSpec(
        solver="command",
        options=msgspec.Raw(msgspec.json.encode(options)),
        on=on,
        batch=BatchOptions(**batch) if batch else None,
        **more,
    )


def submit(service: Service, text: str, **more: Any) -> int:
    return service.client.submit(job(text, **more)).number


def refused(service: Service, text: str, **more: Any) -> JobRecord:
    """The record of one that Slurm doesn't take."""
    with pytest.raises(BackendError) as raised:
        submit(service, text, **more)
    newest = service.client.jobs(limit=1).jobs[0]
    assert newest.message in str(raised.value)
    return newest


def ended(service: Service, number: int, seconds: float = 60.0) -> JobRecord:
    assert service.client.wait([number], seconds), service.client.job(number)
    return service.client.job(number)


def running(service: Service, number: int) -> JobRecord:
    return reached(service, number, JobState.RUNNING)


def reached(service: Service, number: int, state: JobState) -> JobRecord:
    until(lambda: service.client.job(number).state == state, f"job {number} is {state}")
    return service.client.job(number)


def known(service: Service, number: int) -> str:
    """Its native id, once Slurm has given it one."""
    until(lambda: bool(service.client.job(number).scheduler_job_id), f"Slurm has job {number}")
    return service.client.job(number).scheduler_job_id or ""


def waits_for(service: Service, number: int, words: str) -> None:
    until(lambda: words in service.client.job(number).waiting, f"job {number} waits for {words}")
