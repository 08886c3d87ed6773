"""The asynchronous face of the job manager, and `python -m ...service`: the service itself."""

import asyncio
import logging
import socket
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from solveyard.client import find
from solveyard.client.calls import CONNECT
from solveyard.client.sync import Client
from solveyard.pyedb import ansys, batches, elsewhere, errors, limits, views
from solveyard.pyedb.host import Host
from solveyard.pyedb.job_submission import HFSSSimulationConfig, SchedulerType
from solveyard.pyedb.limits import ResourceLimits
from solveyard.pyedb.listening import Listeners
from solveyard.pyedb.monitor import ResourceMonitor
from solveyard.pyedb.pool import JobPoolManager, SessionPool
from solveyard.pyedb.projects import below
from solveyard.pyedb.sent import fields
from solveyard.pyedb.session import Session
from solveyard.pyedb.statuses import JobStatus
from solveyard.pyedb.views import JobInfo
from solveyard.solvers.hfss import forwarded

__all__ = [
    "JobInfo", "JobManager", "JobPoolManager", "JobStatus", "ResourceLimits", "ResourceMonitor",
    "SchedulerManager", "SchedulerType", "logger", "main", "submit_job_to_manager",
]  # fmt: skip

logger = logging.getLogger("JobManager")

_NOTHING_YET = "this JobManager has no session yet (submit_job begins one)"
_CLOSED = "this JobManager is closed (make another: JobManager())"


class JobManager:
    """A session, awaited. It opens no port, and the manager when it is first needed."""

    def __init__(
        self,
        resource_limits: ResourceLimits | None = None,
        scheduler_type: SchedulerType = SchedulerType.NONE,
        *,
        store: str | Path | None = None,
    ) -> None:
        """`resource_limits`: set in the store when it is opened; None: they stay as they are."""
        self.scheduler_type = SchedulerType(scheduler_type)
        self.ansys_path = ansys.newest()  #: of this machine; None: none was found
        self._opened = False
        self._opening = threading.Lock()
        self._belongs_to(Session(lambda: Host(store), before=_NOTHING_YET, after=_CLOSED))
        if resource_limits is not None:
            self.resource_limits = resource_limits

    @classmethod
    def of(cls, session: Session, ansys_path: str | None) -> Self:
        """Of a session that somebody else opens and closes."""
        made = cls()
        made.ansys_path = ansys_path
        made._opened = True
        made._belongs_to(session)
        return made

    def _belongs_to(self, session: Session) -> None:
        self._session = session
        self.job_pool = SessionPool(session)
        self.resource_monitor: ResourceMonitor = views.Machine(session)
        self.sio = Listeners(session)  #: `sio.on("job_completed", f)`: f is called by each

    def __getattr__(self, name: str) -> NoReturn:
        elsewhere.missing(self, name)

    @property
    def jobs(self) -> Mapping[str, JobInfo]:
        """This session's, by id; each look asks the manager."""
        return views.Jobs(self._session)

    @property
    def resource_limits(self) -> ResourceLimits:
        """Those that hold now; assigned to, they are set in the store, be it when it is opened."""
        return limits.current(self._session)

    @resource_limits.setter
    def resource_limits(self, given: ResourceLimits) -> None:
        limits.assign(self._session, given)

    async def submit_job(self, config: HFSSSimulationConfig, priority: int = 0) -> str:
        """Its id, once it is on disk. Raises InvalidConfig, MissingFile, ServiceError."""
        return await asyncio.to_thread(self._submit, config, priority)

    async def cancel_job(self, job_id: str) -> bool:
        """Whether there is such a job."""
        return await asyncio.to_thread(self._session.cancel, str(job_id))

    async def wait_until_all_done(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  it raises what is documented
        """Until all jobs of this session have ended, those that come meanwhile too.

        Raises WaitTimeout.
        """
        if self._session.host is not None:
            await asyncio.wrap_future(self._session.waiting(None, timeout))

    async def edit_concurrent_limits(self, update_data: Mapping[str, Any]) -> dict[str, Any] | None:
        """All limits as they are then; None where one of those isn't valid: none is changed."""
        try:
            return await asyncio.to_thread(self._set_limits, update_data)
        except errors.InvalidConfig:
            return None

    async def close(self) -> None:
        """Its running jobs get 30 s to end, and its waiting ones are held."""
        await asyncio.to_thread(self._session.close)

    def _submit(self, config: HFSSSimulationConfig, priority: int) -> str:
        self._open()
        return self._session.submit(config, priority)

    def _set_limits(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._open()
        return self._session.set_limits(given)

    def _open(self) -> None:
        with self._opening:
            if self._opened:
                return
            self._session.open()
            limits.first(self._session)
            self._opened = True


class SchedulerManager:
    """What a batch system says of its partitions and jobs."""

    def __init__(self, scheduler_type: SchedulerType) -> None:
        """Raises InvalidConfig for "none"."""
        self.scheduler_type = SchedulerType(scheduler_type)
        if self.scheduler_type is SchedulerType.NONE:
            raise errors.InvalidConfig("SchedulerManager is of a batch system, not of 'none'")

    async def get_partitions(self) -> list[dict[str, Any]]:
        """Asked now. Raises SubmissionFailed where it doesn't answer."""
        return await asyncio.to_thread(self._partitions)

    async def get_jobs(self) -> list[dict[str, Any]]:
        """Those that the usual store's manager has there. Raises as `get_partitions` does."""
        return await asyncio.to_thread(self._jobs)

    def _partitions(self) -> list[dict[str, Any]]:
        with errors.translated():
            return batches.partitions(self.scheduler_type)

    def _jobs(self) -> list[dict[str, Any]]:
        with errors.translated():
            batches.partitions(self.scheduler_type)
            with Client() as client:
                dialect = forwarded.dialect(self.scheduler_type)
                those = [one for one in client.cluster_status() if one.dialect == dialect]
                return batches.jobs(client, those)


async def submit_job_to_manager(
    config: HFSSSimulationConfig, priority: int = 0, manager_url: str = "http://localhost:8080"
) -> str:
    """Its id at the manager there; where nothing can be connected to, it is solved here and now.

    What was sent and not answered is looked up, never solved twice. Raises what the manager
    refuses it for; ServiceError where it doesn't answer, or where solving it here failed.
    """
    return await asyncio.to_thread(_submitted_there, config, priority, manager_url)


def _submitted_there(config: HFSSSimulationConfig, priority: int, url: str) -> str:
    with errors.translated():
        where = find.remote(url)
        try:
            if not where.socket:
                socket.create_connection((where.host, where.port), timeout=CONNECT).close()
        except OSError:
            done = config.run_simulation()
            return done if isinstance(done, str) else str(config.jobid)
        with Client(where) as client:
            return client.submit_config_id(fields(config), priority, key=str(uuid.uuid4()))


async def main(projects: Sequence[str | Path] | None = None) -> list[str]:
    """An example: at most two at once, and the later in the list, the sooner. Their ids.

    `projects`: None: those in the working folder.
    """
    found = [Path(one) for one in projects] if projects is not None else below(Path.cwd())
    manager = JobManager(ResourceLimits(max_concurrent_jobs=2, max_cpu_percent=100))
    try:
        ids = [
            await manager.submit_job(HFSSSimulationConfig(project_path=str(one)), priority)
            for priority, one in enumerate(found)
        ]
        await manager.wait_until_all_done()
        return ids
    finally:
        await manager.close()


if __name__ == "__main__":
    from solveyard.pyedb import starting

    sys.exit(starting.service())
