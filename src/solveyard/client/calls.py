"""The manager's HTTP, without any input or output: what to send, and what an answer means."""

import json
import math
import numbers
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar
from urllib.parse import unquote
from uuid import uuid4

import msgspec

from solveyard.client import given
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
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.notices import NoticeRecord, ReceiverRecord
from solveyard.model.overlaid import Overlaid
from solveyard.model.plans import Plan
from solveyard.model.reading import Malformed, MalformedJob
from solveyard.model.records import ClusterRecord, JobRecord, SharesRecord

T = TypeVar("T")
CONTENT = "application/json"
SILENCE = 60.0  #: s without an answer, beyond what a call asks the manager to wait
LONG_POLL = 20.0  #: s that one call waits at the manager; then it is asked again
CONNECT = 5.0  #: s until a connection must be there
LONGEST_KEY = 255  #: characters
PIECE = 1 << 20  #: bytes of a file or a log in one answer
_THEIRS = "what answers is not solveyard: is it PyEDB's own service?"

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


class Call(NamedTuple, Generic[T]):
    method: str
    target: str  #: path and query
    read: Callable[[Reply], T]  #: what its answer means
    body: bytes | None = None
    patience: float = SILENCE  #: s until an answer must have begun
    key: str = ""  #: by which the manager knows it again
    doubt: str = ""  #: what isn't known when no answer comes; empty: it changes nothing
    repeatable: bool = True  #: it may be sent again when no answer came

    def headers(self, token: str) -> dict[str, str]:
        """What goes along; `token` proves who asks."""
        found = {"Authorization": f"Bearer {token}"} if token else {}
        if self.body is not None:
            found["Content-Type"] = CONTENT
        if self.key:
            found["Idempotency-Key"] = self.key
        return found


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


def submit(specs: Sequence[JobSpec], key: str = "") -> "Call[list[JobRecord]]":
    key = _key(key)
    doubt = (
        "whether the jobs were taken is not known (look: solveyard ps --all; the same submission"
        f" with key={key!r} gives them, or takes them now)"
    )
    body = given.specifications(list(specs))
    return Call("POST", "/jobs", submitted, body, key=key, doubt=doubt)


def submit_config(
    config: Mapping[str, Any], priority: int, session: str, key: str, patience: float
) -> "Call[JobRecord]":
    key = _key(key)
    doubt = (
        "whether the job was taken is not known (the same submission with"
        f" key={key!r} gives it, or takes it now)"
    )
    asked = {"config": config, "priority": priority} | ({"session": session} if session else {})
    body = given.encoded(asked)
    return Call("POST", "/jobs/submit", acted, body, float(patience), key, doubt)


def submit_config_id(config: Mapping[str, Any], priority: int, key: str) -> "Call[str]":
    """PyEDB's own service answers no more than the id."""
    asked = submit_config(config, priority, "", key, SILENCE)
    return Call(asked.method, asked.target, job_id, *asked[3:])


def submit_configs(
    configs: Sequence[Mapping[str, Any]], priority: int, session: str, key: str, patience: float
) -> "Call[list[JobRecord]]":
    key = _key(key)
    doubt = (
        "whether the jobs were taken is not known (the same submission with"
        f" key={key!r} gives them, or takes them now)"
    )
    more = {"priority": priority} | ({"session": session} if session else {})
    body = given.encoded([{"config": config, **more} for config in configs])
    return Call("POST", "/jobs/submit", submitted, body, float(patience), key, doubt)


def preview(spec: JobSpec) -> Call[Plan]:
    return Call("POST", "/jobs/preview", _plan, given.specifications(spec))


def preview_config(config: Mapping[str, Any]) -> Call[Plan]:
    return Call("POST", "/jobs/preview", _plan, given.encoded({"config": config}))


def jobs(
    states: Collection[JobState] | None = (),
    name: str | None = None,
    owner: str | None = None,
    tag: str | None = None,
    limit: int | None = 50,
    cursor: str | None = None,
) -> Call[Listing]:
    """`limit` None: all of them."""
    query: dict[str, object] = {"state": _states(states), "name": name}
    query |= {"owner": owner, "tag": tag, "cursor": cursor}
    query |= {"all": 1} if limit is None else {"limit": limit}
    return Call("GET", given.target("/jobs", query), listing)


def job(which: str | int) -> Call[JobRecord]:
    return Call("GET", _job(which), record)


def act(
    which: str | int, verb: str, content: Mapping[str, object] | None = None, key: str = ""
) -> Call[JobRecord]:
    """Cancel, hold, release, retry, priority."""
    body = given.encoded(content) if content else None
    doubt = f"whether job {which} got its {verb} is not known ({_look(which)})"
    return Call("POST", _job(which, verb), acted, body, key=_key(key), doubt=doubt)


def cancel(which: str | int, grace: float | None) -> Call[JobRecord]:
    return act(which, "cancel", None if grace is None else {"grace": grace})


