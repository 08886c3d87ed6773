"""A client that blocks: for scripts, threads and the command line. Standard library's HTTP."""

import http.client
import socket
import ssl
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from solveyard.client import calls, find
from solveyard.client.calls import Call, FileEntry, Listing, LogPart, Reply
from solveyard.client.find import Address
from solveyard.model.errors import ManagerUnavailable
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.records import JobRecord


class Client:
    """A store's manager, as its owner's programs see it. For one thread at a time.

    Every method raises ManagerUnavailable when no manager answers, and the model's errors as the
    manager tells them. What changes something is never sent twice.
    """

    def __init__(self, where: Address | Path) -> None:
        """`where` is an address, or a store's folder, whose `manager.json` is read each time."""
        self._where = where
        self._wire: http.client.HTTPConnection | None = None
        self._credentials: dict[str, str] = {}

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

    def submit(self, spec: JobSpec) -> JobRecord:
        return self.submit_many([spec])[0]

    def submit_many(self, specs: Sequence[JobSpec]) -> list[JobRecord]:
        """All of them, or none."""
        return calls.submitted(self._ask(calls.submit(specs)))

    def jobs(
        self,
        states: Collection[JobState] = (),
        name: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
        cursor: str | None = None,
    ) -> Listing:
        """Newest first. `limit` None: all of them."""
        return calls.listing(self._ask(calls.jobs(states, name, owner, tag, limit, cursor)))

    def job(self, key: str | int) -> JobRecord:
        """By name, else by number."""
        return calls.record(self._ask(calls.job(key)))

    def cancel(self, key: str | int, grace: float | None = None) -> JobRecord:
        """`grace` is s between TERM and KILL; None: as the job's spec says."""
        content = None if grace is None else {"grace": grace}
        return calls.acted(self._ask(calls.act(key, "cancel", content)))

    def hold(self, key: str | int) -> JobRecord:
        return calls.acted(self._ask(calls.act(key, "hold")))

    def release(self, key: str | int) -> JobRecord:
        return calls.acted(self._ask(calls.act(key, "release")))

    def retry(self, key: str | int) -> JobRecord:
        return calls.acted(self._ask(calls.act(key, "retry")))

    def set_priority(self, key: str | int, priority: int) -> JobRecord:
        return calls.acted(self._ask(calls.act(key, "priority", {"priority": priority})))

    def remove(self, key: str | int, *, files: bool = False) -> None:
        """Forget an ended job; with `files` its output and its own folder, too."""
        calls.checked(self._ask(calls.remove(key, files)))

    def wait(self, keys: Sequence[str | int], timeout: float | None = None) -> bool:
        """Until all of them have ended; False: `timeout` s are over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        return all(self._ended(key, deadline) for key in keys)

    def log(
        self,
        key: str | int,
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
        return calls.log_part(self._ask(calls.log(key, stream, offset, limit, attempt, wait)))

    def follow_log(
        self, key: str | int, stream: str = "stdout", *, offset: int = 0
    ) -> Iterator[bytes]:
        """Its output as it comes, from `offset`, until the attempt has ended."""
        attempt: int | None = None
        while True:
            part = self.log(key, stream, offset=offset, attempt=attempt, wait=calls.LONG_POLL)
            if part.content:
                yield part.content
            elif part.ended:
                return
            offset = part.next_offset
            attempt = part.attempt if offset else None  # until it spoke, another may follow

    def files(self, key: str | int) -> list[FileEntry]:
        """The files in its folder."""
        return calls.file_entries(self._ask(calls.files(key)))

    def read_file(self, key: str | int, path: str) -> Iterator[bytes]:
        """One file's bytes, in pieces. Read them all before the next call."""
        self.close()
        try:
            response = self._send(calls.file(key, path))
        except (OSError, http.client.HTTPException) as error:
            raise calls.lost(calls.file(key, path), error) from error
        if response.status >= 300:
            calls.checked(_reply(response, response.read()))
        return _pieces(response)

    def events(self, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Numbered events after number `after`; their fields are the event's own."""
        found: list[dict[str, Any]] = calls.value(self._ask(calls.events(after, limit)))
        return found

    def queue(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return calls.counts(self._ask(calls.get("/queue")))

    def status(self) -> dict[str, Any]:
        state: dict[str, Any] = calls.value(self._ask(calls.get("/system/status")))
        return state

    def healthy(self) -> bool:
        """Does the manager answer?"""
        return bool(calls.value(self._ask(calls.get("/healthz")))["success"])

    def set_limits(self, max_concurrent: int | None) -> None:
        calls.checked(self._ask(calls.set_limits(max_concurrent)))

    def stop(self, how: str | None = None) -> dict[str, Any]:
        """Begin to stop the manager: "leave", "drain", "now"; None: as it was told to.

        Answers how, and how many jobs run; returns before the manager has gone.
        """
        answer: dict[str, Any] = calls.value(self._ask(calls.stop(how)))
        return answer

    def _ended(self, key: str | int, deadline: float | None) -> bool:
        while True:
            left = calls.LONG_POLL if deadline is None else deadline - time.monotonic()
            try:
                calls.checked(self._ask(calls.wait(key, min(calls.LONG_POLL, max(0.0, left)))))
            except TimeoutError:
                if deadline is not None and time.monotonic() >= deadline:
                    return False
            else:
                return True

    def _ask(self, call: Call) -> Reply:
        tries = calls.TRIES if call.repeatable else 1
        while True:
            tries -= 1
            try:
                response = self._send(call)
                return _reply(response, response.read())
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not tries:
                    raise calls.lost(call, error) from error
                time.sleep(calls.PAUSE)

    def _send(self, call: Call) -> http.client.HTTPResponse:
        """Send it once; what changes something goes out on a new connection.

        So a connection that the manager closed meanwhile is never mistaken for a lost answer.
        """
        if not call.repeatable:
            self.close()
        if self._wire is None:
            self._wire = self._connected()
        if self._wire.sock is not None:
            self._wire.sock.settimeout(call.patience)
        headers = {"Content-Type": calls.CONTENT} if call.body is not None else {}
        self._wire.request(call.method, call.target, call.body, headers | self._credentials)
        return self._wire.getresponse()

    def _connected(self) -> http.client.HTTPConnection:
        """Raises ManagerUnavailable when nobody is there, after some tries."""
        tries = calls.TRIES
        while True:
            tries -= 1
            where = self._address()
            wire = _connection(where)
            try:
                wire.connect()
            except ssl.SSLCertVerificationError as error:
                wire.close()
                if not tries:  # a renewed one may just have been taken up
                    raise calls.untrusted(where.url, error) from error
                time.sleep(calls.PAUSE)
            except OSError as error:
                wire.close()
                if not tries or find.gone(where):
                    raise ManagerUnavailable(
                        f"no manager answers at {where.url}: {error.strerror or error}"
                        " (start one: solveyard serve)"
                    ) from error
                time.sleep(calls.PAUSE)
            else:
                self._credentials = calls.credentials(where.token)
                return wire

    def _address(self) -> Address:
        return self._where if isinstance(self._where, Address) else find.running(self._where)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=calls.SILENCE)
        self._path = path

    def connect(self) -> None:
        if sys.platform == "win32":
            raise OSError("there are no Unix sockets here")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(calls.SILENCE)
        self.sock.connect(self._path)


def _connection(where: Address) -> http.client.HTTPConnection:
    if where.socket:
        return _UnixConnection(where.socket)
    if where.trust is not None:
        return http.client.HTTPSConnection(
            where.host, where.port, timeout=calls.SILENCE, context=where.trust
        )
    return http.client.HTTPConnection(where.host, where.port, timeout=calls.SILENCE)


def _reply(response: http.client.HTTPResponse, content: bytes) -> Reply:
    headers = {name.lower(): text for name, text in response.getheaders()}
    return Reply(response.status, headers, content)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read(calls.PIECE):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise ManagerUnavailable("the manager went away while it sent a file") from error
