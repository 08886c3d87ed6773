"""Running totals."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from solveyard.manager.tally import Tally
from solveyard.model.jobs import Job, JobId, JobSpec, JobState

changes = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.none() | st.tuples(st.sampled_from(JobState), st.integers(-1, 1)),
    )
)


def a_job(number: int, state: JobState, priority: int) -> Job:
    return Job(
        id=JobId(number),
        spec=JobSpec(solver="command"),
        owner="",
        submitted_at=0.0,
        arrival=number,
        priority=priority,
        state=state,
    )


@given(changes=changes)
def test_the_totals_are_those_of_the_jobs_that_are_there_whatever_happened_before(
    changes: list[tuple[int, tuple[JobState, int] | None]],
) -> None:
    tally = Tally()
    jobs: dict[int, Job] = {}
    for number, now in changes:
        job = None if now is None else a_job(number, *now)
        tally.change(jobs.pop(number, None), job)
        if job is not None:
            jobs[number] = job
    for told in (tally, Tally(jobs.values())):
        assert +told.states == Counter(job.state for job in jobs.values())
        queued = [job.priority for job in jobs.values() if job.state is JobState.QUEUED]
        assert dict(told.queued) == dict(Counter(queued))
