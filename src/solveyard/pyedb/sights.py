"""How a session's jobs are when looked at, and how they were when it was closed."""

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

    `grace`: s between TERM and KILL; `ending`: s in which they have to be gone.
    """
    found = {job: record for job in own if (record := _held(client, job)) is not None}
    running = [job for job, record in found.items() if not _rests(record)]
    for job in running:
        client.cancel(job, grace)
    client.wait(running, ending)
    for job in running:
        found[job] = client.job(job)
    last = {job: Sight(own[job], record) for job, record in found.items()}
    for job in list(last)[-KEPT:]:
        last[job] = _read(client, last[job])
    return last


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
    try:
        record = client.job(job)
        return client.hold(job) if record.state is JobState.QUEUED else record
    except UnknownJob:
        return None
    except Conflict:  # it has just started
        return client.job(job)


def _rests(record: JobRecord) -> bool:
    """It won't start any more, or has ended; or it belongs to a batch system."""
    return record.state is JobState.HELD or record.state.final or _forwarded(record)


def _forwarded(record: JobRecord) -> bool:
    asked = (record.config or {}).get("scheduler_type", SchedulerType.NONE)
    return str(asked) != SchedulerType.NONE
