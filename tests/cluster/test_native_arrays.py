"""Equal jobs go to Slurm as native arrays, and each is still one of its own."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, job, known, submit, waits_for
from cluster.slurm import Slurm
from conftest import Service, until
from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import JobState, Reason
from solveyard.model.resources import Resources

SMALL = Resources(memory=10)
pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def service(slurm: Slurm, tmp_path: Path) -> Iterator[Service]:
    yield from serving(slurm, tmp_path, SETTINGS + "array_size = 50\n")


def arrays(service: Service, numbers: list[int]) -> list[int]:
    """How many native jobs each array has that these were submitted in, the largest first."""
    natives = [known(service, number).partition("_")[0] for number in numbers]
    return sorted(Counter(natives).values(), reverse=True)


def test_an_arrays_tasks_are_one_native_array_and_end_each_as_it_did(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    text = f"echo $SOLVEYARD_TASK >> {marks}; exit $((SOLVEYARD_TASK % 3))"
    array = service.client.submit(job(text, array=ArraySpec(stop=40), resources=SMALL))
    assert service.client.wait([array.number], 120)
    tasks = service.client.tasks(array.number)
    assert [task.exit_code for task in tasks] == [index % 3 for index in range(40)]
    assert sorted(map(int, marks.read_text().split())) == list(range(40))
    natives = {(task.scheduler_job_id or "").partition("_")[0] for task in tasks}
    assert len(natives) <= 3, "tasks that come together go together"
    assert slurm.state(tasks[1].scheduler_job_id) == "FAILED"


def test_many_equal_jobs_are_split_at_the_sites_limit(service: Service) -> None:
    spec = job("true", resources=SMALL)
    numbers = [one.number for one in service.client.submit_many([spec] * 120)]
    assert service.client.wait(numbers, 120)
    assert {service.client.job(number).state for number in numbers} == {JobState.COMPLETED}
    sizes = arrays(service, numbers)
    assert max(sizes) <= 50
    assert len(sizes) <= 6


def test_jobs_that_ask_for_other_things_go_alone(service: Service) -> None:
    specs = [job("true", resources=Resources(memory=10 + n)) for n in range(3)]
    numbers = [one.number for one in service.client.submit_many(specs)]
    assert service.client.wait(numbers, 60)
    assert arrays(service, numbers) == [1, 1, 1]


def test_one_task_of_a_native_array_is_held_and_cancelled_without_the_others(
    slurm: Slurm, service: Service
) -> None:
    spec = job("true", resources=SMALL, batch={"native": ["--begin=now+1hour"]})
    numbers = [one.number for one in service.client.submit_many([spec] * 3)]
    for number in numbers:
        waits_for(service, number, "BeginTime")
    service.client.hold(numbers[1])
    waits_for(service, numbers[1], "JobHeld")
    service.client.cancel(numbers[2])
    assert ended(service, numbers[2]).state is JobState.CANCELLED
    assert "BeginTime" in service.client.job(numbers[0]).waiting
    for number in numbers[:2]:
        service.client.cancel(number)
    assert service.client.wait(numbers, 60)


def test_an_array_of_unknown_fate_is_found_by_the_next_manager_and_runs_once(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    ended(service, submit(service, "true"))
    slurm.send("slurmctld", signal.SIGSTOP)
    spec = job(f"echo $SOLVEYARD_JOB >> {marks}", resources=SMALL)
    numbers = [one.number for one in service.client.submit_many([spec] * 10)]
    scripts = [service.store / "output" / "0" / f"{number}.1.sh" for number in numbers]
    until(lambda: all(script.exists() for script in scripts), "they are being submitted")
    service.kill()
    service.start()
    slurm.send("slurmctld", signal.SIGCONT)
    assert service.client.wait(numbers, 120)
    assert {service.client.job(number).state for number in numbers} == {JobState.COMPLETED}
    assert sorted(map(int, marks.read_text().split())) == sorted(numbers)


def test_tasks_of_an_array_are_still_ours_for_the_next_manager(service: Service) -> None:
    """They are known by the first of them, and one is cancelled without the others."""
    spec = job("true", resources=SMALL, batch={"native": ["--begin=now+1hour"]})
    numbers = [one.number for one in service.client.submit_many([spec] * 3)]
    for number in numbers:
        waits_for(service, number, "BeginTime")
    service.stop()
    service.start()
    for number in numbers:
        waits_for(service, number, "BeginTime")
    service.client.cancel(numbers[1])
    assert ended(service, numbers[1]).state is JobState.CANCELLED
    for number in (numbers[0], numbers[2]):
        waits_for(service, number, "BeginTime")
        service.client.cancel(number)
    assert service.client.wait(numbers, 60)


@pytest.fixture
def overestimating(slurm: Slurm, tmp_path: Path) -> Iterator[Service]:
    """It doesn't know the site's limit."""
    yield from serving(slurm, tmp_path, SETTINGS)


def test_jobs_whose_array_is_refused_go_alone(overestimating: Service) -> None:
    spec = job("true", resources=SMALL)
    service = overestimating
    numbers = [one.number for one in service.client.submit_many([spec] * 60)]
    assert service.client.wait(numbers, 120)
    records = [service.client.job(number) for number in numbers]
    assert {record.reason for record in records} == {Reason.SUCCESS}
    assert sum("_" not in (record.scheduler_job_id or "") for record in records) >= 52
