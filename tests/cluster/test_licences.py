"""Licences: Slurm counts some, a job's script asks a server for others; none waits with any."""

from pathlib import Path

from cluster.conftest import SETTINGS, serving
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


def lmstat(issued: int) -> str:
    return f"Users of anshpc:  (Total of {issued} licenses issued;  Total of 30 licenses in use)\n"


def test_a_script_waits_for_a_licence_that_slurm_doesnt_know_and_says_so(
    slurm: Slurm, tmp_path: Path
) -> None:
    said, ran = tmp_path / "said", tmp_path / "ran"
    said.write_text(lmstat(36))
    settings = f'{SETTINGS}licences = ["anshpc"]\nlicence_command = "cat {said}"\n'
    for service in serving(slurm, tmp_path, settings):
        one = submit(service, f"touch {ran}", resources=Resources(licences={"anshpc": 7}))
        other = submit(service, "true", resources=Resources(licences={"anshpc": 6}))
        waits_for(service, one, "a licence: its script asks their server")
        running(service, one)
        assert ended(service, other).state is JobState.COMPLETED
        assert not ran.exists()
        said.write_text(lmstat(37))
        assert ended(service, one).state is JobState.COMPLETED
        assert ran.exists()


def test_a_job_that_gets_no_licence_in_time_has_failed_for_that(
    slurm: Slurm, tmp_path: Path
) -> None:
    more = 'licences = ["anshpc"]\nlicence_command = "no-such-lmutil"\nlicence_wait = 1\n'
    for service in serving(slurm, tmp_path, SETTINGS + more):
        one = submit(service, "echo ran", resources=Resources(licences={"anshpc": 1}))
        record = ended(service, one)
        assert (record.state, record.reason) == (JobState.FAILED, Reason.LICENCE), record
        assert service.client.log(one).content == b""
        two = submit(service, "true", resources=Resources(licences={"anshpc": 1}))
        waits_for(service, two, "a licence")
        service.client.cancel(two)
        assert ended(service, two).state is JobState.CANCELLED
