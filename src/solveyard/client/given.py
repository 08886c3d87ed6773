"""What callers give, as it is sent: numbers of any kind, one of something where a list belongs."""

import json
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from solveyard.model import paths, writing
from solveyard.model.errors import InvalidRequest
from solveyard.model.jobs import JobSpec


def several(given: object) -> list[Any]:  # of whatever somebody gave
    """One alone is a list of one; a text is one, not its letters."""
    return [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)


def seconds(given: object) -> float | None:
    """Of any kind of number, numpy's too; None: it is none."""
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        return None
    try:
        number = float(given)
    except OverflowError:
        return None
    return None if math.isnan(number) else number


def target(path: str, query: Mapping[str, object]) -> str:
    """Path and query; None and "" are left out. Raises InvalidRequest."""
    given = {name: _word(name, item) for name, item in query.items() if item is not None}
    given = {name: word for name, word in given.items() if word}
    try:
        return f"{path}?{urlencode(given)}" if given else path
    except UnicodeEncodeError as error:
        raise _unsendable(error) from error


def quoted(text: str, safe: str = "") -> str:
    """As a part of a path. Raises InvalidRequest."""
    if not isinstance(text, str):
        raise InvalidRequest(f"a text is needed, not {text!r:.60}")
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError as error:
        raise _unsendable(error) from error


def specifications(specs: JobSpec | Sequence[JobSpec]) -> bytes:
    """As JSON. Raises MalformedJob."""
    if isinstance(specs, JobSpec | Mapping):
        return writing.specification(specs)
    each = [writing.specification(spec, f"$[{place}]") for place, spec in enumerate(specs)]
    return b"[" + b",".join(each) + b"]"


def encoded(content: object) -> bytes:
    """As JSON. Raises InvalidRequest, also for NaN and infinity, which JSON has not."""
    try:
        text = json.dumps(content, default=_finite, ensure_ascii=False, allow_nan=False)
        return text.encode()
    except UnicodeEncodeError as error:
        raise _unsendable(error) from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRequest(f"it can't be sent as JSON: {error}") from error


def _finite(value: object) -> object:
    """One of Python's own in the place of another number. Raises TypeError, ValueError."""
    number = _number(value)
    if number is value and type(value) not in {int, float}:
        raise TypeError(f"{value!r} is a {type(value).__name__}")
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(f"{number} is no finite number")
    return number


def _word(name: str, item: object) -> str:
    """A query's. Raises InvalidRequest for what is neither text nor number."""
    if not isinstance(item, str | numbers.Real):
        raise InvalidRequest(f"`{name}` is a text or a number, not {item!r:.60}")
    try:
        return str.__str__(item) if isinstance(item, str) else str(_number(item))
    except OverflowError as error:
        raise InvalidRequest(f"`{name}` is too large a number") from error


def _number(value: object) -> Any:  # whatever else it was
    """Python's own, in the place of numpy's and others; what is no number stays."""
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def _unsendable(error: UnicodeEncodeError) -> InvalidRequest:
    return InvalidRequest(paths.unencodable(error))
