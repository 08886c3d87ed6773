"""Fair shares among owners, and their quotas."""

import pytest
from msgspec.structs import replace

from solveyard.core.shares import PLEDGE
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob, QuotaReached
from solveyard.model.jobs import JobId, JobSpec, JobState
from solveyard.model.messages import (
    AgentJoined,
    Cancel,
    ClockSet,
    Release,
    Remove,
    Retry,
    SpawnerJoined,
    Ticked,
)
from solveyard.model.resources import Range, Resources
from solveyard.model.shares import Quota, Shares
from unit.core.drive import Drive

ONE = JobSpec(solver="x")
FAIR = Shares(fair=True, half_life=1000.0)


def owners(drive: Drive) -> list[str]:
    """Whose jobs were started, in order."""
    return [drive.job(job).owner for job in drive.launched()]


def end_first(drive: Drive, *, wall: float) -> None:
    running = [job.id for job in drive.engine.jobs.values() if job.state is JobState.SUBMITTED]
    drive.now += wall
    drive.end(running[0], wall=wall)


def taken_in_turn(drive: Drive, ends: int, *, wall: float) -> None:
    for _ in range(ends):
        end_first(drive, wall=wall)


def test_jobs_go_as_they_came_where_no_shares_are_set() -> None:
    drive = Drive()
    drive.submit(ONE, ONE, ONE, by="ann")
    drive.submit(ONE, by="bob")
    taken_in_turn(drive, 3, wall=10)
    assert owners(drive) == ["ann", "ann", "ann", "bob"]


def test_whoever_has_used_least_goes_first() -> None:
    drive = Drive(shares=FAIR)
    drive.submit(*[ONE] * 4, by="ann")
    drive.submit(*[ONE] * 4, by="bob")
    taken_in_turn(drive, 7, wall=10)
    assert owners(drive) == ["ann", "bob"] * 4


def test_a_weight_of_three_gets_three_times_as_much() -> None:
    drive = Drive(shares=Shares(fair=True, half_life=1e9, weights={"ann": 3.0}))
    drive.submit(*[ONE] * 40, by="ann")
    drive.submit(*[ONE] * 40, by="bob")
    taken_in_turn(drive, 31, wall=10)
    assert owners(drive).count("ann") == 24


def used(drive: Drive, owner: str) -> float:
    (standing,) = [one for one in drive.engine.standings(drive.now) if one.owner == owner]
    return standing.used


def test_a_leap_of_the_clock_is_nothing_that_anybody_used() -> None:
    drive = Drive(cores=2, joined=False, shares=FAIR)
    drive.join()
    drive.submit(ONE, by="ann")
    leap = ClockSet(at=drive.now + 1.0, by=1e6)
    for _ in range(2):  # it's told again after a fault
        drive.send(leap, after=1e6 + 1.0 if drive.now < 1e6 else 0.0)
    assert used(drive, "ann") == pytest.approx(1.0)
    drive.submit(ONE, by="bob")
    drive.send(Ticked(), after=4.0)
    assert (used(drive, "ann"), used(drive, "bob")) == pytest.approx((5.0, 4.0))
    restored = drive.restored()
    restored.handle(leap, drive.now)
    again = {one.owner: one.used for one in restored.standings(drive.now)}
    assert again == pytest.approx({"ann": 5.0, "bob": 4.0})
    drive.end(1, wall=5.0)
    drive.end(2, wall=4.0)
    assert (used(drive, "ann"), used(drive, "bob")) == pytest.approx((5.0, 4.0))


def test_what_was_used_does_not_fade_by_a_leap_of_the_clock() -> None:
    drive = Drive(shares=FAIR)
    drive.submit(ONE, by="ann")
    end_first(drive, wall=10.0)
    leap = ClockSet(at=drive.now + 1.0, by=1e6)
    drive.send(leap, after=1e6)
    assert used(drive, "ann") == pytest.approx(10.0, rel=0.01)
    restored = drive.restored()
    restored.handle(leap, drive.now)
    assert restored.standings(drive.now) == drive.engine.standings(drive.now)


def test_a_burst_is_shared_too() -> None:
    drive = Drive(cores=8, joined=False, shares=FAIR)
    drive.submit(*[ONE] * 20, by="ann")
    drive.submit(*[ONE] * 20, by="bob")
    drive.join()
    assert owners(drive) == ["ann", "bob"] * 4


def test_priority_goes_before_shares() -> None:
    drive = Drive(shares=FAIR)
    drive.submit(ONE, ONE, by="ann")
    drive.submit(ONE, by="bob")
    drive.submit(JobSpec(solver="x", priority=1), by="ann")
    taken_in_turn(drive, 3, wall=10)
    assert owners(drive) == ["ann", "ann", "bob", "ann"]


