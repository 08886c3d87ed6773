"""A session's jobs and its machine, as its scripts look at them."""

import contextlib
import datetime as dt
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from dataclasses import dataclass
from typing import Any

from solveyard.model.errors import UnknownJob
from solveyard.model.records import JobRecord
from solveyard.pyedb.errors import ServiceError
from solveyard.pyedb.monitor import ResourceMonitor
from solveyard.pyedb.session import Session
from solveyard.pyedb.statuses import JobStatus, status


@dataclass
class JobInfo:
    """One job, as it was when looked at. Times are this machine's, without a zone, as PyEDB's."""

    config: Any
    status: JobStatus
    start_time: dt.datetime | None = None
    end_time: dt.datetime | None = None
    return_code: int | None = None  #: negative: the signal that ended it
    output: str = ""  #: its end, up to 1 MiB
    error: str = ""  #: why it failed; after that the end of its standard error
    process: Any = None  #: always None: processes belong to the agent
    scheduler_job_id: str | None = None
    local_resources: Any = None
    priority: int = 0
    reason: str = ""  #: one word; empty: it hasn't ended


class Jobs(Mapping[str, JobInfo]):
    """By id, oldest first; each look asks the manager. Once it is closed, as they were then.

    One that somebody removed is none of them any more.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getitem__(self, job: str) -> JobInfo:
        return info(*self._session.look(job))

    def __iter__(self) -> Iterator[str]:
        return iter(self._session.known)

    def __len__(self) -> int:
        return len(self._session.known)

    def items(self) -> ItemsView[str, JobInfo]:
        return _Items(self)

    def values(self) -> ValuesView[JobInfo]:
        return _Values(self)


class _Items(ItemsView[str, JobInfo]):
    """Without those that are removed while it is gone through."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(jobs)
        self._jobs = jobs

    def __iter__(self) -> Iterator[tuple[str, JobInfo]]:
        for job in self._jobs:
            with contextlib.suppress(KeyError):
                yield job, self._jobs[job]


class _Values(ValuesView[JobInfo]):
    """The same."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(jobs)
        self._jobs = jobs

    def __iter__(self) -> Iterator[JobInfo]:
        return (one for _, one in _Items(self._jobs))


class Machine(ResourceMonitor):
    """The manager's, by the manager's own samples; before there is a manager, this one."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    async def _sample_once(self) -> None:
        """Nothing is to be done: the manager samples it."""

    def _newest(self) -> dict[str, Any]:
        if self._session.host is None:
            return super()._newest()
        with self._session.client() as client:
            told = client.status()["resource_monitoring"]
        return {name: told[name] for name in told if name not in {"active", "last_update"}}


def info(config: Any, record: JobRecord, output: str = "", error: str = "") -> JobInfo:
    word = status(record)
    message = record.message if word in {JobStatus.FAILED, JobStatus.CANCELLED} else ""
    return JobInfo(
        config=config,
        status=word,
        start_time=_local(record.start_time),
        end_time=_local(record.end_time),
        return_code=record.return_code,
        output=output,
        error="\n".join(text for text in (message, error) if text),
        scheduler_job_id=record.scheduler_job_id,
        priority=record.priority,
        reason=record.reason.value if record.reason is not None else "",
    )


def _local(instant: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(instant).astimezone().replace(tzinfo=None) if instant else None


def ended(session: Session, job: str) -> JobStatus:
    """Raises ServiceError where it is gone, or can't be asked for."""
    try:
        return status(session.record(job))
    except ServiceError as error:
        if not isinstance(error.__cause__, UnknownJob):
            raise
        raise ServiceError(f"Job {job} disappeared from manager") from error
