"""Many jobs over SSH: each has its files and runs once, though managers are killed."""

from collections import Counter
from pathlib import Path

import pytest

from cluster.jobs import ended, job
from cluster.over_ssh import Serving
from cluster.slurm import Slurm
from conftest import until
from solveyard.model.arrays import ArraySpec
from solveyard.model.resources import Resources

pytestmark = pytest.mark.timeout(280)


def test_tasks_of_one_folder_each_have_its_inputs_and_all_their_results_come(
    serving: Serving, slurm: Slurm, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "deck.in").write_text("7\n")
    (work / "mesh").write_bytes(b"mesh" * 50_000)
    (work / "scratch").write_text("the client's\n")
    text = (
        "read n <deck.in; cksum <mesh >mesh.$SOLVEYARD_TASK; echo $((n * SOLVEYARD_TASK))"
        " >result.$SOLVEYARD_TASK; echo $SOLVEYARD_TASK >deck.in"
    )
    service = serving("array_size = 50\n")
    tasks = ArraySpec(stop=12)
    array = service.client.submit(
        job(text, array=tasks, directory=str(work), resources=Resources(memory=10))
    )
    assert service.client.wait([array.number], 200)
    assert {task.state for task in service.client.tasks(array.number)} == {"completed"}
    results = {int(p.suffix[1:]): int(p.read_text()) for p in work.glob("result.*")}
    assert results == {index: 7 * index for index in range(12)}  # nobody had another's deck
    assert len({path.read_text() for path in work.glob("mesh.*")}) == 1
    assert (work / "scratch").read_text() == "the client's\n"
    content = list((serving.there / "content").iterdir())
    assert (work / "mesh").stat().st_size in {path.stat().st_size for path in content}


def test_of_an_array_whose_tasks_begin_one_after_another_nothing_is_left_there(
    serving: Serving, slurm: Slurm
) -> None:
    """Each opens the array's log as it begins, the last one after the first was forgotten."""
    service = serving("array_size = 50\n")
    alone = {"exclusive": True, "native": ("--nodelist=n1",)}
    array = service.client.submit(
        job("[ $SOLVEYARD_TASK = 0 ] || sleep 2", array=ArraySpec(stop=4), batch=alone)
    )
    assert service.client.wait([array.number], 200)
    tasks = service.client.tasks(array.number)
    assert {task.state for task in tasks} == {"completed"}
    assert len({str(task.scheduler_job_id).partition("_")[0] for task in tasks}) == 1
    until(lambda: not list((serving.there / "jobs").iterdir()), "nothing is left there")


def test_a_manager_that_is_killed_ten_times_loses_nothing_and_sends_nothing_twice(
    serving: Serving, slurm: Slurm, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.touch()
    text = f"echo $SOLVEYARD_JOB.$SOLVEYARD_TRY >>{marks}; echo 1 >result"
    service = serving("array_size = 1\n")
    numbers: list[int] = []
    for _ in range(10):
        specs = [job(text, resources=Resources(memory=10)) for _ in range(3)]
        numbers += [one.number for one in service.client.submit_many(specs)]
        service.kill()
        service.start()
    records = [ended(service, number, 200) for number in numbers]
    assert {(one.state, len(one.attempts)) for one in records} == {("completed", 1)}
    assert Counter(marks.read_text().split()) == {f"{number}.1": 1 for number in numbers}
    store = records[0].attempts[0].id.partition(".")[0]
    assert len(slurm.given(store)) == len(numbers)
    for number in numbers:
        assert [file.path for file in service.client.files(number)] == ["result"]
    until(lambda: not list((serving.there / "jobs").iterdir()), "nothing is left there")
