"""The manager's HTTP, without any input or output: what to send, and what an answer means."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from solveyard.model.errors import (
    BackendError,
    Conflict,
    InvalidJob,
    InvalidRequest,
    InvalidResult,
    ManagerUnavailable,
    NotAllowed,
    SolveyardError,
    StoreError,
    StoreFull,
    UnknownJob,
)
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.reading import Malformed, MalformedJob
from solveyard.model.records import JobRecord

CONTENT = "application/json"
TRIES = 3  #: of a request that can safely be sent again
PAUSE = 0.2  #: s between two tries
SILENCE = 60.0  #: s without an answer, beyond what a call asks the manager to wait
LONG_POLL = 20.0  #: s that one call waits at the manager; then it is asked again
PIECE = 1 << 20  #: bytes of a file or a log in one answer

_ERRORS: Mapping[str, type[SolveyardError]] = {
    "unknown_job": UnknownJob,
    "unknown_file": InvalidRequest,
    "conflict": Conflict,
    "invalid_job": InvalidJob,
    "forbidden": NotAllowed,
    "unauthorized": NotAllowed,
    "invalid_result": InvalidResult,
    "invalid_request": InvalidRequest,
    "store_full": StoreFull,
    "store": StoreError,
    "backend": BackendError,
}


class Call(NamedTuple):
    method: str
    target: str  #: path and query
    body: bytes | None = None
    patience: float = SILENCE  #: s until an answer must have begun

    @property
    def repeatable(self) -> bool:
        """It changes nothing, so it may be sent again when no answer came."""
        return self.method == "GET"


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes


class Listing(NamedTuple):
    """A page of jobs, newest first."""

    jobs: list[JobRecord]
    total: int
    cursor: str | None  #: for the next page; None: this was the last


class LogPart(NamedTuple):
    """A part of a job's output."""

    content: bytes
    next_offset: int
    size: int  #: bytes of all of it, so far
    attempt: int  #: whose output it is
    ended: bool  #: nothing more will come


class FileEntry(NamedTuple):
    path: str  #: in the job's folder
    size: int  #: bytes
    modified: float  #: s since 1970


def untrusted(url: str, error: Exception) -> ManagerUnavailable:
    """Somebody answers there who doesn't prove to be the manager."""
    why = getattr(error, "verify_message", "") or str(error)
    return ManagerUnavailable(f"the certificate of {url} is not trusted: {why}")


def submit(specs: Sequence[JobSpec]) -> Call:
    return Call("POST", "/jobs", msgspec.json.encode(list(specs)))


def jobs(
    states: Collection[JobState] = (),
    name: str | None = None,
    owner: str | None = None,
    tag: str | None = None,
    limit: int | None = 50,
    cursor: str | None = None,
) -> Call:
    """`limit` None: all of them."""
    query: dict[str, object] = {"state": ",".join(states), "name": name, "owner": owner}
    query |= {"tag": tag, "cursor": cursor}
    query |= {"all": 1} if limit is None else {"limit": limit}
    return Call("GET", _target("/jobs", query))


def job(key: str | int) -> Call:
    return Call("GET", _job(key))


def act(key: str | int, verb: str, content: Mapping[str, object] | None = None) -> Call:
    """Cancel, hold, release, retry, priority."""
    return Call("POST", _job(key, verb), json.dumps(content).encode() if content else None)


def remove(key: str | int, files: bool) -> Call:
    return Call("DELETE", _target(_job(key), {"files": 1 if files else None}))


def wait(key: str | int, timeout: float) -> Call:
    target = _target(_job(key, "wait"), {"timeout": f"{timeout:.3f}"})
    return Call("GET", target, patience=timeout + SILENCE)


def log(
    key: str | int, stream: str, offset: int, limit: int, attempt: int | None, wait: float
) -> Call:
    query = {"stream": stream, "offset": offset, "limit": limit, "attempt": attempt, "wait": wait}
    return Call("GET", _target(_job(key, "logs"), query), patience=wait + SILENCE)


def files(key: str | int) -> Call:
    return Call("GET", _job(key, "files"))


def file(key: str | int, path: str) -> Call:
    return Call("GET", f"{_job(key, 'files')}/{quote(path)}")


def events(after: int, limit: int) -> Call:
    return Call("GET", _target("/events", {"after": after, "limit": limit}))


def set_limits(max_concurrent: int | None) -> Call:
    content = json.dumps({"max_concurrent": max_concurrent})
    return Call("POST", "/pool/limits", content.encode())


def stop(how: str | None) -> Call:
    return Call("POST", "/system/stop", json.dumps({"how": how}).encode())


def get(path: str) -> Call:
    return Call("GET", path)


def checked(reply: Reply) -> Reply:
    """The reply, if it is a good one; else raises the error that it tells.

    504 is TimeoutError; an answer that isn't one of ours is ManagerUnavailable.
    """
    if reply.status < 300:
        return reply
    try:
        told = json.loads(reply.body)
        why, kind = str(told["error"]), str(told.get("kind", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ManagerUnavailable(
            f"what answers is no manager of this version: HTTP status {reply.status}"
        ) from None
    if kind == "timeout":
        raise TimeoutError(why)
    if told.get("field"):
        details = {name: str(told.get(name, "")) for name in ("field", "expected", "got")}
        raise (MalformedJob if kind == "invalid_job" else Malformed)(why, **details)
    raise _ERRORS.get(kind, ManagerUnavailable)(why)


def lost(call: Call, error: Exception) -> ManagerUnavailable:
    """The error of a call whose answer didn't come."""
    why = f"the manager went away before it answered: {error or type(error).__name__}"
    if call.repeatable:
        return ManagerUnavailable(f"{why} (start one: solveyard serve)")
    return ManagerUnavailable(
        f"{why}; it may have done what it was asked (look: solveyard ps --all)"
    )


def credentials(token: str) -> dict[str, str]:
    """The headers that prove who asks."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def record(reply: Reply) -> JobRecord:
    return msgspec.json.decode(checked(reply).body, type=JobRecord)


class _Done(msgspec.Struct, frozen=True):
    job: JobRecord


class _Submitted(msgspec.Struct, frozen=True):
    jobs: list[JobRecord]


def acted(reply: Reply) -> JobRecord:
    return msgspec.json.decode(checked(reply).body, type=_Done).job


def submitted(reply: Reply) -> list[JobRecord]:
    return msgspec.json.decode(checked(reply).body, type=_Submitted).jobs


def listing(reply: Reply) -> Listing:
    records = msgspec.json.decode(checked(reply).body, type=list[JobRecord])
    total = int(reply.headers.get("x-total-count", len(records)))
    return Listing(records, total, reply.headers.get("x-next-cursor"))


def log_part(reply: Reply) -> LogPart:
    headers = checked(reply).headers
    return LogPart(
        reply.body,
        int(headers["x-next-offset"]),
        int(headers["x-size"]),
        int(headers["x-attempt"]),
        headers["x-ended"] == "1",
    )


def counts(reply: Reply) -> dict[str, int]:
    """Jobs by state."""
    told = value(reply)
    return {state.value: told[state.value] for state in JobState if state.value in told}


def file_entries(reply: Reply) -> list[FileEntry]:
    return [FileEntry(**entry) for entry in json.loads(checked(reply).body)]


def value(reply: Reply) -> Any:
    """Whatever JSON it is: its shape is the route's."""
    return json.loads(checked(reply).body)


def _job(key: str | int, *rest: str) -> str:
    return "/".join(("/jobs", quote(str(key), safe=""), *rest))


def _target(path: str, query: Mapping[str, object]) -> str:
    given = {name: item for name, item in query.items() if item not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path