def test_what_was_used_counts_half_after_each_half_life() -> None:
    drive = Drive(cores=4, shares=FAIR)
    drive.submit(JobSpec(solver="x", resources=Resources(cores=4)), by="ann")
    end_first(drive, wall=100)
    told = drive.engine.scheduler.owners
    assert told.used("ann", drive.now) == 400
    assert told.used("ann", drive.now + 1000) == 200
    assert told.used("ann", drive.now + 3000) == 50


def test_what_runs_counts_as_it_goes_and_is_pledged_for_a_while() -> None:
    drive = Drive(cores=4, shares=FAIR)
    drive.submit(JobSpec(solver="x", resources=Resources(cores=2)), by="ann")
    drive.submit(ONE, by="bob")
    told = drive.engine.scheduler.owners
    assert told.used("ann", drive.now + 30) == 60
    assert (told.lead("ann"), told.lead("bob")) == (2 * PLEDGE, PLEDGE)


def test_what_an_owner_has_used_outlives_their_jobs_and_a_restart() -> None:
    drive = Drive(shares=FAIR)
    drive.submit(ONE, by="ann")
    end_first(drive, wall=100)
    drive.send(Remove(job=JobId(1)))
    fresh = drive.restored().scheduler.owners
    assert fresh.used("ann", drive.now) == 100


def test_a_label_is_nobody() -> None:
    """Whose a job is says who submitted it, not what it calls itself."""
    drive = Drive(shares=FAIR)
    drive.submit(JobSpec(solver="x", tags=("ann",)), by="bob")
    assert [one.owner for one in drive.engine.standings(drive.now)] == ["bob"]


def quotas(**fields: int) -> Shares:
    return Shares(quotas={"ann": Quota(**fields)})


def test_no_more_run_than_the_quota_says_and_others_pass() -> None:
    drive = Drive(cores=4, shares=quotas(running=2))
    mine = drive.submit(*[ONE] * 3, by="ann")
    drive.submit(ONE, by="bob")
    assert owners(drive) == ["ann", "ann", "bob"]
    assert drive.why(mine[2]) == "ann's quota of 2 running jobs: 2 run"
    end_first(drive, wall=10)
    assert owners(drive) == ["ann", "ann", "bob", "ann"]


def test_no_more_cores_are_held_than_the_quota_says() -> None:
    drive = Drive(cores=8, shares=quotas(cores=4))
    mine = drive.submit(*[JobSpec(solver="x", resources=Resources(cores=3))] * 2, by="ann")
    assert owners(drive) == ["ann"]
    assert drive.why(mine[1]) == "ann's quota of 4 cores: 3 in use, and it needs 3"
    end_first(drive, wall=10)
    assert owners(drive) == ["ann", "ann"]


def test_a_range_takes_what_the_quota_leaves() -> None:
    drive = Drive(cores=8, shares=quotas(cores=4))
    drive.submit(ONE, JobSpec(solver="x", resources=Resources(cores=Range(min=1))), by="ann")
    assert [launch.placement.allocation.cores for launch in drive.launches] == [1, 3]


def test_whole_nodes_count_with_all_their_cores() -> None:
    drive = Drive(cores=8, shares=quotas(cores=8))
    drive.submit(ONE, by="ann")
    whole = drive.submit(JobSpec(solver="x", resources=Resources(whole_nodes=True)), by="ann")
    assert drive.why(whole[0]) == "ann's quota of 8 cores: 1 in use, and it needs 8"


@pytest.mark.parametrize(
    ("quota", "spec", "told"),
    [
        (Quota(cores=2), JobSpec(solver="x", resources=Resources(cores=3)), "quota is 2"),
        (Quota(running=0), ONE, "lets no job run"),
    ],
)
def test_what_a_quota_never_lets_run_is_refused(quota: Quota, spec: JobSpec, told: str) -> None:
    drive = Drive(cores=8, shares=Shares(quotas={"*": quota}))
    with pytest.raises(InvalidJob, match=told):
        drive.submit(spec, by="ann")


def test_no_more_wait_than_the_quota_says() -> None:
    drive = Drive(shares=quotas(waiting=3))
    drive.submit(*[ONE] * 3, by="ann")
    drive.submit(ONE, by="ann")  # one of them runs
    with pytest.raises(QuotaReached, match="3 waiting jobs: 3 wait, and this would add 1"):
        drive.submit(ONE, by="ann")
    drive.submit(*[ONE] * 9, by="bob")
    drive.send(Cancel(job=JobId(2)))
    with pytest.raises(QuotaReached):
        drive.submit(ONE, ONE, by="ann")
    drive.submit(ONE, by="ann")
    with pytest.raises(QuotaReached):
        drive.send(Retry(job=JobId(2)))


