"""Licences that Slurm counts: a job holds them from its start there, and none while it waits."""

from cluster.jobs import ended, refused, running, submit, waits_for
from cluster.slurm import Slurm
from conftest import Service
from solveyard.model.jobs import JobState, Reason
from solveyard.model.resources import Resources


def seats(number: int) -> Resources:
    return Resources(memory=10, licences={"ansys": number})


def free(slurm: Slurm) -> int:
    """Of the four that there are."""
    told = slurm.run("scontrol", "-o", "show", "licenses", "ansys")
    return int(told.partition("Free=")[2].split()[0])


def test_slurm_gives_licences_at_the_start_and_one_that_waits_holds_none(
    slurm: Slurm, service: Service
) -> None:
    first = submit(service, "sleep 600", resources=seats(3))
    running(service, first)
    second = submit(service, "true", resources=seats(2))
    waits_for(service, second, "slurm to start it (Licenses)")
    assert free(slurm) == 1
    third = submit(service, "true", resources=seats(1), batch={"native": ["--begin=now+1hour"]})
    waits_for(service, third, "BeginTime")
    assert free(slurm) == 1
    service.client.cancel(third)
    service.client.cancel(first)
    assert ended(service, second).state is JobState.COMPLETED
    assert ended(service, first).state is JobState.CANCELLED
    assert ended(service, third).state is JobState.CANCELLED


def test_a_licence_that_slurm_doesnt_know_is_refused_in_its_words(service: Service) -> None:
    record = refused(service, "true", resources=Resources(licences={"hfss": 1}))
    assert record.reason is Reason.LAUNCH
    assert "Invalid license specification" in record.message
