"""What a script may look at beside its jobs: the queue, the machine, and events as they come."""

import asyncio
import json
import subprocess
import sys
from queue import Queue
from typing import Any

import pytest

from acceptance.conftest import Home
from conftest import until
from solveyard.pyedb.service import JobManager, ResourceLimits
from solveyard.yard import Yard

ALL = ResourceLimits(max_concurrent_jobs=1, max_cpu_percent=100, min_memory_gb=0, min_disk_gb=0)


def test_the_pool_shows_what_runs_and_waits_of_this_session_and_changes_turns(home: Home) -> None:
    other, handler = home.handler(), home.handler(resource_limits=ALL)
    other.start_service()
    handler.start_service()
    pool = handler.manager.job_pool
    assert (pool.running_jobs, pool.get_queue_stats()["total_queued"]) == (set(), 0)
    make = handler.create_simulation_config
    handler.submit_job(make(home.project("slow.aedt", "slow"), jobid="slow"))
    until(lambda: pool.running_jobs == {"slow"}, "it runs")
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", -3)):
        handler.submit_job(make(home.project(f"{name}.aedt"), jobid=name), priority)
    other.submit_job(make(home.project("theirs.aedt"), jobid="theirs"))
    assert list(pool.job_queue) == ["a", "c"]
    assert pool.priority_queue == {5: ["b"], -3: ["d"]}
    assert pool.job_priorities == {"a": 0, "b": 5, "c": 0, "d": -3}
    assert pool.get_queue_stats() == {
        "total_queued": 4, "regular_queue_size": 2, "priority_queues": {5: 1, -3: 1},
        "running_jobs": 1, "max_concurrent": 1,
    }  # fmt: skip
    assert not pool.can_start_job(handler.manager.resource_monitor)
    pool.add_job("c", 9)
    assert handler.manager.jobs["c"].priority == 9
    assert list(pool.job_queue) == ["a"]
    with pytest.raises(AttributeError, match="the manager starts jobs by itself"):
        pool.get_next_job()
    with pytest.raises(AttributeError, match="cancel_job"):
        pool.remove_job("a")


def test_the_monitor_tells_the_managers_own_samples(home: Home) -> None:
    handler = home.handler()
    handler.start_service()
    monitor = handler.manager.resource_monitor
    until(lambda: "cpu_percent" in monitor.current_usage, "the manager has a sample")
    usage = monitor.current_usage
    with_rest = home.shell(f"curl -s http://localhost:{handler.port}/resources").stdout
    assert set(usage) == set(json.loads(with_rest))
    assert 0 < usage["memory_free_gb"] <= usage["memory_total_gb"]

    async def a_while() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await monitor.monitor_resources()

    asyncio.run(a_while())
    assert set(monitor.current_usage) == set(usage)


def test_listeners_hear_each_event_in_order_whether_they_come_before_the_start_or_after(
    home: Home,
) -> None:
    heard: Queue[tuple[str, dict[str, Any]]] = Queue()
    handler = home.handler(resource_limits=ALL)

    @handler.sio.on("job_queued")
    def queued(content: dict[str, Any]) -> None:
        heard.put(("job_queued", content))

    @handler.sio.on("job_started")
    def failing(content: dict[str, Any]) -> None:
        raise ValueError(content)

    handler.start_service()
    handler.sio.on("job_started", lambda content: heard.put(("job_started", content)))

    @handler.sio.event
    async def job_completed(content: dict[str, Any]) -> None:
        heard.put(("job_completed", content))

    cfg = handler.create_simulation_config(home.project("a.aedt"), jobid="a")
    handler.submit_jobs_and_wait([cfg], timeout=60)
    told = [heard.get(timeout=60) for _ in range(3)]
    assert [name for name, _ in told] == ["job_queued", "job_started", "job_completed"]
    assert {content["job_id"] for _, content in told} == {"a"}
    assert (told[2][1]["status"], told[2][1]["return_code"]) == ("completed", 0)
    asyncio.run(handler.sio.emit("job_queued", {"job_id": "mine"}))
    assert heard.get(timeout=60) == ("job_queued", {"job_id": "mine"})
    with pytest.raises(ValueError, match="'/', not in '/v1'"):
        handler.sio.on("job_queued", print, namespace="/v1")
    handler.close()
    assert heard.empty()


def test_listeners_are_told_that_a_manager_without_a_port_has_no_events(home: Home) -> None:
    with Yard(home.store):
        manager = JobManager(store=home.store)
        manager.sio.on("job_completed", print)
        cfg = home.handler().create_simulation_config(home.project("a.aedt"))
        with pytest.raises(RuntimeError, match="solveyard serve"):
            asyncio.run(manager.submit_job(cfg))
        assert not manager.jobs


def test_listeners_follow_a_manager_that_another_process_takes_over(home: Home) -> None:
    first = subprocess.Popen(
        [sys.executable, "-W", "error", "-c",
         "import sys\n"
         "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
         f"handler = JobManagerHandler(port={home.port})\n"
         "handler.start_service()\n"
         "print('ready', flush=True)\n"
         "sys.stdin.read()\n"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    home.made.append(first)
    assert first.stdout is not None
    assert first.stdout.readline() == "ready\n"
    heard: Queue[str] = Queue()
    handler = home.handler()
    handler.sio.on("job_completed", lambda content: heard.put(content["job_id"]))
    handler.start_service()
    make = handler.create_simulation_config
    handler.submit_job(make(home.project("a.aedt"), jobid="a"))
    assert heard.get(timeout=60) == "a"
    first.communicate(timeout=60)
    numbers = iter(range(1000))

    def another() -> bool:
        """What was told before it listened there isn't told again."""
        job = f"b{next(numbers)}"
        handler.submit_jobs_and_wait([make(home.project(f"{job}.aedt"), jobid=job)], timeout=60)
        return not heard.empty()

    until(another, "it hears the new manager")
