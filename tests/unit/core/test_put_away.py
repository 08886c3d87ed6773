"""Ended tasks whose records are on disk alone: nobody notices."""

import pytest

from solveyard.core.arrays import counted
from solveyard.core.shelf import Shelf
from solveyard.model.arrays import ArraySpec
from solveyard.model.ids import task_id
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.model.messages import Annotate, Cancel, Ended, Release, Remove, Retry
from solveyard.model.policies import Dependency
from unit.core.drive import Drive
from unit.core.judged import reader


class Putting(Drive):
    """Puts each task away once it has ended."""

    def __init__(self, cores: int = 8) -> None:
        super().__init__(cores, joined=False)
        self.disk: dict[JobId, Job] = {}
        self.fetch = reader(self.disk)
        self.shelf = Shelf(self.fetch)
        self.engine = type(self.engine)("u", shelf=self.shelf)
        self.join()

    def end_task(
        self, array: JobId, position: int, reason: Reason = Reason.SUCCESS, message: str = ""
    ) -> Ended:
        task = task_id(array, position)
        report = Ended(attempt=self.attempt(task), outcome=Outcome(reason=reason, message=message))
        self.send(report)
        self.put_away(task)
        return report

    def put_away(self, task: JobId) -> None:
        job = self.disk[task] = self.job(task)
        self.shelf.put(task, job.state)
        self.engine.put_away(task)

    def committed(self, task: JobId) -> None:
        self.shelf.take(task)

    def looked(self, array: JobId, position: int) -> Job:
        job = self.engine.look(task_id(array, position))
        assert job is not None
        return job


THREE = ArraySpec(stop=3)


def test_an_array_ends_with_its_last_task_and_names_those_that_failed() -> None:
    drive = Putting()
    array = drive.one(array=THREE)
    drive.end_task(array, 0)
    drive.end_task(array, 1, Reason.SIGNAL, "killed")
    assert not drive.job(array).state.final
    drive.end_task(array, 2, Reason.EXIT_CODE)
    outcome = drive.job(array).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.evidence) == (Reason.SIGNAL, (f"{array}[1]: killed",))
    assert outcome.message.startswith(f"2 of 3 tasks failed: {array}[1-2]")
    assert set(drive.engine.jobs) == {array}


def test_a_task_keeps_its_attempts_and_its_end() -> None:
    drive = Putting()
    array = drive.one(array=THREE)
    drive.end_task(array, 1, Reason.EXIT_CODE, "exit code 3")
    job = drive.looked(array, 1)
    assert (job.state, len(job.attempts)) == (JobState.FAILED, 1)
    assert job.outcome is not None
    assert job.outcome.message == "exit code 3"
    assert drive.engine.state(job.id) is JobState.FAILED
    assert drive.engine.attempt(job.attempts[0].id) == (job, job.attempts[0])


@pytest.mark.parametrize("whole", [False, True])
def test_what_failed_is_retried_and_counted_once(whole: bool) -> None:
    drive = Putting()
    array = drive.one(array=THREE)
    for position, reason in enumerate([Reason.SUCCESS, Reason.EXIT_CODE, Reason.SUCCESS]):
        drive.end_task(array, position, reason)
    failed = task_id(array, 1)
    drive.send(Retry(job=array if whole else failed))
    drive.committed(failed)
    assert drive.launched()[-1] == failed
    arrays = drive.engine.scheduler.arrays
    counts = arrays.counts(drive.job(array))
    assert (counts[JobState.SUBMITTED], counts[JobState.COMPLETED]) == (1, 2)
    assert counts[JobState.FAILED] == 0
    drive.end_task(array, 1)
    assert drive.job(array).state is JobState.COMPLETED
    assert len(drive.looked(array, 1).attempts) == 2


def test_another_word_about_its_end_is_kept_beside_the_first() -> None:
    drive = Putting()
    array = drive.one(array=THREE)
    first = drive.end_task(array, 0, Reason.LOST)
    drive.send(Ended(attempt=first.attempt, outcome=Outcome(reason=Reason.SIGNAL, message="9")))
    job = drive.looked(array, 0)
    assert job.state is JobState.FAILED
    assert job.attempts[0].notes == ("reported later: signal, 9",)
    assert drive.engine.scheduler.arrays.counts(drive.job(array))[JobState.FAILED] == 1


def test_it_has_its_arrays_tags() -> None:
    drive = Putting()
    array = drive.one(array=THREE)
    drive.end_task(array, 0)
    drive.send(Annotate(job=array, tags=("keep",)))
    assert drive.looked(array, 0).spec.tags == ("keep",)


