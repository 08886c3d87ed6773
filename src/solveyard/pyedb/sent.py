"""What of a configuration goes to the manager, which makes its command there."""

from collections.abc import Mapping
from typing import Any

from solveyard.pyedb import errors
from solveyard.solvers.hfss import config as hfss


def fields(config: Any) -> dict[str, Any]:
    """As JSON has them: ours, PyEDB's own, or a dict. What a subclass adds stays here.

    Raises InvalidConfig: also for one whose class makes another command.
    """
    if isinstance(config, Mapping):
        return dict(config)
    if isinstance(config, hfss.HFSSSimulationConfig):
        _refuse_its_own_command(type(config))
        return config.model_dump(mode="json", include=set(hfss.HFSSSimulationConfig.model_fields))
    found = None
    is_class = isinstance(config, type)  # it has the methods, and no fields
    if not is_class and hasattr(config, "model_dump"):
        found = config.model_dump(mode="json")
    elif not is_class and hasattr(config, "to_dict"):
        found = config.to_dict()
    if not isinstance(found, dict):
        raise errors.InvalidConfig(
            f"expected a configuration, such as create_simulation_config(PROJECT) makes, not"
            f" {config!r:.100}"
        )
    return found


def _refuse_its_own_command(kind: type[Any]) -> None:
    """A method beside those that make the command, such as `generate_report`, changes nothing."""
    ours = next(one for one in kind.__mro__ if one.__module__.startswith("solveyard."))
    for one in kind.__mro__[: kind.__mro__.index(ours)]:
        for name in vars(one):
            if name.startswith("generate_") and hasattr(ours, name):
                raise errors.InvalidConfig(
                    f"{one.__name__}.{name}() would not be asked: the manager makes the command"
                    " from the fields (have a command of your own run by"
                    " solveyard.Yard().command([...]))"
                )
