"""The manager's HTTP, without any input or output: what to send. `replies`: what answers mean."""

import math
import numbers
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar
from uuid import uuid4

from solveyard.client import given, replies
from solveyard.client.replies import THEIRS, FilePage, Listing, LogPart, Reply
from solveyard.core import names
from solveyard.model.errors import (
    InvalidRequest,
    ManagerUnavailable,
    SolveyardError,
    UnknownJob,
)
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.notices import NoticeRecord, ReceiverRecord
from solveyard.model.overlaid import Overlaid
from solveyard.model.plans import Plan
from solveyard.model.records import JobRecord

T = TypeVar("T")
CONTENT = "application/json"
SILENCE = 60.0  #: s without an answer, beyond what a call asks the manager to wait
LONG_POLL = 20.0  #: s that one call waits at the manager; then it is asked again
CONNECT = 5.0  #: s until a connection must be there
LONGEST_KEY = 255  #: characters
PIECE = 1 << 20  #: bytes of a file or a log in one answer


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


def submit(specs: Sequence[JobSpec], key: str = "") -> "Call[list[JobRecord]]":
    key = _key(key)
    doubt = (
        "whether the jobs were taken is not known (look: solveyard ps --all; the same submission"
        f" with key={key!r} gives them, or takes them now)"
    )
    body = given.specifications(list(specs))
    return Call("POST", "/jobs", replies.submitted, body, key=key, doubt=doubt)


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
    return Call("POST", "/jobs/submit", replies.acted, body, float(patience), key, doubt)


def submit_config_id(config: Mapping[str, Any], priority: int, key: str) -> "Call[str]":
    """PyEDB's own service answers no more than the id."""
    asked = submit_config(config, priority, "", key, SILENCE)
    return Call(asked.method, asked.target, replies.job_id, *asked[3:])


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
    return Call("POST", "/jobs/submit", replies.submitted, body, float(patience), key, doubt)


def preview(spec: JobSpec) -> Call[Plan]:
    return Call("POST", "/jobs/preview", replies.plan, given.specifications(spec))


def preview_config(config: Mapping[str, Any]) -> Call[Plan]:
    return Call("POST", "/jobs/preview", replies.plan, given.encoded({"config": config}))


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
    return Call("GET", given.target("/jobs", query), replies.listing)


def job(which: str | int) -> Call[JobRecord]:
    return Call("GET", _job(which), replies.record)


def act(
    which: str | int, verb: str, content: Mapping[str, object] | None = None, key: str = ""
) -> Call[JobRecord]:
    """Cancel, hold, release, retry, priority."""
    body = given.encoded(content) if content else None
    doubt = f"whether job {which} got its {verb} is not known ({_look(which)})"
    return Call("POST", _job(which, verb), replies.acted, body, key=_key(key), doubt=doubt)


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
    return Call("PATCH", _job(which), replies.acted, body, key=_key(""), doubt=doubt)


def remove(found: JobRecord, files: bool) -> Call[Reply]:
    """Of a job that was there just now. A number is never given again, so a repetition, which
    aiohttp makes by itself, too, removes nothing else and finds it gone.
    """
    number = f"#{found.number}" if found.task is None else f"#{found.number}[{found.task}]"
    doubt = f"whether job {number} was removed is not known ({_look(number)})"
    target = given.target(_job(number), {"files": 1 if files else None})
    return Call("DELETE", target, replies.removed, doubt=doubt)


def keys(jobs: str | int | Iterable[str | int]) -> list[str]:
    """Of one or several, as the manager looks them up."""
    return [exact(job) for job in given.several(jobs)]


def wait(jobs: Sequence[str], timeout: float) -> Call[list[str]]:
    """Which of them have not ended when `timeout` s are over."""
    body = given.encoded({"jobs": jobs, "timeout": timeout})
    return Call("POST", "/jobs/wait", replies.left, body, patience=timeout + SILENCE)


def log(
    which: str | int, stream: str, offset: int, limit: int, attempt: int | None, wait: float
) -> Call[LogPart]:
    pause = given.seconds(wait)
    if pause is None or math.isinf(pause):
        raise InvalidRequest(f"`wait` must be a number of seconds, not {wait!r}")
    query = {"stream": stream, "offset": offset, "limit": limit, "attempt": attempt, "wait": wait}
    return Call(
        "GET", given.target(_job(which, "logs"), query), replies.log_part, patience=pause + SILENCE
    )