def test_nobody_waits_for_it_any_more() -> None:
    drive = Putting(cores=1)
    array = drive.one(array=THREE)
    drive.end_task(array, 0)
    each = Dependency(job=f"{array}[{{{{index}}}}]")
    pairs = drive.one(array=THREE, after=(each,), priority=1)
    after = drive.one(after=(Dependency(job=f"{array}[0]"),), priority=2)
    drive.end_task(array, 1)
    assert drive.launched()[-1] == after
    drive.end(after)
    assert drive.launched()[-1] == task_id(pairs, 0)
    drive.end_task(pairs, 0)
    assert drive.launched()[-1] == task_id(pairs, 1)


def test_a_removed_array_takes_it_along() -> None:
    drive = Putting()
    array = drive.one(array=THREE)
    drive.end_task(array, 0)
    drive.send(Cancel(job=array))
    for position in (1, 2):
        drive.end_task(array, position, Reason.CANCELLED)
    whole = drive.job(array)
    drive.send(Remove(job=array))
    assert drive.engine.look(task_id(array, 0)) is None
    assert drive.engine.state(task_id(array, 0)) is None
    found = counted(whole, drive.engine.jobs, drive.shelf)
    assert (found[JobState.COMPLETED], found[JobState.CANCELLED]) == (1, 2)
    drive.shelf.clear(array)
    assert drive.shelf.counts(array) == {}


def test_a_restored_engine_begins_with_the_first_that_has_not_begun() -> None:
    drive = Putting(cores=1)
    array = drive.one(array=ArraySpec(stop=5))
    drive.end_task(array, 0)
    drive.end_task(array, 1, Reason.EXIT_CODE)
    shelf = Shelf(drive.fetch, [(i, job.state) for i, job in drive.disk.items()])
    jobs = [*drive.engine.jobs.values()]
    engine = type(drive.engine)("u", jobs, counter=drive.engine.counter, shelf=shelf)
    counts = engine.scheduler.arrays.counts(engine.jobs[array])
    assert (counts[JobState.COMPLETED], counts[JobState.FAILED]) == (1, 1)
    assert (counts[JobState.SUBMITTED], counts[JobState.QUEUED]) == (1, 2)
    drive.engine = engine
    drive.join()
    drive.end_task(array, 2)
    assert drive.launched()[-1] == task_id(array, 3)


def test_a_restored_engine_goes_on_with_pairs_whose_counterparts_came_later() -> None:
    drive = Putting(cores=3)
    each = Dependency(job="mesh[{{index}}]")
    solve, mesh = drive.submit(
        JobSpec(solver="x", name="solve", array=THREE, after=(each,), hold=True),
        JobSpec(solver="x", name="mesh", array=THREE),
    )[:2]
    drive.end_task(mesh, 1)
    shelf = Shelf(drive.fetch, [(i, job.state) for i, job in drive.disk.items()])
    jobs = sorted(drive.engine.jobs.values(), key=lambda job: job.id)
    drive.engine = type(drive.engine)("u", jobs, counter=drive.engine.counter, shelf=shelf)
    drive.join()
    drive.send(Release(job=solve))
    assert drive.launched()[-1] == task_id(solve, 1)


def test_positions_and_gaps_are_found_by_state() -> None:
    done = [(task_id(JobId(7), n), JobState.COMPLETED) for n in (0, 1, 4)]
    shelf = Shelf(ended=[*done, (task_id(JobId(7), 2), JobState.FAILED)])
    assert shelf.positions(JobId(7)) == [0, 1, 2, 4]
    assert shelf.positions(JobId(7), {JobState.FAILED}) == [2]
    assert [shelf.gap(JobId(7), start) for start in (0, 3, 4, 9)] == [3, 3, 5, 9]
    assert [shelf.gap(JobId(8), start) for start in (0, 5)] == [0, 5]
    shelf.take(task_id(JobId(7), 1))
    assert shelf.gap(JobId(7), 0) == 1
    assert shelf.state(task_id(JobId(7), 1)) is None
    assert shelf.state(JobId(7)) is None


def test_a_task_that_has_ended_is_not_begun_again_once_that_which_it_waited_for_ends_anew() -> None:
    drive = Putting()
    first = drive.one(name="a", array=ArraySpec(stop=5, at_once=2))
    waits = Dependency(job="a[{{index}}]", on="end")
    second = drive.one(name="b", array=ArraySpec(stop=5), after=(waits,))
    drive.end_task(first, 1)
    drive.end_task(second, 1)
    drive.send(Cancel(job=first))
    assert drive.launched().count(task_id(second, 1)) == 1


def test_tasks_that_never_began_are_counted_with_those_that_were_put_away() -> None:
    drive = Putting(cores=2)
    array = drive.one(array=ArraySpec(stop=1000))
    drive.end_task(array, 0)
    drive.send(Cancel(job=array))
    for position in (1, 2):
        drive.end_task(array, position, Reason.CANCELLED)
    found = counted(drive.job(array), drive.engine.jobs, drive.shelf)
    ended = {JobState.COMPLETED: 1, JobState.CANCELLED: 999}
    assert {state: number for state, number in found.items() if number} == ended
