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


def drained(
    client: Client, own: Mapping[str, Own], session: str, grace: float, ending: float
) -> dict[str, Sight]:
    """End what runs of these, hold what waits; what a batch system has goes on. How they are then.

    What isn't the `session`'s, or somebody submitted anew since, is left as it is. `grace`: s
    between TERM and KILL; `ending`: s in which they have to be gone.
    """
    held = {job: _held(client, one.number, session) for job, one in own.items()}
    found = {job: record for job, record in held.items() if record is not None}
    running = [job for job, record in found.items() if not _rests(record, session)]
    for job in running:
        client.cancel(own[job].number, grace)
    client.wait([own[job].number for job in running], ending)
    for job in running:
        found[job] = client.job(own[job].number)
    last = {job: Sight(own[job].config, record) for job, record in found.items()}
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


def _held(client: Client, number: int, session: str) -> JobRecord | None:
    """As it is, held where it waited; None: it is gone."""
    try:
        record = client.job(number)
        waits = record.state is JobState.QUEUED and record.session == session
        return client.hold(number) if waits else record
    except UnknownJob:
        return None
    except Conflict:  # it has just started
        return client.job(number)


def _rests(record: JobRecord, session: str) -> bool:
    """It won't start any more, or has ended; or it belongs to a batch system, or to others."""
    ended = record.state is JobState.HELD or record.state.final
    return ended or record.session != session or _forwarded(record)


def _forwarded(record: JobRecord) -> bool:
    asked = (record.config or {}).get("scheduler_type", SchedulerType.NONE)
    return str(asked) != SchedulerType.NONE
