"""What can be asked of a job besides its solver and options, as keyword arguments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypedDict

from solveyard.model import reading, writing
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec


class Keyed(Protocol):
    """A job at hand."""

    @property
    def key(self) -> str: ...


Named = Keyed | str | int | Mapping[str, Any]  #: a job, or how its end is waited for, too


class PathLike(Protocol):
    def __fspath__(self) -> str: ...


class Wishes(TypedDict, total=False):
    """The fields of `JobSpec` that people set by hand; their meaning is written there."""

    name: str
    priority: int
    resources: Mapping[str, Any]
    pin: bool
    directory: str | PathLike
    time_limit: float
    warning: float
    warning_signal: str
    grace: float
    wait_limit: float
    exclusive: Sequence[str]
    hold: bool
    tags: Sequence[str]
    note: str
    array: Mapping[str, Any]
    after: Named | Sequence[Named]
    retry: int | Mapping[str, Any]
    hang: Mapping[str, Any]
    success: Mapping[str, Any]
    measures: Mapping[str, Any]
    notify: Sequence[str]
    on: str
    batch: Mapping[str, Any]


def specification(given: JobSpec | Mapping[str, Any]) -> JobSpec:
    """What people wrote, read. Raises MalformedJob."""
    if isinstance(given, JobSpec):
        return given
    if not isinstance(given, Mapping):
        raise InvalidJob(f"a job is a JobSpec, or its fields by name, not {given!r}")
    return reading.spec(writing.fields(written(given)))


def parameters(given: Mapping[str, Any]) -> dict[str, list[Any]]:
    """A sweep's: the values of each, in order. Raises InvalidJob where they are no list."""
    return {name: _values(name, values) for name, values in given.items()}


def _values(name: str, values: Any) -> list[Any]:
    scalar = getattr(values, "shape", None) == ()  # numpy's, which claims to be iterable
    if isinstance(values, str | bytes | Mapping) or scalar or not isinstance(values, Iterable):
        known = Wishes.__annotations__
        near = "" if name in known else reading.nearest(name, known)
        raise InvalidJob(
            f"the parameter `{name}` must be a list of values, not {values!r}"
            + (f"; a job has no field `{name}`{near}" if near else f" ({name}=[{values!r}])")
        )
    return list(values)


def written(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """As a specification has them: a job waited for by its key or name, `retry` as an object."""
    found = dict(wishes)
    if isinstance(tries := writing.unwrapped(found.get("retry")), int):
        found["retry"] = {"tries": tries}
    if (after := writing.unwrapped(found.get("after"))) is not None:
        many = isinstance(after, Sequence) and not isinstance(after, str)
        found["after"] = [_dependency(one) for one in (after if many else [after])]
    return found


def _dependency(one: Any) -> Any:  # whatever was given: what can't be read is refused with the rest
    if isinstance(one, Mapping):
        return dict(one) | ({"job": _name(one["job"])} if "job" in one else {})
    return {"job": _name(one)}


def _name(job: Any) -> Any:
    if isinstance(number := writing.unwrapped(job), int):
        return f"#{number}"  # be another job called so
    return getattr(job, "key", job)
