"""How a session's jobs are when looked at, and how they were when it was closed."""

import contextlib
import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from solveyard.client.sync import Client
from solveyard.model.errors import Conflict, UnknownJob
from solveyard.model.jobs import JobState
from solveyard.model.records import JobRecord
from solveyard.solvers.hfss.config import SchedulerType

LONGEST = 1 << 20  #: bytes of output that are read, from its end
KEPT = 100  #: jobs whose output is kept when their session is closed: the newest


class Own(NamedTuple):
    """A job that a session submitted, or found under way."""

    config: Any  #: of whatever kind it was submitted
    number: int  #: its name may be another's by now


class Sight(NamedTuple):
    """One job, at one time."""

    config: Any
    record: JobRecord
    output: str = ""
    error: str = ""  #: its standard error


def look(client: Client, own: Own) -> Sight:
    return _read(client, Sight(own.config, client.job(own.number)))


def gone(client: Client, jobs: Collection[int]) -> set[int]:
    """Which of these somebody removed. Where nobody did, one request tells."""
    try:
        client.wait(jobs, 0.0)
    except UnknownJob:
        return {job for job in jobs if _record(client, job) is None}
    return set()


def drained(
    client: Client, own: Mapping[str, Own], session: str, grace: float, ending: float
) -> dict[str, Sight]:
    """End what runs of these, hold what waits; what a batch system has goes on. How they are then.

    What isn't the `session`'s, or somebody submitted anew since, is left as it is. `grace`: s
    between TERM and KILL; `ending`: s in which they have to be gone. One that somebody removes
    meanwhile is left out.
    """
    held = {job: _held(client, one.number, session) for job, one in own.items()}
    found = {job: record for job, record in held.items() if record is not None}
    running = [job for job, record in found.items() if not _rests(record, session)]
    for job in running:
        with contextlib.suppress(UnknownJob):
            client.cancel(own[job].number, grace)
    _await_ends(client, [own[job].number for job in running], ending)
    for job in running:
        if (record := _record(client, own[job].number)) is None:
            del found[job]
        else:
            found[job] = record
    last = {job: Sight(own[job].config, record) for job, record in found.items()}
    for job in list(last)[-KEPT:]:
        with contextlib.suppress(UnknownJob):
            last[job] = _read(client, last[job])
    return last


def _await_ends(client: Client, jobs: list[int], ending: float) -> None:
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


def _held(client: Client, number: int, session: str) -> JobRecord | None:
    """As it is, held where it waited; None: it is gone."""
    record = _record(client, number)
    if record is None or record.state is not JobState.QUEUED or record.session != session:
        return record
    try:
        return client.hold(number)
    except UnknownJob:
        return None
    except Conflict:  # it has just started
        return _record(client, number)


def _record(client: Client, number: int) -> JobRecord | None:
    """None: somebody removed it."""
    try:
        return client.job(number)
    except UnknownJob:
        return None


def _rests(record: JobRecord, session: str) -> bool:
    """It won't start any more, or has ended; or it belongs to a batch system, or to others."""
    ended = record.state is JobState.HELD or record.state.final
    return ended or record.session != session or _forwarded(record)


def _forwarded(record: JobRecord) -> bool:
    asked = (record.config or {}).get("scheduler_type", SchedulerType.NONE)
    return str(asked) != SchedulerType.NONE
