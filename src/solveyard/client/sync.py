"""A client that blocks: for scripts, threads and the command line. Standard library's HTTP."""

import http.client
import socket
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from solveyard import forks
from solveyard.client import calls, find, output, replies, tries
from solveyard.client.calls import Call, LimitWishes
from solveyard.client.find import Address, Where
from solveyard.client.replies import FileEntry, FilePage, Listing, LogPart, Reply
from solveyard.model.errors import ManagerUnavailable
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.notices import NoticeRecord, ReceiverRecord
from solveyard.model.overlaid import Overlaid
from solveyard.model.plans import Plan
from solveyard.model.records import ClusterRecord, JobRecord, SharesRecord

T = TypeVar("T")


class Client:
    """A manager, as a program sees it. For one thread at a time.

    Every method raises ManagerUnavailable when no manager answers, and the model's errors as the
    manager tells them. A request whose answer was lost is sent again, also to a manager that took
    the store over: by its key it is known there, and done once.
    """

    def __init__(self, where: Where = None, *, patience: float = tries.PATIENCE) -> None:
        """`where`: a store's folder, a manager's URL, or what finds one, asked each time; None:
        $SOLVEYARD_URL, else $SOLVEYARD_HOME, else the platform's data folder.
        `patience`: s for which a manager that went away is waited for.
        """
        self._find = find.locator(where)
        self._patience = patience
        self._where: Address | None = None
        self._wire: http.client.HTTPConnection | None = None

    @classmethod
    def at(cls, url: str, token: str = "", *, patience: float = tries.PATIENCE) -> Self:
        """Of the manager at `url`; without `token`, $SOLVEYARD_TOKEN or $SOLVEYARD_TOKEN_FILE."""
        return cls(find.remote(url, token), patience=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def submit(self, spec: JobSpec, *, key: str = "") -> JobRecord:
        return self.submit_many([spec], key=key)[0]

    def submit_many(self, specs: Sequence[JobSpec], *, key: str = "") -> list[JobRecord]:
        """All of them, or none. `key`: whoever submits with it again gets these jobs."""
        return self._ask(calls.submit(specs, key)) if specs else []

    def submit_config(
        self,
        config: Mapping[str, Any],
        priority: int = 0,
        *,
        session: str = "",
        key: str = "",
        patience: float = calls.SILENCE,
    ) -> JobRecord:
        """Have one of PyEDB's HFSS configurations run; its `jobid` is the job's name.

        While a job of that name has not ended, it is that job. `session`: of the program
        that it shall not go on without. `patience`: s for an answer.
        """
        return self._ask(calls.submit_config(config, priority, session, key, patience))

    def submit_config_id(
        self, config: Mapping[str, Any], priority: int = 0, *, key: str = ""
    ) -> str:
        """`submit_config`, also at PyEDB's own service: the job's id."""
        return self._ask(calls.submit_config_id(config, priority, key))

    def submit_configs(
        self,
        configs: Sequence[Mapping[str, Any]],
        priority: int = 0,
        *,
        session: str = "",
        key: str = "",
        patience: float = calls.SILENCE,
    ) -> list[JobRecord]:
        """`submit_config` of several, in one request: all are taken, or none."""
        if not configs:
            return []
        return self._ask(calls.submit_configs(configs, priority, session, key, patience))

    def preview(self, spec: JobSpec) -> Plan:
        """What it would run; refused as `submit` would be, and nothing is submitted."""
        return self._ask(calls.preview(spec))

    def preview_config(self, config: Mapping[str, Any]) -> Plan:
        """`preview` of one of PyEDB's HFSS configurations."""
        return self._ask(calls.preview_config(config))

    def jobs(
        self,
        states: Collection[JobState] | None = (),
        name: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
        cursor: str | None = None,
    ) -> Listing:
        """Newest first. `limit` None: all of them."""
        return self._ask(calls.jobs(states, name, owner, tag, limit, cursor))

    def job(self, job: str | int) -> JobRecord:
        """By name, else by number."""
        return self._ask(calls.job(job))

    def cancel(self, job: str | int, grace: float | None = None) -> JobRecord:
        """`grace` is s between TERM and KILL; None: as the job's spec says."""
        return self._ask(calls.cancel(job, grace))

    def hold(self, job: str | int) -> JobRecord:
        return self._ask(calls.act(job, "hold"))

    def release(self, job: str | int) -> JobRecord:
        return self._ask(calls.act(job, "release"))

    def retry(self, job: str | int, *, key: str = "") -> JobRecord:
        """Run it again. `key`: asked for with it again, it is no other attempt."""
        return self._ask(calls.act(job, "retry", key=key))

    def set_priority(self, job: str | int, priority: int) -> JobRecord:
        return self._ask(calls.act(job, "priority", {"priority": priority}))

    def annotate(
        self,
        job: str | int,
        *,
        tags: str | Iterable[str] | None = None,
        note: str | None = None,
        add_tags: str | Iterable[str] = (),
        remove_tags: str | Iterable[str] = (),
    ) -> JobRecord:
        """Put these tags, or this note, in the place of the old; None: leave them as they are.

        `add_tags`, `remove_tags` change some in one step, whoever else changes others.
        """
        return self._ask(calls.annotate(job, tags, note, add_tags, remove_tags))

    def remove(self, job: str | int, *, files: bool = False) -> None:
        """Forget an ended job; with `files` its output and its own folder, too."""
        self._ask(calls.remove(self.job(job), files))

    def wait(self, jobs: str | int | Iterable[str | int], timeout: float | None = None) -> bool:
        """Until all of `jobs`, one or several, have ended; False: `timeout` s are over."""
        deadline = tries.deadline(timeout, time.monotonic())
        left = calls.keys(jobs)
        while left:
            pause = calls.LONG_POLL if deadline is None else deadline - time.monotonic()
            left = self._ask(calls.wait(left, min(calls.LONG_POLL, max(0.0, pause))))
            if left and deadline is not None and time.monotonic() >= deadline:
                return False
        return True

    def log(
        self,
        job: str | int,
        stream: str = "stdout",
        *,
        offset: int = 0,
        limit: int = calls.PIECE,
        attempt: int | None = None,
        wait: float = 0.0,
    ) -> LogPart:
        """Bytes of its output from `offset` (negative: from the end), of its newest attempt.

        `wait`: s to wait for something to come, where there is nothing yet.
        """
        return self._ask(calls.log(job, stream, offset, limit, attempt, wait))

    def follow_log(
        self,
        job: str | int,
        stream: str = "stdout",
        *,
        offset: int = 0,
        attempt: int | None = None,
        only: bool = False,
    ) -> Iterator[bytes]:
        """Its output as it comes, from `offset`, of one attempt after the other until it has ended.

        It begins with `attempt` (None: the newest one), which may be the next; with `only` it ends
        with that, too. Where an attempt cuts its output and writes it anew, that comes from its
        beginning, but where it has grown beyond the old before it is looked at again.
        """
        place = output.Place(offset, attempt, only=only)
        while True:
            part = self.log(
                job, stream, offset=place.offset, attempt=place.attempt, wait=calls.LONG_POLL
            )
            content = place.read(part)
            if content:
                yield content
            elif content is not None and part.ended and place.at_end(part, self.job(job)):
                return
            time.sleep(place.pause)

    def files(self, job: str | int) -> list[FileEntry]:
        """The files in its folder, all of them."""
        found: list[FileEntry] = []
        cursor: str | None = None
        while True:
            page = self.file_page(job, cursor)
            found += page.files
            cursor = page.cursor
            if cursor is None:
                return found

    def file_page(self, job: str | int, cursor: str | None = None) -> FilePage:
        """Up to 10 000 of them, with how many there are and what could not be looked at."""
        return self._ask(calls.files(job, cursor))

    def read_file(self, job: str | int, path: str) -> Iterator[bytes]:
        """One file's bytes, in pieces. Read them all before the next call."""
        reply, response = self._answer(calls.file(job, path), whole=False)
        replies.checked(reply)
        return _pieces(response)

    def tasks(
        self,
        job: str | int,
        states: Collection[JobState] | None = (),
        limit: int = 50,
        offset: int = 0,
    ) -> list[JobRecord]:
        """Of an array, by index; of "sweep[3,5-9]" those. At most 1000 at once."""
        return self._ask(calls.tasks(job, states, limit, offset))

    def results(self, job: str | int) -> list[dict[str, Any]]:
        """Parameters and measured values: a row for each task of an array, or one for a job.

        All rows have the same names in the same order.
        """
        rows: list[dict[str, Any]] = self._ask(calls.results(job))
        return rows

    def overlay(
        self, job: str | int, s: str = "11", file: str = "", limit: int = 50, offset: int = 0
    ) -> list[Overlaid]:
        """A scattering parameter of each of an array's tasks; at most 200 at once."""
        return self._ask(calls.overlay(job, s, file, limit, offset))

    def results_csv(self, job: str | int) -> Iterator[bytes]:
        """The same as CSV, in pieces. Read them all before the next call."""
        reply, response = self._answer(calls.results_csv(job), whole=False)
        replies.checked(reply)
        return _pieces(response)

    def retry_tasks(self, which: str) -> int:
        """Run some tasks again, as "sweep[3,5-9]"; answers how many they are."""
        return self._ask(calls.act_on_tasks(which, "retry"))

    def events(self, after: int | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Numbered events after number `after`, or all; their fields are the event's own.

        Raises LogCompacted where some of them are not kept any more.
        """
        found: list[dict[str, Any]] = self._ask(calls.events(after, limit))
        return found

    def prune(self, *, dry_run: bool = False, **wish: object) -> dict[str, Any]:
        """Have ended jobs removed by `keep_jobs`, `max_age` (s), `max_age_failed`, `max_size`
        (bytes), `files`; without bounds by the manager's settings. Tells which; with `dry_run` only
        that.
        """
        found: dict[str, Any] = self._ask(calls.prune(wish, dry_run=dry_run))
        return found

    def notifications(self) -> list[ReceiverRecord]:
        """Who is told how jobs end, and what waits, arrived or was given up."""
        return self._ask(calls.notifications())

    def notices(self, receiver: str, state: str = "", limit: int = 50) -> list[NoticeRecord]:
        """Of the newest ends first; `state`: pending, delivered or failed; "": any."""
        return self._ask(calls.notices(receiver, state, limit))

    def test_notification(self, receiver: str) -> str:
        """Have a test sent now; why it wasn't taken, or ""."""
        return self._ask(calls.test_notification(receiver))

    def who(self) -> str:
        """As whom the manager knows you: the `owner` of what you submit."""
        return self._ask(Call("GET", "/session", replies.caller))

    def queue(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return self._ask(calls.queue())

    def status(self) -> dict[str, Any]:
        state: dict[str, Any] = self._ask(calls.get("/system/status"))
        return state

    def cluster_status(self) -> list[ClusterRecord]:
        """Each cluster that jobs may be forwarded to, as it answered last."""
        return self._ask(Call("GET", "/system/status", replies.clusters))

    def batch_system(self) -> str:
        """Which one a PyEDB configuration goes to that leaves it open; "none": it stays there."""
        return str(self._ask(calls.get("/api/scheduler_type?seek=1"))["scheduler_type"])

    def healthy(self) -> bool:
        """Does the manager answer?"""
        return bool(self._ask(calls.get("/healthz"))["success"])

    def set_limits(self, /, **limits: Unpack[LimitWishes]) -> dict[str, Any]:
        """Those that are given; the others stay. Answers all. Raises InvalidRequest, NotAllowed."""
        return self._ask(calls.set_limits(limits))

    def shares(self) -> SharesRecord:
        """Who has what share of the machines, what they have had of it, and their quotas."""
        return self._ask(calls.Call("GET", "/shares", replies.shares))

    def limits(self) -> dict[str, Any]:
        """By the names that set them; None: there is none."""
        return self._ask(calls.Call("GET", "/system/status", calls.limits))

    def open_port(self, port: int, host: str = "") -> str:
        """Have the manager listen there, too, until this client is closed. Ask nothing more by it.

        Answers what another client's `close_port` takes. For the private socket alone. Raises
        Conflict where the port is taken.
        """
        call = calls.open_port(host, port)
        return calls.read(call, self._answer(call, whole=False)[0])

    def close_port(self, lent: str) -> None:
        """Have the manager listen there no longer: it is free then."""
        self._ask(calls.close_port(lent))

    def stop(self, how: str | None = None) -> dict[str, Any]:
        """Begin to stop the manager: "leave", "drain", "now"; None: as it was told to.

        Answers how, and how many jobs run; returns before the manager has gone. Never sent twice.
        """
        answer: dict[str, Any] = self._ask(calls.stop(how))
        return answer

    def _ask(self, call: Call[T]) -> T:
        return calls.read(call, self._answer(call)[0])

    def _answer(
        self, call: Call[Any], *, whole: bool = True
    ) -> tuple[Reply, http.client.HTTPResponse]:
        """The answer, by as many tries as it takes; not `whole`: a good one's body is unread."""
        attempt = tries.Tries(call, self._patience)
        while True:
            try:
                response = self._send(call, attempt)
                good = response.status < 300
                reply = _reply(response, response.read() if whole or not good else b"")
                if whole or not good:
                    response.close()  # here: where it is only dropped, a Ctrl-C meanwhile is lost
            except (OSError, http.client.HTTPException, ManagerUnavailable) as error:
                self.close()
                pause = attempt.failed(error, self._where)
            else:
                again = attempt.answered(reply)
                if again is None:
                    return reply, response
                self.close()
                pause = again
            time.sleep(pause)

    def _send(self, call: Call[Any], attempt: tries.Tries) -> http.client.HTTPResponse:
        """Send it once; what changes something goes out on a new connection."""
        if call.doubt:
            self.close()
        if self._wire is None or self._where is None:
            self._where = None
            self._where = self._find()
            self._wire = _connection(self._where)
            self._wire.connect()
            forks.parents(self._wire.sock.fileno())
        if self._wire.sock is not None:
            self._wire.sock.settimeout(call.patience)
        attempt.sent = True
        where = self._where
        self._wire.request(
            call.method, where.base + call.target, call.body, call.headers(where.token)
        )
        response = self._wire.getresponse()
        if response.length is None and not response.chunked:  # cut within its headers
            raise http.client.IncompleteRead(b"")
        return response


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=calls.CONNECT)
        self._path = path

    def connect(self) -> None:
        if sys.platform == "win32":
            raise OSError("there are no Unix sockets here")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(calls.CONNECT)
        self.sock.connect(self._path)


def _connection(where: Address) -> http.client.HTTPConnection:
    if where.socket:
        return _UnixConnection(where.socket)
    if where.trust is not None:
        return http.client.HTTPSConnection(
            where.host, where.port, timeout=calls.CONNECT, context=where.trust
        )
    return http.client.HTTPConnection(where.host, where.port, timeout=calls.CONNECT)


def _reply(response: http.client.HTTPResponse, content: bytes) -> Reply:
    headers = {name.lower(): text for name, text in response.getheaders()}
    return Reply(response.status, headers, content)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read(calls.PIECE):
            yield piece
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
    except (OSError, http.client.HTTPException) as error:
        raise ManagerUnavailable("the manager went away while it sent a file") from error
