"""One wish for several tasks: granted of all of them, or of none."""

from collections.abc import Sequence

import pytest

from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import Conflict, InvalidRequest, QuotaReached, UnknownJob
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, JobSpec, Reason
from solveyard.model.messages import (
    Annotate,
    Cancel,
    ClusterJoined,
    Hold,
    JobWish,
    OfSeveral,
    Release,
    Remove,
    Retry,
    SetPriority,
)
from solveyard.model.shares import Quota, Shares
from unit.core.drive import Drive

SIZE = 4
ALL = range(SIZE)


def an_array(drive: Drive, **fields: object) -> list[JobId]:
    """The tasks of one."""
    array = drive.one(array=ArraySpec(stop=SIZE), **fields)
    return [task_id(array, position) for position in ALL]


def ask(drive: Drive, tasks: Sequence[JobId], wish: type[JobWish], **fields: object) -> None:
    drive.send(OfSeveral(jobs=tuple(tasks), wish=wish(job=tasks[0], **fields)))


def states(drive: Drive, tasks: Sequence[JobId]) -> str:
    """One letter a task."""
    return "".join(str(drive.engine.state(task))[0] for task in tasks)


def test_each_wish_is_granted_of_all_that_are_named() -> None:
    drive = Drive(joined=False)
    tasks = an_array(drive)
    ask(drive, tasks[1:], Hold)
    assert states(drive, tasks) == "qhhh"
    ask(drive, tasks[2:], Release)
    assert states(drive, tasks) == "qhqq"
    ask(drive, tasks, SetPriority, priority=3)
    assert [drive.job(task).priority for task in tasks] == [3] * SIZE
    ask(drive, tasks, Cancel)
    assert states(drive, tasks) == "cccc"
    ask(drive, tasks[:2], Retry)
    assert states(drive, tasks) == "qqcc"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Hold(job=JobId(0)), r"1\[0\] is submitted; only a queued job can be held"),
        (Release(job=JobId(0)), r"1\[0\] is submitted; only a held job can be released"),
        (Retry(job=JobId(0)), r"1\[3\] is queued; only an ended job can be retried"),
        (Remove(job=JobId(0)), "is a task: its whole array can be removed"),
        (Annotate(job=JobId(0), note="n"), "is a task: its tags and note are those of job 1"),
        (SetPriority(job=JobId(0), priority=10**10), "is not within"),
    ],
)
def test_where_one_is_refused_nothing_is_done_to_the_others(wish: JobWish, told: str) -> None:
    drive = Drive()
    tasks = an_array(drive)
    records = dict(drive.engine.jobs)
    with pytest.raises(InvalidRequest, match=f"^nothing was done: .*{told}"):
        drive.send(OfSeveral(jobs=tuple(reversed(tasks)), wish=wish))
    assert drive.engine.jobs == records


def test_a_task_that_is_not_there_keeps_the_others_as_they_are() -> None:
    drive = Drive(joined=False)
    tasks = an_array(drive)
    with pytest.raises(UnknownJob, match="nothing was done: there is no job"):
        ask(drive, [*tasks, task_id(JobId(1), SIZE)], Cancel)
    assert states(drive, tasks) == "qqqq"


def test_a_quota_is_for_all_that_are_retried_at_once() -> None:
    drive = Drive(cores=SIZE, shares=Shares(quotas={"*": Quota(waiting=SIZE)}))
    tasks = an_array(drive)
    for task in tasks:
        drive.end(task, Reason.EXIT_CODE)
    drive.one(hold=True)
    with pytest.raises(QuotaReached, match="1 wait, and this would add 4"):
        ask(drive, tasks, Retry)
    assert states(drive, tasks) == "ffff"
    ask(drive, tasks[1:], Retry)
    assert states(drive, tasks) == "fsss"


def test_tasks_in_a_batch_system_s_line_are_held_and_released_together() -> None:
    drive = Drive(joined=False)
    drive.send(ClusterJoined(machine="slurm", most=SIZE))
    tasks = an_array(drive, on="slurm")
    ask(drive, tasks, Hold)
    assert [drive.job(task).held for task in tasks] == [True] * SIZE
    ask(drive, tasks, Release)
    assert [drive.job(task).held for task in tasks] == [False] * SIZE


def test_what_was_granted_before_by_its_key_is_not_done_again() -> None:
    drive = Drive(joined=False)
    tasks = an_array(drive)
    ask(drive, tasks, Hold, key="k")
    ask(drive, tasks[:1], Release)
    ask(drive, tasks, Hold, key="k")
    assert states(drive, tasks) == "qhhh"


def test_a_long_wish_is_looked_at_and_done_in_parts() -> None:
    drive = Drive(joined=False)
    array = drive.submit(JobSpec(solver="x", array=ArraySpec(stop=1000)))[0]
    tasks = tuple(task_id(array, position) for position in range(1000))
    parts = drive.engine.take_in_parts(OfSeveral(jobs=tasks, wish=Hold(job=array)), drive.now)
    pauses = sum(1 for _ in parts)
    assert pauses > 10
    assert drive.engine.state(tasks[-1]) == "held"


def test_a_restored_engine_refuses_as_the_live_one_does() -> None:
    drive = Drive()
    tasks = an_array(drive)
    asked = OfSeveral(jobs=tuple(tasks), wish=Retry(job=tasks[0]))
    for engine in (drive.engine, drive.restored()):
        with pytest.raises(Conflict, match=r"nothing was done: job 1\[0\] is submitted"):
            engine.handle(asked, drive.now)
