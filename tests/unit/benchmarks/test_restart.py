"""The store that a restart is measured on."""

from pathlib import Path

from benchmarks.restart import fill

from solveyard.core.engine import Engine
from solveyard.model.jobs import JobState
from solveyard.store.sqlite import SqliteStore


def test_the_store_is_as_a_manager_would_have_left_it(tmp_path: Path) -> None:
    fill(tmp_path, 7)
    store = SqliteStore.open(tmp_path)
    try:
        state = store.load()
        events = store.events(limit=100)
    finally:
        store.close()
    assert [job.state for job in state.jobs] == [JobState.COMPLETED] * 7
    assert state.counter.next > max(max(job.id, job.arrival) for job in state.jobs)
    assert [event.number for event in events] == list(range(1, 29))
    engine = Engine(store.uuid, state.jobs, state.limits, state.counter)
    assert sorted(engine.jobs) == [job.id for job in state.jobs]
