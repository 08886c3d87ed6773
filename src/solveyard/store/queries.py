"""The store's SQL, and the rows that go into it. The tables are in `migrations/`."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain, islice
from typing import Any

from solveyard.model.ids import array_of
from solveyard.model.jobs import Job, JobId, JobSpec
from solveyard.model.messages import AnyEvent, JobEvent
from solveyard.model.notices import Notice
from solveyard.store import codec
from solveyard.store.base import Filter
from solveyard.store.changes import Changes

Row = tuple[Any, ...]  # what SQLite takes: int, float, str, bytes or None
Statement = tuple[str, list[Any]]  # with its parameters

#: Rows that one statement takes, at most. A thread gives Python's lock away, and waits for it
#: again, with each statement: row by row, a busy loop makes a commit many times as long.
BATCH = 32

META = "SELECT value FROM meta WHERE key = ?"
ALL_SPENT = "SELECT value FROM meta WHERE key GLOB 'spent *'"
SET_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"

LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM event"
FIRST_NUMBER = "SELECT coalesce(min(number), 1) FROM event"
LAST_AT = "SELECT coalesce((SELECT at FROM event ORDER BY number DESC LIMIT 1), 0.0)"
_ADD_EVENT = "INSERT INTO event (number, job, at, body) {rows}"
COMPACT = "DELETE FROM event WHERE number < ? AND number < (SELECT max(number) FROM event)"
EVENTS = "SELECT number, body FROM event WHERE number > :after ORDER BY number LIMIT :limit"
EVENTS_OF_JOB = """
    SELECT number, body FROM event WHERE job = :job AND number > :after
    ORDER BY number LIMIT :limit
"""

_SET_JOB = """
    INSERT INTO job (id, state, name, owner, priority, submitted_at, ended_at, body, array)
    {rows}
    ON CONFLICT (id) DO UPDATE SET
        state = excluded.state, name = excluded.name, owner = excluded.owner,
        priority = excluded.priority, submitted_at = excluded.submitted_at,
        ended_at = excluded.ended_at, body = excluded.body
"""
# a spec changes only with tags and note, or when its job's name is submitted anew; the same again
# is not written
_SET_SPEC = """
    INSERT INTO spec (job, body) {rows}
    ON CONFLICT (job) DO UPDATE SET body = excluded.body WHERE body <> excluded.body
"""
_REMOVE_JOB = "DELETE FROM job WHERE id IN ({rows})"
_REMOVE_TASKS = "DELETE FROM job WHERE array IN ({rows})"
_REMOVE_SPEC = "DELETE FROM spec WHERE job IN ({rows})"

_JOBS = "SELECT job.body, spec.body FROM job JOIN spec ON spec.job = coalesce(job.array, job.id)"
ALL_JOBS = f"{_JOBS} WHERE job.array IS NULL"  # in no order, or all tasks are passed over
OPEN_JOBS = f"{ALL_JOBS} AND job.state IN ('held', 'queued', 'submitted', 'running')"
_OVER = "job.array IS NULL AND job.state IN ('completed', 'failed', 'cancelled')"
PAST_JOBS = f"""
    SELECT job.id, job.state, job.name, job.owner, job.body, spec.body
    FROM job JOIN spec ON spec.job = job.id WHERE {_OVER}
"""
ENDED = f"""
    SELECT id, submitted_at, coalesce(ended_at, 0.0), state = 'failed' FROM job WHERE {_OVER}
    ORDER BY id
"""
ALL_TASKS = "SELECT body, array FROM job WHERE array IS NOT NULL ORDER BY id"
# word by word as in the tables' partial indexes, or they aren't used
OPEN_TASKS = """
    SELECT body, array FROM job
    WHERE array IS NOT NULL AND state IN ('held', 'queued', 'submitted', 'running') ORDER BY id
"""
ENDED_TASKS = """
    SELECT id, state FROM job
    WHERE array IS NOT NULL AND state IN ('completed', 'failed', 'cancelled') ORDER BY id
"""
_TASKS = "SELECT body FROM job WHERE id IN ({rows}) ORDER BY id"
ONE_JOB = f"{_JOBS} WHERE job.id = ?"
_SOME_JOBS = f"{_JOBS} WHERE job.id IN ({{rows}}) ORDER BY job.id"
# the ids first: what is passed over, or sorted, is found in an index, without its body
PAGE = f"""{_JOBS} WHERE job.id IN (
    SELECT job.id FROM job{{where}} ORDER BY job.id DESC LIMIT ? OFFSET ?
) ORDER BY job.id DESC"""
TOTAL = "SELECT count(*) FROM job{where}"
COUNTS = "SELECT state, count(*) FROM job WHERE array IS NULL GROUP BY state"

SET_NOTICE = "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?, ?)"
DUE_NOTICES = """
    SELECT body FROM notice WHERE state = 'pending' AND receiver = ?
    ORDER BY next_at, event LIMIT ?
