"""The seven words that the documents have for where a job is."""

import enum

from solveyard.model.records import JobRecord


class JobStatus(enum.StrEnum):
    """Each equals its string."""

    PENDING = "pending"  #: not submitted yet
    QUEUED = "queued"  #: held jobs, too
    SCHEDULED = "scheduled"  #: a batch system has it, and it has not started
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"  #: lost jobs, too
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}


def status(record: JobRecord) -> JobStatus:
    """As every door says it in these words."""
    return JobStatus(record.status.value)
