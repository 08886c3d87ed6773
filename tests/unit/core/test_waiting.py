"""The queue, the parking and the deadlines against plain sorting."""

from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.queues import Queue
from solveyard.core.waiting import Deadlines, Parking
from solveyard.model.jobs import Job, JobId, JobSpec, JobState


def job(number: int, priority: int) -> Job:
    return Job(
        id=JobId(number),
        spec=JobSpec(solver="x"),
        owner="",
        submitted_at=0.0,
        arrival=number,
        priority=priority,
        state=JobState.QUEUED,
    )


changes = st.lists(st.tuples(st.integers(0, 8), st.none() | st.integers(-2, 2)), max_size=60)


@given(changes=changes)
def test_the_first_is_always_the_most_urgent_of_those_that_are_in(
    changes: list[tuple[int, int | None]],
) -> None:
    queue, inside = Queue(), dict[int, int]()
    for number, priority in changes:
        if priority is None:
            queue.discard(JobId(number))
            inside.pop(number, None)
        else:
            queue.add(job(number, priority))
            inside[number] = priority
        order = sorted(inside, key=lambda each: (-inside[each], each))
        assert queue.first() == (order[0] if order else None)
        assert len(queue) == len(order)
        assert [queue.place(JobId(each)) for each in order] == [*range(len(order))]


@given(changes=changes)
def test_those_after_the_first_are_in_order_each_once_and_stay(
    changes: list[tuple[int, int | None]],
) -> None:
    queue, inside = Queue(), dict[int, int]()
    for number, priority in changes:
        queue.discard(JobId(number))
        inside.pop(number, None)
        if priority is not None:
            queue.add(job(number, priority))
            inside[number] = priority
    order = sorted(inside, key=lambda each: (-inside[each], each))
    for _ in range(2):
        assert queue.after_first(3) == order[1:4]
        assert queue.ahead(2) == order[:2]


@given(changes=st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 9)), max_size=40))
def test_deadlines_are_due_soonest_first_and_once(changes: list[tuple[int, int | None]]) -> None:
    deadlines, inside = Deadlines(), dict[int, int]()
    for number, at in changes:
        deadlines.set(JobId(number), at)
        inside.pop(number, None)
        if at is not None:
            inside[number] = at
        assert deadlines.next() == min(inside.values(), default=None)
    over = deadlines.due(5)
    assert sorted(over) == sorted(number for number, at in inside.items() if at <= 5)
    assert [inside[number] for number in over] == sorted(inside[number] for number in over)
    assert deadlines.due(5) == []


def test_parked_jobs_come_out_by_their_key_and_those_that_left_do_not() -> None:
    parking = Parking()
    for number, key in ((1, "p"), (2, "q"), (3, "p"), (4, "p")):
        parking.park(JobId(number), key)
    parking.discard(JobId(3))
    assert (parking.key_of(JobId(2)), JobId(3) in parking) == ("q", False)
    assert parking.freed("p") == [1, 4]
    assert parking.freed("p") == []
    assert parking.freed("nobody's") == []