def annotate(
    which: str | int,
    tags: str | Iterable[str] | None,
    note: str | None,
    add_tags: str | Iterable[str],
    remove_tags: str | Iterable[str],
) -> Call[JobRecord]:
    change: dict[str, object] = {
        "tags": None if tags is None else given.several(tags),
        "add_tags": given.several(add_tags) or None,
        "remove_tags": given.several(remove_tags) or None,
        "note": note,
    }
    body = given.encoded({name: value for name, value in change.items() if value is not None})
    doubt = f"whether job {which} has the new tags or note is not known ({_look(which)})"
    return Call("PATCH", _job(which), acted, body, key=_key(""), doubt=doubt)


def remove(found: JobRecord, files: bool) -> Call[Reply]:
    """Of a job that was there just now. A number is never given again, so a repetition, which
    aiohttp makes by itself, too, removes nothing else and finds it gone.
    """
    number = f"#{found.number}" if found.task is None else f"#{found.number}[{found.task}]"
    doubt = f"whether job {number} was removed is not known ({_look(number)})"
    target = given.target(_job(number), {"files": 1 if files else None})
    return Call("DELETE", target, removed, doubt=doubt)


def keys(jobs: str | int | Iterable[str | int]) -> list[str]:
    """Of one or several, as the manager looks them up."""
    return [exact(job) for job in given.several(jobs)]


def wait(jobs: Sequence[str], timeout: float) -> Call[list[str]]:
    """Which of them have not ended when `timeout` s are over."""
    body = given.encoded({"jobs": jobs, "timeout": timeout})
    return Call("POST", "/jobs/wait", _left, body, patience=timeout + SILENCE)


def log(
    which: str | int, stream: str, offset: int, limit: int, attempt: int | None, wait: float
) -> Call[LogPart]:
    pause = given.seconds(wait)
    if pause is None or math.isinf(pause):
        raise InvalidRequest(f"`wait` must be a number of seconds, not {wait!r}")
    query = {"stream": stream, "offset": offset, "limit": limit, "attempt": attempt, "wait": wait}
    return Call("GET", given.target(_job(which, "logs"), query), log_part, patience=pause + SILENCE)


def files(which: str | int, cursor: str | None) -> Call[FilePage]:
    return Call("GET", given.target(_job(which, "files"), {"cursor": cursor}), file_page)


def file(which: str | int, path: str) -> Call[Reply]:
    return Call("GET", f"{_job(which, 'files')}/{given.quoted(path, safe='/')}", checked)


def tasks(
    which: str | int, states: Collection[JobState] | None, limit: int, offset: int
) -> "Call[list[JobRecord]]":
    query = {"state": _states(states), "limit": limit, "offset": offset}
    return Call("GET", given.target(_job(which, "tasks"), query), _records)


def results(which: str | int) -> Call[Any]:
    return Call("GET", _job(which, "results"), value)


def results_csv(which: str | int) -> Call[Reply]:
    return Call("GET", given.target(_job(which, "results"), {"format": "csv"}), checked)


def overlay(which: str | int, s: str, file: str, limit: int, offset: int) -> "Call[list[Overlaid]]":
    query = {"s": s, "file": file or None, "limit": limit, "offset": offset}
    return Call("GET", given.target(_job(which, "touchstone"), query), _overlaid)


def act_on_tasks(which: str, verb: str) -> Call[int]:
    """Of some tasks, as "sweep[3,5-9]"; answers how many they are."""
    doubt = f"whether {which} got its {verb} is not known ({_look(which)})"
    return Call("POST", _job(which, verb), _count, key=_key(""), doubt=doubt)


def events(after: int | None, limit: int) -> Call[Any]:
    return Call("GET", given.target("/events", {"after": after, "limit": limit}), value)


def notifications() -> Call[list[ReceiverRecord]]:
    return Call("GET", "/notifications", _receivers)


def notices(receiver: str, state: str, limit: int) -> Call[list[NoticeRecord]]:
    query = {"state": state or None, "limit": limit}
    return Call("GET", given.target(f"/notifications/{given.quoted(receiver)}", query), _notices)


def test_notification(receiver: str) -> Call[str]:
    """Sent once: a receiver hears each test."""
    doubt = f"whether {receiver} was reached is not known"
    target = f"/notifications/{given.quoted(receiver)}/test"
    return Call("POST", target, _tested, doubt=doubt, repeatable=False)


def queue() -> Call[dict[str, int]]:
    return Call("GET", "/queue", counts)


class LimitWishes(TypedDict, total=False):
    """What isn't given stays as it is; None: no limit."""

    max_concurrent: int | None  #: jobs that run at once; None: as many as there are cores for
    max_cpu_percent: float | None  #: no job starts on a machine as busy
    min_memory_gb: float | None  #: GiB that a start must leave free on a machine
    min_disk_gb: float | None  #: GiB, of the disk where the store is


def set_limits(wishes: LimitWishes) -> Call[dict[str, Any]]:
    """It says how it shall be, not by how much: said again, it is no other."""
    doubt = "whether the limits were set is not known (look: solveyard limits)"
    return Call("POST", "/pool/limits", limits, given.encoded(wishes), doubt=doubt)


