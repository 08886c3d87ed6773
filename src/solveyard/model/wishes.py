"""What can be asked of a job besides its solver and options, as keyword arguments."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


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
    after: Sequence[Mapping[str, Any]]
    retry: Mapping[str, Any]
    success: Mapping[str, Any]
    measures: Mapping[str, Any]
