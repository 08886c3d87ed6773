"""Two hundred jobs with all kinds of endings, at once, and a manager that is killed among them."""

from pathlib import Path

import pytest

from cluster.jobs import job, known
from cluster.slurm import Slurm
from conftest import Service, until
from solveyard.model.jobs import JobState, Reason
from solveyard.model.resources import Resources

LATER = {"native": ["--begin=now+1hour"]}
EACH = 20  #: of ten kinds


@pytest.mark.timeout(290)
def test_two_hundred_jobs_end_each_in_the_right_state_for_the_right_reason(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    marks, go = tmp_path / "marks", tmp_path / "go"
    mark = f"echo $SOLVEYARD_JOB >> {marks}"
    until_go = f"{mark}; until [ -e {go} ]; do sleep 0.5; done"
    refused = {"queue": "nosuch"}
    kinds = [
        (f"{mark}", None, Reason.SUCCESS),
        (f"{mark}; exit 3", None, Reason.EXIT_CODE),
        (f"{mark}; kill -SEGV $$", None, Reason.SIGNAL),
        (f"{mark}; kill -KILL $$", None, Reason.SIGNAL),
        (f"{mark}; echo 1 > result", None, Reason.SUCCESS),
        (f"{mark}; true", None, Reason.NO_OUTPUT),
        (until_go, None, Reason.CANCELLED),
        ("true", LATER, Reason.CANCELLED),
        ("true", refused, Reason.LAUNCH),
        (mark, {"prologue": "exit 9"}, Reason.LAUNCH),
    ]
    specs = [
        job(
            text, batch=batch, resources=Resources(memory=10),
            options={"outputs": ["result"]} if kind in {4, 5} else {},
        )
        for _ in range(EACH)
        for kind, (text, batch, _) in enumerate(kinds)
    ]  # fmt: skip
    numbers = [one.number for one in service.client.submit_many(specs)]
    running, waiting = numbers[6 :: len(kinds)], numbers[7 :: len(kinds)]
    service.kill()
    service.start()
    for number in waiting:
        known(service, number)
        service.client.cancel(number)
    until(lambda: _state(service, running) >= {JobState.RUNNING}, "some of them run")
    for number in running:
        service.client.cancel(number)
    assert service.client.wait(numbers, 200)
    ends = [service.client.job(number).reason for number in numbers]
    assert ends == [reason for _, _, reason in kinds] * EACH
    surely = {number for at, number in enumerate(numbers) if at % len(kinds) < 6}
    started = list(map(int, marks.read_text().split()))
    assert len(started) == len(set(started)), "none runs twice"
    assert surely <= set(started) <= surely | set(running)
    assert len(numbers) == 200


def _state(service: Service, numbers: list[int]) -> set[JobState]:
    return {service.client.job(number).state for number in numbers}
