"""The first in line: what goes before it, and that it goes all the same."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Limits, Outcome, Reason
from solveyard.model.messages import (
    AgentJoined,
    AgentLeft,
    Annotate,
    Ended,
    Sampled,
    SetLimits,
    SpawnerJoined,
    Started,
)
from solveyard.model.resources import Resources
from solveyard.model.shares import Shares
from unit.core.drive import Drive

SEAT = Resources(cores=1, licences={"hfss": 1})


def wide(cores: int, **fields: object) -> JobSpec:
    return JobSpec(solver="x", resources=Resources(cores=cores), **fields)  # type: ignore[arg-type]  # any field


def many(count: int, **fields: object) -> list[JobSpec]:
    return [wide(1, **fields)] * count


def passers(drive: Drive, jobs: list[JobId]) -> list[JobId]:
    """Which of them start as the oldest of them end, but for the last, which still runs."""
    ended = 0
    while len(begun := [job for job in drive.launched() if job in jobs]) > ended + 1:
        drive.now += 1.0
        drive.end(begun[ended])
        ended += 1
    return begun


@pytest.mark.parametrize("fair", [False, True])
def test_a_job_that_came_back_to_the_line_is_looked_at_once(fair: bool) -> None:
    drive = Drive(cores=4, shares=Shares(fair=fair))
    drive.start(drive.submit(wide(3, time_limit=1000.0))[0])
    first = drive.submit(wide(4))[0]
    second = drive.submit(wide(2))[0]
    for place in range(70):
        drive.send(Annotate(job=first, note=str(place)))
        drive.send(Annotate(job=second, note=str(place)))
    short = drive.submit(wide(1, time_limit=10.0))[0]
    assert drive.launched()[1:] == [short]


# Who needs no core

COPY = wide(0, time_limit=10.0)


@pytest.mark.parametrize("array", [None, ArraySpec(stop=2)])
def test_who_needs_no_core_starts_though_all_are_taken(array: ArraySpec | None) -> None:
    drive = Drive(cores=2)
    drive.submit(*many(3))
    drive.submit(replace(COPY, array=array))
    assert len(drive.launches) == (3 if array is None else 4)
    assert drive.launches[-1].placement.allocation.cores == 0


def test_nobody_is_beside_whole_nodes_even_after_a_restart() -> None:
    drive = Drive(cores=2)
    whole = JobSpec(solver="x", resources=Resources(whole_nodes=True))
    first, copy = drive.submit(whole, COPY)
    assert drive.launched() == [first]
    drive.engine = drive.restored()
    drive.join()
    second = drive.submit(whole)[0]
    assert drive.launched() == [first]
    drive.end(first)
    assert drive.launched() == [first, copy]
    drive.end(copy)
    assert drive.launched() == [first, copy, second]


# Nobody could run the first now


def two(cores: int = 8) -> Drive:
    """A machine with so many cores, which is away, and one with four."""
    drive = Drive(cores)
    nodes = {"b": Resources(cores=4, memory=100)}
    drive.send(AgentJoined(machine="n", nodes=nodes, boot_id="boot", counts={"bench": 2}))
    drive.send(SpawnerJoined(machine="n", spawner=0, boot_id="boot", ledger="n"))
    return drive


def away(drive: Drive) -> None:
    drive.send(AgentLeft(machine="m"))
    drive.leave()


@pytest.mark.parametrize("held", [False, True])
def test_who_needs_a_machine_that_is_away_keeps_nobody_from_others(held: bool) -> None:
    drive = two()
    before = drive.submit(wide(8)) if held else []
    away(drive)
    first = drive.submit(wide(8))[0]
    others = drive.submit(*many(5))
    assert drive.launched() == [*before, *others[:4]]
    drive.join()
    assert (first in drive.launched()) != held


def test_who_needs_a_machine_that_is_away_keeps_its_seats_and_counts() -> None:
    drive = two()
    away(drive)
    seat = Resources(cores=8, licences={"hfss": 1}, counts={"bench": 1})
    drive.submit(JobSpec(solver="x", resources=seat))
    bench = JobSpec(solver="x", resources=Resources(counts={"bench": 1}))
    first, second, third = drive.submit(JobSpec(solver="x", resources=SEAT), bench, wide(1))
    assert drive.launched() == [second, third]
    assert drive.why(first).startswith("its turn")


def test_who_would_take_too_much_of_what_others_left_keeps_nobody_waiting() -> None:
    drive = Drive(cores=8)
    drive.send(SetLimits(limits=Limits(min_memory_gb=1)))
    drive.send(Sampled(machine="m", cpu=0.0, ours=0, memory_free=1100, disk_free=1000))
    large = JobSpec(solver="x", resources=Resources(cores=1, memory=100))
    small = drive.submit(large, *many(3))[1:]
    assert drive.launched() == small


# What is lent


def test_a_place_is_lent_to_twice_what_it_has_and_then_kept() -> None:
    drive = Drive(cores=4)
    long = drive.one()
    first = drive.submit(wide(4))[0]
    others = drive.submit(*many(20))
    assert passers(drive, others) == others[:8]
    drive.end(long)
    assert drive.launched() == [long, *others[:8]]
    drive.end(others[7])
    assert drive.launched() == [long, *others[:8], first]


def test_what_is_gone_while_the_first_still_would_not_fit_does_not_count() -> None:
    drive = Drive(cores=4)
    drive.one()
    drive.submit(wide(4))
    others = drive.submit(*many(20))
    assert passers(drive, others) == others[:8]
    drive.end(others[7])
    assert drive.launched()[9:] == others[8:11]


def test_a_place_on_a_part_of_the_node_is_kept_too() -> None:
    drive = Drive(cores=4)
    long = drive.submit(wide(2))[0]
    first = drive.submit(wide(3))[0]
    others = drive.submit(*many(20))
    assert passers(drive, others) == others[:8]
    drive.end(long)
    assert drive.launched()[9:] == [first]


def test_memory_that_the_first_needs_is_lent_alike() -> None:
    drive = Drive(cores=20)
    long = drive.one(resources=Resources(memory=50))
    first = drive.one(resources=Resources(memory=100))
    others = drive.submit(*[JobSpec(solver="x", resources=Resources(memory=25))] * 20)
    assert passers(drive, others) == others[:8]
    drive.end(long)
    drive.end(others[7])
    assert drive.launched()[9:] == [first]


def test_whole_nodes_are_lent_to_who_needs_no_core_as_if_it_were_one() -> None:
    drive = Drive(cores=4)
    long = drive.one()
    first = drive.one(resources=Resources(whole_nodes=True))
    others = drive.submit(*[wide(0)] * 20)
    assert passers(drive, others) == others[:8]
    drive.end(long)
    assert drive.launched() == [long, *others[:8]]
    drive.end(others[7])
    assert drive.launched()[9:] == [first]


def test_a_restored_engine_knows_what_was_lent() -> None:
    drive = Drive(cores=4)
    drive.one()
    first = drive.submit(wide(4))[0]
    others = drive.submit(*many(20))
    for job in others[:3]:
        drive.end(job)
    assert drive.launched()[1:] == others[:6]
    drive.engine = drive.restored()
    drive.join()
    for job in drive.launched()[1:]:
        drive.start(job)
    for job in others[3:6]:
        drive.end(job)
    assert drive.launched()[1:] == others[:8]
    assert drive.job(first).state == "queued"


def test_each_first_in_line_lends_anew() -> None:
    drive = Drive(cores=3)
    long = drive.one()
    first, second = drive.submit(wide(3), wide(3))
    others = drive.submit(*many(20))
    assert passers(drive, others) == others[:6]
    drive.end(long)
    drive.end(others[5])
    assert drive.launched() == [long, *others[:6], first]
    another = drive.one(priority=1)
    drive.end(first)
    assert drive.launched()[8:] == [another, *others[6:8]]
    drive.end(another)
    assert passers(drive, others[6:]) == others[6:12]
    drive.end(others[11])
    assert drive.launched()[-1] == second


def test_a_less_urgent_job_is_lent_nothing() -> None:
    drive = Drive(cores=4)
    long = drive.one(priority=1)
    first = drive.submit(wide(4, priority=1))[0]
    drive.submit(*many(3))
    assert drive.launched() == [long]
    equal = drive.one(priority=1)
    assert drive.launched() == [long, equal]
    drive.end(equal)
    drive.end(long)
    assert drive.launched() == [long, equal, first]


def test_where_shares_decide_nothing_is_lent() -> None:
    drive = Drive(cores=4, shares=Shares(fair=True))
    long = drive.one()
    first = drive.submit(wide(4))[0]
    drive.submit(*many(3))
    assert drive.launched() == [long]
    drive.end(long)
    assert drive.launched() == [long, first]


def test_a_seat_that_the_first_needs_is_not_lent() -> None:
    drive = Drive(cores=4)
    long = drive.one()
    first = drive.one(resources=Resources(cores=4, licences={"hfss": 1}))
    seated = drive.one(resources=SEAT)
    plain = drive.one()
    assert drive.launched() == [long, plain]
    drive.end(long)
    drive.end(plain)
    drive.end(first)
    assert drive.launched() == [long, plain, first, seated]


def test_a_place_with_a_time_is_filled_by_what_is_over_by_then_and_lent_once() -> None:
    drive = Drive(cores=4)
    long = drive.one(time_limit=1000.0)
    first = drive.submit(wide(4))[0]
    short = drive.submit(*many(9, time_limit=10.0))
    assert passers(drive, short) == short
    drive.end(short[-1])
    others = drive.submit(*many(9, time_limit=5000.0))
    assert passers(drive, others) == others[:4]
    drive.end(long)
    drive.end(others[3])
    assert drive.launched()[-1] == first


def test_a_time_that_is_later_because_a_place_was_lent_is_none_to_be_over_by() -> None:
    drive = Drive(cores=4)
    drive.one(time_limit=1000.0)
    drive.submit(wide(4))
    others = drive.submit(*many(2, time_limit=5000.0), *many(20, time_limit=3000.0))
    assert passers(drive, others) == others[:4]
    shorter = drive.submit(*many(2, time_limit=500.0))
    assert drive.launched()[5:] == shorter


# Who is taken


def test_the_widest_that_fits_fills_a_gap_and_equal_ones_go_in_order() -> None:
    drive = Drive(cores=8)
    long, first = drive.submit(wide(3), wide(8))
    one, three, two, again = drive.submit(wide(1), wide(3), wide(2), wide(2))
    assert drive.launched() == [long, three, two]
    drive.end(two)
    assert drive.launched()[3:] == [again]
    drive.end(again)
    assert drive.launched()[4:] == [one]
    assert drive.job(first).state == "queued"


def test_priority_counts_before_width() -> None:
    drive = Drive(cores=8)
    long = drive.submit(wide(6, priority=2))[0]
    drive.submit(wide(3, priority=2))
    _, urgent = drive.submit(wide(2, priority=0), wide(1, priority=1))
    assert drive.launched() == [long, urgent]


def test_of_the_last_ones_the_one_that_may_run_longest_goes_first() -> None:
    drive = Drive(cores=8)
    before = drive.submit(wide(8))[0]
    line = [wide(4), wide(8), wide(2, time_limit=9.0), wide(1, time_limit=99.0), wide(1)]
    long, _, short, longer, unknown = drive.submit(*line, wide(2, time_limit=8.0))[:5]
    drive.now += 1.0
    drive.end(before)
    assert drive.launched() == [before, long, longer, short, unknown]


def test_while_others_come_the_widest_goes_first() -> None:
    drive = Drive(cores=8)
    before = drive.submit(wide(8))[0]
    long, first, second = drive.submit(wide(4), wide(4), wide(8))
    drive.now += 1.0
    drive.end(before)
    drive.now += 1.0
    longer, wider = drive.submit(wide(1, time_limit=99.0), wide(3, time_limit=9.0))
    drive.now += 1.0
    drive.end(first)
    assert drive.launched() == [before, long, first, wider, longer]
    assert drive.job(second).state == "queued"


# What never happens


@given(
    lengths=st.lists(st.sampled_from([0.1, 1.0, 1.3, 1.7, 2.9, 5.0]), min_size=8, max_size=40),
    widths=st.lists(st.integers(1, 2), min_size=5, max_size=15),
)
def test_a_wide_job_starts_however_many_others_come(
    lengths: list[float], widths: list[int]
) -> None:
    cores = 4
    drive = Drive(cores=cores)
    ends: list[tuple[float, AttemptId]] = []
    begun = 0

    def go_on() -> None:
        nonlocal begun
        for launch in drive.launches[begun:]:
            length = lengths[begun % len(lengths)]
            heapq.heappush(ends, (drive.now + length, launch.attempt))
            begun += 1
            drive.send(Started(attempt=launch.attempt, at=drive.now))

    drive.submit(*(wide(width) for width in widths))
    go_on()
    first = drive.submit(wide(cores))[0]
    since = 0.0
    while first not in drive.launched():
        while len(drive.engine.jobs) < len(drive.launches) + 9:
            drive.submit(wide(widths[len(drive.engine.jobs) % len(widths)]))
        drive.now, attempt = heapq.heappop(ends)
        drive.send(Ended(attempt=attempt, outcome=Outcome(reason=Reason.SUCCESS)))
        go_on()
        line = drive.engine.scheduler.line.first()
        if line is not None and line[0].id == first:
            since = since or drive.now
            assert drive.now - since <= (2 * cores + 2) * 5.0, "it starves"
