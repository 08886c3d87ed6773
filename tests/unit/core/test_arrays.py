"""What the engine makes of arrays and their tasks."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.arrays import counted
from solveyard.core.shelf import Shelf
from solveyard.model.arrays import MOST_TASKS, ArraySpec
from solveyard.model.errors import Conflict
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, JobSpec, JobState, Reason
from solveyard.model.messages import (
    Annotate,
    Cancel,
    ClusterJoined,
    Hold,
    Kill,
    Missing,
    Recalled,
    Release,
    Remove,
    Retry,
    SetPriority,
    Ticked,
)
from solveyard.model.policies import RetryPolicy
from unit.core.drive import Drive

FIVE = ArraySpec(stop=5)


def tasks(array: JobId, *positions: int) -> list[JobId]:
    return [task_id(array, position) for position in positions]


def states(drive: Drive, array: JobId) -> str:
    """One letter a task, all of them."""
    found = [drive.engine.look(task_id(array, p)) for p in range(5)]
    return "".join(task.state[0] for task in found if task is not None)


def test_tasks_begin_in_order_as_there_is_room_and_the_array_ends_with_the_last() -> None:
    drive = Drive(cores=2)
    array = drive.one(array=FIVE)
    assert drive.launched() == tasks(array, 0, 1)
    assert drive.job(array).state is JobState.RUNNING
    while len(drive.launched()) < 5:
        drive.end(drive.launched()[-1])
    assert drive.launched() == tasks(array, 0, 1, 2, 3, 4)
    drive.end(drive.launched()[0])
    assert not drive.job(array).state.final
    drive.end(drive.launched()[-1])
    assert drive.job(array).state is JobState.COMPLETED
    assert drive.job(array).outcome.message == "all 5 tasks succeeded"


def test_a_million_tasks_are_one_record_until_they_begin() -> None:
    drive = Drive(cores=3)
    drive.one(array=ArraySpec(stop=MOST_TASKS))
    assert len(drive.engine.jobs) == 4


def test_attempts_tell_their_task_and_are_found_again() -> None:
    drive = Drive(cores=2)
    array = drive.one(array=FIVE)
    assert [launch.attempt for launch in drive.launches] == ["u.1.0.1", "u.1.1.1"]
    for position, launch in enumerate(drive.launches):
        found = drive.engine.attempt(launch.attempt)
        assert found is not None
        assert found[0].id == task_id(array, position)


def test_no_more_tasks_run_at_once_than_the_array_allows_and_others_pass_it() -> None:
    drive = Drive(cores=4)
    array = drive.one(array=ArraySpec(stop=5, at_once=2))
    other = drive.one()
    assert drive.launched() == [*tasks(array, 0, 1), other]
    assert drive.why(array) == "one of its own tasks to end: 2 may run at once"
    drive.end(task_id(array, 1))
    assert drive.launched()[-1] == task_id(array, 2)


def again(array: JobId, drive: Drive) -> None:
    """Each of its tasks has a record, and waits, or is where it was."""
    for task in tasks(array, 0, 1, 2, 3, 4):
        if drive.engine.state(task) is JobState.QUEUED:
            drive.send(Hold(job=task))
            drive.send(Release(job=task))


def failed_before(array: JobId, drive: Drive) -> None:
    """All of its tasks have failed, and it is run again."""
    for task in tasks(array, 0, 1, 2, 3, 4):
        drive.end(task, Reason.EXIT_CODE)
    drive.send(Retry(job=array))


@pytest.mark.parametrize("changed", [again, failed_before])
@pytest.mark.parametrize("restart", [False, True])
def test_tasks_with_a_record_begin_no_more_than_may_run_at_once(
    changed: Callable[[JobId, Drive], None], restart: bool
) -> None:
    drive = Drive(cores=5)
    array = drive.one(array=ArraySpec(stop=5, at_once=2))
    changed(array, drive)
    if restart:
        drive.engine = drive.restored()
        drive.join()
    other = drive.one()
    assert drive.launched()[-1] == other
    assert states(drive, array) == "ssqqq"
    assert drive.why(task_id(array, 4)) == "one of its array's tasks to end: 2 may run at once"
    drive.end(task_id(array, 1))
    assert states(drive, array) == "scsqq"
    drive.send(SetPriority(job=task_id(array, 4), priority=1))
    assert states(drive, array) == "scsqq"
    drive.end(task_id(array, 0))
    assert states(drive, array) == "ccsqs"


def test_a_task_that_is_tried_again_waits_for_room_among_the_others() -> None:
    drive = Drive(cores=4)
    retry = RetryPolicy(tries=2, delay=10)
    array = drive.one(array=ArraySpec(stop=5, at_once=1), retry=retry)
    drive.end(task_id(array, 0), Reason.EXIT_CODE)
    drive.send(Ticked(), after=11)
    assert states(drive, array) == "qsqqq"
    drive.end(task_id(array, 1))
    assert states(drive, array) == "scqqq"


def test_a_cluster_has_no_more_tasks_at_once_than_the_array_allows() -> None:
    drive = Drive()
    drive.send(ClusterJoined(machine="slurm", most=9))
    array = drive.one(array=ArraySpec(stop=5, at_once=1), on="slurm")
    again(array, drive)
    assert states(drive, array) == "sqqqq"


def test_others_begin_where_those_that_had_room_wait_for_a_key() -> None:
    drive = Drive(cores=2)
    rows = tuple({"key": {0: "r", 299: "q"}.get(n, "p")} for n in range(300))
    many = ArraySpec(rows=rows, at_once=1)
    array = drive.one(array=many, exclusive=("{{key}}",), hold=True)
    for position in range(300):
        drive.send(SetPriority(job=task_id(array, position), priority=1))
    drive.send(Release(job=array))
    holder = drive.one(exclusive=("p",))
    assert drive.launched() == [task_id(array, 0), holder]
    drive.end(task_id(array, 0))
    assert drive.launched()[2:] == [task_id(array, 299)]


def test_one_failed_task_fails_the_array_which_names_it() -> None:
    drive = Drive(cores=5)
    array = drive.one(name="sweep", array=ArraySpec(stop=50, start=40, step=2))
    for position in range(5):
        reason = Reason.EXIT_CODE if position in {1, 2, 4} else Reason.SUCCESS
        drive.end(task_id(array, position), reason)
    outcome = drive.job(array).outcome
    assert (drive.job(array).state, outcome.reason) == (JobState.FAILED, Reason.EXIT_CODE)
    assert outcome.message.startswith("3 of 5 tasks failed: sweep[42,44,48]")


def test_a_retried_array_runs_again_what_did_not_succeed() -> None:
    drive = Drive(cores=5)
    array = drive.one(array=FIVE)
    for position in range(5):
        reason = Reason.EXIT_CODE if position in {1, 3} else Reason.SUCCESS
        drive.end(task_id(array, position), reason)
    drive.send(Retry(job=array))
    assert drive.launched()[5:] == tasks(array, 1, 3)
    assert states(drive, array) == "cscsc"
    for task in tasks(array, 1, 3):
        drive.end(task)
    assert drive.job(array).state is JobState.COMPLETED
    with pytest.raises(Conflict, match="all tasks of 1 succeeded"):
        drive.send(Retry(job=array))


def test_an_array_that_succeeded_before_it_could_be_cancelled_has_nothing_to_retry() -> None:
    drive = Drive(cores=5)
    array = drive.one(array=FIVE)
    drive.send(Cancel(job=array))
    for position in range(5):
        drive.end(task_id(array, position))
    state = drive.job(array).state
    with pytest.raises(Conflict, match="all tasks of 1 succeeded"):
        drive.send(Retry(job=array))
    assert drive.job(array).state is state


def test_one_task_of_an_ended_array_can_be_run_again() -> None:
    drive = Drive(cores=5)
    array = drive.one(array=FIVE)
    for position in range(5):
        drive.end(task_id(array, position))
    drive.send(Retry(job=task_id(array, 2)))
    assert drive.job(array).state is JobState.RUNNING
    drive.end(task_id(array, 2), Reason.SIGNAL)
    assert drive.job(array).state is JobState.FAILED


def test_cancelling_an_array_ends_its_tasks_and_those_that_never_began() -> None:
    drive = Drive(cores=2)
    array = drive.one(array=FIVE)
    drive.end(task_id(array, 0))
    step = drive.send(Cancel(job=array))
    assert [a.attempt for a in step.actions if isinstance(a, Kill)] == ["u.1.1.1", "u.1.2.1"]
    assert states(drive, array) == "csscc"
    drive.end(task_id(array, 1), Reason.CANCELLED)
    assert drive.job(array).state is JobState.RUNNING
    drive.end(task_id(array, 2), Reason.CANCELLED)
    assert drive.job(array).state is JobState.CANCELLED
    assert drive.job(array).outcome.message == "cancelled; 1 of 5 tasks had succeeded"
    assert len(drive.launched()) == 3


def test_after_a_retry_of_one_task_the_other_cancelled_ones_stay_so() -> None:
    drive = Drive(cores=1)
    array = drive.one(array=FIVE)
    drive.send(Cancel(job=array))
    drive.end(task_id(array, 0), Reason.CANCELLED)
    drive.send(Retry(job=task_id(array, 3)))
    assert drive.launched() == tasks(array, 0, 3)
    assert states(drive, array) == "cccsc"
    drive.end(task_id(array, 3))
    assert drive.job(array).state is JobState.CANCELLED
    drive.send(Retry(job=array))
    assert drive.launched()[-1] == task_id(array, 0)


def test_a_cancelled_task_that_never_began_is_passed_over() -> None:
    drive = Drive(cores=1)
    array = drive.one(array=FIVE)
    drive.send(Cancel(job=task_id(array, 1)))
    drive.end(task_id(array, 0))
    assert drive.launched() == tasks(array, 0, 2)


def test_a_held_array_begins_no_more_tasks() -> None:
    drive = Drive(cores=1)
    array = drive.one(array=FIVE)
    drive.send(Hold(job=array))
    drive.end(task_id(array, 0))
    assert drive.launched() == tasks(array, 0)
    assert states(drive, array) == "chhhh"
    assert drive.why(array) == "somebody to release it: it is held"
    with pytest.raises(Conflict, match="held as a whole"):
        drive.send(Release(job=task_id(array, 1)))
    drive.send(Release(job=array))
    assert drive.launched() == tasks(array, 0, 1)


def test_a_held_array_s_tasks_are_held_that_wait_to_be_tried_again_or_are_retried() -> None:
    drive = Drive()
    array = drive.one(array=ArraySpec(stop=3), retry=RetryPolicy(tries=2, delay=60.0))
    paused, failed = task_id(array, 0), task_id(array, 1)
    drive.end(paused, Reason.EXIT_CODE)
    drive.send(Cancel(job=failed))
    drive.end(failed, Reason.CANCELLED)
    drive.send(Hold(job=array))
    drive.send(Retry(job=failed))
    assert {drive.job(task).state for task in (paused, failed)} == {JobState.HELD}
    launched = drive.launched()
    drive.send(Ticked(), after=61.0)
    assert drive.launched() == launched


def test_a_task_of_a_held_array_is_tried_again_once_that_is_released() -> None:
    drive = Drive(cores=1)
    array = drive.one(array=FIVE, retry=RetryPolicy(tries=2))
    drive.send(Hold(job=array))
    drive.end(task_id(array, 0), Reason.EXIT_CODE)
    assert states(drive, array) == "hhhhh"
    assert drive.restored().jobs == drive.engine.jobs
    drive.send(Release(job=array))
    assert states(drive, array) == "sqqqq"
    assert drive.job(task_id(array, 0)).tries == 2


def test_tasks_of_a_held_array_that_are_taken_back_or_never_arrived_are_held() -> None:
    drive = Drive(cores=1)
    for _ in range(4):
        drive.end(drive.one(), wall=0.02)
    array = drive.one(array=FIVE)
    assert states(drive, array) == "sssqq"
    drive.send(Hold(job=array))
    drive.send(Recalled(attempt=drive.attempt(task_id(array, 2))))
    last = drive.attempt(task_id(array, 1))
    drive.send(Missing(attempt=last, boot_id="boot", ledger="ledger"))
    assert states(drive, array) == "shhhh"
    drive.send(Cancel(job=task_id(array, 0)))
    drive.send(Recalled(attempt=drive.attempt(task_id(array, 0))))
    assert states(drive, array) == "chhhh"


LAST = task_id(JobId(1), 4)


@pytest.mark.parametrize("wish", [Hold(job=LAST), SetPriority(job=LAST, priority=-1)])
def test_a_wait_limit_is_over_for_all_tasks_once_one_has_begun(wish: Hold | SetPriority) -> None:
    drive = Drive(cores=1)
    array = drive.one(array=FIVE, wait_limit=60.0)
    drive.send(Ticked(), after=100)
    drive.send(wish)
    drive.send(Ticked(), after=100)
    assert states(drive, array) in {"sqqqh", "sqqqq"}


def test_an_array_s_wait_limit_ends_tasks_with_a_record_too() -> None:
    drive = Drive(cores=1)
    drive.one()
    array = drive.one(array=FIVE, wait_limit=60.0)
    drive.send(SetPriority(job=task_id(array, 4), priority=-1))
    assert drive.step.wake == 160.0
    drive.send(Ticked(), after=60)
    assert states(drive, array) == "ccccf"


def test_a_task_that_was_taken_back_goes_before_those_after_it() -> None:
    drive = Drive(cores=1)
    array = drive.one(array=FIVE)
    drive.send(Recalled(attempt="u.1.0.1"))
    assert [launch.attempt for launch in drive.launches] == ["u.1.0.1", "u.1.0.2"]
    assert drive.job(task_id(array, 0)).state is JobState.SUBMITTED


def test_a_more_urgent_array_goes_before_the_rest_of_another() -> None:
    drive = Drive(cores=1)
    first, second = drive.one(array=FIVE), drive.one(array=FIVE)
    drive.send(SetPriority(job=second, priority=1))
    drive.end(task_id(first, 0))
    assert drive.launched()[-1] == task_id(second, 0)


def test_what_is_written_to_an_array_is_read_of_its_tasks() -> None:
    drive = Drive(cores=2)
    array = drive.one(array=FIVE, note="old")
    drive.send(Annotate(job=array, tags=("board-A",)))
    assert [drive.engine.look(one).spec.tags for one in (array, *tasks(array, 0, 4))] == [
        ("board-A",)
    ] * 3  # type: ignore[union-attr]  # each is there
    assert drive.job(array).spec.note == "old"
    with pytest.raises(Conflict, match="those of job 1"):
        drive.send(Annotate(job=task_id(array, 0), note="new"))
    assert drive.send(Annotate(job=array, tags=("board-A",))).events == []
    drive.send(Annotate(job=array, add_tags=("b", "board-A"), remove_tags=("never",)))
    assert drive.job(array).spec.tags == ("board-A", "b")
    assert drive.send(Annotate(job=array, add_tags=("b",), remove_tags=("c",))).events == []
    drive.send(Annotate(job=array, remove_tags=("board-A",)))
    assert drive.job(array).spec.tags == ("b",)


def test_removing_an_array_removes_its_tasks() -> None:
    drive = Drive(cores=5)
    array = drive.one(name="a", array=FIVE)
    with pytest.raises(Conflict, match="cancel it before"):
        drive.send(Remove(job=array))
    for position in range(5):
        drive.end(task_id(array, position))
    with pytest.raises(Conflict, match="its whole array"):
        drive.send(Remove(job=task_id(array, 0)))
    drive.send(Remove(job=array))
    assert not drive.engine.jobs
    assert not drive.engine.names


def test_an_array_takes_nobody_s_place() -> None:
    drive = Drive(cores=5)
    array = drive.one(name="a", array=FIVE)
    for position in range(5):
        drive.end(task_id(array, position))
    with pytest.raises(Conflict, match="can't take another's place"):
        drive.one(name="a")


@given(st.lists(st.sampled_from([*Reason]), min_size=0, max_size=5))
def test_a_restored_engine_has_the_same_array_in_hand(reasons: list[Reason]) -> None:
    drive = Drive(cores=2)
    array = drive.one(array=FIVE)
    for position, reason in enumerate(reasons):
        drive.end(task_id(array, position), reason)
    counts = drive.engine.scheduler.arrays.counts(drive.job(array))
    assert sum(counts.values()) == 5
    fresh = drive.restored()
    assert fresh.jobs == drive.engine.jobs
    assert fresh.scheduler.arrays.counts(fresh.jobs[array]) == counts
    ended = sum(counts[state] for state in JobState if state.final)
    assert ended == len(reasons)
    assert drive.job(array).state.final == (len(reasons) == 5)


@given(st.integers(-50, 50), st.integers(1, 30), st.integers(1, 7), st.data())
def test_an_index_leads_to_its_position_and_no_other(
    start: int, count: int, step: int, data: st.DataObject
) -> None:
    spec = ArraySpec(start=start, stop=start + step * (count - 1) + 1, step=step)
    wanted = {start + step * position: position for position in range(count)}
    assert len(spec) == count
    index = data.draw(st.integers(start - 3, start + step * count + 3))
    assert spec.position(index) == wanted.get(index)
    for index, position in wanted.items():
        assert spec.index(position) == index


def test_a_grid_goes_through_every_combination_the_last_name_fastest() -> None:
    spec = ArraySpec(grid={"w": (1, 2), "er": (3.5, 4.4, 9.8)})
    assert [tuple(spec.parameters(p).values()) for p in range(len(spec))] == [
        (1, 3.5), (1, 4.4), (1, 9.8), (2, 3.5), (2, 4.4), (2, 9.8),
    ]  # fmt: skip
    assert [*spec.parameters(0)] == ["w", "er"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "not none"),
        ({"stop": 3, "values": (1,)}, "not stop and values"),
        ({"stop": 0}, "has none"),
        ({"start": 2, "stop": -(10**30)}, "has none"),
        ({"values": ()}, "1 to"),
        ({"grid": {}}, "1 to"),
        ({"grid": {"a": ()}}, "1 to"),
        ({"stop": MOST_TASKS + 1}, "1 to 8000000 tasks; this one has more"),
        ({"stop": 10**19}, "has more"),
        ({"grid": {f"g{n}": tuple(range(100)) for n in range(10)}}, "has more"),
        ({"grid": {"a": tuple(range(9000)), "b": tuple(range(9000)), "c": ()}}, "has none"),
        ({"stop": 3, "step": 0}, "`step` is 0"),
        ({"values": (1,), "start": 2}, "go with `stop`"),
        ({"stop": 3, "at_once": 0}, "`at_once` is 0"),
        ({"grid": {"index": (1,)}}, "can't be a parameter's name"),
        ({"rows": ({"a": 1}, {"b": 1})}, "same names"),
    ],
)
def test_an_array_that_makes_no_sense_is_refused(fields: dict, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        JobSpec(solver="x", array=ArraySpec(**fields))


def test_a_key_with_a_place_in_it_is_each_tasks_own() -> None:
    drive = Drive(cores=8)
    holder = drive.one(exclusive=("board-1",))
    sweep = drive.one(name="s", exclusive=("board-{{index}}",), array=ArraySpec(stop=3))
    other = drive.one(exclusive=("board-0",))
    assert drive.launched() == [holder, task_id(sweep, 0), task_id(sweep, 2)]
    assert drive.why(sweep) == f"'board-1', which job {holder} holds"
    assert drive.why(other) == "'board-0', which job s[0] holds"
    drive.end(holder)
    assert drive.launched()[3:] == [task_id(sweep, 1)]
    drive.end(task_id(sweep, 0))
    assert drive.launched()[-1] == other


@given(ends=st.lists(st.sampled_from([Reason.SUCCESS, Reason.EXIT_CODE]), max_size=3))
def test_what_an_array_came_to_is_counted_after_it_was_removed_too(ends: list[Reason]) -> None:
    drive = Drive(cores=8)
    array = drive.one(array=FIVE)
    for position, reason in enumerate(ends):
        drive.end(task_id(array, position), reason)
    drive.send(Cancel(job=array))
    for position in range(len(ends), 5):
        drive.end(task_id(array, position), Reason.CANCELLED)
    before, whole = dict(drive.engine.jobs), drive.job(array)
    counts = drive.engine.scheduler.arrays.counts(whole)
    assert counts[JobState.CANCELLED] == 5 - len(ends)
    drive.send(Remove(job=array))
    assert array not in drive.engine.scheduler.arrays
    assert counted(whole, before, Shelf()) == counts


def test_a_task_whose_own_key_is_busy_keeps_no_other_waiting() -> None:
    drive = Drive(cores=6)
    holder = drive.one(exclusive=("a",))
    values = ArraySpec(values=("a", "a", "b", "b", "c"))
    array = drive.one(array=values, exclusive=("{{value}}",))
    tasks = [task_id(array, position) for position in range(5)]
    assert drive.launched()[1:] == [tasks[2], tasks[4]]
    assert drive.why(tasks[1]) == "'a', which job 1 holds"
    drive.end(tasks[4])
    assert len(drive.launched()) == 3
    drive.end(holder)
    drive.end(tasks[2])
    assert drive.launched()[3:] == [tasks[0], tasks[3]]
    drive.end(tasks[0])
    assert drive.launched()[5:] == [tasks[1]]


def test_a_task_with_two_keys_waits_for_both_and_others_of_either_pass() -> None:
    drive = Drive(cores=9)
    first, second = drive.one(exclusive=("a",)), drive.one(exclusive=("b",))
    rows = ArraySpec(rows=({"x": "a", "y": "b"}, {"x": "a", "y": "c"}, {"x": "b", "y": "d"}))
    array = drive.one(array=rows, exclusive=("{{x}}", "{{y}}"))
    tasks = [task_id(array, position) for position in range(3)]
    drive.end(first)
    assert drive.launched()[2:] == [tasks[1]]
    drive.end(second)
    assert drive.launched()[3:] == [tasks[2]]
    drive.end(tasks[2])
    drive.end(tasks[1])
    assert drive.launched()[4:] == [tasks[0]]
