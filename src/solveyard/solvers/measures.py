"""Reads one value: from a line's match, from JSON, from a Touchstone file."""

import math
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import Any

import msgspec

from solveyard.model.arrays import Value
from solveyard.model.criteria import Measure
from solveyard.model.errors import InvalidJob, InvalidResult
from solveyard.solvers import patterns, quantities, touchstone

LONGEST_TEXT = 200  #: characters of a value that is a text

_STEP = re.compile(r"\[(?P<index>-?\d{1,9})\]|(?P<dot>\.?)(?P<name>[^.\[\]]+)")
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def check(measure: Measure) -> None:
    """Raises InvalidJob for what can't be read from anything."""
    if measure.pattern is not None and patterns.compiled(measure.pattern).groups != 1:
        raise InvalidJob(
            f"the pattern {measure.pattern!r} needs one group for the value, as in"
            r" 'gain: (\S+)'; (?:...) is a group that counts for nothing"
        )
    if measure.json is not None:
        steps(measure.json)
    if measure.touchstone is not None:
        quantities.parse(measure.touchstone)
        if not touchstone.ports_of(measure.source):
            raise InvalidJob(
                f"`from` is {measure.source!r}; a Touchstone file's name ends with .s1p, .s2p ..."
            )


def steps(path: str) -> list[str | int]:
    """ "a.b[0]" as names and indices. Raises InvalidJob."""
    found: list[str | int] = []
    place = 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None or (match["name"] and bool(match["dot"]) is not bool(found)):
            raise InvalidJob(f"{path!r} is no path in JSON: write 'result.gain[0]'")
        found.append(match["name"] or int(match["index"]))
        place = match.end()
    return found


def of_text(text: str) -> Value:
    """A number where it is a finite one."""
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        number = math.nan
    return number if math.isfinite(number) else text[:LONGEST_TEXT]


def of_json(content: bytes, path: str) -> Value:
    """Raises InvalidResult."""
    value: Any
    try:
        value = msgspec.json.decode(content.removeprefix(BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidResult(f"it is no JSON: {error}") from error
    wanted = steps(path)
    for number, step in enumerate(wanted, 1):
        try:
            value = _within(value, step)
        except (KeyError, IndexError):
            value = None
        if value is None:
            raise InvalidResult(f"it has nothing at {_path(wanted[:number])!r}")
    match value:
        case bool() | float():
            return value
        case int():
            return value if abs(value) < 2**63 else of_text(str(value))
        case str():
            return value[:LONGEST_TEXT]
    raise InvalidResult(f"what is at {path!r} is no single value")


def of_touchstone(content: bytes, ports: int, asked: str) -> Value:
    """Raises InvalidResult."""
    network = touchstone.parse(content.decode("utf-8", "replace"), ports)
    return quantities.value(quantities.parse(asked), network)


def _within(value: Any, step: str | int) -> Any:
    """None: there is nothing. Raises KeyError, IndexError."""
    match value, step:
        case (dict(), str()) | (list(), int()):
            return value[step]  # the pair fits, which a type can't tell
        case _:
            return None


def _path(wanted: Sequence[str | int]) -> str:
    told = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in wanted)
    return told.removeprefix(".")