def prune(wish: Mapping[str, object], *, dry_run: bool) -> Call[Any]:
    """What is gone already goes no second time, so it may be said again."""
    body = given.encoded({**wish, "dry_run": dry_run})
    doubt = "" if dry_run else "whether it was taken is not known (look: solveyard prune --dry-run)"
    return Call("POST", "/retention", value, body, doubt=doubt)


def stop(how: str | None) -> Call[Any]:
    """Never sent again: it might meet the manager that came after."""
    doubt = "whether it stops is not known (look: solveyard doctor)"
    body = given.encoded({"how": how})
    return Call("POST", "/system/stop", value, body, doubt=doubt, repeatable=False)


def open_port(host: str, port: int) -> Call[str]:
    body = given.encoded({"host": host, "port": port})
    return Call("POST", "/system/ports", _lent, body)


def close_port(lent: str) -> Call[Reply]:
    target = f"/system/ports/{given.quoted(lent)}"
    return Call("DELETE", target, removed, patience=CONNECT)


def get(path: str) -> Call[Any]:
    return Call("GET", path, value)


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
        raise InvalidRequest(f"{why} ({_THEIRS})")
    if kind == "timeout":
        raise TimeoutError(why)
    if told.get("field"):
        details = {name: str(told.get(name, "")) for name in ("field", "expected", "got")}
        raise (MalformedJob if kind == "invalid_job" else Malformed)(why, **details)
    if kind == "compacted":
        raise LogCompacted(why, first=int(told.get("first", 0)))
    raise _ERRORS.get(kind, ManagerUnavailable)(why)


def read(call: Call[T], reply: Reply) -> T:
    """What it answers. Raises ManagerUnavailable for what no manager of ours would say."""
    try:
        return call.read(reply)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, SolveyardError):
            raise
        raise ManagerUnavailable(
            f"what answers is no manager of this version: {error!r} ({_THEIRS})"
        ) from error


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


def _records(reply: Reply) -> list[JobRecord]:
    return msgspec.json.decode(checked(reply).body, type=list[JobRecord])


def _overlaid(reply: Reply) -> list[Overlaid]:
    return msgspec.json.decode(checked(reply).body, type=list[Overlaid])


def _plan(reply: Reply) -> Plan:
    return msgspec.json.decode(checked(reply).body, type=Plan)


def _lent(reply: Reply) -> str:
    """The id of a port."""
    return checked(reply).headers["x-port-id"]


def _left(reply: Reply) -> list[str]:
    left: list[str] = value(reply)["left"]
    return left


def _count(reply: Reply) -> int:
    return int(value(reply).get("count", 1))


def _receivers(reply: Reply) -> list[ReceiverRecord]:
    return msgspec.json.decode(checked(reply).body, type=list[ReceiverRecord])


def _notices(reply: Reply) -> list[NoticeRecord]:
    return msgspec.json.decode(checked(reply).body, type=list[NoticeRecord])


def _tested(reply: Reply) -> str:
    """Why it wasn't taken; or ""."""
    told = json.loads(checked(reply).body)
    return "" if told["success"] else str(told["message"])


def listing(reply: Reply) -> Listing:
    records = _records(reply)
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


def caller(reply: Reply) -> str:
    """The name of who asked."""
    return str(value(reply)["name"])


def counts(reply: Reply) -> dict[str, int]:
    """Jobs by state."""
    told = value(reply)
    return {state.value: told[state.value] for state in JobState if state.value in told}


def limits(reply: Reply) -> dict[str, Any]:
    """The limits that hold, by the names that set them."""
    told: dict[str, Any] = value(reply).get("limits", {})
    return {name: told.get(name) for name in LimitWishes.__annotations__}


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


def _key(chosen: str) -> str:
    """Of the caller's choice, else one that nobody else has."""
    if not isinstance(chosen, str):
        raise InvalidRequest(f"a key is a text, not {chosen!r:.60}")
    if len(chosen) > LONGEST_KEY or not (chosen.isascii() and chosen.isprintable()):
        raise InvalidRequest(f"a key has at most {LONGEST_KEY} printable ASCII characters")
    return chosen or str(uuid4())


def exact(which: object) -> str:
    """As the manager finds it: a name or what was typed; a number whatever others are called.

    Raises InvalidRequest for what is neither.
    """
    if isinstance(which, str):
        return which
    if not isinstance(which, numbers.Integral) or isinstance(which, bool):
        raise InvalidRequest(f"a job is asked for by its name or number, not by {which!r:.60}")
    return f"#{which}"


def _job(which: str | int, *rest: str) -> str:
    found = exact(which)
    if not found:
        raise UnknownJob("there is no job without a name")
    return "/".join(("/jobs", given.quoted(found), *rest))


def _look(which: str | int) -> str:
    """As a shell reads it."""
    return f"look: solveyard show {shlex.quote(exact(which))}"


def _states(states: Collection[JobState] | None) -> str:
    """In a query; of none at all, any. Raises InvalidRequest."""
    chosen = [] if states is None else given.several(states)
    for state in chosen:
        if not isinstance(state, str):
            raise InvalidRequest(f"a state is one of {', '.join(JobState)}, not {state!r:.60}")
    return ",".join(chosen)
