"""Tasks in pairs go on as soon as their counterpart has ended, whoever else they wait for."""

from solveyard.model.arrays import ArraySpec
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, JobState, Reason
from solveyard.model.messages import Cancel, SetPriority, Ticked
from solveyard.model.policies import Dependency
from unit.core.drive import Drive

THREE = ArraySpec(stop=3)
PREPARED = (Dependency(job="prep"), Dependency(job="mesh[{{index}}]"))


def prepared(drive: Drive, **fields: object) -> tuple[JobId, JobId, JobId]:
    """A job, an array, and one whose tasks wait for the job and for their counterparts."""
    prep, mesh = drive.one(name="prep"), drive.one(name="mesh", array=THREE)
    return prep, mesh, drive.one(**{"name": "solve", "array": THREE, "after": PREPARED, **fields})


def states(drive: Drive, array: JobId) -> list[JobState]:
    found = [drive.engine.state(task_id(array, position)) for position in range(3)]
    return [state for state in found if state is not None]


def test_counterparts_that_ended_while_another_job_was_awaited_are_not_forgotten() -> None:
    drive = Drive(cores=8)
    prep, mesh, solve = prepared(drive)
    drive.end(task_id(mesh, 1))
    drive.end(task_id(mesh, 2))
    assert drive.why(solve) == "job prep to succeed (it is submitted)"
    drive.end(prep)
    assert drive.launched()[4:] == [task_id(solve, 1), task_id(solve, 2)]
    assert drive.why(solve).startswith("job mesh[0] to succeed")


def test_so_are_those_that_were_cancelled_before_they_began() -> None:
    drive = Drive(cores=2)
    after = (Dependency(job="prep"), Dependency(job="mesh[{{index}}]", on="end"))
    prep, mesh, solve = prepared(drive, after=after)
    drive.send(Cancel(job=mesh))
    drive.end(prep)
    assert drive.launched() == [prep, task_id(mesh, 0), task_id(solve, 1)]
    drive.end(task_id(mesh, 0), Reason.CANCELLED)
    assert drive.launched()[3:] == [task_id(solve, 0)]


def test_of_two_counterparts_the_later_one_lets_a_task_go_on() -> None:
    drive = Drive(cores=9)
    mesh, ports = drive.one(name="mesh", array=THREE), drive.one(name="ports", array=THREE)
    after = (Dependency(job="mesh[{{index}}]", on="end"), Dependency(job="ports[{{index}}]"))
    solve = drive.one(name="solve", array=THREE, after=after)
    drive.end(task_id(mesh, 2))
    drive.end(task_id(mesh, 1))
    assert states(drive, solve) == [JobState.QUEUED] * 3
    drive.end(task_id(ports, 2))
    assert drive.launched()[6:] == [task_id(solve, 2)]


def test_a_task_whose_counterpart_failed_does_not_wait_its_turn_to_end() -> None:
    drive = Drive(cores=3)
    mesh = drive.one(name="mesh", array=THREE)
    solve = drive.one(name="solve", array=THREE, after=(Dependency(job="mesh[{{index}}]"),))
    blocker = drive.one(priority=1)
    drive.end(task_id(mesh, 0))
    assert drive.launched()[-1] == blocker
    drive.send(SetPriority(job=solve, priority=-1))
    drive.one()
    drive.end(task_id(mesh, 2), Reason.EXIT_CODE)
    assert states(drive, solve) == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    drive.send(Ticked())
    assert drive.restored().jobs == drive.engine.jobs
