"""The batch systems of this machine, in PyEDB's words, asked without any manager. Blocking."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from solveyard import clusters, config
from solveyard.backends.batch import Batch
from solveyard.backends.dialects.base import Queue, Unreadable
from solveyard.client.sync import Client
from solveyard.manager.forwarding import partition
from solveyard.model.jobs import JobState
from solveyard.model.records import ClusterRecord, JobRecord
from solveyard.pyedb import errors
from solveyard.solvers.hfss import forwarded
from solveyard.solvers.hfss.config import SchedulerType

_THERE = (JobState.SUBMITTED, JobState.RUNNING)


def answering() -> SchedulerType:
    """The one that the settings name, else the first that answers; NONE: none does."""
    known = {one: forwarded.kind(one.options.dialect) for one in _all()}
    for batch, kind in known.items():
        if kind is not None and (batch.named or not isinstance(_looked(batch), Unreadable)):
            return kind
    return SchedulerType.NONE


def partitions(kind: SchedulerType) -> list[dict[str, Any]]:
    """Raises SubmissionFailed where it doesn't answer."""
    here = [one for one in _all() if one.options.dialect == forwarded.dialect(kind)]
    if not here:
        raise errors.SubmissionFailed(
            f"{kind} is not configured on this machine, and its commands are not on PATH"
        )
    told = _looked(here[0])
    if isinstance(told, Unreadable):
        what = "doesn't answer" if here[0].named else "is not configured, and doesn't answer"
        raise errors.SubmissionFailed(f"{kind} {what}: {told.why}")
    return [msgspec.to_builtins(partition(here[0].name, queue)) for queue in told]


def jobs(client: Client, those: Iterable[ClusterRecord]) -> list[dict[str, Any]]:
    """The manager's own that are with one of `those` clusters."""
    names = {one.name for one in those}
    there = client.jobs(states=_THERE, limit=None).jobs
    return [_job(one) for one in there if one.attempts and one.attempts[-1].machine in names]


def _job(record: JobRecord) -> dict[str, Any]:
    asked = (record.config or {}).get("scheduler_options", {})
    return {
        "id": record.id,
        "job_id": record.scheduler_job_id,
        "partition": asked.get("queue", ""),
        "user": record.owner,
        "state": record.state.value,
        "nodes": asked.get("nodes", 1),
        "cpus": record.cores,
    }


def _all() -> Sequence[Batch]:
    from solveyard.config import serving  # with all that a manager needs
    from solveyard.places import runtime_folder, store_folder

    settings = config.load(config.Places.here()).settings
    withheld = {source.env for source in settings.secrets.values() if source.env}
    found = clusters.backends(
        serving.clusters(settings), withheld, "", runtime_folder(store_folder(None))
    )
    return sorted(found.values(), key=lambda one: not one.named)


def _looked(batch: Batch) -> Sequence[Queue] | Unreadable:
    """In a thread, since this one may have a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(batch.look())).result()
