"""Whom a job waits for, and when it is tried again, as people type them."""

from collections.abc import Callable, Sequence
from typing import get_args

from solveyard import registry
from solveyard.cli import units
from solveyard.model import reading
from solveyard.model.errors import InvalidRequest
from solveyard.model.policies import On
from solveyard.solvers import endings

_ONS: tuple[str, ...] = get_args(On)


def after(texts: Sequence[str], last: Callable[[], str]) -> list[dict[str, str]]:
    """The field `after` of a specification, from JOB[:success|end|failure]. Raises InvalidRequest.

    A job's name may hold a colon. `last` tells the job that this word means.
    """
    found = [_dependency(text) for text in texts]
    return [one | {"job": last()} if one["job"] == "last" else one for one in found]


def retry(
    tries: int | None, on: Sequence[str], delay: str, memory: float | None
) -> dict[str, object] | None:
    """The field `retry`; None: nothing was given. Raises InvalidRequest."""
    reasons = [word for text in on for word in text.split(",")]
    for word in reasons:
        if why := endings.unknown(word, registry.solvers()):
            raise InvalidRequest(f"--retry-on {why}")
    found: dict[str, object] = {}
    if tries is not None:
        found["tries"] = tries
    if reasons:
        found["on"] = reasons
    if delay:
        found["delay"] = units.seconds(delay)
    if memory is not None:
        found["memory_factor"] = memory
    return found or None


def _dependency(text: str) -> dict[str, str]:
    job, colon, on = text.rpartition(":")
    if not colon:
        job, on = text, ""
    elif on not in _ONS:
        if hint := reading.nearest(on, _ONS):
            raise InvalidRequest(f"--after {text!r}: {on!r} is no ending{hint}")
        job, on = text, ""
    if not job:
        raise InvalidRequest(f"--after {text!r} names no job (JOB, JOB:end or JOB:failure)")
    return {"job": job, "on": on} if on else {"job": job}
