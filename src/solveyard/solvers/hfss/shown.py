"""What an HFSS job was submitted with, as PyEDB's clients read it."""

from functools import cache
from typing import Any

import msgspec

from solveyard.model.jobs import JobSpec


def config(spec: JobSpec) -> dict[str, Any] | None:
    """With what was left as by default; None: it's no HFSS job. Nothing is checked again."""
    if spec.solver != "hfss":
        return None
    told: dict[str, Any] = msgspec.json.decode(spec.options)
    defaults = _defaults()
    found = {**defaults, **told}
    if len(found) > len(defaults):  # what is no field of PyEDB's
        found = {name: found[name] for name in defaults}
    for name, value in told.items():
        if isinstance(value, dict | list) and name in defaults:
            found[name] = _filled(defaults[name], value)
    return found


def _filled(default: Any, told: Any) -> Any:  # whatever a field may hold
    if isinstance(default, dict) and isinstance(told, dict):
        return {**default, **told}
    if isinstance(told, list):
        return [{**_node(), **one} if isinstance(one, dict) else one for one in told]
    return told


@cache
def _defaults() -> dict[str, Any]:
    # here: pydantic takes long to import, and most stores have no HFSS job
    from solveyard.solvers.hfss.config import HFSSSimulationConfig

    return HFSSSimulationConfig(project_path="any.aedt").to_dict()


@cache
def _node() -> dict[str, Any]:
    from solveyard.solvers.hfss.config import MachineNode

    return MachineNode().model_dump(mode="json")
