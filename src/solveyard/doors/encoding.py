"""What goes in and out of the doors as JSON: bodies, queries, records, refusals."""

import asyncio
import contextlib
import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import UNSET, Meta, UnsetType

from solveyard.manager.manager import Manager
from solveyard.model import reading, records
from solveyard.model.errors import (
    BackendError,
    Conflict,
    InvalidJob,
    InvalidRequest,
    InvalidResult,
    LogCompacted,
    NotAllowed,
    QuotaReached,
    SolveyardError,
    StoreError,
    StoreFull,
    UnknownJob,
)
from solveyard.model.jobs import Job, JobState
from solveyard.model.reading import Malformed
from solveyard.model.texts import is_plain
from solveyard.solvers.hfss.shown import config as hfss_config
from solveyard.store.base import Filter

T = TypeVar("T")
JSON = "application/json"
BODY = 300.0  #: s for a request's body to come
_FORM = "application/x-www-form-urlencoded"  #: what curl says where nobody named a type
_PAGES = ("Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode")  #: headers of browsers
LONGEST_KEY = 255  #: characters
STATUSES: tuple[tuple[type[SolveyardError], int, str], ...] = (  # the first that fits
    (UnknownJob, 404, "unknown_job"),
    (Conflict, 409, "conflict"),
    (QuotaReached, 429, "quota"),
    (LogCompacted, 410, "compacted"),
    (NotAllowed, 403, "forbidden"),
    (InvalidResult, 400, "invalid_result"),
    (InvalidJob, 400, "invalid_job"),
    (InvalidRequest, 400, "invalid_request"),
    (StoreFull, 507, "store_full"),
    (StoreError, 503, "store"),
    (BackendError, 502, "backend"),
    (SolveyardError, 503, "unavailable"),
)


class JobsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which jobs: `GET /jobs?state=queued,running&limit=50`."""

    state: str = ""  #: one or more states, with commas
    name: str | None = None
    owner: str | None = None
    tag: str | None = None
    since: str | None = None  #: submitted then or later: ISO 8601, or s since 1970
    search: str | None = None  #: in the name
    limit: int = 50
    offset: int = 0  #: jobs to leave out, from the newest or from `cursor` on
    cursor: str | None = None  #: where the page before says that this one begins
    all: bool = False  #: one array, not paged

    def __post_init__(self) -> None:
        within("limit", self.limit, 1, 1000)
        within("offset", self.offset, 0, 2**62)

    @property
    def filter(self) -> Filter:
        states = [_state(word) for word in self.state.split(",") if word]
        return Filter(
            states=frozenset(states) if states else None,
            owner=self.owner,
            name=self.name,
            tag=self.tag,
            since=None if self.since is None else _moment(self.since),
            search=self.search,
        )


class WaitQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    timeout: float | None = None  #: s; None: until it has ended

    def __post_init__(self) -> None:
        if self.timeout is not None:
            within("timeout", self.timeout, 0, 1e8)


class WaitBody(WaitQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For all of several."""

    jobs: tuple[str, ...]  #: names or numbers


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    after: int | None = None  #: the last event that is known already; None: from the oldest on
    limit: int = 1000

    def __post_init__(self) -> None:
        within("after", self.after or 0, 0, 2**62)
        within("limit", self.limit, 1, 10_000)


class RemoveQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    files: bool = False  #: its output and its own folder, too


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class CancelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    grace: float | None = None  #: s between TERM and KILL; None: as the job's spec says

    def __post_init__(self) -> None:
        if self.grace is not None:
            within("grace", self.grace, 0, 1e8)


class NoBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class PriorityBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    priority: int

    def __post_init__(self) -> None:
        within("priority", self.priority, -(10**9), 10**9)


class AnnotateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some of them; null: as it is."""

    tags: tuple[str, ...] | None = None  #: all of them, in the place of the old ones
    add_tags: tuple[str, ...] = ()  #: beside those that are there
    remove_tags: tuple[str, ...] = ()  #: of those that are there
    note: str | None = None

    def __post_init__(self) -> None:
        changed = self.add_tags or self.remove_tags
        if self.tags is None and self.note is None and not changed:
            raise ValueError("give `tags`, `add_tags`, `remove_tags` or `note`")
        if self.tags is not None and changed:
            raise ValueError("give `tags`, or `add_tags` and `remove_tags`, not both")
        if both := set(self.add_tags) & set(self.remove_tags):
            raise ValueError(f"`add_tags` and `remove_tags` both name {min(both)!r}")
        check_tags((*(self.tags or ()), *self.add_tags))


class LimitsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any of them; what isn't given stays as it is, and null is no limit."""

    max_concurrent: Annotated[int, Meta(ge=0, le=10**9)] | UnsetType | None = UNSET
    max_concurrent_jobs: Annotated[int, Meta(ge=1, le=10**9)] | UnsetType | None = UNSET
    max_cpu_percent: Annotated[float, Meta(gt=0, le=100)] | UnsetType | None = UNSET  #: 100: none
    min_memory_gb: Annotated[float, Meta(ge=0, lt=1e9)] | UnsetType | None = UNSET  #: GiB; 0: none
    min_disk_gb: Annotated[float, Meta(ge=0, lt=1e9)] | UnsetType | None = UNSET  #: GiB; 0: none

    def __post_init__(self) -> None:
        if UNSET not in (self.max_concurrent, self.max_concurrent_jobs):
            raise ValueError("give `max_concurrent` or `max_concurrent_jobs`, which mean the same")
        if not self.given:
            raise ValueError(f"give at least one of {', '.join(self.__struct_fields__)}")

    @property
    def given(self) -> dict[str, Any]:
        """By the names of `Limits`."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        jobs = found.pop("max_concurrent_jobs")
        if jobs is not UNSET:
            found["max_concurrent"] = jobs
        return {name: value for name, value in found.items() if value is not UNSET}


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one specification."""

    success: bool
    job_id: str
    status: records.Status
    message: str
    job: records.JobRecord


