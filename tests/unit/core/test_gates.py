"""Host limits, the line's order, and gaps in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.sharing import share
from solveyard.model.jobs import JobId, JobState, Limits
from solveyard.model.messages import AgentJoined, Sampled, SetLimits, Started, Ticked
from solveyard.model.resources import Range, Resources
from unit.core.drive import Drive


def sample(drive: Drive, **fields: float) -> None:
    told = {"cpu": 0.0, "ours": 0.0, "memory_free": 10_000, "disk_free": 10_000} | fields
    drive.send(Sampled(machine="m", **told))  # type: ignore[arg-type]  # a sample's fields


def limited(cores: int, **limits: float) -> Drive:
    drive = Drive(cores=cores)
    drive.send(SetLimits(limits=Limits(**limits)))  # type: ignore[arg-type]  # a limit's fields
    return drive


@given(most=st.integers(1, 100), others=st.floats(0, 8), jobs=st.integers(0, 12))
def test_a_burst_never_books_beyond_the_cpu_limit(most: int, others: float, jobs: int) -> None:
    drive = limited(8, max_cpu_percent=most)
    sample(drive, cpu=others)
    for _ in range(jobs):
        drive.one()
    started = len(drive.launched())
    loads = [100 * (others + booked) / 8 for booked in range(9)]
    gated = sum(load < most for load in loads[:8]) if most < 100 else 8
    assert started == min(jobs, gated)


def test_our_own_load_is_not_counted_twice() -> None:
    drive = limited(4, max_cpu_percent=80)
    sample(drive)
    for _ in range(3):
        drive.one()
    sample(drive, cpu=3.0, ours=3.0)
    job = drive.one()
    assert drive.job(job).state is JobState.SUBMITTED
    sample(drive, cpu=4.0, ours=3.0)
    other = drive.one()
    assert drive.why(other) == (
        "the limit max_cpu_percent of 80 %: m is at 125 % (4 of 4 cores booked, others use 1.0)"
    )


def test_what_a_job_takes_on_each_of_its_nodes_counts_together() -> None:
    drive = limited(4, min_memory_gb=1)
    nodes = {name: Resources(cores=4, memory=2000) for name in ("a", "b")}
    drive.send(AgentJoined(machine="m", nodes=nodes, boot_id="boot"))
    sample(drive, memory_free=4000)
    wide = drive.one(resources=Resources(nodes=2, memory=1500))
    assert drive.why(wide) == "the limit min_memory_gb of 1 GiB: m would have 1.0 GiB left"
    sample(drive, memory_free=4024)
    assert drive.job(wide).state is JobState.SUBMITTED


def test_a_limit_that_is_not_meant_stays_whoever_else_sets_one() -> None:
    drive = limited(4, max_cpu_percent=80, max_concurrent=2)
    drive.send(SetLimits(limits=Limits(min_memory_gb=1), only=("min_memory_gb",)))
    drive.send(SetLimits(limits=Limits(), only=("max_concurrent",)))
    assert drive.engine.limits == Limits(max_cpu_percent=80, min_memory_gb=1)
    drive.send(SetLimits(limits=Limits(max_concurrent=1)))
    assert drive.engine.limits == Limits(max_concurrent=1)


def test_a_closed_gate_ends_no_job_and_opens_with_the_next_look() -> None:
    drive = limited(4, max_cpu_percent=50)
    job = drive.one()
    assert drive.why(job) == "the first look at how busy m is, which the limits need"
    sample(drive, cpu=3.0)
    assert drive.job(job).state is JobState.QUEUED
    sample(drive, cpu=1.0)
    assert drive.job(job).state is JobState.SUBMITTED
    sample(drive, cpu=4.0)
    assert drive.job(job).state is JobState.SUBMITTED


@pytest.mark.parametrize(("name", "field"), [("min_memory_gb", "memory"), ("min_disk_gb", "disk")])
def test_what_was_just_promised_counts_as_gone(name: str, field: str) -> None:
    drive = limited(8, **{name: 1.0})
    sample(drive, **{f"{field}_free": 1024 + 90})
    for _ in range(4):
        drive.one(resources=Resources(**{field: 30 if field == "memory" else 0}))
    assert len(drive.launched()) == (3 if field == "memory" else 4)


def test_100_percent_and_0_gb_switch_a_gate_off() -> None:
    drive = limited(1, max_cpu_percent=100, min_memory_gb=0, min_disk_gb=0)
    job = drive.one()
    assert drive.job(job).state is JobState.SUBMITTED


def test_a_small_job_that_ends_in_time_fills_the_gap() -> None:
    drive = Drive(cores=4)
    long = drive.one(resources=Resources(cores=3), time_limit=100.0, grace=0.0, priority=1)
    drive.send(Started(attempt=drive.attempt(long), at=100.0))
    big = drive.one(resources=Resources(cores=4), priority=1)
    late = drive.one(time_limit=200.0, grace=0.0)
    short = drive.one(time_limit=50.0, grace=0.0)
    assert drive.launched() == [long, short]
    assert drive.why(big).endswith("held by jobs 1, 4, until 1970-01-01 00:03:20 UTC at the latest")
    assert drive.why(late) == "its turn: 1 of the waiting jobs go before it"


def urgent(drive: Drive, cores: int) -> JobId:
    """Others that come later are less urgent, and so nothing is lent to them."""
    return drive.one(resources=Resources(cores=cores), priority=1)


def test_what_is_left_beside_the_big_one_can_be_used() -> None:
    drive = Drive(cores=4)
    urgent(drive, 2)
    big = urgent(drive, 3)
    first, second = drive.one(), drive.one()
    assert drive.launched() == [1, first]
    drive.end(1)
    assert drive.launched() == [1, first, big]
    assert drive.job(second).state is JobState.QUEUED


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30))
def test_a_big_job_starts_once_what_ran_before_it_has_ended(sizes: list[int]) -> None:
    drive = Drive(cores=4)
    before = [urgent(drive, 2) for _ in range(2)]
    big = urgent(drive, 4)
    for size in sizes:
        drive.one(resources=Resources(cores=size))
    for job in before:
        drive.end(job)
    assert drive.job(big).state is JobState.SUBMITTED


def test_time_alone_lets_no_gap_open() -> None:
    drive = Drive(cores=2)
    drive.one()
    drive.one(resources=Resources(cores=2))
    drive.one()
    step = drive.send(Ticked(), after=1000.0)
    assert (step.events, step.actions) == ([], [])


@pytest.mark.parametrize(
    ("cores", "tasks", "total", "wanted"),
    [
        (Range(min=1, split="rounds"), 5, 8, [1, 1, 2, 2, 2]),
        (Range(min=1, split="rounds"), 20, 8, [*[1] * 6, 2, *[1] * 6, 2, 1, 1, 1, 1, 2, 2]),
        (Range(min=3, split="rounds"), 4, 8, [4, 4, 4, 4]),
        (Range(split="parts", parts=3), 4, 8, [2, 2, 2, 2]),
        (Range(split="parts"), 4, 8, [2, 2, 2, 2]),
        (Range(split="parts", parts=9), 1, 8, [0]),
        (Range(min=9, split="rounds"), 1, 8, [0]),
    ],
)
def test_tasks_share_the_cores_as_qcg_pilotjob_s_schedulers_do(
    cores: Range, tasks: int, total: int, wanted: list[int]
) -> None:
    assert [share(cores, position, tasks, total) for position in range(tasks)] == wanted


def test_a_limit_of_one_kind_says_nothing_of_the_others() -> None:
    drive = limited(8, max_cpu_percent=50)
    sample(drive, memory_free=5, disk_free=5)
    job = drive.one(resources=Resources(memory=50))
    assert drive.job(job).state is JobState.SUBMITTED


def test_gaps_are_filled_until_half_of_what_runs_came_after_the_first_in_line() -> None:
    drive = Drive(cores=8)
    running = [urgent(drive, 2) for _ in range(4)]
    first = urgent(drive, 4)
    small = [drive.one() for _ in range(5)]
    drive.end(running[0])
    assert drive.launched() == [*running, *small[:2]]
    drive.end(running[1])
    assert drive.launched() == [*running, *small[:2]]
    drive.end(running[2])
    assert drive.launched() == [*running, *small[:2], first]


def test_the_first_in_line_gets_what_comes_free_though_one_job_never_ends() -> None:
    drive = Drive(cores=8)
    endless, _, other = urgent(drive, 4), urgent(drive, 2), urgent(drive, 2)
    drive.end(drive.launched()[1])
    first = urgent(drive, 4)
    passing = [drive.one(resources=Resources(cores=2)) for _ in range(3)]
    drive.end(other)
    assert drive.launched()[3:] == passing[:1]
    drive.end(passing[0])
    assert drive.launched()[3:] == [passing[0], first]
    assert drive.job(endless).state is JobState.SUBMITTED


def test_what_the_first_in_line_does_not_need_may_be_taken() -> None:
    """It waits for memory, and keeps its core beside the memory; other cores are free."""
    drive = Drive(cores=4)
    holder = drive.one(resources=Resources(memory=80), priority=1)
    first = drive.one(resources=Resources(memory=60), priority=1)
    passing = [drive.one() for _ in range(3)]
    assert drive.launched() == [holder, *passing[:2]]
    drive.end(passing[0])
    assert drive.launched() == [holder, *passing]
    drive.end(holder)
    assert drive.launched() == [holder, *passing, first]


def test_scratch_space_that_one_job_holds_is_not_given_to_another() -> None:
    drive = Drive(cores=4)
    node = {"a": Resources(cores=4, memory=100, disk=50)}
    drive.send(AgentJoined(machine="m", nodes=node, boot_id="boot"))
    first, second = (drive.one(resources=Resources(disk=30)) for _ in range(2))
    assert drive.launched() == [first]
    drive.end(first)
    assert drive.launched() == [first, second]


def test_what_was_promised_shortly_before_a_sample_is_not_seen_by_it_yet() -> None:
    drive = limited(4, min_memory_gb=1)
    sample(drive, memory_free=1074)
    first = drive.one(resources=Resources(memory=30))
    sample(drive, memory_free=1074)
    second = drive.one(resources=Resources(memory=30))
    assert drive.launched() == [first]
    sample(drive, memory_free=1074)
    assert drive.launched() == [first, second]
