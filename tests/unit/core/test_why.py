"""Whom a job is told to wait for: those that hold what it lacks, and nobody else."""

import pytest

from solveyard.model.arrays import ArraySpec
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId
from solveyard.model.messages import AgentJoined, Cancel, Hold, SpawnerJoined
from solveyard.model.policies import Dependency
from solveyard.model.resources import Resources
from unit.core.drive import Drive


def joined() -> Drive:
    """A machine of 4 cores, 8000 MiB of memory, 9000 of disk, a GPU and a bench."""
    drive = Drive(joined=False)
    nodes = {"a": Resources(cores=4, memory=8000, disk=9000, gpus=1)}
    drive.send(AgentJoined(machine="m", nodes=nodes, boot_id="boot", counts={"bench": 1}))
    drive.send(SpawnerJoined(machine="m", spawner=0, boot_id="boot", ledger="ledger"))
    return drive


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (Resources(memory=4000), "4000 MiB of memory (2000 MiB free), held by job 2"),
        (Resources(cores=0, memory=4000), "4000 MiB of memory (2000 MiB free), held by job 2"),
        (Resources(disk=3000), "3000 MiB of disk (1000 MiB free), held by job 3"),
        (Resources(cores=0, gpus=1), "1 GPU (0 GPUs free), held by job 4"),
        (Resources(counts={"bench": 1}), "1 of bench (0 free), held by job 5"),
        (Resources(cores=3), "3 cores (2 cores free), held by jobs 1, 2"),
        (
            Resources(cores=3, gpus=1),
            "3 cores, 1 GPU (2 cores and 0 GPUs free), held by jobs 1, 2, 4",
        ),
        (
            Resources(whole_nodes=True),
            "1 whole node (2 cores free), held by jobs 1, 2, 3 and others",
        ),
    ],
)
def test_those_are_named_that_hold_what_lacks(need: Resources, told: str) -> None:
    drive = joined()
    for taken in (
        Resources(),
        Resources(memory=6000),
        Resources(cores=0, disk=8000),
        Resources(cores=0, gpus=1),
        Resources(cores=0, counts={"bench": 1}),
    ):
        drive.one(resources=taken)
    waiting = drive.one(resources=need)
    assert drive.why(waiting) == told


def test_what_is_free_and_not_together_is_told_as_that() -> None:
    drive = Drive(joined=False)
    nodes = {"a": Resources(cores=1, memory=100), "b": Resources(cores=4, memory=100, disk=50)}
    drive.send(AgentJoined(machine="m", nodes=nodes, boot_id="boot"))
    drive.send(SpawnerJoined(machine="m", spawner=0, boot_id="boot", ledger="ledger"))
    drive.one(resources=Resources(cores=0, memory=60, disk=10))
    waiting = drive.one(resources=Resources(cores=0, memory=60, disk=20))
    told = "60 MiB of memory, 20 MiB of disk (not free together on one node), held by job 1"
    assert drive.why(waiting) == told


def test_a_node_that_is_lent_whole_has_nothing_to_give() -> None:
    drive = joined()
    drive.one(resources=Resources(nodes=1, whole_nodes=True))
    waiting = drive.one(resources=Resources(cores=0, memory=100))
    told = "100 MiB of memory (not free together on one node), held by job 1"
    assert drive.why(waiting) == told


def test_who_holds_most_of_it_is_named_first() -> None:
    drive = joined()
    for memory in (100, 3000, 1000, 2000):
        drive.one(resources=Resources(cores=0, memory=memory))
    waiting = drive.one(resources=Resources(memory=2000))
    assert drive.why(waiting).endswith("(1900 MiB free), held by jobs 2, 4, 3 and others")


def test_a_task_without_a_record_waits_for_whom_its_array_waits() -> None:
    drive = joined()
    drive.one(name="prep")
    after = (Dependency(job="prep"),)
    array = drive.one(name="solve", array=ArraySpec(stop=2), after=after)
    told = "job prep to succeed (it is submitted)"
    assert [drive.why(one) for one in (array, task_id(array, 0), task_id(array, 1))] == [told] * 3
    assert drive.engine.scheduler.dependencies.waiting_for(JobId(1)) == [array]


def test_a_task_waits_for_its_own_counterpart() -> None:
    drive = joined()
    drive.one(name="mesh", array=ArraySpec(stop=2))
    after = (Dependency(job="mesh[{{index}}]"),)
    array = drive.one(name="solve", array=ArraySpec(stop=2), after=after)
    assert drive.why(task_id(array, 1)) == "job mesh[1] to succeed (it is submitted)"


def test_a_task_behind_the_next_one_of_its_array_is_told_which_that_is() -> None:
    drive = joined()
    drive.one(name="holder", resources=Resources(cores=4))
    array = drive.one(name="a", array=ArraySpec(stop=2))
    assert drive.why(task_id(array, 0)).startswith("1 core (0 cores free), held by job holder")
    assert drive.why(task_id(array, 1)) == "its turn: the next task of its array is a[0]"


def test_the_next_task_of_an_array_is_told_what_its_array_waits_for() -> None:
    drive = joined()
    drive.one(name="holder", resources=Resources(cores=4))
    drive.one(priority=1)
    array = drive.one(name="a", array=ArraySpec(stop=2))
    told = "its turn: 1 of the waiting jobs go before it"
    assert [drive.why(one) for one in (array, task_id(array, 0))] == [told] * 2


def test_an_array_whose_last_tasks_are_held_waits_for_whoever_releases_them() -> None:
    drive = joined()
    blocker = drive.one(resources=Resources(cores=4), priority=1)
    array = drive.one(name="a", array=ArraySpec(stop=3))
    for position in (0, 2):
        drive.send(Hold(job=task_id(array, position)))
    drive.end(blocker)
    assert drive.why(array) == ""
    drive.end(task_id(array, 1))
    held = "somebody to release it: it is held"
    assert drive.why(array) == f"its tasks a[0], a[2], the first of which waits for {held}"
    drive.send(Cancel(job=task_id(array, 0)))
    assert drive.why(array) == f"its task a[2], which waits for {held}"
