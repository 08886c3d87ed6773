"""A session: the jobs that one handler submitted, until it is closed. For any threads."""

import atexit
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from solveyard import attendance
from solveyard.client import calls
from solveyard.client.sync import Client
from solveyard.model.errors import Conflict, UnknownJob
from solveyard.model.jobs import JobState
from solveyard.model.records import JobRecord
from solveyard.pyedb import errors
from solveyard.pyedb.host import Host
from solveyard.solvers.hfss.config import SchedulerType

GRACE = 30.0  #: s between TERM and KILL when a session ends
_ENDING = 15.0  #: s beyond that in which its jobs have to be gone
NOT_STARTED = "the job manager's service is not started (call start_service())"


class Follower(Protocol):
    """What begins and ends with a session."""

    def begin(self, host: Host) -> None:
        """Raises ServiceError where it can't; the session doesn't open then."""

    def end(self) -> None: ...


class Session:
    """Opens a manager when it is first needed, or when told to."""

    def __init__(self, opening: Callable[[], Host]) -> None:
        self._opening = opening
        self._host: Host | None = None
        self._lock = threading.Lock()
        self._id = ""
        self._own: dict[str, Any] = {}  #: its jobs' ids, oldest first, and their configurations
        self.followers: list[Follower] = []

    @property
    def host(self) -> Host | None:
        return self._host

    def open(self) -> Host:
        """Raises ServiceError."""
        with self._lock:
            if self._host is not None:
                return self._host
            host = self._opening()
            try:
                self._id = attendance.begin(host.folder)
            except OSError as error:
                host.close()
                raise errors.ServiceError(f"cannot write to {host.folder}: {error}") from error
            self._host = host
            atexit.register(self.close)
        try:
            for one in self.followers:
                one.begin(host)
        except errors.JobManagerError:
            self.close()
            raise
        return host

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Errors become this package's; raises ServiceError where it isn't open."""
        host = self._host
        if host is None:
            raise errors.ServiceError(NOT_STARTED)
        with errors.translated(), host.client() as client:
            yield client

    # Its jobs

    @property
    def own(self) -> list[str]:
        with self._lock:
            return list(self._own)

    def config(self, job: str) -> Any:
        """What it was submitted with. Raises KeyError for a job of somebody else."""
        with self._lock:
            return self._own[job]

    def submit(self, config: Any, priority: int = 0, patience: float = calls.SILENCE) -> str:
        """Its id, once it is on disk."""
        return self.submit_all([config], priority, patience)[0]

    def submit_all(
        self, configs: Sequence[Any], priority: int = 0, patience: float = calls.SILENCE
    ) -> list[str]:
        """Their ids, in order, once all are on disk; otherwise none is."""
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise errors.InvalidConfig(f"`priority` must be a whole number, not {priority!r}")
        with self.client() as client:
            records = client.submit_configs(
                [fields(config) for config in configs],
                priority,
                session=self._id,
                patience=patience,
            )
        found = [record.id for record in records]
        with self._lock:
            self._own |= dict(zip(found, configs, strict=True))
        return found

    def record(self, job: str) -> JobRecord:
        with self.client() as client:
            return client.job(job)

    def cancel(self, job: str) -> bool:
        """Whether there is such a job; asked twice, it changes nothing more."""
        with self.client() as client:
            try:
                client.cancel(job)
            except UnknownJob:
                return False
            return True

    def wait(self, jobs: Sequence[str], timeout: float | None) -> None:
        """Until all of them have ended. Raises WaitTimeout."""
        with self.client() as client:
            if not client.wait(jobs, timeout):
                left = [job for job in jobs if not client.job(job).state.final]
                shown = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
                raise errors.WaitTimeout(f"not ended in {timeout} s: {shown}")

    def set_limits(self, limits: Mapping[str, Any]) -> dict[str, Any]:
        with self.client() as client:
            given: Any = dict(limits)  # the manager knows PyEDB's names, too
            told = client.set_limits(**given)
        told["max_concurrent_jobs"] = told.pop("max_concurrent")
        return told

    # Its end

    def close(self) -> None:
        """Its running jobs get TERM, and KILL after 30 s; its waiting ones are held.

        What a batch system has goes on.
        """
        atexit.unregister(self.close)
        with self._lock:
            host, self._host = self._host, None
            own, self._own = list(self._own), {}
        if host is None:
            return
        for one in self.followers:
            one.end()
        try:
            with errors.translated(), host.client() as client:
                running = [job for job in own if not _let_be(client, job)]
                for job in running:
                    client.cancel(job, GRACE)
                client.wait(running, GRACE + _ENDING)
            attendance.end(host.folder, self._id)
        finally:
            host.close()


def fields(config: Any) -> dict[str, Any]:
    """A configuration's, as JSON has them: ours, PyEDB's own, or a dict."""
    if isinstance(config, Mapping):
        return dict(config)
    found = config.model_dump(mode="json") if hasattr(config, "model_dump") else config.to_dict()
    if not isinstance(found, dict):
        raise errors.InvalidConfig(f"not a configuration: {type(config).__name__}")
    return found


def _let_be(client: Client, job: str) -> bool:
    """It won't start any more, or has ended, or is gone; or it belongs to a batch system."""
    try:
        record = client.job(job)
        if record.state is JobState.QUEUED:
            record = client.hold(job)
    except UnknownJob:
        return True
    except Conflict:  # it has just started
        return False
    return record.state is JobState.HELD or record.state.final or _forwarded(record)


def _forwarded(record: JobRecord) -> bool:
    asked = (record.config or {}).get("scheduler_type", SchedulerType.NONE)
    return str(asked) != SchedulerType.NONE