def test_each_task_of_an_array_counts_as_waiting() -> None:
    drive = Drive(shares=quotas(waiting=5))
    with pytest.raises(QuotaReached, match="this would add 6"):
        drive.submit(JobSpec(solver="x", array=ArraySpec(stop=6)), by="ann")
    array, first = drive.submit(JobSpec(solver="x", array=ArraySpec(stop=5)), by="ann")
    drive.submit(ONE, by="ann")  # the first task runs
    drive.send(Cancel(job=array))
    drive.end(first)
    drive.submit(*[ONE] * 4, by="ann")
    with pytest.raises(QuotaReached):
        drive.send(Retry(job=array))


def test_one_that_a_quota_keeps_does_not_keep_those_before_it() -> None:
    drive = Drive(cores=5, shares=quotas(cores=3))
    drive.submit(JobSpec(solver="x", resources=Resources(cores=3)), by="bob")
    drive.submit(JobSpec(solver="x", resources=Resources(cores=1)), by="ann")
    drive.submit(JobSpec(solver="x", resources=Resources(cores=4)), by="bob")
    two, three = (JobSpec(solver="x", resources=Resources(cores=n)) for n in (2, 3))
    mine = drive.submit(two, three, by="ann")
    drive.send(Cancel(job=JobId(3)))
    end_first(drive, wall=10)
    assert mine[0] in drive.launched()


WHOLE = JobSpec(solver="x", resources=Resources(whole_nodes=True))


def test_what_no_quota_allows_any_more_keeps_nobody_waiting() -> None:
    """A larger machine has come, and goes again: whole nodes take more, then less."""
    drive = Drive(cores=8, shares=quotas(cores=8))
    whole = drive.submit(replace(WHOLE, hold=True), by="ann")[0]
    large = AgentJoined(machine="n", nodes={"b": Resources(cores=16)}, boot_id="boot")
    drive.send(large)
    drive.send(Release(job=whole))
    other = drive.submit(ONE, by="ann")[0]
    assert drive.launched() == [other]
    assert drive.why(whole) == "another quota: it needs 16 cores, and ann's quota is 8"
    drive.send(replace(large, nodes={"b": Resources(cores=8)}))
    drive.end(other)
    assert drive.launched() == [other, whole]


def test_an_owner_s_line_is_looked_at_again_when_a_machine_has_changed() -> None:
    drive = Drive(cores=8, shares=quotas(cores=8))
    drive.send(AgentJoined(machine="n", nodes={"b": Resources(cores=6)}, boot_id="boot"))
    drive.send(SpawnerJoined(machine="n", spawner=0, boot_id="boot", ledger="n"))
    two = drive.submit(JobSpec(solver="x", resources=Resources(cores=2)), by="ann")[0]
    whole = drive.submit(WHOLE, by="ann")[0]
    assert drive.why(whole) == "ann's quota of 8 cores: 2 in use, and it needs 8"
    drive.send(AgentJoined(machine="m", nodes={"a": Resources(cores=4)}, boot_id="boot"))
    assert drive.launched() == [two, whole]


def test_what_a_smaller_quota_never_lets_run_keeps_nobody_waiting() -> None:
    drive = Drive(cores=8, shares=quotas(cores=8))
    bob = drive.submit(JobSpec(solver="x", resources=Resources(cores=8)), by="bob")[0]
    six = drive.submit(JobSpec(solver="x", resources=Resources(cores=6)), by="ann")[0]
    one = drive.submit(ONE, by="ann")[0]
    drive.shares = quotas(cores=4)
    drive.engine = drive.restored()
    drive.join()
    drive.end(bob)
    assert drive.launched() == [bob, one]
    assert drive.why(six) == "another quota: it needs 6 cores, and ann's quota is 4"


def test_those_that_a_quota_keeps_are_not_ahead_of_others() -> None:
    drive = Drive(cores=3, shares=quotas(running=1))
    drive.submit(*[ONE] * 4, by="ann")
    wide = drive.submit(JobSpec(solver="x", resources=Resources(cores=3)), by="bob")[0]
    assert drive.why(wide).startswith("3 cores (2 cores free)")


def test_those_that_wait_in_a_slot_are_not_told_to_run() -> None:
    drive = Drive(shares=FAIR)
    for _ in range(4):
        drive.end(drive.submit(ONE, by="ann")[0], wall=0.02)
    drive.submit(*[ONE] * 5, by="ann")
    assert len(drive.launched()) > 5
    ann = drive.engine.standings(drive.now)[0]
    assert (ann.running, ann.cores) == (1, 1)
