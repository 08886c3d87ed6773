"""The synchronous face of the job manager, for scripts and notebooks; a command, too."""

import numbers
import os
import re
import secrets
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import msgspec

from solveyard.pyedb import ansys, elsewhere, errors, limits, views
from solveyard.pyedb.awaiting import SubmittedId
from solveyard.pyedb.host import Host
from solveyard.pyedb.job_submission import (
    HFSSSimulationConfig,
    SchedulerOptions,
    SchedulerType,
)
from solveyard.pyedb.limits import ResourceLimits
from solveyard.pyedb.session import CLOSED, Session
from solveyard.pyedb.statuses import JobStatus
from solveyard.pyedb.web import cors_middleware, get_session

if TYPE_CHECKING:
    from solveyard.pyedb.listening import Listeners
    from solveyard.pyedb.service import JobManager

__all__ = ["JobManagerHandler", "cors_middleware", "get_session"]

_USUAL = 8080
_FAILED = "Job-Manager service failed to start within 10 s"


class JobManagerHandler:
    """A session with the manager of a store: it submits its jobs, waits for them and ends them.

    Every method may be called from any thread, and inside a running event loop. Errors are those
    of `solveyard.pyedb.errors`.
    """

    def __init__(
        self,
        edb: Any = None,
        version: str | None = None,
        host: str = "localhost",
        port: int | str | None = _USUAL,
        *,
        resource_limits: ResourceLimits | None = None,
        store: str | Path | None = None,
    ) -> None:
        """`edb`: anything with `base_path`, whose ansysedt is used; else `version` says which,
        such as "252" or "2025.2"; else the newest. `resource_limits`: set when the service starts;
        None: they stay as they are in the store. `store`: a folder; None: the usual one.

        Raises InvalidConfig where that version isn't installed, and for what is no port.
        """
        self.host = host
        self.port = _port(port)
        self.ansys_path = ansys.of_edb(edb) or (
            ansys.newest() if version is None else ansys.of_release(version)
        )
        self._store = store
        self._turn = threading.RLock()  #: a signal may have its own thread come here again
        self._doing = ""  #: in its turn: "start" or "close"
        self._unwanted = False  #: it is to be closed once it has started
        self._looking = threading.RLock()
        self._session = Session(self._opened)
        if resource_limits is not None:
            self.resource_limits = resource_limits
        self._manager: JobManager | None = None
        self._scheduler_type: SchedulerType | None = None

    def __enter__(self) -> Self:
        self.start_service()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def started(self) -> bool:
        return self._session.host is not None

    @property
    def scheduler_type(self) -> SchedulerType:
        """The batch system that the settings name, or that answered here, as first found.

        It may take some seconds where one is away.
        """
        with self._looking:
            if self._scheduler_type is None:
                self._scheduler_type = self._detect_scheduler()
            return self._scheduler_type

    @property
    def manager(self) -> "JobManager":
        """The same session, awaited; its `jobs` are this handler's."""
        from solveyard.pyedb.service import JobManager

        with self._looking:
            if self._manager is None:
                self._manager = JobManager.of(self._session, self.ansys_path)
            return self._manager

    @property
    def sio(self) -> "Listeners":
        """`handler.sio.on("job_completed", f)`: f is called by each."""
        return self.manager.sio

    @property
    def resource_limits(self) -> ResourceLimits:
        """Those that hold now; assigned to, they are set in the store, be it at the next start."""
        return limits.current(self._session)

    @resource_limits.setter
    def resource_limits(self, given: ResourceLimits) -> None:
        limits.assign(self._session, given)

    def start_service(self) -> None:
        """Listen at `host` and `port`, ready when it returns; does nothing where it does so.

        Raises ServiceError, a RuntimeError, where the port is taken.
        """
        with self._turn:
            if self.started or self._doing:
                return
            self._doing, self._unwanted = "start", False
            try:
                self._start()
            finally:
                self._doing = ""
            if self._unwanted:
                self.close()
                raise errors.ServiceError(CLOSED)

    def close(self) -> None:
        """End the session: its running jobs get 30 s to end, and its waiting ones are held.

        A signal's handler may call it at any time: what it interrupted, a start or a close, then
        comes to its end first.
        """
        with self._turn:
            if self._doing:
                self._unwanted = True
                return
            self._doing = "close"
            try:
                self._session.close()
            finally:
                self._doing = ""

    async def stop_service(self) -> None:
        """`close`, awaited."""
        import asyncio

        await asyncio.to_thread(self.close)

    # Jobs

    def create_simulation_config(
        self,
        project_path: str | Path,
        ansys_edt_path: str | None = None,
        jobid: str | None = None,
        scheduler_type: SchedulerType | str | None = None,
        cpu_cores: int = 1,
        user: str = "unknown",
        *,
        scheduler_options: SchedulerOptions | Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> HFSSSimulationConfig:
        """Raises InvalidConfig, MissingFile. `fields` are the configuration's other fields."""
        if not isinstance(project_path, str | os.PathLike):
            raise errors.InvalidConfig(f"`project_path` must be a path, not {project_path!r:.100}")
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", Path(project_path).stem)[:100]
        given: dict[str, Any] = {
            "project_path": project_path,
            "ansys_edt_path": ansys_edt_path or self.ansys_path,
            "jobid": jobid or f"{stem}_{secrets.token_hex(3)}",
            "scheduler_type": self.scheduler_type if scheduler_type is None else scheduler_type,
            "user": user,
            "machine_nodes": [
                {"hostname": "localhost", "cores": cpu_cores, "max_cores": cpu_cores}
            ],
            **fields,
        }
        if scheduler_options is not None:
            given["scheduler_options"] = scheduler_options
        return HFSSSimulationConfig(**given)

    def submit_job(
        self, config: HFSSSimulationConfig, priority: int = 0, timeout: float = 30.0
    ) -> str:
        """Its id, once it is on disk; `timeout`: s for an answer. The id may be awaited, too.

        While a job with its `jobid` has not ended, it is that job; one that ended runs again,
        beside its record. Raises InvalidConfig, MissingFile, SubmissionFailed, ServiceError.
        """
        return SubmittedId(self._session.submit(config, priority, timeout))

    def submit_jobs(
        self, jobs: Sequence[HFSSSimulationConfig], priority: int = 0, timeout: float = 30.0
    ) -> list[str]:
        """Their ids, in order; starts the service where that isn't done.

        All of them are taken, or none. Raises as `submit_job` does.
        """
        self.start_service()
        return self._session.submit_all(jobs, priority, timeout)

    def submit_jobs_and_wait(
        self,
        jobs: Sequence[HFSSSimulationConfig],
        timeout: float | None = None,
        priority: int = 0,
    ) -> list[str]:
        """Their ids, in order, when all of them have ended.

        Raises WaitTimeout, an asyncio.TimeoutError, when `timeout` s are over; they go on.
        """
        found = self.submit_jobs(jobs, priority)
        self._session.wait(found, timeout)
        return found

    def wait_until_done(
        self, job_id: str, poll_every: float = 2.0, timeout: float | None = None
    ) -> JobStatus:
        """How it ended, as soon as it did; nothing is polled, so `poll_every` doesn't matter.

        Raises WaitTimeout; ServiceError where there is no such job, or the handler is closed
        meanwhile.
        """
        job = str(job_id)
        views.ended(self._session, job)
        self._session.wait([job], timeout)
        return views.ended(self._session, job)

    def wait_until_all_done(self, poll_every: float = 2.0, timeout: float | None = None) -> None:
        """Until all jobs of this handler have ended, those that come meanwhile too.

        Raises WaitTimeout.
        """
        self._session.wait(None, timeout)

    def cancel_job(self, job_id: str) -> bool:
        """Whether there is such a job; it ends soon after, if it hadn't."""
        return self._session.cancel(str(job_id))

    def cluster_status(self, timeout: float = 10.0) -> dict[str, Any]:
        """{"partitions": [...], "jobs": [...]}: as told last, and those of this manager.

        Raises SubmissionFailed where there is no batch system. Nothing is waited for, so `timeout`
        doesn't matter.
        """
        from solveyard.pyedb import batches

        with self._session.client() as client:
            found = client.cluster_status()
            if not found:
                raise errors.SubmissionFailed(
                    "no batch system is configured on this manager, and none answered on its"
                    " machine (add a table [clusters.NAME] to config.toml)"
                )
            told = [partition for one in found for partition in one.partitions]
            shown = [msgspec.to_builtins(one) for one in told]
            return {"partitions": shown, "jobs": batches.jobs(client, found)}

    def _detect_scheduler(self) -> SchedulerType:
        """By an answer: a stray sinfo is no batch system."""
        if not self.started:
            from solveyard.pyedb import batches

            with errors.translated():
                return batches.answering()
        with self._session.client() as client:
            return SchedulerType(client.batch_system())

    def __getattr__(self, name: str) -> NoReturn:
        elsewhere.missing(self, name)

    def _start(self) -> None:
        try:
            host = self._session.open()
        except errors.JobManagerError as error:
            raise errors.ServiceError(f"{_FAILED}: {error}") from error
        if not self.port:
            self.port = host.port
        limits.first(self._session)

    def _opened(self) -> Host:
        programs = (self.ansys_path,) if self.ansys_path else ()
        return Host(self._store, host=self.host, port=self.port, programs=programs)


def _port(given: object) -> int:
    """Of a number of any kind, or a text; None: the usual one, as PyEDB's had it."""
    if given is None:
        return _USUAL
    text = given if isinstance(given, str) else ""
    if isinstance(given, numbers.Integral) and not isinstance(given, bool):
        text = str(int(given))
    if re.fullmatch(r"\d{1,5}", text, re.ASCII) and int(text) <= 65535:
        return int(text)
    raise errors.InvalidConfig(f"`port` must be a whole number from 0 to 65535, not {given!r}")


if __name__ == "__main__":
    from solveyard.pyedb import starting

    sys.exit(starting.handler())
