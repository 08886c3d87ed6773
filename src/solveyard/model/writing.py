"""Write what people gave in Python as JSON, or say which field can't be written."""

import contextlib
import enum
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from solveyard.model import paths
from solveyard.model.jobs import JobSpec
from solveyard.model.reading import MalformedJob

_PLAIN = frozenset({str, int, bool, type(None)})
_BYTES = (bytes, bytearray)  #: msgspec would write them as base64
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(JobSpec)}


def specification(spec: JobSpec | Mapping[str, Any], at: str = "$") -> bytes:
    """Its fields, but for those that nobody gave; its path is `at`. Raises MalformedJob."""
    if not isinstance(spec, JobSpec):
        return fields(spec, at)
    asked = {
        name: one
        for name, one in msgspec.structs.asdict(spec).items()
        if one is not _DEFAULTS[name] and not (type(one) is dict and not one)
    }
    return fields(asked, at)


def fields(given: Mapping[str, Any], whole: str = "$") -> bytes:
    """A specification's, by name; its path is `whole`. Raises MalformedJob."""
    at = whole
    try:
        plain = {name: _plain(value, at := f"{whole}.{name}") for name, value in given.items()}
        with contextlib.suppress(TypeError, ValueError):
            return msgspec.json.encode(plain)
        for name, value in plain.items():
            at = f"{whole}.{name}"
            msgspec.json.encode(value)
        at = whole
        return msgspec.json.encode(plain)
    except UnicodeEncodeError as error:
        raise MalformedJob(f"`{at}`: {paths.unencodable(error)}", field=at) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise _malformed(at, f"can't be written as JSON: {error}") from error
    except RecursionError as error:
        raise _malformed(at, "is nested too deeply") from error


def unwrapped(value: Any) -> Any:
    """Of numpy's arrays and scalars, and others that do as they do, Python's own; else itself."""
    change = getattr(value, "tolist", None)
    return change() if callable(change) else value


def _plain(value: Any, at: str) -> Any:
    """What msgspec encodes; `at` is its path."""
    kind = type(value)
    if kind in _PLAIN or (kind in {list, tuple} and _PLAIN.issuperset(map(type, value))):
        return value
    if kind is float:
        return _finite(value, at)
    if kind is dict:
        return {name: _plain(one, f"{at}.{name}") for name, one in value.items()}
    match value:
        case msgspec.Raw():
            return value
        case enum.Enum():
            return _plain(value.value, at)
        case float():
            return _finite(value, at)
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case bytes() | bytearray():
            raise _malformed(at, "must be text, not bytes", "bytes")
        case _:
            return _held(value, at)


def _finite(number: float, at: str) -> float:
    """msgspec writes null for what is not."""
    if not math.isfinite(number):
        raise _malformed(at, f"must be a finite number, not {number}", str(number))
    return float(number)


def _held(value: Any, at: str) -> Any:
    """What holds others, paths, numbers, and what else msgspec knows: structs, dates."""
    if isinstance(value, Mapping):
        return {name: _plain(one, f"{at}.{name}") for name, one in value.items()}
    if (inner := unwrapped(value)) is not value:
        return _plain(inner, at)
    if callable(path := getattr(value, "__fspath__", None)):
        return _plain(path(), at)
    if isinstance(value, Iterable):
        return [_plain(one, f"{at}[{place}]") for place, one in enumerate(value)]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _finite(float(value), at)
    hook = (lambda one: _plain(one, at)) if isinstance(value, msgspec.Struct) else None
    return _plain(msgspec.to_builtins(value, builtin_types=_BYTES, enc_hook=hook), at)


def _malformed(at: str, why: str, got: str = "") -> MalformedJob:
    return MalformedJob(f"`{at}` {why}", field=at, got=got)
