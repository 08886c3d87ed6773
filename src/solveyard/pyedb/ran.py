"""Which configuration a job really has: a submission may have found it under way, with another."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from solveyard.model.records import JobRecord
from solveyard.pyedb.errors import JobManagerError
from solveyard.solvers.hfss import config as hfss

_FILLED = frozenset({"ansys_edt_path", "jobid"})  #: by the manager, where they aren't given


def config(record: JobRecord, known: Iterable[tuple[Any, Mapping[str, Any]]]) -> Any:
    """The first of `known` that it was submitted with, else as the manager tells it, if it does.

    `known` are configurations, of whatever kind, each with its fields as JSON has them.
    """
    told = record.config
    if told is None:
        return None
    for one, fields in known:
        if _same(fields, told) or _same(_whole(fields), told):
            return one
    from solveyard.pyedb.job_submission import HFSSSimulationConfig

    try:
        return HFSSSimulationConfig.from_dict(told)
    except JobManagerError:  # its project isn't on this machine
        return hfss.HFSSSimulationConfig.from_dict(told)


def _same(fields: Mapping[str, Any] | None, told: Mapping[str, Any]) -> bool:
    return fields is not None and all(
        told[name] == value
        for name, value in fields.items()
        if name in told and (value or name not in _FILLED)
    )


def _whole(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """With what was left as by default."""
    try:
        return hfss.HFSSSimulationConfig.from_dict(fields).to_dict()
    except ValidationError:
        return None
