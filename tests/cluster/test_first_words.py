"""Whoever submits one job for a cluster is told at once what Slurm says of it."""

import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse

import msgspec
import pytest

from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, job
from cluster.slurm import Slurm
from conftest import Service, until
from solveyard.model.errors import BackendError
from solveyard.model.jobs import JobSpec, JobState
from solveyard.yard import Yard

ALLOWED = 'allow = ["command"]\n'


@pytest.fixture(scope="module")
def service(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from serving(slurm, tmp_path_factory.mktemp("first_words"), ALLOWED + SETTINGS)


def posted(
    service: Service, spec: JobSpec | list[JobSpec], path: str, **headers: str
) -> HTTPResponse:
    request = urllib.request.Request(
        f"{service.told['url']}{path}",
        data=msgspec.json.encode(spec),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {service.told['token']}",
            **headers,
        },
    )
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=60)
    return answer


@pytest.mark.parametrize("path", ["/jobs/submit", "/jobs"])
def test_the_answer_to_a_submission_has_the_native_id(
    slurm: Slurm, service: Service, path: str
) -> None:
    with posted(service, job("sleep 60"), path) as answer:
        told = json.load(answer)
    assert answer.status == 201
    native = told["job"]["scheduler_job_id"]
    assert slurm.state(native) in {"PENDING", "RUNNING"}
    assert told["status"] in {"scheduled", "running"}
    assert f" as {native}" in told["message"]
    slurm.run("scancel", native)


def test_a_refusal_is_502_in_slurms_words_however_often_it_is_sent(service: Service) -> None:
    before = len(service.client.jobs().jobs)
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError) as raised:
            posted(
                service, job("true", batch={"queue": "nosuch"}), "/jobs/submit",
                **{"Idempotency-Key": "refused"},
            )  # fmt: skip
        told = json.load(raised.value)
        assert (raised.value.code, told["kind"], told["success"]) == (502, "backend", False)
        assert "invalid partition specified: nosuch" in told["error"]
    assert len(service.client.jobs().jobs) == before + 1
    newest = service.client.jobs(limit=1).jobs[0]
    assert newest.state is JobState.FAILED
    assert f"job {newest.id} was kept" in told["error"]


def test_of_several_each_has_its_native_id_or_its_refusal(slurm: Slurm, service: Service) -> None:
    specs = [job("sleep 60"), job("true", batch={"queue": "nosuch"}), job("sleep 60")]
    here = msgspec.structs.replace(job("true"), on="")
    with posted(service, [*specs, here], "/jobs") as answer:
        told = json.load(answer)["jobs"]
    assert answer.status == 201
    first, refused, third, _ = told
    for one in (first, third):
        assert slurm.state(one["scheduler_job_id"]) in {"PENDING", "RUNNING"}
        slurm.run("scancel", one["scheduler_job_id"])
    assert (refused["state"], refused["reason"]) == ("failed", "launch")
    assert "invalid partition specified: nosuch" in refused["message"]


def test_several_are_502_only_where_all_of_them_were_refused(service: Service) -> None:
    refused = job("true", batch={"queue": "nosuch"})
    with pytest.raises(urllib.error.HTTPError) as raised:
        posted(service, [refused, refused], "/jobs/submit")
    told = json.load(raised.value)
    assert (raised.value.code, told["kind"]) == (502, "backend")
    assert told["error"].startswith("none of 2 was taken; the first: slurm refused it")
    newest = service.client.jobs(limit=2).jobs
    assert [one.reason for one in newest] == ["launch", "launch"]
    with pytest.raises(BackendError, match="none of 2 was taken"):
        service.client.submit_many([refused, refused])


def test_clients_and_the_command_line_tell_the_id_and_the_refusal(
    slurm: Slurm, service: Service
) -> None:
    record = service.client.submit(job("sleep 60"))
    assert slurm.state(record.scheduler_job_id) in {"PENDING", "RUNNING"}
    with pytest.raises(BackendError, match="invalid partition"):
        service.client.submit(job("true", batch={"queue": "nosuch"}))
    mine = Yard(service.store).command(["sleep", "60"], on="slurm")
    assert f" as {mine.record.scheduler_job_id}>" in repr(mine)
    options = [sys.executable, "-m", "solveyard.cli", "--store", str(service.store)]
    done = subprocess.run(
        [*options, "submit", "--on", "slurm", "--", "sleep", "60"],
        env=service.environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    number = done.stdout.strip()
    native = service.client.job(number).scheduler_job_id
    assert done.stderr == f"job {number} is {native} on slurm\n"
    refused = subprocess.run(
        [*options, "submit", "--on", "slurm", "-p", "nosuch", "--", "true"],
        env=service.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 3
    assert "invalid partition specified: nosuch" in refused.stderr
    for one in (record.number, mine.number, int(number)):
        service.client.cancel(one)
        ended(service, one)


def test_one_that_nobody_answers_for_is_queued_after_a_while_and_blocks_nobody(
    slurm: Slurm, service: Service
) -> None:
    """The controller hangs: the submission neither arrives, as far as is known, nor fails."""
    until(lambda: service.client.cluster_status()[0].answers, "Slurm answers")
    slurm.send("slurmctld", signal.SIGSTOP)
    told: list[dict[str, object]] = []
    try:
        waiting = threading.Thread(
            target=lambda: told.append(json.load(posted(service, job("true"), "/jobs/submit")))
        )
        waiting.start()
        until(lambda: len(service.client.jobs(limit=1, states=[JobState.SUBMITTED]).jobs) == 1,
              "it is being submitted")  # fmt: skip
        here = service.client.submit(msgspec.structs.replace(job("true"), on=""))
        assert ended(service, here.number).state is JobState.COMPLETED
        assert not told, "others are served while it waits"
        waiting.join(60)
    finally:
        slurm.send("slurmctld", signal.SIGCONT)
    assert told[0]["status"] == "queued"
    assert ended(service, int(str(told[0]["job_id"]))).state is JobState.COMPLETED