"""
NOTICES = "SELECT body FROM notice WHERE receiver = ?{more} ORDER BY event DESC LIMIT ?"
STANDINGS = "SELECT receiver, state, count(*) FROM notice GROUP BY receiver, state"
LAST_FAILURE = """
    SELECT why FROM notice WHERE receiver = ? AND why <> '' ORDER BY event DESC LIMIT 1
"""
TRIM_NOTICES = """
    DELETE FROM notice WHERE (event, receiver) IN (
        SELECT event, receiver FROM notice WHERE state IN ('delivered', 'failed')
        ORDER BY next_at DESC, event DESC, receiver DESC LIMIT -1 OFFSET ?
    )
"""

_HAS_TAG = """EXISTS (
    SELECT 1 FROM spec AS tagged, json_each(CAST(tagged.body AS TEXT), '$.tags') AS tag
    WHERE tagged.job = job.id AND tag.value = ?
)"""


def event_row(event: AnyEvent) -> Row:
    """The row of `event` but for its number."""
    job = event.job if isinstance(event, JobEvent) else None
    return (job, event.at, codec.encode(event))


def notice_row(notice: Notice) -> Row:
    body = codec.encode(notice)
    return (notice.event, notice.receiver, notice.state.value, notice.next_at, notice.why, body)


def add_events(rows: Iterable[Row]) -> Iterator[Statement]:
    return _batches(_ADD_EVENT, rows)


def statements(written: Changes, specs: Mapping[JobId, JobSpec]) -> Iterator[Statement]:
    """What to execute so that the database holds what is to be written.

    Removals come first: a name may go from one job to another in one commit. `specs`: those that
    are there already.
    """
    jobs, removed, limits, counter, spent = written
    if removed:
        ids: list[Row] = [(job_id,) for job_id in removed]
        for statement in (_REMOVE_JOB, _REMOVE_TASKS, _REMOVE_SPEC):
            yield from _batches(statement, ids)
    if jobs:
        yield from _batches(_SET_JOB, (_job_row(job) for job in jobs))
        whole = (job for job in jobs if array_of(job.id) is None)
        fresh = (job for job in whole if specs.get(job.id) is not job.spec)
        yield from _batches(_SET_SPEC, ((job.id, codec.encode(job.spec)) for job in fresh))
    for key, value in (("limits", limits), ("counter", counter)):
        if value is not None:
            yield SET_META, [key, codec.encode(value).decode()]
    for owner, one in spent.items():
        yield SET_META, [f"spent {owner}", codec.encode(one).decode()]


def tasks(ids: Iterable[int]) -> Iterator[Statement]:
    """The bodies of those that there are, by id."""
    return _batches(_TASKS, [(one,) for one in sorted(ids)])


def jobs(ids: Iterable[int]) -> Iterator[Statement]:
    """Bodies and specifications of those that there are, by id."""
    return _batches(_SOME_JOBS, [(one,) for one in sorted(ids)])


def conditions(which: Filter, below: int | None = None) -> tuple[str, list[str | float]]:
    """The filter as a WHERE clause, with its parameters; `below`: only jobs of smaller ids."""
    clauses: list[str] = ["job.array IS NULL" if which.array is None else "job.array = ?"]
    parameters: list[str | float] = [] if which.array is None else [which.array]
    if which.states is not None:
        clauses.append(f"job.state IN ({', '.join('?' * len(which.states))})")
        parameters += sorted(which.states)
    if which.owner is not None:
        clauses.append("job.owner = ?")
        parameters.append(which.owner)
    if which.name is not None:
        # "job.name <> ''" lets SQLite use the index of names
        clauses.append("job.name = ? AND job.name <> ''" if which.name else "job.name = ?")
        parameters.append(which.name)
    if which.tag is not None:
        clauses.append(_HAS_TAG)
        parameters.append(which.tag)
    if which.since is not None:
        clauses.append("job.submitted_at >= ?")
        parameters.append(which.since)
    if which.search is not None:
        clauses.append("instr(lower(job.name), lower(?)) > 0")  # SQLite's `lower` knows ASCII only
        parameters.append(which.search)
    if below is not None:
        clauses.append("job.id < ?")
        parameters.append(below)
    return f" WHERE {' AND '.join(clauses)}", parameters


def _batches(statement: str, rows: Iterable[Row]) -> Iterator[Statement]:
    """`statement` over all rows."""
    rest = iter(rows)
    while some := [*islice(rest, BATCH)]:
        yield _of_rows(statement, len(some[0]), len(some)), [*chain.from_iterable(some)]


@cache
def _of_rows(statement: str, width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.format(rows=f"VALUES {', '.join([row] * count)}")


def _job_row(job: Job) -> Row:
    body = codec.encode_job(job)
    array = array_of(job.id)
    state, name = job.state.value, job.spec.name if array is None else ""
    return (
        job.id, state, name, job.owner, job.priority, job.submitted_at, job.ended_at, body, array,
    )  # fmt: skip
