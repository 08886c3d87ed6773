"""What can be asked of a job besides its solver and options, as keyword arguments."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict

import msgspec

from solveyard.model import reading
from solveyard.model.jobs import JobSpec


class Keyed(Protocol):
    """A job at hand."""

    @property
    def key(self) -> str: ...


Named = Keyed | str | int | Mapping[str, Any]  #: a job, or how its end is waited for, too


class Wishes(TypedDict, total=False):
    """The fields of `JobSpec` that people set by hand; their meaning is written there."""

    name: str
    priority: int
    resources: Mapping[str, Any]
    directory: str
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
    success: Mapping[str, Any]
    measures: Mapping[str, Any]


def specification(given: JobSpec | Mapping[str, Any]) -> JobSpec:
    """What people wrote, read. Raises MalformedJob."""
    if isinstance(given, JobSpec):
        return given
    return reading.spec(msgspec.json.encode(written(given)))


def written(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """As a specification has them: a job waited for by its key or name, `retry` as an object."""
    found = dict(wishes)
    if isinstance(found.get("retry"), int):
        found["retry"] = {"tries": found["retry"]}
    if found.get("after") is not None:
        after = found["after"]
        many = isinstance(after, Sequence) and not isinstance(after, str)
        found["after"] = [_dependency(one) for one in (after if many else [after])]
    return found


def _dependency(one: Any) -> Any:  # whatever was given: what can't be read is refused with the rest
    if isinstance(one, Mapping):
        return dict(one) | ({"job": _name(one["job"])} if "job" in one else {})
    return {"job": _name(one)}


def _name(job: Any) -> Any:
    if isinstance(job, int):
        return str(job)
    return getattr(job, "key", job)
