"""Queues by priority: one that a program keeps for itself, and a session's at the manager."""

import threading
from collections import deque
from typing import Any, NoReturn

from solveyard.model.jobs import JobState
from solveyard.pyedb import limits
from solveyard.pyedb.elsewhere import missing
from solveyard.pyedb.limits import ResourceLimits
from solveyard.pyedb.monitor import ResourceMonitor
from solveyard.pyedb.session import Session


class JobPoolManager:
    """The larger a priority, the sooner; among equals, the first come. For any threads."""

    def __init__(self, resource_limits: ResourceLimits) -> None:
        self.resource_limits = resource_limits
        self.job_queue: deque[str] = deque()  #: of priority 0
        self.priority_queue: dict[int, list[str]] = {}  #: of the others
        self.running_jobs: set[str] = set()
        self.job_priorities: dict[str, int] = {}
        self._lock = threading.RLock()

    def add_job(self, job_id: str, priority: int = 0) -> None:
        """One that is there already moves to its new priority's end."""
        with self._lock:
            self._take(job_id)
            self.job_priorities[job_id] = priority
            if priority == 0:
                self.job_queue.append(job_id)
            else:
                self.priority_queue.setdefault(priority, []).append(job_id)

    def get_next_job(self) -> str | None:
        """The next one, which is out of the queue then; None: it is empty."""
        with self._lock:
            waiting = [*self.priority_queue, *([0] if self.job_queue else [])]
            if not waiting:
                return None
            priority = max(waiting)
            job = self.job_queue[0] if priority == 0 else self.priority_queue[priority][0]
            self._take(job)
            return job

    def remove_job(self, job_id: str) -> None:
        with self._lock:
            self._take(job_id)
            self.running_jobs.discard(job_id)

    def can_start_job(self, resource_monitor: ResourceMonitor) -> bool:
        """Do the limits admit another one? What isn't known yet doesn't count."""
        limits, usage = self.resource_limits, resource_monitor.current_usage
        with self._lock:
            if len(self.running_jobs) >= limits.max_concurrent_jobs:
                return False
        busy = usage.get("cpu_percent", 0.0) > limits.max_cpu_percent
        short = usage.get("memory_free_gb", limits.min_memory_gb) < limits.min_memory_gb
        full = usage.get("disk_free_gb", limits.min_disk_gb) < limits.min_disk_gb
        return not (busy or short or full)

    def get_queue_stats(self) -> dict[str, Any]:
        with self._lock:
            sizes = {priority: len(jobs) for priority, jobs in self.priority_queue.items()}
            return {
                "total_queued": len(self.job_queue) + sum(sizes.values()),
                "regular_queue_size": len(self.job_queue),
                "priority_queues": sizes,
                "running_jobs": len(self.running_jobs),
                "max_concurrent": self.resource_limits.max_concurrent_jobs,
            }

    def _take(self, job_id: str) -> None:
        priority = self.job_priorities.pop(job_id, None)
        if priority == 0:
            self.job_queue.remove(job_id)
        elif priority is not None:
            self.priority_queue[priority].remove(job_id)
            if not self.priority_queue[priority]:
                del self.priority_queue[priority]


class SessionPool:
    """A session's jobs that wait and run; each look asks the manager, which starts them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def resource_limits(self) -> ResourceLimits:
        return limits.current(self._session)

    @resource_limits.setter
    def resource_limits(self, given: ResourceLimits) -> None:
        limits.assign(self._session, given)

    @property
    def job_queue(self) -> deque[str]:
        """Waiting ones of priority 0."""
        return self._now().job_queue

    @property
    def priority_queue(self) -> dict[int, list[str]]:
        """Waiting ones of other priorities."""
        return self._now().priority_queue

    @property
    def job_priorities(self) -> dict[str, int]:
        """Of those that wait."""
        return self._now().job_priorities

    @property
    def running_jobs(self) -> set[str]:
        return self._now().running_jobs

    def add_job(self, job_id: str, priority: int = 0) -> None:
        """Give one that was submitted another priority. Raises ServiceError."""
        with self._session.client() as client:
            client.set_priority(self._session.meant(client, job_id), priority)

    def can_start_job(self, resource_monitor: ResourceMonitor) -> bool:
        """Would a JobPoolManager with these jobs? The manager decides for all sessions together."""
        return self._now().can_start_job(resource_monitor)

    def get_queue_stats(self) -> dict[str, Any]:
        return self._now().get_queue_stats()

    def __getattr__(self, name: str) -> NoReturn:
        missing(self, name)

    def _now(self) -> JobPoolManager:
        pool = JobPoolManager(self.resource_limits)
        own = self._session.numbers
        if not own:
            return pool
        states = (JobState.QUEUED, JobState.SUBMITTED, JobState.RUNNING)
        with self._session.client() as client:
            found = client.jobs(states, limit=None).jobs
        for record in reversed(found):  # they come newest first
            if record.number in own and record.state is JobState.QUEUED:
                pool.add_job(record.id, record.priority)
            elif record.number in own:
                pool.running_jobs.add(record.id)
        return pool
