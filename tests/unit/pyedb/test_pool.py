"""PyEDB's small classes: a queue, limits, a monitor, projects in a folder."""

import asyncio
from pathlib import Path

import pytest

from solveyard.pyedb.limits import ResourceLimits
from solveyard.pyedb.monitor import ResourceMonitor
from solveyard.pyedb.pool import JobPoolManager
from solveyard.pyedb.projects import below


def test_the_larger_priority_goes_first_and_negative_is_below_zero() -> None:
    pool = JobPoolManager(ResourceLimits())
    for job, priority in (("a", 0), ("b", -5), ("c", 5), ("d", 0), ("e", 10), ("f", 5)):
        pool.add_job(job, priority)
    assert pool.get_queue_stats() == {
        "total_queued": 6, "regular_queue_size": 2, "priority_queues": {-5: 1, 5: 2, 10: 1},
        "running_jobs": 0, "max_concurrent": 1,
    }  # fmt: skip
    pool.add_job("d", 7)
    pool.remove_job("c")
    order = [pool.get_next_job() for _ in range(6)]
    assert order == ["e", "d", "f", "a", "b", None]
    assert pool.get_queue_stats()["priority_queues"] == {}


def test_limits_keep_a_job_from_starting() -> None:
    monitor = ResourceMonitor()
    monitor.current_usage = {}  # what isn't known doesn't count
    pool = JobPoolManager(ResourceLimits(max_concurrent_jobs=2, min_memory_gb=4))
    assert pool.can_start_job(monitor)
    for usage in ({"cpu_percent": 81.0}, {"memory_free_gb": 3.9}, {"disk_free_gb": 1.9}):
        monitor.current_usage = usage
        assert not pool.can_start_job(monitor)
    monitor.current_usage = {"cpu_percent": 80.0, "memory_free_gb": 4.0, "disk_free_gb": 2.0}
    assert pool.can_start_job(monitor)
    pool.running_jobs |= {"a", "b"}
    assert not pool.can_start_job(monitor)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_concurrent_jobs": -1},
        {"max_concurrent_jobs": True},
        {"max_concurrent_jobs": 1.5},
        {"max_cpu_percent": 0},
        {"max_cpu_percent": 101},
        {"min_memory_gb": -1},
        {"min_disk_gb": float("nan")},
        {"min_disk_gb": "2"},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ResourceLimits(**wrong)


def test_the_defaults_are_the_documents() -> None:
    assert ResourceLimits().to_dict() == {
        "max_concurrent_jobs": 1, "max_cpu_percent": 80.0, "min_memory_gb": 2.0, "min_disk_gb": 2.0,
    }  # fmt: skip


def test_a_sample_has_the_documents_keys() -> None:
    monitor = ResourceMonitor()
    asyncio.run(monitor._sample_once())
    assert set(monitor.current_usage) == {
        "cpu_percent", "memory_percent", "memory_used_gb", "memory_total_gb", "memory_free_gb",
        "disk_usage_percent", "disk_free_gb", "timestamp",
    }  # fmt: skip
    assert 0 < monitor.current_usage["memory_free_gb"] <= monitor.current_usage["memory_total_gb"]


def test_of_a_pair_the_aedt_is_the_project(tmp_path: Path) -> None:
    for name in ("b.aedb", "a.aedb", "sub/c.aedb", "sub/x.aedb/inner.aedb"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("b.aedt", "sub/d.aedt", "notes.txt", "a.aedb/inner.aedt"):
        (tmp_path / name).touch()
    names = [str(one.relative_to(tmp_path)) for one in below(tmp_path)]
    assert names == ["a.aedb", "b.aedt"]
    deep = [str(one.relative_to(tmp_path)) for one in below(tmp_path, recursive=True)]
    assert deep == ["a.aedb", "b.aedt", "sub/c.aedb", "sub/d.aedt", "sub/x.aedb"]
