"""Brief jobs are handed out before their slot is free, and taken back when that was wrong."""

import msgspec
import pytest

from solveyard.core.slots import Pace
from solveyard.model.criteria import Measure, Pattern, SuccessCriteria
from solveyard.model.jobs import JobId, JobSpec, JobState, Limits, Reason
from solveyard.model.messages import (
    Accepted,
    AgentJoined,
    Cancel,
    Missing,
    Recalled,
    SetLimits,
    SetPriority,
    SpawnerJoined,
    Ticked,
)
from solveyard.model.resources import Resources
from unit.core.drive import Drive

X = JobSpec(solver="x")


def warm(wall: float = 0.02, ends: int = 4, cores: int = 1) -> Drive:
    """A machine on which X has proved brief."""
    drive = Drive(cores)
    for _ in range(ends):
        drive.end(drive.one(), wall=wall)
    drive.launches.clear()
    return drive


def afters(drive: Drive) -> list[object]:
    return [launch.after for launch in drive.launches]


def chain(drive: Drive, jobs: list[JobId]) -> list[object]:
    """What `after` is when each follows the one before it."""
    return [None, *(drive.attempt(job) for job in jobs[:-1])]


def test_successors_are_handed_out_after_four_brief_ends() -> None:
    drive = warm(ends=3)
    running, waiting, *_ = drive.submit(X, X, X)
    assert drive.launched() == [running]
    drive.end(running, wall=0.02)
    assert drive.launched()[:2] == [running, waiting]
    assert afters(drive)[2] == drive.attempt(waiting)


@pytest.mark.parametrize(("wall", "ahead"), [(0.02, 2), (0.01, 4), (0.001, 49), (0.024, 2)])
def test_at_most_fifty_milliseconds_of_work_wait_in_a_slot(wall: float, ahead: int) -> None:
    drive = warm(wall)
    jobs = drive.submit(*[X] * 60)
    assert drive.launched() == jobs[: len(drive.launches)]
    assert len(drive.launches) in {1 + ahead, 2 + ahead}
    assert (len(drive.launches) - 1) * wall <= 0.05 + 1e-9
    assert afters(drive) == chain(drive, jobs[: len(drive.launches)])
    assert len({launch.placement.slot for launch in drive.launches}) == 1


def test_a_command_that_took_long_once_has_to_prove_itself_again() -> None:
    drive = warm()
    drive.end(drive.one(), wall=0.5)
    drive.submit(X, X)
    assert len(drive.launches) == 2
    assert afters(drive) == [None, None]


@pytest.mark.parametrize(
    "spec",
    [
        JobSpec(solver="x", resources=Resources(licences={"hfss": 1})),
        JobSpec(solver="x", resources=Resources(memory=1)),
    ],
)
def test_nothing_follows_that_needs_something_else_or_holds_more_than_a_share(
    spec: JobSpec,
) -> None:
    drive = warm()
    drive.submit(X, spec)
    assert len(drive.launches) == 1


def test_a_solver_whose_last_jobs_were_brief_has_successors_whatever_their_options() -> None:
    drive = warm()
    distinct = [_of(n) for n in range(3)]
    running, second, third = drive.submit(*distinct)
    assert drive.launched() == [running, second, third]
    assert afters(drive) == chain(drive, [running, second, third])
    assert not any(launch.brief for launch in drive.launches)
    drive.end(running, wall=5.0)
    drive.launches.clear()
    fourth, fifth = drive.submit(_of(3), _of(4))
    drive.send(Ticked(), after=1.0)
    assert not {fourth, fifth} & set(drive.launched())


def test_successors_hold_their_keys_and_count_as_the_one_job_that_may_run() -> None:
    drive = warm()
    drive.send(SetLimits(limits=Limits(max_concurrent=1)))
    own = [JobSpec(solver="x", options=X.options, exclusive=(key,)) for key in ("a", "b", "b")]
    first, second, third = drive.submit(*own)
    assert drive.launched() == [first, second]
    assert len({launch.placement.slot for launch in drive.launches}) == 1
    assert drive.engine.why(third) == f"'b', which job {second} holds"
    drive.end(first, wall=0.02)
    drive.end(second, wall=0.02)
    assert drive.launched() == [first, second, third]


def _of(number: int) -> JobSpec:
    return JobSpec(solver="x", options=msgspec.Raw(b'{"n":%d}' % number))


def test_a_more_urgent_job_has_successors_taken_back_last_first() -> None:
    drive = warm()
    running, second, third = drive.submit(X, X, X)
    urgent = drive.one(priority=1, resources=Resources(memory=1))
    assert drive.recalled() == [drive.attempt(third), drive.attempt(second)]
    for job in (third, second):
        drive.send(Recalled(attempt=drive.attempt(job)))
    assert drive.job(second).state is JobState.QUEUED
    drive.launches.clear()
    drive.end(running, wall=0.02)
    assert drive.launched() == [urgent]
    drive.end(urgent)
    assert drive.launched()[:2] == [urgent, second]


def test_an_impatient_successor_is_taken_back_after_a_tenth_of_a_second() -> None:
    drive = warm()
    _, second, third = drive.submit(X, X, X)
    assert drive.step.wake == 100.1
    drive.send(Ticked(), after=0.1)
    assert drive.recalled() == [drive.attempt(third), drive.attempt(second)]
    assert drive.step.wake is None
    assert drive.send(Ticked(), after=5.0).actions == []