def files(which: str | int, cursor: str | None) -> Call[FilePage]:
    return Call("GET", given.target(_job(which, "files"), {"cursor": cursor}), replies.file_page)


def file(which: str | int, path: str) -> Call[Reply]:
    return Call("GET", f"{_job(which, 'files')}/{given.quoted(path, safe='/')}", replies.checked)


def tasks(
    which: str | int, states: Collection[JobState] | None, limit: int, offset: int
) -> "Call[list[JobRecord]]":
    query = {"state": _states(states), "limit": limit, "offset": offset}
    return Call("GET", given.target(_job(which, "tasks"), query), replies.records)


def results(which: str | int) -> Call[Any]:
    return Call("GET", _job(which, "results"), replies.value)


def results_csv(which: str | int) -> Call[Reply]:
    return Call("GET", given.target(_job(which, "results"), {"format": "csv"}), replies.checked)


def overlay(which: str | int, s: str, file: str, limit: int, offset: int) -> "Call[list[Overlaid]]":
    query = {"s": s, "file": file or None, "limit": limit, "offset": offset}
    return Call("GET", given.target(_job(which, "touchstone"), query), replies.overlaid)


def act_on_tasks(which: str, verb: str) -> Call[int]:
    """Of some tasks, as "sweep[3,5-9]"; answers how many they are."""
    doubt = f"whether {which} got its {verb} is not known ({_look(which)})"
    return Call("POST", _job(which, verb), replies.count, key=_key(""), doubt=doubt)


def events(after: int | None, limit: int) -> Call[Any]:
    return Call("GET", given.target("/events", {"after": after, "limit": limit}), replies.value)


def notifications() -> Call[list[ReceiverRecord]]:
    return Call("GET", "/notifications", replies.receivers)


def notices(receiver: str, state: str, limit: int) -> Call[list[NoticeRecord]]:
    query = {"state": state or None, "limit": limit}
    return Call(
        "GET", given.target(f"/notifications/{given.quoted(receiver)}", query), replies.notices
    )


def test_notification(receiver: str) -> Call[str]:
    """Sent once: a receiver hears each test."""
    doubt = f"whether {receiver} was reached is not known"
    target = f"/notifications/{given.quoted(receiver)}/test"
    return Call("POST", target, replies.tested, doubt=doubt, repeatable=False)


def queue() -> Call[dict[str, int]]:
    return Call("GET", "/queue", replies.counts)


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
    return Call("POST", "/retention", replies.value, body, doubt=doubt)


def stop(how: str | None) -> Call[Any]:
    """Never sent again: it might meet the manager that came after."""
    doubt = "whether it stops is not known (look: solveyard doctor)"
    body = given.encoded({"how": how})
    return Call("POST", "/system/stop", replies.value, body, doubt=doubt, repeatable=False)


def open_port(host: str, port: int) -> Call[str]:
    body = given.encoded({"host": host, "port": port})
    return Call("POST", "/system/ports", replies.lent, body)


def close_port(lent: str) -> Call[Reply]:
    target = f"/system/ports/{given.quoted(lent)}"
    return Call("DELETE", target, replies.removed, patience=CONNECT)


def get(path: str) -> Call[Any]:
    return Call("GET", path, replies.value)


def read(call: Call[T], reply: Reply) -> T:
    """What it answers. Raises ManagerUnavailable for what no manager of ours would say."""
    try:
        return call.read(reply)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, SolveyardError):
            raise
        raise ManagerUnavailable(
            f"what answers is no manager of this version: {error!r} ({THEIRS})"
        ) from error


def limits(reply: Reply) -> dict[str, Any]:
    """The limits that hold, by the names that set them."""
    told: dict[str, Any] = replies.value(reply).get("limits", {})
    return {name: told.get(name) for name in LimitWishes.__annotations__}


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
    if len(found.partition("[")[0]) > names.LONGEST:  # a door refuses so long an address
        raise UnknownJob(f"there is no job {found[:50]!r}...: no name is so long")
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
