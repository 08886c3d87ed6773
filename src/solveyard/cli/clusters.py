"""cluster: the batch systems that jobs may be forwarded to, and how they are."""

from typing import Annotated

import typer

from solveyard.cli import exits, talk, units
from solveyard.cli.here import Json, here
from solveyard.model.errors import InvalidRequest
from solveyard.model.records import ClusterRecord, PartitionRecord

_CLUSTERS = ("CLUSTER", "DIALECT", "STATE", "WAITING", "RUNNING", "MOST")
_PARTITIONS = ("PARTITION", "CLUSTER", "STATE", "TIME LIMIT", "NODES", "CORES", "MEMORY", "GPUS")


def cluster(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="One of them; else all.")] = "",
    as_json: Json = False,
) -> int:
    """Show the clusters that jobs may be forwarded to, and their partitions.

    As each answered last: this never waits for one that is away.
    """
    with here(context).client() as client:
        found = client.cluster_status()
    known = ", ".join(one.name for one in found) or "none"
    if name:
        found = [one for one in found if one.name == name]
        if not found:
            raise InvalidRequest(f"there is no cluster {name!r} (there is: {known})")
    if as_json:
        talk.answer_json(found)
    elif found:
        talk.answer_table(_CLUSTERS, [_row(one) for one in found])
        partitions = [partition for one in found for partition in one.partitions]
        if partitions:
            talk.answer("")
            talk.answer_table(_PARTITIONS, [_partition(one) for one in partitions])
        for one in found:
            if one.trouble:
                talk.say(f"{one.name}: {one.trouble}")
    else:
        talk.say("the settings name no cluster (add a table [clusters.NAME] to config.toml)")
    return exits.OK


def _row(one: ClusterRecord) -> tuple[str, ...]:
    state = "answers" if one.answers else f"away since {one.answered_at}"
    if one.answered_at is None:
        state = "has not answered"
    waiting, running = one.jobs.get("submitted", 0), one.jobs.get("running", 0)
    return one.name, one.dialect, state, str(waiting), str(running), str(one.max_queued)


def _partition(one: PartitionRecord) -> tuple[str, ...]:
    name = f"{one.name}*" if one.default else one.name
    memory = "" if one.memory_total_gb is None else f"{one.memory_total_gb:g} GiB"
    limit = "" if one.time_limit is None else units.short(one.time_limit)
    return (
        name,
        one.cluster,
        "up" if one.up else "down",
        limit,
        _of(one.nodes_used, one.nodes_total),
        _of(one.cores_used, one.cores_total),
        memory,
        "" if one.gpus_total is None else str(one.gpus_total),
    )


def _of(used: int | None, total: int | None) -> str:
    return "" if total is None else f"{'?' if used is None else used}/{total}"