def test_a_limit_takes_successors_back() -> None:
    drive = warm()
    _, second, third = drive.submit(X, X, X)
    drive.send(SetLimits(limits=Limits(max_concurrent=1)))
    assert drive.recalled() == [drive.attempt(third), drive.attempt(second)]


def test_a_cancelled_successor_is_gone_and_the_others_stay() -> None:
    drive = warm()
    _, second, third = drive.submit(X, X, X)
    drive.send(Cancel(job=second))
    drive.end(second, Reason.CANCELLED)
    assert drive.job(second).state is JobState.CANCELLED
    assert drive.job(third).state is JobState.SUBMITTED


@pytest.mark.parametrize("need", [Resources(licences={"hfss": 1}), Resources(counts={"bench": 1})])
def test_nobody_follows_a_job_with_a_licence_or_a_named_count(need: Resources) -> None:
    drive = Drive(joined=False)
    nodes = {"a": Resources(cores=1, memory=100)}
    drive.send(
        AgentJoined(
            machine="m", nodes=nodes, boot_id="boot", licences={"hfss": 2}, counts={"bench": 2}
        )
    )
    drive.send(SpawnerJoined(machine="m", spawner=0, boot_id="boot", ledger="ledger"))
    spec = JobSpec(solver="x", resources=need)
    for _ in range(6):
        drive.end(drive.submit(spec)[0], wall=0.02)
    drive.launches.clear()
    drive.submit(spec, spec)
    assert afters(drive) == [None]


def test_nobody_follows_a_successor_that_may_be_gone() -> None:
    """The spawner would start it at once, beside the one that runs."""
    drive = warm()
    running, second = drive.submit(X, X)
    drive.send(Cancel(job=second))
    third = drive.one()
    assert drive.launched() == [running, second]
    drive.end(second, Reason.CANCELLED)
    assert drive.launches[-1].job == third
    assert drive.launches[-1].after == drive.attempt(running)


def test_nobody_follows_a_successor_that_a_new_connection_has_not_told_of() -> None:
    drive = warm()
    running, second = drive.submit(X, X)
    drive.leave()
    drive.join()
    third = drive.one()
    assert drive.launched() == [running, second]
    drive.send(Accepted(attempt=drive.attempt(second), native_id=""))
    assert drive.launched() == [running, second, third]


def test_a_successor_that_was_never_seen_waits_again_since_others_may_have_gone_on() -> None:
    drive = warm()
    running, second, third = drive.submit(X, X, X)
    drive.leave()
    drive.send(SetLimits(limits=Limits(max_concurrent=1)))
    drive.join()
    missing = Missing(attempt=drive.attempt(second), boot_id="boot", ledger="ledger")
    drive.send(missing)
    assert drive.job(second).state is JobState.QUEUED
    assert drive.job(second).attempts[0].withdrawn
    assert drive.launched() == [running, second, third]


def test_a_recall_that_was_lost_with_its_connection_is_repeated() -> None:
    drive = warm()
    _, second = drive.submit(X, X)
    drive.send(Ticked(), after=0.1)
    recalled = drive.recalled()
    assert recalled == [drive.attempt(second)]
    drive.leave()
    drive.join()
    drive.send(Ticked(), after=0.1)
    assert drive.recalled() == recalled


def test_a_successor_that_becomes_less_urgent_waits_in_the_queue_again() -> None:
    drive = warm()
    running, second, third = drive.submit(X, X, X)
    for job, recalled in ((running, []), (second, [drive.attempt(second)])):
        drive.send(SetPriority(job=job, priority=-1))
        assert drive.recalled() == recalled
    drive.send(Recalled(attempt=drive.attempt(second)))
    drive.end(running, wall=0.02)
    assert drive.launched()[2:] == [third, second]


def test_nobody_follows_a_job_whose_files_are_read_later_however_brief_it_is() -> None:
    read = JobSpec(solver="x", directory="/d")
    pace = Pace(lambda spec: spec.directory != "")
    for _ in range(10):
        pace.ended(read, 0.001)
    assert pace.brief(read) is None
    assert pace.presumably(read) is None
    assert pace.brief(X) is not None
    assert pace.presumably(JobSpec(solver="x", options=msgspec.Raw(b"[1]"))) is not None


MEASURED = {"gain": Measure(source="out.txt", pattern="gain (.*)")}


@pytest.mark.parametrize(
    ("fields", "follows"),
    [
        ({"measures": MEASURED, "directory": "/work"}, False),
        ({"measures": MEASURED}, True),
        ({"success": SuccessCriteria(files=("out.txt",)), "directory": "/work"}, False),
        ({"success": SuccessCriteria(files=("out.txt",))}, True),
        (
            {
                "success": SuccessCriteria(must_match=(Pattern(pattern="ok", source="out.txt"),)),
                "directory": "/work",
            },
            False,
        ),
        ({"success": SuccessCriteria(must_match=("ok",)), "directory": "/work"}, True),
        ({"measures": {"gain": Measure(pattern="gain (.*)")}, "directory": "/work"}, True),
        ({"directory": "/work"}, True),
    ],
)
def test_nobody_follows_one_whose_files_the_next_may_overwrite(
    fields: dict[str, object], follows: bool
) -> None:
    spec = msgspec.structs.replace(X, **fields)
    drive = warm()
    running = drive.submit(spec, spec)
    assert (len(drive.launched()) == 2) == follows
    drive.end(running[0], wall=0.02)
    assert drive.launched()[:2] == running
    drive = warm()
    drive.submit(X, spec)
    assert (len(drive.launched()) == 2) == follows
    drive = warm()
    drive.submit(spec, X)
    assert (len(drive.launched()) == 2) == follows
