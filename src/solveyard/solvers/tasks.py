"""The specification of one task of an array, as its solver reads it."""

from collections.abc import Mapping
from itertools import chain
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from solveyard.model import arrays
from solveyard.model.arrays import ArraySpec, Value
from solveyard.model.criteria import Measure, SuccessCriteria
from solveyard.model.errors import InvalidJob
from solveyard.model.ids import position_of
from solveyard.model.jobs import JobId, JobSpec

T = TypeVar("T")

_CHECKED = 200  #: tasks of an array whose options are tried out when it is submitted


def spec_of(spec: JobSpec, job: JobId) -> JobSpec:
    """What the solver of `job` is given: of a task, `{{name}}` is what the task has."""
    position = position_of(job)
    return spec if position is None else spec_at(spec, position)


def spec_at(spec: JobSpec, position: int) -> JobSpec:
    """Raises InvalidJob where the task's own values make no sense in it."""
    if spec.array is None:
        return spec
    seen = spec.array.seen(position)
    try:
        return replace(
            spec,
            options=msgspec.Raw(arrays.filled(bytes(spec.options), seen)),
            directory=arrays.filled_text(spec.directory, spec.array, position),
            success=_filled(spec.success, SuccessCriteria | None, seen),
            measures=_filled(spec.measures, dict[str, Measure], seen) if spec.measures else {},
            array=None,
        )
    except msgspec.ValidationError as error:
        raise InvalidJob(f"task {spec.array.index(position)}: {error}") from error


def samples(spec: JobSpec) -> list[JobSpec]:
    """Specifications to try out before `spec` is taken: all of a small array, some of a large one.

    Raises InvalidJob where a template names what no task has, or no task could be told a value.
    """
    if spec.array is None:
        return [spec]
    _check_values(spec.array)
    for name in ("options", "directory", "exclusive", "success", "measures"):
        unknown = arrays.unknown_places(msgspec.json.encode(getattr(spec, name)), spec.array)
        if unknown:
            have = ", ".join(("index", "value", *spec.array.names))
            raise InvalidJob(f"`{name}` has {{{{{unknown[0]}}}}}, but a task has only {have}")
    count = len(spec.array)
    step = max(1, count // _CHECKED)
    return [spec_at(spec, position) for position in {*range(0, count, step), count - 1}]


def _check_values(array: ArraySpec) -> None:
    """Raises InvalidJob for what no variable of an environment can hold; see `environment`."""
    if b"\\u0000" not in msgspec.json.encode(array):  # of millions of values, that is quick
        return
    several = [array.values or (), *(array.grid or {}).values()]
    for value in chain(*several, *(row.values() for row in array.rows or ())):
        if isinstance(value, str) and "\0" in value:
            raise InvalidJob(f"`array`: expected text without NUL characters, got {value[:40]!r}")


def _filled(given: T, kind: Any, seen: Mapping[str, Value]) -> T:
    """`given`, of any `kind` that msgspec reads, with its texts filled in."""
    text = msgspec.json.encode(given)
    if b"{{" not in text:
        return given
    found: T = msgspec.convert(arrays.filled_texts(msgspec.json.decode(text), seen), kind)
    return found


def environment(spec: JobSpec, job: JobId) -> dict[str, str]:
    """What a task can know of itself."""
    position = position_of(job)
    if position is None or spec.array is None:
        return {}
    seen = spec.array.seen(position)
    told = {
        "SOLVEYARD_TASK": arrays.text(seen.pop("index")),
        "SOLVEYARD_TASKS": str(len(spec.array)),
        "SOLVEYARD_VALUE": arrays.text(seen.pop("value")),
    }
    told.update((f"SOLVEYARD_PARAM_{name}", arrays.text(value)) for name, value in seen.items())
    return told
