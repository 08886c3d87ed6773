"""Which job or tasks a word means."""

import pytest

from solveyard.manager import selecting
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import UnknownJob
from solveyard.model.ids import task_id
from solveyard.model.jobs import Job, JobId, JobSpec, JobState


def job(number: int, name: str = "") -> Job:
    """An array of three tasks."""
    return Job(
        id=JobId(number), owner="me", submitted_at=1.0, arrival=number, priority=0,
        state=JobState.QUEUED,
        spec=JobSpec(solver="command", name=name, array=ArraySpec(stop=3)),
    )  # fmt: skip


JOBS = {one.id: one for one in (job(40), job(41, "40"), job(42, "sweep"), job(43, "#42"))}
NAMES = {one.spec.name: number for number, one in JOBS.items() if one.spec.name}


@pytest.mark.parametrize(
    ("key", "number"),
    [("40", 41), ("#40", 40), ("41", 41), ("#41", 41), ("sweep", 42), ("42", 42), ("43", 43)],
)
def test_a_name_goes_before_a_number_and_a_hash_before_both(key: str, number: int) -> None:
    assert selecting.select(JOBS, NAMES, key) == [number]
    tasks = [task_id(JobId(number), position) for position in (0, 2)]
    assert selecting.select(JOBS, NAMES, f"{key}[0,2]") == tasks


def test_a_name_that_was_taken_before_such_names_were_refused_is_found_where_no_job_is_meant() -> (
    None
):
    assert selecting.select(JOBS, NAMES, "#42") == [42]
    assert selecting.select({JobId(43): JOBS[JobId(43)]}, NAMES, "#42") == [43]


@pytest.mark.parametrize("key", ["#", "#x", "##40", "#7", "#-1", "#4\u0660", "#" + "4" * 13])
def test_what_is_no_jobs_number_means_none(key: str) -> None:
    with pytest.raises(UnknownJob):
        selecting.select(JOBS, NAMES, key)
