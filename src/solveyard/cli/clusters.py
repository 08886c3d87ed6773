"""cluster: the batch systems that jobs may be forwarded to, how they are, and the way to them."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solveyard.cli import exits, talk, units
from solveyard.cli.here import Here, Json, here
from solveyard.model.errors import BackendError, InvalidRequest
from solveyard.model.records import ClusterRecord, PartitionRecord

if TYPE_CHECKING:
    from solveyard.backends.hosts.login import Login

_PATIENCE = 20  #: s for a word from ssh about a connection of this machine
_CLUSTERS = ("CLUSTER", "DIALECT", "STATE", "WAITING", "RUNNING", "MOST")
_PARTITIONS = ("PARTITION", "CLUSTER", "STATE", "TIME LIMIT", "NODES", "CORES", "MEMORY", "GPUS")


def cluster(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="[connect|disconnect]")] = "",
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One of them; else all.")] = "",
    as_json: Json = False,
) -> int:
    """Show the clusters that jobs may be forwarded to, and their partitions.

    As each answered last: this never waits for one that is away. `connect NAME` opens the SSH
    connection to one, on this terminal, so that a password or a code is typed once; the manager
    uses it until `disconnect NAME` or until it breaks.
    """
    match what, name:
        case "connect" | "disconnect", str(one) if one:
            login = _login(here(context), one)
            return _connect(login, as_json) if what == "connect" else _disconnect(login, as_json)
        case one, "":
            return _show(context, one, as_json)
        case _:
            raise InvalidRequest("it is: cluster [NAME], cluster connect NAME, or disconnect NAME")


def _show(context: typer.Context, name: str, as_json: bool) -> int:
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


def _login(place: Here, name: str) -> "Login":
    """By the settings here. Raises InvalidRequest."""
    from solveyard import clusters, config
    from solveyard.config import serving
    from solveyard.places import runtime_folder

    known = serving.clusters(config.load(config.Places.here()).settings)
    remote = {one: options for one, options in known.items() if options.host}
    if name not in remote:
        names = ", ".join(sorted(remote)) or "none"
        raise InvalidRequest(f"the settings give no cluster {name!r} a `host` (there is: {names})")
    return clusters.login(name, remote[name], runtime_folder(place.folder))


def _connect(login: "Login", as_json: bool) -> int:
    if not _is_open(login):
        Path(login.socket).unlink(missing_ok=True)
        subprocess.run(login.open(person=True), check=False)
        if not _is_open(login):
            raise BackendError(f"ssh could not connect to {login.host} (its words are above)")
    return _told(login, "connected to", as_json)


def _disconnect(login: "Login", as_json: bool) -> int:
    if _is_open(login):
        subprocess.run(login.control("exit"), capture_output=True, check=False, timeout=_PATIENCE)
    return _told(login, "disconnected from", as_json)


def _is_open(login: "Login") -> bool:
    check = login.control("check")
    return not subprocess.run(check, capture_output=True, check=False, timeout=_PATIENCE).returncode


def _told(login: "Login", what: str, as_json: bool) -> int:
    if as_json:
        talk.answer_json({"success": True, "cluster": login.cluster, "host": login.host})
    else:
        talk.answer(f"{login.cluster}: {what} {login.host}")
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
