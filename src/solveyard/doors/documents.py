"""What the PyEDB job manager's documents call things: its routes' keys and its events.

Its gigabytes are 2**30 bytes.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from solveyard.core.lifecycle import ENDED_STATE
from solveyard.manager.forwarding import Known
from solveyard.manager.manager import Manager
from solveyard.model.jobs import Job, JobState, Limits
from solveyard.model.messages import (
    AnyEvent,
    JobAccepted,
    JobEnded,
    JobReleased,
    JobRequeued,
    JobRetried,
    JobStarted,
    JobSubmitted,
    PriorityChanged,
)
from solveyard.model.records import instant, pyedbs, return_code
from solveyard.solvers.hfss import forwarded
from solveyard.solvers.hfss.config import SchedulerType

MIB_PER_GB = 1024


def resources(manager: Manager) -> dict[str, Any]:
    """The newest sample of this machine; empty: there is none yet."""
    machines: Any = manager.status().get("machines") or {}
    samples = [machine["sample"] for machine in machines.values() if machine.get("sample")]
    if not samples:
        return {}
    sample = samples[0]
    total, free = sample["memory_total"], sample["memory_free"]
    disk, disk_free = sample["disk_total"], sample["disk_free"]
    return {
        "cpu_percent": sample["cpu"],
        "memory_percent": _percent(total - free, total),
        "memory_used_gb": round((total - free) / MIB_PER_GB, 2),
        "memory_total_gb": round(total / MIB_PER_GB, 2),
        "memory_free_gb": round(free / MIB_PER_GB, 2),
        "disk_usage_percent": _percent(disk - disk_free, disk),
        "disk_free_gb": round(disk_free / MIB_PER_GB, 2),
        "timestamp": pyedbs(instant(sample["at"])),
    }


def queue(manager: Manager) -> dict[str, Any]:
    """How many wait and run. "priority_queues" counts the queued ones by priority."""
    by_priority = manager.priorities()
    return {
        "total_queued": sum(by_priority.values()),
        "regular_queue_size": by_priority.pop(0, 0),
        "priority_queues": {str(priority): count for priority, count in by_priority.items()},
        "running_jobs": _running(manager.counts()),
        **limits(manager.limits),
        "max_concurrent": at_most(manager),
    }


def scheduler_type(manager: Manager) -> SchedulerType:
    """The batch system that PyEDB's configurations go to where they leave that open."""
    return _detected(manager)[0]


def _detected(manager: Manager) -> tuple[SchedulerType, Known | None]:
    for cluster in manager.forwarding.awake:
        if (kind := forwarded.kind(cluster.dialect)) is not None:
            return kind, cluster
    return SchedulerType.NONE, None


def status(manager: Manager) -> dict[str, Any]:
    """What the documents' combined status has beside ours."""
    counts = manager.counts()
    sample = resources(manager)
    kind, cluster = _detected(manager)
    elsewhere = sum(sum(one.jobs.values()) for one in manager.cluster_status())
    return {
        "scheduler_detection": {
            "active_scheduler": kind.value,
            "detected_by": cluster.known_by if cluster else "no batch system answered here",
            "backend_available": bool(cluster and cluster.answers),
        },
        "resource_monitoring": {
            "active": bool(sample),
            "last_update": sample.get("timestamp"),
            **sample,
        },
        "mode": "local" if kind is SchedulerType.NONE else kind.value,
        "local_pool": {
            "running_jobs": max(0, _running(counts) - elsewhere),
            "queued_jobs": counts.get(JobState.QUEUED, 0),
            "max_concurrent": at_most(manager),
        },
    }


def at_most(manager: Manager) -> int:
    """Jobs that run at once here: PyEDB's always had a number. Unlimited, one for each core."""
    if manager.limits.max_concurrent is not None:
        return manager.limits.max_concurrent
    machines: Any = manager.status().get("machines") or {}
    return sum(machine["cores"] for machine in machines.values()) or os.cpu_count() or 1


def pool_limits(now: Limits) -> dict[str, float | None]:
    """The documents' four."""
    return {
        "max_concurrent_jobs": now.max_concurrent,
        "max_cpu_percent": now.max_cpu_percent,
        "min_memory_gb": now.min_memory_gb,
        "min_disk_gb": now.min_disk_gb,
    }


def limits(now: Limits) -> dict[str, float | None]:
    """Under all names that setting them takes."""
    return {"max_concurrent": now.max_concurrent, **pool_limits(now)}


def job_id(job: Job) -> str:
    return job.label


class News(NamedTuple):
    """One of our events, and what was true when it happened."""

    event: AnyEvent
    job_id: str
    priority: int  #: after it
    queued: bool  #: before it, its job was told as queued, and neither as held nor as started
    started: bool  #: its job's start was told before
    forwarded: bool = False  #: a batch system has its job


def messages(
    news: News, *, queued: int, sample: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """The documents' events for it: names and payloads; mostly one or none.

    `queued`: jobs that wait; `sample`: as `resources` answers.
    """
    name = news.job_id
    match news.event:
        case JobSubmitted(spec=spec) | JobRetried(spec=spec) if spec is not None and spec.hold:
            return []
        case JobSubmitted() | JobReleased() | JobRetried() | JobRequeued():
            return [_queued(news, queued)]
        case PriorityChanged() if news.queued:
            return [_queued(news, queued)]
        case JobAccepted(native_id=native) if news.forwarded and native:
            return [("job_scheduled", {"job_id": name, "scheduler_job_id": native})]
        case JobStarted(started_at=at, native_id=native):
            there = {"scheduler_job_id": native} if news.forwarded and native else {}
            return [("job_started", {**_start(name, at, sample), **there})]
        case JobEnded(at=ended, started_at=at, outcome=outcome):
            status = ENDED_STATE.get(outcome.reason, JobState.FAILED).value
            told = {"job_id": name, "status": status, "end_time": pyedbs(instant(ended))}
            end = ("job_completed", {**told, "return_code": return_code(outcome)})
            if at is not None and not news.started:
                return [("job_started", _start(name, at, sample)), end]
            return [end]
        case _:
            return []


def _queued(news: News, queued: int) -> tuple[str, dict[str, Any]]:
    told = {"job_id": news.job_id, "priority": news.priority, "queue_position": queued}
    return "job_queued", told


def _start(name: str, at: float, sample: Mapping[str, Any]) -> dict[str, Any]:
    return {"job_id": name, "start_time": pyedbs(instant(at)), "resources": dict(sample)}


def _running(counts: Mapping[JobState, int]) -> int:
    return counts.get(JobState.RUNNING, 0) + counts.get(JobState.SUBMITTED, 0)


def _percent(part: float, whole: float) -> float:
    return round(100.0 * part / whole, 1) if whole else 0.0
