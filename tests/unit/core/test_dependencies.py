"""Who waits for whom, and what becomes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import Conflict, InvalidJob
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, JobSpec, JobState, Reason
from solveyard.model.messages import Cancel, Release, Remove, Retry, Submit, Ticked
from solveyard.model.policies import Dependency, RetryPolicy
from unit.core.drive import Drive


def after(job: object, on: str = "success") -> tuple[Dependency, ...]:
    return (Dependency(job=str(job), on=on),)  # type: ignore[arg-type]  # one of On


@pytest.mark.parametrize(
    ("on", "reason", "runs"),
    [
        ("success", Reason.SUCCESS, True),
        ("success", Reason.EXIT_CODE, False),
        ("success", Reason.CANCELLED, False),
        ("failure", Reason.SUCCESS, False),
        ("failure", Reason.EXIT_CODE, True),
        ("end", Reason.SUCCESS, True),
        ("end", Reason.LOST, True),
    ],
)
def test_a_job_runs_after_the_end_that_it_asks_for_or_never(
    on: str, reason: Reason, runs: bool
) -> None:
    drive = Drive(cores=2)
    first = drive.one()
    second = drive.one(after=after(first, on))
    assert drive.launched() == [first]
    assert drive.why(second).startswith(f"job {first} to ")
    drive.end(first, reason)
    assert (drive.launched() == [first, second]) == runs
    if not runs:
        assert drive.job(second).outcome.reason is Reason.DEPENDENCY


def test_what_can_never_run_ends_with_the_chain_named() -> None:
    drive = Drive(cores=2)
    a = drive.one(name="a")
    b = drive.one(name="b", after=after("a"))
    c = drive.one(name="c", after=after("b"))
    drive.end(a, Reason.EXIT_CODE)
    assert drive.job(b).outcome.reason is Reason.DEPENDENCY
    assert drive.job(c).outcome.message.startswith("it could run only after the success of job b")
    assert [line.split(":")[0] for line in drive.job(c).outcome.evidence] == [
        "job b failed", "job a failed",
    ]  # fmt: skip


def test_who_waits_for_a_number_waits_for_no_other_that_is_called_so() -> None:
    drive = Drive(cores=1)
    first = drive.one()
    drive.send(Submit(specs=(JobSpec(solver="x", name=str(first)),), any_name=True))
    by_name, by_number = drive.one(after=after(first)), drive.one(after=after(f"#{first}"))
    assert drive.job(by_name).after[0].job == first + 1
    assert drive.job(by_number).after[0].job == first


def test_a_job_whose_name_is_a_number_is_told_by_its_own_too() -> None:
    drive = Drive(cores=2)
    first = drive.one()
    named = tuple(JobSpec(solver="x", name=name) for name in (str(first), "3"))
    drive.send(Submit(specs=named, any_name=True))
    waiting, other = drive.one(after=after("1")), drive.one(after=after("3"))
    assert drive.why(waiting) == "job #2 (1) to succeed (it is submitted)"
    assert drive.why(other) == "job 3 to succeed (it is queued)"
    drive.end(JobId(2), Reason.EXIT_CODE)
    outcome = drive.job(waiting).outcome
    assert "the success of job #2 (1), which failed" in outcome.message
    assert outcome.evidence[0].startswith("job #2 (1) failed")


def test_a_chain_of_3000_falls_at_once() -> None:
    drive = Drive()
    specs = [JobSpec(solver="x", name="j0")]
    specs += [JobSpec(solver="x", name=f"j{i}", after=after(f"j{i - 1}")) for i in range(1, 3000)]
    jobs = drive.submit(*specs)
    drive.end(jobs[0], Reason.EXIT_CODE)
    assert {drive.job(job).state for job in jobs} == {JobState.FAILED}


def test_whoever_waits_for_the_end_of_a_held_job_starts_when_it_is_cancelled() -> None:
    drive = Drive()
    held = drive.one(hold=True)
    waiting = drive.one(after=after(held, "end"))
    drive.send(Cancel(job=held))
    assert drive.launched() == [waiting]


def test_whoever_waits_for_a_held_job_to_fail_starts_when_its_wait_is_over() -> None:
    drive = Drive()
    held = drive.one(hold=True, wait_limit=5.0)
    waiting = drive.one(after=after(held, "failure"))
    drive.send(Ticked(), after=6)
    assert drive.launched() == [waiting]


def test_jobs_of_one_submission_may_name_each_other_in_any_order() -> None:
    drive = Drive(cores=2)
    last, first = drive.submit(
        JobSpec(solver="x", name="final", after=after("first")), JobSpec(solver="x", name="first")
    )
    assert drive.launched() == [first]
    drive.end(first)
    assert drive.launched() == [first, last]


def test_who_waits_for_a_task_may_be_named_before_its_array() -> None:
    drive = Drive(cores=2)
    last, sweep = drive.submit(
        JobSpec(solver="x", name="post", after=after("sweep[1]")),
        JobSpec(solver="x", name="sweep", array=ArraySpec(stop=2)),
    )[:2]
    assert drive.launched() == [task_id(sweep, 0), task_id(sweep, 1)]
    assert drive.why(last) == "job sweep[1] to succeed (it is submitted)"
    drive.end(task_id(sweep, 1))
    assert drive.launched()[-1] == last


@pytest.mark.parametrize("link", ["mesh[{{index}}]", "mesh[1]", "mesh"])
def test_an_array_that_waits_may_be_named_before_the_other(link: str) -> None:
    drive = Drive(cores=1)
    solve, mesh = drive.submit(
        JobSpec(solver="x", name="solve", array=ArraySpec(stop=2), after=after(link), priority=1),
        JobSpec(solver="x", name="mesh", array=ArraySpec(stop=2)),
    )[:2]
    assert drive.launched() == [task_id(mesh, 0)]
    drive.end(task_id(mesh, 0))
    second = task_id(solve, 0) if link == "mesh[{{index}}]" else task_id(mesh, 1)
    assert drive.launched()[1:] == [second]


def test_a_restored_engine_knows_of_a_task_whose_array_came_later() -> None:
    drive = Drive(cores=1)
    first = drive.one(name="first")
    drive.end(first)
    drive.one(name="sweep", array=ArraySpec(stop=2), hold=True)
    drive.submit(JobSpec(solver="x", name="first", after=after("sweep[1]")))
    drive.engine = drive.restored()
    drive.join()
    assert drive.job(first).state is JobState.QUEUED
    assert drive.why(first) == "job sweep[1] to succeed (it is held)"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_a_circle_is_refused_and_nothing_else(edges: list[tuple[int, int]]) -> None:
    specs = [
        JobSpec(
            solver="x",
            name=f"j{i}",
            after=tuple(Dependency(job=f"j{b}") for a, b in edges if a == i),
        )
        for i in range(6)
    ]
    reach = {(a, b) for a, b in edges}
    for _ in range(6):
        reach |= {(a, d) for a, b in reach for c, d in reach if b == c}
    circular = any(a == b for a, b in reach)
    drive = Drive()
    if not circular:
        assert len(drive.submit(*specs)) == 6
        return
    with pytest.raises(InvalidJob, match="wait for each other"):
        drive.submit(*specs)
    assert not drive.engine.jobs


def test_whom_nobody_knows_is_refused_with_the_nearest_name() -> None:
    drive = Drive()
    drive.one(name="mesh")
    with pytest.raises(
        InvalidJob, match=r"`after\[0\].job`: there is no job 'mush' \(did you mean"
    ):
        drive.one(after=after("mush"))
    with pytest.raises(InvalidJob, match="is no array"):
        drive.one(after=after("mesh[3]"))


def test_a_task_can_be_waited_for_even_before_it_began() -> None:
    drive = Drive(cores=1)
    array = drive.one(name="s", array=ArraySpec(stop=3))
    other = drive.one(after=after("s[1]"), priority=9)
    drive.end(task_id(array, 0))
    drive.end(task_id(array, 1))
    assert drive.launched()[-1] == other


def test_a_task_that_is_cancelled_with_its_array_ends_who_waits_for_it() -> None:
    drive = Drive(cores=1)
    array = drive.one(name="s", array=ArraySpec(stop=3))
    other = drive.one(after=after("s[2]"))
    drive.send(Cancel(job=array))
    assert drive.job(other).outcome.reason is Reason.DEPENDENCY


def test_tasks_of_two_arrays_go_in_pairs() -> None:
    drive = Drive(cores=1)
    a = drive.one(name="a", array=ArraySpec(stop=3))
    b = drive.one(name="b", array=ArraySpec(stop=3), after=after("a[{{index}}]"), priority=1)
    drive.end(task_id(a, 0))
    assert drive.launched()[-1] == task_id(b, 0)
    drive.end(task_id(b, 0))
    drive.end(task_id(a, 1), Reason.EXIT_CODE)
    assert drive.job(task_id(b, 1)).outcome.reason is Reason.DEPENDENCY
    assert drive.launched()[-1] == task_id(a, 2)
    drive.end(task_id(a, 2))
    drive.end(task_id(b, 2))
    assert drive.job(b).outcome.message.startswith("1 of 3 tasks failed: b[1]")


def test_who_may_be_tried_again_counts_in_a_circle_while_it_runs() -> None:
    drive = Drive(cores=2)
    b = drive.one(name="b")
    a = drive.one(name="a", after=after("b"), retry=RetryPolicy(tries=2))
    drive.end(b)
    drive.start(a)
    with pytest.raises(InvalidJob, match="for ever: b after a after b"):
        drive.one(name="b", after=after("a", "end"))
    drive.end(a)
    drive.submit(JobSpec(solver="x", name="b", after=after("a", "end")))
    assert drive.launched()[-1] == b


def test_who_runs_for_the_last_time_waits_for_nobody_any_more() -> None:
    drive = Drive(cores=2)
    drive.end(drive.one(name="b"))
    a = drive.one(name="a", after=after("b"))
    with pytest.raises(InvalidJob, match="b after a after b"):
        drive.one(name="b", after=after("a", "end"))
    drive.start(a)
    drive.submit(JobSpec(solver="x", name="b", after=after("a", "end")))
    drive.end(a, Reason.EXIT_CODE)
    assert drive.launched()[-1] == drive.engine.names["b"]


@pytest.mark.parametrize("array", [None, ArraySpec(stop=1)])
def test_who_is_waited_for_by_whom_it_waited_for_is_not_retried(array: ArraySpec | None) -> None:
    drive = Drive(cores=2)
    b = drive.one(name="b")
    a = drive.one(name="a", after=after("b", "end"), array=array)
    drive.end(b)
    run = a if array is None else task_id(a, 0)
    drive.end(run, Reason.EXIT_CODE)
    drive.submit(JobSpec(solver="x", name="b", after=after("a", "end"), hold=True))
    for job in (a, run):
        with pytest.raises(Conflict, match=r"a after b after a \(cancel another"):
            drive.send(Retry(job=job))
    drive.send(Cancel(job=b))
    drive.send(Retry(job=run))
    assert drive.launched()[-1] == run


def test_a_job_that_is_run_again_makes_those_wait_that_have_not_started() -> None:
    drive = Drive(cores=1)
    a = drive.one()
    drive.end(a)
    busy = drive.one()
    b = drive.one(after=after(a))
    drive.send(Retry(job=a))
    drive.end(busy)
    assert drive.launched() == [a, busy, a]
    drive.end(a)
    assert drive.launched()[-1] == b


def test_what_somebody_waits_for_is_not_removed() -> None:
    drive = Drive(cores=1)
    a = drive.one()
    drive.end(a)
    drive.one()
    b = drive.one(after=after(a))
    with pytest.raises(Conflict, match=f"job {b} waits for how job {a} ends"):
        drive.send(Remove(job=a))
    drive.send(Cancel(job=b))
    drive.send(Remove(job=a))


@pytest.mark.parametrize("on", ["success", "failure"])
@pytest.mark.parametrize("how", ["doomed", "cancelled"])
def test_after_a_removal_nobody_runs_on_an_end_that_nobody_knows(on: str, how: str) -> None:
    drive = Drive(cores=2)
    a = drive.one(name="a")
    b = drive.one(name="b", after=after("a", on))
    if how == "cancelled":
        drive.send(Cancel(job=b))
    drive.end(a, Reason.EXIT_CODE if on == "success" else Reason.SUCCESS)
    drive.send(Remove(job=a))
    for engine in (drive.engine, drive.restored()):
        with pytest.raises(Conflict, match=f"b could run only after the {on} of job a, which was"):
            engine.handle(Retry(job=b), drive.now)
    assert drive.launched() == [a]


@pytest.mark.parametrize(("on", "again"), [("success", True), ("end", False)])
def test_whom_a_removed_job_let_run_may_run_again(on: str, again: bool) -> None:
    drive = Drive(cores=2)
    a = drive.one()
    b = drive.one(after=after(a, on))
    if again:
        drive.end(a)
        drive.end(b, Reason.EXIT_CODE)
    else:  # all that were removed had ended
        drive.send(Cancel(job=b))
        drive.end(a)
    drive.send(Remove(job=a))
    drive.send(Retry(job=b))
    assert drive.launched()[-1] == b


def test_a_job_that_is_submitted_anew_can_not_count_on_what_let_the_one_before_run() -> None:
    drive = Drive(cores=2)
    drive.end(drive.one(name="b"))
    a = drive.one(hold=True)
    drive.now += 1.0
    drive.send(Submit(specs=(JobSpec(solver="x", name="b", after=after(a)),)))
    drive.send(Cancel(job=a))
    drive.send(Remove(job=a))
    with pytest.raises(Conflict, match=f"the success of job {a}, which was removed"):
        drive.send(Retry(job=JobId(1)))


@pytest.mark.parametrize("link", ["mesh[{{index}}]", "mesh[1]", "mesh"])
@pytest.mark.parametrize("whole", [True, False])
def test_tasks_run_again_without_a_removed_array_where_that_had_let_them(
    link: str, whole: bool
) -> None:
    drive = Drive(cores=4)
    two = ArraySpec(stop=2)
    mesh = drive.one(name="mesh", array=two)
    solve = drive.one(array=two, after=after(link))
    for position in (0, 1):
        drive.end(task_id(mesh, position))
    drive.end(task_id(solve, 0), Reason.EXIT_CODE)
    drive.end(task_id(solve, 1))
    drive.send(Remove(job=mesh))
    drive.send(Retry(job=solve if whole else task_id(solve, 0)))
    assert drive.launched()[-1] == task_id(solve, 0)


@pytest.mark.parametrize("link", ["mesh[{{index}}]", "mesh[1]", "mesh"])
@pytest.mark.parametrize("whole", [True, False])
def test_tasks_that_a_removed_array_failed_stay_so(link: str, whole: bool) -> None:
    drive = Drive(cores=4)
    two = ArraySpec(stop=2)
    mesh = drive.one(name="mesh", array=two)
    solve = drive.one(array=two, after=after(link))
    drive.end(task_id(mesh, 0))
    drive.end(task_id(mesh, 1), Reason.EXIT_CODE)
    if link == "mesh[{{index}}]":
        drive.end(task_id(solve, 0))
    drive.send(Remove(job=mesh))
    with pytest.raises(Conflict, match="which was removed"):
        drive.send(Retry(job=solve if whole else task_id(solve, 1)))


@given(st.lists(st.sampled_from([Reason.SUCCESS, Reason.EXIT_CODE]), max_size=4))
def test_a_restored_engine_waits_for_the_same(reasons: list[Reason]) -> None:
    drive = Drive(cores=1)
    jobs = drive.submit(
        JobSpec(solver="x", name="a"),
        JobSpec(solver="x", name="b", after=after("a", "end")),
        JobSpec(solver="x", name="c", after=(*after("a"), *after("b"))),
        JobSpec(solver="x", name="d", after=after("c", "failure")),
    )
    for reason in reasons:
        running = [job for job in jobs if drive.job(job).state is JobState.SUBMITTED]
        if running:
            drive.end(running[0], reason)
    fresh = drive.restored()
    for job in jobs:
        assert fresh.scheduler.dependencies.waits(job) == drive.engine.scheduler.dependencies.waits(
            job
        )


def test_tasks_in_pairs_go_on_in_the_order_in_which_their_counterparts_end() -> None:
    drive = Drive(cores=8)
    first = drive.one(name="a", array=ArraySpec(stop=4))
    second = drive.one(name="b", array=ArraySpec(stop=4), after=after("a[{{index}}]"))
    begun = drive.launched()
    drive.end(task_id(first, 2))
    assert drive.launched()[len(begun) :] == [task_id(second, 2)]
    drive.end(task_id(first, 3))
    drive.end(task_id(first, 0))
    assert drive.launched()[len(begun) + 1 :] == [task_id(second, 3), task_id(second, 0)]
    assert drive.why(second).startswith("job a[1] to succeed")
    drive.end(task_id(first, 1))
    assert drive.launched()[-1] == task_id(second, 1)


def test_tasks_whose_counterparts_were_ended_before_they_began_go_on_at_once() -> None:
    drive = Drive(cores=2)
    first = drive.one(name="a", array=ArraySpec(stop=4, at_once=1))
    second = drive.one(name="b", array=ArraySpec(stop=4), after=after("a[{{index}}]", on="failure"))
    drive.send(Cancel(job=first))
    assert drive.launched() == [task_id(first, 0), task_id(second, 1)]
    drive.end(task_id(first, 0), Reason.CANCELLED)
    assert drive.launched()[2:] == [task_id(second, 0)]
    drive.end(task_id(second, 1))
    drive.end(task_id(second, 0))
    assert drive.launched()[3:] == [task_id(second, 2), task_id(second, 3)]


def test_a_pair_whose_first_failed_ends_while_the_others_go_on() -> None:
    drive = Drive(cores=8)
    first = drive.one(name="a", array=ArraySpec(stop=3))
    second = drive.one(name="b", array=ArraySpec(stop=3), after=after("a[{{index}}]"))
    drive.end(task_id(first, 1), Reason.EXIT_CODE)
    assert drive.job(task_id(second, 1)).outcome.reason is Reason.DEPENDENCY  # type: ignore[union-attr]
    drive.end(task_id(first, 2))
    assert drive.launched()[-1] == task_id(second, 2)
    assert drive.restored().jobs == drive.engine.jobs


def test_pairs_that_ended_before_the_others_came_go_first() -> None:
    drive = Drive(cores=2)
    first = drive.one(name="a", array=ArraySpec(stop=3))
    drive.end(task_id(first, 1))
    second = drive.one(name="b", array=ArraySpec(stop=3), after=after("a[{{index}}]"))
    assert drive.engine.scheduler.arrays.candidate(drive.job(second)).id == task_id(second, 1)  # type: ignore[union-attr]


def test_a_counterpart_that_is_run_again_keeps_only_its_own_waiting() -> None:
    drive = Drive(cores=3)
    first = drive.one(name="a", array=ArraySpec(stop=3))
    for position in range(3):
        drive.end(task_id(first, position))
    second = drive.one(
        name="b", array=ArraySpec(stop=3), after=after("a[{{index}}]", "end"), hold=True
    )
    drive.send(Retry(job=task_id(first, 0)))
    drive.send(Release(job=second))
    assert drive.launched()[4:] == [task_id(second, 1), task_id(second, 2)]
    drive.end(task_id(first, 0))
    assert drive.launched()[-1] == task_id(second, 0)
