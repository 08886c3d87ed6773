"""Whom a job is told to wait for: those that hold what it lacks, and nobody else."""

import pytest

from solveyard.model.messages import AgentJoined, SpawnerJoined
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
