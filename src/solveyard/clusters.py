"""From the settings' clusters to the backends that forward jobs to them."""

import os
from collections.abc import Collection, Mapping

from solveyard import registry
from solveyard.backends.batch import Batch, ClusterOptions
from solveyard.backends.hosts.local import LocalHost
from solveyard.core.destinations import HERE
from solveyard.model.errors import InvalidSettings


def backends(
    clusters: Mapping[str, ClusterOptions], withheld: Collection[str], machine: str
) -> dict[str, Batch]:
    """By name; their commands don't inherit the variables in `withheld`.

    Raises InvalidSettings where one has an unknown dialect, or this `machine`'s name.
    """
    environment = {name: text for name, text in os.environ.items() if name not in withheld}
    found = {}
    for name, options in clusters.items():
        dialect = registry.dialects().get(options.dialect)
        if dialect is None:
            known = ", ".join(sorted(registry.dialects())) or "none"
            raise InvalidSettings(
                f"`clusters.{name}`: there is no dialect {options.dialect!r} (installed: {known})"
            )
        if name == HERE:
            raise InvalidSettings(f"`clusters.{name}`: {HERE!r} is this machine (take another)")
        if name == machine:
            raise InvalidSettings(f"`clusters.{name}`: this machine has that name (take another)")
        found[name] = Batch(name, options, dialect, LocalHost(environment))
    return found
