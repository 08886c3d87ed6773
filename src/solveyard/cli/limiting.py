"""limits: how much may run at once, and how busy a machine may be for another job to start."""

import math
from typing import Annotated, Any

import typer

from solveyard.cli import exits, talk
from solveyard.cli.here import Json, here
from solveyard.client.calls import LimitWishes
from solveyard.model.errors import InvalidRequest

_NONE = "none"


def limits(
    context: typer.Context,
    max_concurrent: Annotated[
        str, typer.Option(metavar="N|none", help="Jobs that run at once.")
    ] = "",
    max_cpu_percent: Annotated[
        str, typer.Option(metavar="P|none", help="No job starts on a machine as busy.")
    ] = "",
    min_memory_gb: Annotated[
        str, typer.Option(metavar="GB|none", help="GiB that a start must leave free there.")
    ] = "",
    min_disk_gb: Annotated[
        str, typer.Option(metavar="GB|none", help="The same of the disk where the store is.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Show the limits, or set some of them.

    All that are given, or none; the others stay. They gate starts, and end no job.
    """
    wishes = LimitWishes()
    if max_concurrent:
        wishes["max_concurrent"] = _whole("--max-concurrent", max_concurrent)
    if max_cpu_percent:
        wishes["max_cpu_percent"] = _number("--max-cpu-percent", max_cpu_percent)
    if min_memory_gb:
        wishes["min_memory_gb"] = _number("--min-memory-gb", min_memory_gb)
    if min_disk_gb:
        wishes["min_disk_gb"] = _number("--min-disk-gb", min_disk_gb)
    with here(context).client() as client:
        found = client.set_limits(**wishes) if wishes else client.limits()
    if as_json:
        talk.answer_json(found)
    else:
        talk.answer("\n".join(f"{name:<16} {_shown(value)}" for name, value in found.items()))
    return exits.OK


def _whole(option: str, text: str) -> int | None:
    if text == _NONE:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise InvalidRequest(f"{option} is a whole number or {_NONE}, not {text!r}") from error


def _number(option: str, text: str) -> float | None:
    if text == _NONE:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InvalidRequest(f"{option} is a number or {_NONE}, not {text!r}")
    return found


def _shown(value: Any) -> str:  # a number or None, as JSON has them
    return _NONE if value is None else f"{value:g}"
