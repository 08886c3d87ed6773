"""The specification of one task of an array, as its solver reads it."""

import msgspec
from msgspec.structs import replace

from solveyard.model import arrays
from solveyard.model.errors import InvalidJob
from solveyard.model.ids import position_of
from solveyard.model.jobs import JobId, JobSpec

_CHECKED = 200  #: tasks of an array whose options are tried out when it is submitted


def spec_of(spec: JobSpec, job: JobId) -> JobSpec:
    """What the solver of `job` is given: of a task, `{{name}}` is what the task has."""
    position = position_of(job)
    return spec if position is None else spec_at(spec, position)


def spec_at(spec: JobSpec, position: int) -> JobSpec:
    if spec.array is None:
        return spec
    options = arrays.filled(bytes(spec.options), spec.array.seen(position))
    return replace(spec, options=msgspec.Raw(options), array=None)


def samples(spec: JobSpec) -> list[JobSpec]:
    """Specifications to try out before `spec` is taken: all of a small array, some of a large one.

    Raises InvalidJob where a template names what no task has.
    """
    if spec.array is None:
        return [spec]
    unknown = arrays.unknown_places(bytes(spec.options), spec.array)
    if unknown:
        have = ", ".join(("index", "value", *spec.array.names))
        raise InvalidJob(f"`options` has {{{{{unknown[0]}}}}}, but a task has only {have}")
    count = len(spec.array)
    step = max(1, count // _CHECKED)
    return [spec_at(spec, position) for position in {*range(0, count, step), count - 1}]


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
