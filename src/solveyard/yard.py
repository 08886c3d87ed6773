"""Yard: what people import. A running manager, or one in a thread of its own, and its jobs."""

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from html import escape
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from solveyard import notebook
from solveyard.client import find, output
from solveyard.client.find import Address
from solveyard.client.sync import Client
from solveyard.model.errors import (
    InvalidJob,
    InvalidRequest,
    ManagerUnavailable,
    SolveyardError,
    StoreLocked,
)
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.overlaid import Overlaid, all_of
from solveyard.model.plans import Plan
from solveyard.model.records import ClusterRecord, JobRecord
from solveyard.model.wishes import Wishes, parameters, specification
from solveyard.places import store_folder
from solveyard.results import picture

if TYPE_CHECKING:
    from solveyard.embedded import Embedded
    from solveyard.serve import ServeOptions

NEWEST = 20  #: jobs that a yard shows in a notebook
_CLOSED = "this Yard is closed (make another: Yard())"


class Yard:
    """The jobs of one store, or of another machine's manager.

    Attaches to the manager that has the store, else runs one in a thread of its own, which
    opens no port. Works in scripts, threads and notebooks. Running jobs and the queue outlive
    the process, unless `on_exit` is "drain". A manager that dies is followed by another: by this
    process where nobody else is, unless it was forked from one that ran a manager: then it is told
    to start one (ManagerUnavailable).
    """

    def __init__(
        self,
        store: str | Path | None = None,
        *,
        url: str = "",
        token: str = "",
        cores: int | None = None,
        on_exit: str = "leave",
    ) -> None:
        """`store`: a folder. `url`: of a manager elsewhere; without `token`, the environment's.
        Neither: $SOLVEYARD_URL, else $SOLVEYARD_HOME, else the platform's data folder.
        `cores`: that jobs may use, where this process runs the manager.

        Where this process runs the manager, the settings hold for what isn't given here.

        Raises StoreError when the store can't be opened, InvalidSettings.
        """
        if store is not None and url:
            raise ValueError("a Yard is of a store or of a url, not of both")
        if on_exit not in {"leave", "drain"}:
            raise ValueError(f"on_exit is 'leave' or 'drain', not {on_exit!r}")
        if store is None:
            url = url or find.elsewhere()
        self._remote = find.remote(url, token) if url else None
        self.store = None if self._remote else store_folder(store)
        self._cores = cores
        self._on_exit = on_exit
        self._embedded: Embedded | None = None
        self._closed = False
        self._lock = threading.RLock()  #: a signal may have its own thread close it
        self._idle: list[Client] = []
        self._process = os.getpid()
        self._parents: Embedded | None = None
        self._locate()
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._remote is not None:
            return f"Yard(url={self._remote.url!r})"
        return f"Yard({str(self.store)!r})"

    def _repr_html_(self) -> str:
        """In a notebook: its jobs by state, and the newest."""
        try:
            with self.client() as client:
                states, newest = client.queue(), client.jobs(limit=NEWEST)
        except SolveyardError as error:
            return f"<p><code>{escape(repr(self))}</code>: {escape(str(error))}</p>"
        return notebook.yard(repr(self), states, newest.jobs, newest.total)

    def submit(
        self, solver: str, options: Mapping[str, Any], /, **wishes: Unpack["Wishes"]
    ) -> "YardJob":
        """Have `solver` run with `options`; on disk when it returns.

        `wishes` are the other fields of a job's specification: name, priority, resources,
        time_limit (s), directory ... `after` may be jobs, names or numbers, `retry` the number of
        tries. Raises InvalidJob, Conflict.
        """
        return self.submit_many([{"solver": solver, "options": options, **wishes}])[0]

    def command(self, argv: Sequence[str], /, **wishes: Unpack["Wishes"]) -> "YardJob":
        """Have a program run with its arguments; no shell is involved."""
        if not _is_list(argv):
            raise InvalidJob(
                f"a command is a program with its arguments as a list, not {argv!r}:"
                ' command(["echo", "hi"])'
            )
        return self.submit("command", {"argv": list(argv)}, **wishes)

    def sweep(
        self,
        what: str | Sequence[str],
        options: Mapping[str, Any] | None = None,
        /,
        *,
        at_once: int | None = None,
        **fields: Any,  # what isn't a wish is a parameter: nothing else tells them apart
    ) -> "YardJob":
        """Have `what` run for each combination of parameters: `w=[1, 2], er=[3.5, 4.4]`.

        `what`: a program with its arguments, or a solver's name and then its `options`. `{{w}}` in
        their texts is the task's own. The last parameter runs fastest; `at_once`: tasks that run at
        the same time. Fields of a specification are no parameters; they are as for `submit`.
        """
        solver = what if isinstance(what, str) else "command"
        if isinstance(what, str) != (options is not None) or not (solver == what or _is_list(what)):
            raise InvalidJob(
                "a sweep takes a program with its arguments as a list, or a solver's name and its"
                ' options: sweep(["./solve", "{{w}}"], w=[1, 2]), sweep("nec", {...}, w=[1, 2])'
            )
        names = Wishes.__annotations__.keys() - {"array"}
        wishes = {name: fields.pop(name) for name in names & fields.keys()}
        array: dict[str, Any] = {"grid": parameters(fields)}
        if at_once is not None:
            array["at_once"] = at_once
        asked = {"argv": list(what)} if options is None else options
        return self.submit(solver, asked, **wishes, array=array)

    def submit_many(
        self, specs: Sequence[JobSpec | Mapping[str, Any]], *, key: str = ""
    ) -> "YardJobs":
        """Have all of them run, or none. `key`: submitted with it again, they are the same jobs."""
        read = [specification(spec) for spec in specs]
        with self.client() as client:
            return YardJobs(YardJob(self, one) for one in client.submit_many(read, key=key))

    def preview(
        self, solver: str, options: Mapping[str, Any], /, **wishes: Unpack["Wishes"]
    ) -> Plan:
        """What `submit` would have run; refused as there, and nothing is submitted."""
        with self.client() as client:
            return client.preview(specification({"solver": solver, "options": options, **wishes}))

    def job(self, key: str | int) -> "YardJob":
        """By name, else by number. Raises UnknownJob."""
        with self.client() as client:
            return YardJob(self, client.job(key))

    def jobs(self, name: str = "", states: Sequence[JobState] = ()) -> "YardJobs":
        """All jobs, newest first; with `name` those whose name fits this pattern: "filter*".

        `*` stands for anything, `?` for one character, `[ab]` for one of these; with `states` only
        jobs in one of them.
        """
        if not isinstance(name, str) or isinstance(name, JobState):
            raise InvalidRequest(f"jobs() takes a pattern of names, not {name!r} (states=...)")
        with self.client() as client:
            found = client.jobs(states, limit=None).jobs
        fitting = [one for one in found if not name or fnmatchcase(one.name, name)]
        return YardJobs(YardJob(self, record) for record in fitting)

    def wait(
        self,
        jobs: "YardJob | str | int | Sequence[YardJob | str | int] | None" = None,
        timeout: float | None = None,
    ) -> bool:
        """Until all of `jobs` have ended; False: `timeout` s are over.

        They are what was submitted, names or numbers; None: all there are. Raises UnknownJob.
        """
        waited: Iterable[YardJob | str | int]
        if jobs is None:
            waited = self.jobs()
        elif isinstance(jobs, YardJob | str) or not isinstance(jobs, Iterable):
            waited = [jobs]
        else:
            waited = jobs
        with self.client() as client:  # a number may be numpy's
            keys = [one.key if isinstance(one, YardJob) else one for one in waited]
            return client.wait(keys, timeout)

    def cluster_status(self) -> list[ClusterRecord]:
        """Each cluster that jobs may be forwarded to, as it answered last."""
        with self.client() as client:
            return client.cluster_status()

    def status(self) -> dict[str, Any]:
        """How the manager and its machines are."""
        with self.client() as client:
            return client.status()

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client of the manager that has the store now; this thread's until it's given back."""
        self._know_process()
        if self._closed:
            raise ManagerUnavailable(_CLOSED)
        try:
            client = self._idle.pop()
        except IndexError:
            client = Client(self._locate)
        try:
            yield client
        finally:
            if self._closed:
                client.close()
            else:
                self._idle.append(client)

    def close(self) -> None:
        """Let go of the manager; one that runs in this process stops, as `on_exit` says."""
        self._know_process()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            atexit.unregister(self.close)
            while self._idle:
                self._idle.pop().close()
            if self._embedded is not None:
                self._embedded.close(self._on_exit)

    def _locate(self) -> Address:
        """Find the manager, or become it. Asked for each connection, so it may be another's."""
        if self._remote is not None:
            return self._remote
        folder = store_folder(self.store)
        self._know_process()
        with self._lock:
            if self._closed:
                raise ManagerUnavailable(_CLOSED)
            deadline = time.monotonic() + 20.0
            while not self._reachable(folder):
                try:
                    self._embedded = self._embed(folder)
                except StoreLocked:  # somebody else is just becoming it
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
                if self._closed and self._embedded is not None:  # by a signal's handler, just now
                    self._embedded.close(self._on_exit)
                    raise ManagerUnavailable(_CLOSED)
        return find.running(folder)

    def _know_process(self) -> None:
        """In a forked child the manager is its parent's: it is attached to, as any other's."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._lock = threading.RLock()  # a thread that isn't here may have held it
        # Kept, for its end would take from the parent what its manager needs.
        self._parents, self._embedded = self._embedded, None
        while self._idle:
            self._idle.pop().close()

    def _reachable(self, folder: Path) -> bool:
        if self._embedded is not None and self._embedded.alive:
            return True
        self._embedded = None  # it has ended, and another may be there
        where = find.manager(folder)
        return where is not None and not find.gone(where)

    def _embed(self, folder: Path) -> "Embedded":
        from solveyard.embedded import Embedded

        return Embedded(folder, self._serve_options())

    def _serve_options(self) -> "ServeOptions":
        """How the manager runs where this process runs it."""
        from solveyard import config
        from solveyard.config import serving

        given = {}
        if self._cores is not None:
            given["cores"] = config.Given("Yard(cores=...)", self._cores)
        found = config.load(config.Places.here(), given=given)
        return serving.embedded(found, on_stop=self._on_exit)


class YardJob:
    """One job of a Yard, as it was when last looked at; `refresh` looks again."""

    def __init__(self, yard: Yard, record: JobRecord) -> None:
        self._yard = yard
        self.record = record

    def __repr__(self) -> str:
        native = self.record.scheduler_job_id
        return f"<job {self.record.id}: {self.record.state}{f' as {native}' if native else ''}>"

    def _repr_html_(self) -> str:
        """In a notebook: as it is now; where nobody answers, as it was when last looked at."""
        with contextlib.suppress(SolveyardError):
            self.refresh()
        return notebook.job(self.record)

    @property
    def id(self) -> str:
        """The name if it has one, else the number."""
        return self.record.id

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def key(self) -> str:
        """By which the manager finds it, whatever others are called."""
        task = self.record.task
        return f"#{self.number}" if task is None else f"#{self.number}[{task}]"

    @property
    def state(self) -> JobState:
        """As it is now."""
        return self.refresh().state

    def refresh(self) -> JobRecord:
        """Its record, as it is now."""
        with self._yard.client() as client:
            self.record = client.job(self.key)
        return self.record

    def wait(self, timeout: float | None = None) -> JobRecord:
        """Until it has ended. Raises TimeoutError after `timeout` s."""
        if not self._yard.wait([self], timeout):
            raise TimeoutError(f"job {self.id} had not ended after {timeout} s")
        return self.refresh()

    def cancel(self) -> JobRecord:
        with self._yard.client() as client:
            self.record = client.cancel(self.key)
        return self.record

    def retry(self) -> JobRecord:
        with self._yard.client() as client:
            self.record = client.retry(self.key)
        return self.record

    def output(self, stream: str = "stdout") -> str:
        """All of its standard output ("stderr": standard error), of the newest attempt so far.

        Raises InvalidRequest for an array: its tasks have output.
        """
        self._know_one()
        with self._yard.client() as client:
            parts = list(output.so_far(client, self.key, stream))
        return b"".join(parts).decode("utf-8", "replace")

    def follow(self) -> Iterator[bytes]:
        """Its standard output as it comes, of one attempt after the other until it has ended.

        It begins with the attempt that ran, or was to come next, when it was last looked at: of a
        job just submitted the first. Raises InvalidRequest for an array: its tasks have output.
        """
        self._know_one()
        return self._follow()

    def _follow(self) -> Iterator[bytes]:
        with self._yard.client() as client:
            yield from client.follow_log(self.key, attempt=output.present(self.record))

    def _know_one(self) -> None:
        if self.record.tasks is not None:
            raise InvalidRequest(
                f"{self.id} is an array: its tasks have output (the first: job.tasks(), or by its"
                " index: job[3])"
            )

    def __getitem__(self, index: int) -> "YardJob":
        """One task of an array, by its index. Raises UnknownJob."""
        return self._yard.job(f"#{self.record.number}[{index}]")

    def __iter__(self) -> "Iterator[YardJob]":
        """The tasks of an array, by index."""
        return self.tasks()

    def results(self, *, frame: bool = True) -> Any:
        """Parameters and measured values: a row for each task of an array, or one for a job.

        A pandas DataFrame where pandas is installed, else, or without `frame`, a list of dicts.
        """
        with self._yard.client() as client:
            rows = client.results(self.key)
        if frame:
            try:
                import pandas as pd
            except ImportError:
                return rows
            return pd.DataFrame(rows)
        return rows

    def overlay(self, s: str = "11", *, file: str = "") -> list[Overlaid]:
        """A scattering parameter of each of its tasks; one without says why in `trouble`."""
        with self._yard.client() as client:
            return all_of(lambda offset: client.overlay(self.key, s, file, 200, offset))

    def plot(self, path: str | Path, s: str = "11", *, file: str = "") -> list[Overlaid]:
        """Draw what `overlay` answers in one picture: .svg, .png or .pdf."""
        found = self.overlay(s, file=file)
        picture.draw(Path(path), found, self.id, s)
        return found

    def tasks(self, states: Sequence[JobState] = ()) -> "Iterator[YardJob]":
        """Of an array, by index; with `states` those alone."""
        offset = 0
        while True:
            with self._yard.client() as client:
                some = client.tasks(self.key, states, 1000, offset)
            if not some:
                return
            offset += len(some)
            yield from (YardJob(self._yard, record) for record in some)

    def files(self) -> list[str]:
        """The files in its folder, by path."""
        with self._yard.client() as client:
            return [entry.path for entry in client.files(self.key)]

    def read(self, path: str) -> bytes:
        """One of its files."""
        with self._yard.client() as client:
            return b"".join(client.read_file(self.key, path))


def _is_list(argv: object) -> bool:
    return isinstance(argv, Iterable) and not isinstance(argv, str | bytes | Mapping)


class YardJobs(list[YardJob]):
    """Some jobs, as they were when looked for; in a notebook a table."""

    def _repr_html_(self) -> str:
        return notebook.jobs([job.record for job in self])
