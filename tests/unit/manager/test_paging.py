"""Pages from memory."""

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.roll import Roll
from solveyard.core.shelf import Shelf
from solveyard.manager import paging
from solveyard.manager.tally import Tally
from solveyard.manager.turns import Turns
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidRequest
from solveyard.model.ids import task_id
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.messages import AnyRequest, Cancel, Hold, Release, Remove, Retry, Submit
from solveyard.store.base import Filter
from solveyard.store.memory import MemoryStore
from solveyard.workers import Workers

LOOKS = 8


def a_job(number: int, state: JobState = JobState.HELD, owner: str = "ada") -> Job:
    return Job(
        id=JobId(number),
        spec=JobSpec(solver="command"),
        owner=owner,
        submitted_at=0.0,
        arrival=number,
        priority=0,
        state=state,
    )


def rolled(jobs: Sequence[Job], away: Collection[JobId] = ()) -> Roll:
    """Those in `away` that wait do so on the shelf."""
    by_id = {job.id: job for job in jobs}
    shelf = Shelf(reread=lambda ids: [by_id[one] for one in ids])
    roll = Roll(shelf)
    for job in jobs:
        if job.id in away and job.state in {JobState.QUEUED, JobState.HELD}:
            shelf.put_whole(job.id, job.state)
        else:
            roll[job.id] = job
    return roll


@contextmanager
def few_looks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(paging, "LOOKS", LOOKS)
        yield


@given(
    jobs=st.lists(
        st.builds(
            a_job, st.integers(1, 20), st.sampled_from(JobState), st.sampled_from(["ada", "bob"])
        ),
        max_size=20,
        unique_by=lambda job: job.id,
    ),
    which=st.builds(
        Filter,
        states=st.none() | st.frozensets(st.sampled_from(JobState)),
        owner=st.none() | st.sampled_from(["ada", "bob", "eve"]),
    ),
    limit=st.integers(1, 9),
    offset=st.integers(0, 9),
    away=st.sets(st.integers(1, 20).map(JobId)),
)
def test_a_page_from_memory_is_the_one_of_the_store(
    jobs: list[Job], which: Filter, limit: int, offset: int, away: set[JobId]
) -> None:
    store = MemoryStore()
    store.commit([], jobs)
    cursor = None
    while True:
        wanted = store.page(which, limit, cursor, offset)
        with few_looks():
            known = rolled(jobs, away)
            found = paging.newest(known, JobId(20), which, limit, cursor, offset)
            assert all(known.away(job.id) for job in jobs if known.at_hand(job.id) is None)
        if found is not None:
            assert found == (wanted.jobs, wanted.cursor)
        assert paging.total_of(Tally(jobs), which) == wanted.total
        cursor = wanted.cursor
        if cursor is None:
            break


def test_the_newest_of_many_jobs_need_no_store_and_the_oldest_do() -> None:
    jobs = rolled([a_job(number) for number in range(1, 21)])
    with few_looks():
        first = paging.newest(jobs, JobId(20), Filter(), 2)
        deep = paging.newest(jobs, JobId(20), Filter(), 2, offset=6)
        rare = paging.newest(jobs, JobId(20), Filter(states=frozenset({JobState.FAILED})), 2)
    assert first is not None
    assert [job.id for job in first[0]] == [20, 19]
    assert deep is None
    assert rare is None


_JOBS = st.sampled_from([JobId(number) for number in range(1, 5)])
_REQUESTS = st.one_of(
    st.builds(
        lambda held, by, array: Submit(
            specs=(JobSpec(solver="command", hold=held, array=array),), by=by
        ),
        st.booleans(),
        st.sampled_from(["ada", "bob"]),
        st.none() | st.just(ArraySpec(stop=3)),
    ),
    *(
        st.builds(kind, job=_JOBS | st.builds(task_id, _JOBS, st.integers(0, 2)), by=st.just("ada"))
        for kind in (Cancel, Hold, Release, Retry, Remove)
    ),
)
_FILTERS = [
    Filter(states=states, owner=owner)
    for states in (None, *(frozenset({state}) for state in JobState))
    for owner in (None, "ada", "bob")
]


async def _check_totals(requests: Sequence[AnyRequest]) -> None:
    store, readers = MemoryStore(), Workers("reader")
    turns = Turns(store, lambda: (), lambda first, events, actions: None)
    pages = paging.Pages(turns, store, readers)
    try:
        async with asyncio.TaskGroup() as tasks:
            going = tasks.create_task(turns.run())
            for request in requests:
                with contextlib.suppress(InvalidRequest):
                    await turns.ask(request)
                for which in _FILTERS:
                    assert await pages.page(which, 9, None, 0) == store.page(which, 9)
            going.cancel()
    finally:
        turns.close()
        readers.close()


@given(requests=st.lists(_REQUESTS, max_size=9))
def test_a_page_and_its_total_are_what_the_store_counts_whatever_was_asked(
    requests: list[AnyRequest],
) -> None:
    asyncio.run(_check_totals(requests))


@pytest.mark.parametrize(
    "which",
    [
        Filter(name="x"),
        Filter(tag="x"),
        Filter(array=JobId(1)),
        Filter(since=0.0),
        Filter(search="x"),
    ],
)
def test_what_no_running_total_knows_is_counted(which: Filter) -> None:
    assert paging.total_of(Tally([a_job(1)]), which) is None


def test_a_cursor_that_is_not_ours_is_refused_as_the_store_does() -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        paging.newest(rolled([]), JobId(0), Filter(), 2, "x")
