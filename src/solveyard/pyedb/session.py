"""A session: the jobs that one handler submitted, until it is closed. For any threads."""

import numbers
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol

from solveyard import attendance
from solveyard.client import calls, given, tries
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable, UnknownJob
from solveyard.model.records import JobRecord
from solveyard.pyedb import errors, leaving, ran, sights, waits
from solveyard.pyedb.flights import Flights
from solveyard.pyedb.host import Host
from solveyard.pyedb.sent import fields

GRACE = 30.0  #: s between TERM and KILL when a session ends
_ENDING = 15.0  #: s beyond that in which its jobs have to be gone
_LANDING = 60.0  #: s that a submission under way may take, when a session ends
_LONGEST = 1e6  #: s that somebody may wait for an answer
NOT_STARTED = "the job manager's service is not started (call start_service())"
CLOSED = "the job manager was closed meanwhile"


class Follower(Protocol):
    """What begins and ends with a session."""

    def begin(self, host: Host) -> None:
        """Raises ServiceError where it can't; the session doesn't open then."""

    def end(self) -> None: ...


class Session:
    """Opens a manager when it is first needed, or when told to.

    In a forked child it is still the parent's: what is submitted there belongs to it, and the
    parent alone ends it.
    """

    def __init__(
        self, opening: Callable[[], Host], *, before: str = NOT_STARTED, after: str = NOT_STARTED
    ) -> None:
        """`before`, `after`: what is said to who asks before it is open, and once it is closed."""
        self._opening = opening
        self._host: Host | None = None
        self._lock = threading.RLock()  #: a signal may have its own thread close it
        self._absent, self._after = before, after
        self._id = ""
        self._process = 0
        self._forks = 0  #: that this process had made when it was opened
        self._own: dict[str, sights.Own] = {}  #: its jobs by id, oldest first
        self._gone: set[int] = set()  #: of those, by number, whom somebody removed
        self._past: dict[str, sights.Sight] = {}  #: those that it had when it was closed
        self._taken = 0  #: submissions that were answered
        self._flights = Flights()
        self._waits = waits.Waits()
        self._over = threading.Event()  #: it is not being closed
        self._over.set()
        self.followers: list[Follower] = []
        self.wanted: dict[str, Any] = {}  #: limits that its store gets when it opens

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
            self._host, self._process, self._forks = host, os.getpid(), _Forks.made
            self._flights = Flights()
            leaving.enter(self)
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
        host = self._present()
        try:
            with errors.translated(), host.client() as client:
                yield client
        except errors.ServiceError as error:
            if self._host is not host and isinstance(error.__cause__, ManagerUnavailable):
                raise errors.ServiceError(CLOSED) from error
            raise

    # Its jobs

    @property
    def own(self) -> list[str]:
        """But for those that are known to be removed."""
        with self._lock:
            return [job for job, one in self._own.items() if one.number not in self._gone]

    @property
    def numbers(self) -> set[int]:
        """Of the same ones."""
        with self._lock:
            return {one.number for one in self._own.values()} - self._gone

    @property
    def known(self) -> list[str]:
        """Its own that nobody removed, after those that it had when it was closed before."""
        if self._host is not None:
            with self.client() as client:
                self._miss(client, self.numbers)
        with self._lock:
            return [*(job for job in self._past if job not in self._own), *self.own]

    def look(self, job: str) -> sights.Sight:
        """As it is; where it is of a time before a `close`, as it was then.

        Raises KeyError for a job of somebody else, and for one that was removed.
        """
        with self._lock:
            if job not in self._own:
                return self._past[job]
            own = self._own[job]
        with self.client() as client:
            try:
                return sights.look(client, own)
            except UnknownJob as error:
                raise KeyError(job) from error

    def meant(self, client: Client, job: str) -> str | int:
        """As the manager finds it: its own by number, since others may have the name by now.

        An id of somebody else's job is its name; "#40" is job number 40. Raises UnknownJob.
        """
        with self._lock:
            if job in self._own:
                return self._own[job].number
        if job.isdecimal() and client.job(job).name != job:
            raise UnknownJob(f"there is no job named {job!r}")
        return job

    def submit(self, config: Any, priority: int = 0, patience: float | None = calls.SILENCE) -> str:
        """Its id, once it is on disk."""
        return self.submit_all([config], priority, patience)[0]

    def submit_all(
        self, configs: Sequence[Any], priority: int = 0, patience: float | None = calls.SILENCE
    ) -> list[str]:
        """Their ids, in order, once all are on disk; otherwise none is.

        `patience`: s for an answer; None: for as long as it takes.
        """
        if isinstance(priority, bool) or not isinstance(priority, numbers.Integral):
            raise errors.InvalidConfig(f"`priority` must be a whole number, not {priority!r}")
        seconds = _LONGEST if patience is None else given.seconds(patience)
        if seconds is None or not 0 < seconds <= _LONGEST:
            raise errors.InvalidConfig(
                f"`timeout` must be a number of seconds, above 0 up to {_LONGEST:.0f}, not"
                f" {patience!r}"
            )
        sent = [fields(config) for config in configs]
        with self._submission() as client:
            records = client.submit_configs(sent, int(priority), session=self._id, patience=seconds)
            with self._lock:
                for record, asked in zip(records, zip(configs, sent, strict=True), strict=True):
                    before = self._own.get(record.id)
                    known = [asked]
                    if before is not None and before.config is not None:
                        known.append((before.config, fields(before.config)))
                    self._own[record.id] = sights.Own(ran.config(record, known), record.number)
                self._taken += 1
        return [record.id for record in records]

    def record(self, job: str) -> JobRecord:
        with self.client() as client:
            return client.job(self.meant(client, job))

    def cancel(self, job: str) -> bool:
        """Whether there is such a job; asked twice, it changes nothing more."""
        with self.client() as client:
            try:
                client.cancel(self.meant(client, job))
            except UnknownJob:
                return False
            return True

    def wait(self, jobs: Sequence[str] | None, timeout: float | None) -> None:
        """As `waiting`, here."""
        waits.outcome(self.waiting(jobs, timeout))

    def waiting(self, jobs: Sequence[str] | None, timeout: float | None) -> "Future[None]":
        """The end of all of `jobs`; None: of all of its own, those that come meanwhile too.

        Raises WaitTimeout, and ServiceError where the session is closed meanwhile.
        """
        with errors.translated():
            deadline = tries.deadline(timeout, time.monotonic())

        def ended(given_up: Callable[[], bool]) -> None:
            while not given_up():
                taken, some = self._taken, self.own if jobs is None else jobs
                with self.client() as client:
                    which = {job: self.meant(client, job) for job in some}
                    late = self._late(client, which, deadline, given_up)
                if late:
                    shown = ", ".join(late[:5]) + (", ..." if len(late) > 5 else "")
                    raise errors.WaitTimeout(f"not ended in {timeout} s: {shown}")
                if jobs is not None or self._taken == taken:
                    return

        with self._lock:
            if self._host is None:
                raise errors.ServiceError(self._absent)
            return self._waits.begin(ended)

    def _late(
        self,
        client: Client,
        which: Mapping[str, str | int],
        deadline: float | None,
        given_up: Callable[[], bool],
    ) -> list[str]:
        """As `waits.until_ended` tells; one of its own that was removed had ended."""
        while True:
            try:
                return waits.until_ended(client, which, deadline, given_up)
            except UnknownJob:
                gone = self._miss(client, self.numbers.intersection(which.values()))
                if not gone:
                    raise
                which = {job: meant for job, meant in which.items() if meant not in gone}

    def _miss(self, client: Client, some: set[int]) -> set[int]:
        """Which of `some` of its own were removed: they are no longer looked for."""
        gone = sights.gone(client, some)
        with self._lock:
            self._gone |= gone
        return gone

    def waiting_in(self) -> set[threading.Thread]:
        return self._waits.began_in()

    def set_limits(self, limits: Mapping[str, Any]) -> dict[str, Any]:
        """Answers all, as they are then. Raises InvalidConfig."""
        if not isinstance(limits, Mapping) or not all(isinstance(name, str) for name in limits):
            raise errors.InvalidConfig(
                f"limits are numbers by name, such as {{'max_concurrent_jobs': 2}}, not"
                f" {limits!r:.100}"
            )
        with self.client() as client:
            wishes: Any = dict(limits)  # the manager knows PyEDB's names, too
            told = client.set_limits(**wishes)
        told["max_concurrent_jobs"] = told.pop("max_concurrent")
        return told

    # Its end

    def close(self) -> None:
        """The running jobs that it submitted get TERM, and KILL after 30 s; waiting ones are held.

        What a batch system has goes on.
        """
        with self._lock:
            host, self._host = self._host, None
            if host is None:
                return
            self._absent = self._after
            self._over.clear()
        leaving.left(self)
        try:
            self._waits.give_up(errors.ServiceError(CLOSED))
            if self._process == os.getpid():
                self._end(host)
        finally:
            host.close()
            self._over.set()

    def leave(self) -> None:
        """The interpreter ends: close it, or wait until it has been."""
        if self._process == os.getpid():
            self.close()
            self._over.wait(GRACE + _ENDING)

    def _end(self, host: Host) -> None:
        sure = self._flights.landed(_LANDING)  # those are among its own by now
        with self._lock:
            own = {job: self._own[job] for job in self.own}
            self._own, self._gone = {}, set()
        for one in self.followers:
            one.end()
        with errors.translated(), host.client() as client:
            last = sights.drained(client, own, self._id, GRACE, GRACE + _ENDING)
        with self._lock:
            for job in last:  # the newest last
                self._past.pop(job, None)
            self._past |= last
        if sure and self._forks == _Forks.made:
            attendance.end(host.folder, self._id)
        else:  # there may be jobs of it that aren't known here: the manager looks for them
            attendance.abandon(host.folder, self._id)

    def _present(self) -> Host:
        host = self._host
        if host is None:
            raise errors.ServiceError(self._absent)
        return host

    @contextmanager
    def _submission(self) -> Iterator[Client]:
        """Until it is over, the session doesn't close."""
        with self._lock:
            host = self._present()
            self._flights.begin()
        with self._flights.end(), errors.translated(), host.client() as client:
            yield client


class _Forks:
    """How often this process was forked: a child may submit, too."""

    made = 0

    @classmethod
    def another(cls) -> None:
        cls.made += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_Forks.another)
