"""What the answers of the manager mean, without any input or output."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from solveyard.model.errors import (
    BackendError,
    Conflict,
    InvalidJob,
    InvalidRequest,
    InvalidResult,
    LogCompacted,
    ManagerUnavailable,
    NotAllowed,
    QuotaReached,
    SolveyardError,
    StoreError,
    StoreFull,
    UnknownJob,
)
from solveyard.model.jobs import JobState
from solveyard.model.notices import NoticeRecord, ReceiverRecord
from solveyard.model.overlaid import Overlaid
from solveyard.model.plans import Plan
from solveyard.model.reading import Malformed, MalformedJob
from solveyard.model.records import ClusterRecord, JobRecord, SharesRecord

THEIRS = "what answers is not solveyard: is it PyEDB's own service?"

_ERRORS: Mapping[str, type[SolveyardError]] = {
    "unknown_job": UnknownJob,
    "unknown_file": InvalidRequest,
    "unknown_receiver": InvalidRequest,
    "conflict": Conflict,
    "quota": QuotaReached,
    "invalid_job": InvalidJob,
    "forbidden": NotAllowed,
    "unauthorized": NotAllowed,
    "invalid_result": InvalidResult,
    "invalid_request": InvalidRequest,
    "store_full": StoreFull,
    "store": StoreError,
    "backend": BackendError,
}


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


class FilePage(NamedTuple):
    """A page of a job's files, by path."""

    files: list[FileEntry]
    total: int
    cursor: str | None  #: for the next page; None: this was the last
    unread: str  #: what could not be looked at, and why: there may be more files; "": nothing


def checked(reply: Reply) -> Reply:
    """The reply, if it is a good one; else raises the error that it tells.

    504 is TimeoutError; an answer that isn't one of ours is ManagerUnavailable, but InvalidRequest
    for a refusal by PyEDB's own service.
    """
    if reply.status < 300:
        return reply
    try:
        told = json.loads(reply.body)
        why, kind = str(told["error"]), str(told.get("kind", ""))
        theirs = "kind" not in told and reply.status < 500
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ManagerUnavailable(
            f"what answers is no manager of this version: HTTP status {reply.status}"
        ) from None
    if theirs:
        raise InvalidRequest(f"{why} ({THEIRS})")
    if kind == "timeout":
        raise TimeoutError(why)
    if told.get("field"):
        details = {name: str(told.get(name, "")) for name in ("field", "expected", "got")}
        raise (MalformedJob if kind == "invalid_job" else Malformed)(why, **details)
    if kind == "compacted":
        raise LogCompacted(why, first=int(told.get("first", 0)))
    raise _ERRORS.get(kind, ManagerUnavailable)(why)


def away(reply: Reply) -> bool:
    """Is it a proxy that answers, or a manager that just leaves? Then another may answer soon."""
    if reply.status not in {502, 503, 504}:
        return False
    try:
        return bool(json.loads(reply.body)["kind"] == "unavailable")
    except (ValueError, KeyError, TypeError):
        return True


def removed(reply: Reply) -> Reply:
    """Gone is gone, whoever did it."""
    return reply if reply.status == 404 else checked(reply)


def record(reply: Reply) -> JobRecord:
    return msgspec.json.decode(checked(reply).body, type=JobRecord)


class _Done(msgspec.Struct, frozen=True):
    job: JobRecord


class _Submitted(msgspec.Struct, frozen=True):
    jobs: list[JobRecord]


def acted(reply: Reply) -> JobRecord:
    return msgspec.json.decode(checked(reply).body, type=_Done).job


def job_id(reply: Reply) -> str:
    return str(value(reply)["job_id"])


def submitted(reply: Reply) -> list[JobRecord]:
    return msgspec.json.decode(checked(reply).body, type=_Submitted).jobs


def records(reply: Reply) -> list[JobRecord]:
    return msgspec.json.decode(checked(reply).body, type=list[JobRecord])


def overlaid(reply: Reply) -> list[Overlaid]:
    return msgspec.json.decode(checked(reply).body, type=list[Overlaid])


def plan(reply: Reply) -> Plan:
    return msgspec.json.decode(checked(reply).body, type=Plan)


def lent(reply: Reply) -> str:
    """The id of a port."""
    return checked(reply).headers["x-port-id"]


def left(reply: Reply) -> list[str]:
    found: list[str] = value(reply)["left"]
    return found


def count(reply: Reply) -> int:
    return int(value(reply).get("count", 1))


def receivers(reply: Reply) -> list[ReceiverRecord]:
    return msgspec.json.decode(checked(reply).body, type=list[ReceiverRecord])


def notices(reply: Reply) -> list[NoticeRecord]:
    return msgspec.json.decode(checked(reply).body, type=list[NoticeRecord])


def tested(reply: Reply) -> str:
    """Why it wasn't taken; or ""."""
    told = json.loads(checked(reply).body)
    return "" if told["success"] else str(told["message"])


def listing(reply: Reply) -> Listing:
    found = records(reply)
    total = int(reply.headers.get("x-total-count", len(found)))
    return Listing(found, total, reply.headers.get("x-next-cursor"))


def log_part(reply: Reply) -> LogPart:
    headers = checked(reply).headers
    return LogPart(
        reply.body,
        int(headers["x-next-offset"]),
        int(headers["x-size"]),
        int(headers["x-attempt"]),
        headers["x-ended"] == "1",
    )


def caller(reply: Reply) -> str:
    """The name of who asked."""
    return str(value(reply)["name"])


def counts(reply: Reply) -> dict[str, int]:
    """Jobs by state."""
    told = value(reply)
    return {state.value: told[state.value] for state in JobState if state.value in told}


def shares(reply: Reply) -> SharesRecord:
    return msgspec.convert(value(reply), SharesRecord)


def clusters(reply: Reply) -> list[ClusterRecord]:
    return msgspec.convert(value(reply).get("clusters", []), list[ClusterRecord])


def file_page(reply: Reply) -> FilePage:
    entries = [FileEntry(**entry) for entry in json.loads(checked(reply).body)]
    headers = reply.headers
    return FilePage(
        entries,
        int(headers.get("x-total-count", len(entries))),
        headers.get("x-next-cursor"),
        unquote(headers.get("x-unread", "")),
    )


def value(reply: Reply) -> Any:
    """Whatever JSON it is: its shape is the route's."""
    return json.loads(checked(reply).body)
