"""Which ended jobs go. The oracle counts and adds, job by job."""

from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.retention import Ended, Policy, going, log_begins, may_go, wanted
from solveyard.model.jobs import JobId

NOW = 1000.0


def ago(seconds: float) -> float:
    return NOW - seconds


some = st.lists(
    st.builds(
        Ended,
        job=st.integers(1, 99).map(JobId),
        ended_at=st.integers(900, 1000).map(float),
        failed=st.booleans(),
        size=st.integers(0, 50),
    ),
    unique_by=lambda one: one.job,
    max_size=12,
)
ages = st.none() | st.integers(0, 110).map(float)
policies = st.builds(
    Policy,
    keep_jobs=st.none() | st.integers(0, 12),
    max_age=ages,
    max_age_failed=ages,
    max_size=st.none() | st.integers(0, 300),
)


@given(those=some, policy=policies)
def test_what_goes_is_what_plain_counting_says(those: list[Ended], policy: Policy) -> None:
    gone = going(those, policy, ago)
    told = {one.job for one in gone}
    assert [(one.ended_at, one.job) for one in gone] == sorted(
        (one.ended_at, one.job) for one in gone
    )
    assert len(told) == len(gone)
    old = set()
    for one in those:
        limit = policy.max_age
        if one.failed and policy.max_age_failed is not None:
            limit = policy.max_age_failed
        if limit is not None and one.ended_at < NOW - limit:
            old.add(one.job)
    for one in those:
        newer = [
            other
            for other in those
            if other.job not in old and (other.ended_at, other.job) > (one.ended_at, one.job)
        ]
        many = policy.keep_jobs is not None and len(newer) >= policy.keep_jobs
        size = one.size + sum(other.size for other in newer)
        # an older one without any size stays with the newer ones, unless those are too large
        large = policy.max_size is not None and size > policy.max_size
        assert (one.job in told) == (one.job in old or many or large)


@given(those=some)
def test_nothing_goes_unless_a_bound_asks_for_it(those: list[Ended]) -> None:
    assert going(those, Policy(), ago) == []
    assert going(those, Policy(files=True), ago) == []
    assert not Policy(files=True).bounds


def test_only_what_nobody_waits_for_or_wants_kept_may_go() -> None:
    job = JobId(1)
    assert may_go(job, {JobId(2)}, lambda _: False)
    assert not may_go(job, {job}, lambda _: False)
    assert not may_go(job, (), lambda one: one == job)
    assert [wanted(tags) for tags in ((), ("a",), ("a", "keep"))] == [False, False, True]


def test_the_log_begins_with_the_oldest_job_and_holds_what_the_policy_says() -> None:
    assert log_begins([30.0, 20.0], Policy(max_age=400.0), ago) == 20.0
    assert log_begins([], Policy(), ago) == NOW - 86400
    assert log_begins([700.0], Policy(max_age=400.0), ago) == 600.0