class SubmittedMany(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a list of specifications; the records are in its order."""

    success: bool
    jobs: list[records.JobRecord]


class Acted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one job that something was asked of."""

    success: bool
    job_id: str
    status: records.Status
    message: str
    job: records.JobRecord


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """What became of several jobs that somebody waited for."""

    success: bool
    left: list[str]  #: those that have not ended, as they were named


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every route answers when it can't do what it was asked."""

    success: bool
    error: str  #: one sentence, with the way out
    kind: str  #: for programs: "unknown_job", "conflict", "invalid_request" ...
    field: str = ""  #: the path of what was wrong in the body: "$.resources.cores"
    expected: str = ""
    got: str = ""
    first: int = 0  #: of a log that was compacted: the number of the oldest event there is


class StopBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    how: str | None = None  #: None: as the manager was told when it started

    def __post_init__(self) -> None:
        if self.how not in {None, "leave", "drain", "now"}:
            raise ValueError(f"`how` is 'leave', 'drain' or 'now', not {self.how!r}")


def query(request: web.Request, kind: type[T]) -> T:
    """The query's parameters. Raises Malformed, naming the nearest right one."""
    texts: dict[str, str] = {}
    for name, text in request.query.items():
        if name in texts:
            raise Malformed(f"`{name}` is given twice", field=f"$.{name}")
        texts[name] = text
    return reading.parameters(texts, kind)


#: What reading one raises that can't be read, or whose sender has gone.
UNREADABLE = (web.RequestPayloadError, HttpProcessingError, ConnectionError)
_THERE = contextlib.nullcontext()  #: all of it has come with its head, as it does most often


async def body(request: web.Request) -> bytes:
    """The body as it came; one that isn't declared to be JSON is refused."""
    try:
        async with asyncio.timeout(BODY) if not request.content.is_eof() else _THERE:
            content = await request.read()
    except TimeoutError as error:
        raise Malformed(f"the body didn't come within {BODY:.0f} s") from error
    except UNREADABLE as error:
        raise Malformed(f"the body can't be read: {error or type(error).__name__}") from error
    if content and not is_json(request):
        raise web.HTTPUnsupportedMediaType(text=not_json(request.content_type))
    return content


def is_json(request: web.Request) -> bool:
    """Is its body declared to be JSON? For the documents' `curl -d` its own type will do, but not
    from a page in a browser.
    """
    if request.content_type == JSON:
        return True
    curled = request.path == "/jobs/submit" and request.content_type == _FORM
    return curled and not any(name in request.headers for name in _PAGES)


def not_json(kind: str) -> str:
    return f"a body must be JSON, not {kind} (send the header 'Content-Type: {JSON}')"


async def message(request: web.Request, kind: type[T]) -> T:
    """The body as a `kind`; none at all is read as an empty object. Raises Malformed."""
    return reading.read(await body(request) or b"{}", kind)


def shown(
    manager: Manager, job: Job, *, place: bool = False, waiting: str | None = None
) -> records.JobRecord:
    """A job's record, as the manager knows it now; with `place`, its place in line is counted.

    `waiting`: why it waits, where that was asked already.
    """
    try:
        if waiting is None:
            waiting = "" if job.state.final else manager.why(job, place=place)
        return records.record(
            job,
            manager.measured_now(job),
            waiting=waiting,
            directory=manager.directory(job),
            tasks=manager.task_counts(job) if job.is_array else None,
            config=hfss_config(job.spec),
            progress=manager.progress(job.id),
        )
    except UnknownJob:  # removed since it was read
        return records.record(job, manager.measured_now(job), config=hfss_config(job.spec))


def idempotency_key(request: web.Request) -> str:
    """Empty: none was sent. Raises Malformed."""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise Malformed(f"an Idempotency-Key has at most {LONGEST_KEY} printable characters")
    return key


def answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`content` may be whatever msgspec encodes."""
    text = msgspec.json.encode(content) + b"\n"
    return web.Response(body=text, status=status, headers=headers, content_type=JSON)


def refusal(
    status: int, kind: str, why: str, *, headers: Mapping[str, str] | None = None, **more: str | int
) -> web.Response:
    """What every door says when it can't do what it was asked."""
    details = {name: told for name, told in more.items() if told}
    content = {"success": False, "error": why, "kind": kind, **details}
    return answer(content, status, headers)


def refused(error: SolveyardError) -> web.Response:
    """The refusal that an error becomes."""
    status, kind = next((status, kind) for cls, status, kind in STATUSES if isinstance(error, cls))
    if isinstance(error, Malformed):
        return refusal(
            status, kind, str(error), field=error.field, expected=error.expected, got=error.got
        )
    if isinstance(error, LogCompacted):
        return refusal(status, kind, str(error), first=error.first)
    return refusal(status, kind, str(error))


def _state(word: str) -> JobState:
    try:
        return JobState(word)
    except ValueError as error:
        hint = reading.nearest(word, JobState) or f" (there is: {', '.join(JobState)})"
        raise Malformed(f"there is no state {word!r}{hint}", field="$.state", got=word) from error


def _moment(text: str) -> float:
    """Seconds since 1970; a time without a zone is UTC."""
    try:
        at = float(text)
    except ValueError:
        try:
            moment = dt.datetime.fromisoformat(text)
            at = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
        except (ValueError, OverflowError) as error:
            why = f"`since` is {text!r}; it must be a time such as 2026-01-31T12:00Z"
            raise Malformed(why, field="$.since", got=text) from error
    if not math.isfinite(at):
        raise Malformed(f"`since` is {text!r}; it must be a time", field="$.since", got=text)
    return at


def check_tags(tags: Iterable[str]) -> None:
    """Raises ValueError for one that would steer a terminal."""
    for tag in tags:
        if not is_plain(tag):
            raise ValueError(f"the tag {tag!r} has control characters (take them out)")


def within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"`{name}` is {value}; it must be from {least} to {most}")
