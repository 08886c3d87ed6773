"""How a session's jobs are when looked at, and how they were when it was closed."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from solveyard.client.sync import Client
from solveyard.model.errors import Conflict, UnknownJob
from solveyard.model.jobs import JobState
from solveyard.model.records import JobRecord
from solveyard.solvers.hfss.config import SchedulerType

LONGEST = 1 << 20  #: bytes of output that are read, from its end
KEPT = 100  #: jobs whose output is kept when their session is closed: the newest


class Sight(NamedTuple):
    """One job, at one time."""

    config: Any  #: of whatever kind it was submitted
    record: JobRecord
    output: str = ""
    error: str = ""  #: its standard error


def look(client: Client, job: str, config: Any) -> Sight:
    return _read(client, Sight(config, client.job(job)))


def drained(
    client: Client, own: Mapping[str, Any], grace: float, ending: float
) -> dict[str, Sight]:
    """End what runs of these, hold what waits; what a batch system has goes on. How they are then.

    `grace`: s between TERM and KILL; `ending`: s in which they have to be gone. One that somebody
    removes meanwhile is left out.
    """
    found = {job: record for job in own if (record := _held(client, job)) is not None}
    running = [job for job, record in found.items() if not _rests(record)]
    for job in running:
        with contextlib.suppress(UnknownJob):
            client.cancel(job, grace)
    _await_ends(client, running, ending)
    for job in running:
        if (record := _record(client, job)) is None:
            del found[job]
        else:
            found[job] = record
    last = {job: Sight(own[job], record) for job, record in found.items()}
    for job in list(last)[-KEPT:]:
        with contextlib.suppress(UnknownJob):
            last[job] = _read(client, last[job])
    return last


def _await_ends(client: Client, jobs: list[str], ending: float) -> None:
    """For `ending` s at the most; one that somebody removes meanwhile has ended."""
    deadline = time.monotonic() + ending
    while jobs and (left := deadline - time.monotonic()) > 0:
        try:
            client.wait(jobs, left)
        except UnknownJob:
            jobs = [job for job in jobs if _record(client, job) is not None]
        else:
            break


def _read(client: Client, sight: Sight) -> Sight:
    """With its output, once it has ended."""
    if not sight.record.state.final or not sight.record.attempts:
        return sight
    told = [
        client.log(sight.record.number, one, offset=-LONGEST).content.decode("utf-8", "replace")
        for one in ("stdout", "stderr")
    ]
    return sight._replace(output=told[0], error=told[1])


def _held(client: Client, job: str) -> JobRecord | None:
    """As it is, held where it waited; None: it is gone."""
    record = _record(client, job)
    if record is None or record.state is not JobState.QUEUED:
        return record
    try:
        return client.hold(job)
    except UnknownJob:
        return None
    except Conflict:  # it has just started
        return _record(client, job)


def _record(client: Client, job: str) -> JobRecord | None:
    """None: somebody removed it."""
    try:
        return client.job(job)
    except UnknownJob:
        return None


def _rests(record: JobRecord) -> bool:
    """It won't start any more, or has ended; or it belongs to a batch system."""
    return record.state is JobState.HELD or record.state.final or _forwarded(record)


def _forwarded(record: JobRecord) -> bool:
    asked = (record.config or {}).get("scheduler_type", SchedulerType.NONE)
    return str(asked) != SchedulerType.NONE
