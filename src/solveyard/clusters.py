"""From the settings' clusters to the backends that forward jobs to them."""

import hashlib
import os
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from solveyard import registry
from solveyard.backends.batch import Batch, ClusterOptions
from solveyard.backends.batch.staging import Staged
from solveyard.backends.dialects.base import Dialect
from solveyard.backends.hosts.local import LocalHost
from solveyard.backends.hosts.login import Login
from solveyard.backends.hosts.paths import PathMap
from solveyard.backends.hosts.remote import Remote
from solveyard.backends.hosts.ssh import SshHost
from solveyard.core.destinations import HERE
from solveyard.model.errors import InvalidSettings

_COMMANDS = {"slurm": "sbatch", "lsf": "bsub", "pbs": "qsub", "winhpc": "job"}  #: by dialect
_NO_SSH = (
    "the ssh of Windows can't share a connection, which `host` needs (run the manager on Linux or"
    " macOS, WSL will do)"
)


def backends(
    clusters: Mapping[str, ClusterOptions],
    withheld: Collection[str],
    machine: str,
    runtime: Path,
    store: str = "",
    *,
    discover: bool = True,
) -> dict[str, Batch]:
    """By name; their commands don't inherit the variables in `withheld`.

    With `discover` also, asleep, each batch system that nobody named and whose submit command is
    here. `runtime`: the folder for the store's sockets; `store`: its id.

    Raises InvalidSettings where one has an unknown dialect, or this `machine`'s name, or can't be
    reached from here.
    """
    environment = {name: text for name, text in os.environ.items() if name not in withheld}
    found = {}
    for name, options in clusters.items():
        if why := fault(name, options, machine):
            raise InvalidSettings(f"`clusters.{name}`: {why}")
        spoken = registry.dialects()[options.dialect]
        if options.host:
            found[name] = _over_ssh(name, options, spoken, environment, runtime, store)
        else:
            found[name] = Batch(name, options, spoken, LocalHost(environment))
    for name, command in _COMMANDS.items() if discover else ():
        taken = name in found or name == machine
        if taken or any(one.dialect == name for one in clusters.values()):
            continue
        if shutil.which(command, path=environment.get("PATH")) is None:
            continue  # most machines have none, and no use for the dialects
        dialect = registry.dialects().get(name)
        if dialect is not None:
            host = LocalHost(environment)
            found[name] = Batch(name, ClusterOptions(dialect=name), dialect, host, asleep=True)
    return found


def fault(name: str, options: ClusterOptions, machine: str = HERE) -> str:
    """Why this `machine`'s manager can't have such a cluster; "": it can."""
    if options.dialect not in registry.dialects():
        known = ", ".join(sorted(registry.dialects())) or "none"
        return f"there is no dialect {options.dialect!r} (installed: {known})"
    if name == HERE:
        return f"{HERE!r} is this machine (take another name)"
    if name == machine:
        return "this machine has that name (take another)"
    if options.host and options.dialect == "winhpc":
        return (
            "Windows HPC can't be reached over SSH (leave out `host` where the manager has its"
            " commands)"
        )
    if options.host and sys.platform == "win32":
        return _NO_SSH
    return ""


def login(name: str, options: ClusterOptions, runtime: Path) -> Login:
    """The way to a cluster that has a `host`. Raises InvalidSettings."""
    if sys.platform == "win32":
        raise InvalidSettings(f"`clusters.{name}`: {_NO_SSH}")
    key = hashlib.sha256(f"{name} {options.host}".encode()).hexdigest()[:8]
    return Login(
        cluster=name,
        host=options.host,
        socket=str(runtime / f"ssh-{key}"),
        config="" if options.ssh_config is None else str(options.ssh_config),
        options=options.ssh_options,
    )


def _over_ssh(
    name: str,
    options: ClusterOptions,
    dialect: Dialect,
    environment: Mapping[str, str],
    runtime: Path,
    store: str,
) -> Batch:
    host = SshHost(login(name, options, runtime), environment)
    staged = Staged(
        Remote(host, options.folder, store),
        PathMap(options.path_map),
        store,
        most=options.max_input,
        often=options.poll_min,
    )
    return Batch(name, options, dialect, host, staged)
