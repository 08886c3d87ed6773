"""Which configuration a job is said to have."""

from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.records import record
from solveyard.pyedb import ran


def test_a_job_whose_configuration_nobody_tells_has_none_of_the_known() -> None:
    job = Job(
        id=JobId(1), spec=JobSpec(solver="command"), owner="eve", submitted_at=0.0,
        waiting_since=0.0, arrival=1, priority=0, state=JobState.QUEUED,
    )  # fmt: skip
    asked = {"project_path": "/projects/board.aedt"}
    assert ran.config(record(job, 0.0), [(asked, asked)]) is None
    told = record(job, 0.0, config=asked | {"jobid": "board"})
    assert ran.config(told, [({}, {"project_path": "/other.aedt"}), (asked, asked)]) is asked
