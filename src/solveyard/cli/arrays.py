"""Arrays as people type them: index ranges, lists of values, grids, tables."""

import csv
import io
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import count, takewhile

import msgspec

from solveyard.cli import files
from solveyard.model import reading
from solveyard.model.arrays import MOST_TASKS, ArraySpec, Value
from solveyard.model.errors import InvalidRequest

_INDICES = re.compile(r"(-?\d{1,12})-(-?\d{1,12})(?::(\d{1,12}))?")
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?")
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(_NUMBER)
_PADDED = re.compile(r"[+-]?0\d+")  #: "007" is a name more likely than a number


def array(
    indices: str | None,
    values: str | None,
    grid: Sequence[str] | None,
    rows: str | None,
    at_once: int | None,
) -> dict[str, object] | None:
    """The field `array` of a specification; None: nothing was given. Raises InvalidRequest."""
    given = {"--array": indices, "--values": values, "--grid": grid, "--rows": rows}
    chosen = [name for name, what in given.items() if what is not None]
    if len(chosen) > 1:
        raise InvalidRequest(f"give one of {' and '.join(chosen)}: each says what the tasks are")
    if not chosen:
        if at_once is not None:
            raise InvalidRequest("--at-once goes with --array, --values, --grid or --rows")
        return None
    if given[chosen[0]] == "":
        raise InvalidRequest(f"{chosen[0]} is empty (leave it out for a job without tasks)")
    found: dict[str, object]
    if indices is not None:
        found = _indices(indices)
    elif values is not None:
        found = {"values": listed(values, "--values")}
    elif grid is not None:
        found = {"grid": _grid(grid)}
    else:
        found = {"rows": table(rows or "")}
    if at_once is not None:
        found["at_once"] = at_once
    _check(found, chosen[0])
    return found


def listed(text: str, where: str) -> list[Value]:
    """ "1,2.5,a" and, with both ends, "0.8:2.4:0.2" (exact decimals). Raises InvalidRequest."""
    found: list[Value] = []
    for part in text.split(","):
        word = part.strip()
        if not word:
            raise InvalidRequest(f"{where} {text!r} has nothing between two commas (e.g. 1,2,3)")
        match = _RANGE.fullmatch(word)
        found += _range(match, word, where) if match else [value(word)]
    return found


def value(word: str) -> Value:
    """A number or a truth where it reads like one, else the text. Raises InvalidRequest."""
    if word in {"true", "false"}:
        return word == "true"
    if _WHOLE.fullmatch(word):
        return int(word)
    if not _DECIMAL.fullmatch(word) or _PADDED.fullmatch(word):
        return word
    number = float(word)
    if not math.isfinite(number):
        raise InvalidRequest(f"{word} is too large a number")
    return number


def table(path: str) -> list[dict[str, Value]]:
    """The rows of a CSV file, whose first line names the parameters; "-": of standard input.

    Raises InvalidRequest, naming the line.
    """
    named = "standard input" if path == "-" else path
    try:
        text = files.content(path).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{named} is not UTF-8: {error.reason}") from error
    lines = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    rows: list[dict[str, Value]] = []
    names: list[str] = []
    try:
        for line in lines:
            cells = [cell.strip() for cell in line]
            if not any(cells):
                continue
            if not names:
                names = cells
                if len(set(names)) < len(names):
                    raise InvalidRequest(f"{named} names a column twice: {','.join(names)}")
                continue
            if len(cells) != len(names):
                raise InvalidRequest(
                    f"line {lines.line_num} of {named} has {len(cells)} values, but the first line"
                    f" names {len(names)}: {','.join(names)}"
                )
            rows.append({name: value(cell) for name, cell in zip(names, cells, strict=True)})
    except csv.Error as error:
        raise InvalidRequest(f"line {lines.line_num} of {named} is no CSV: {error}") from error
    if not rows:
        raise InvalidRequest(f"{named} has no row: the first line names the parameters, each other"
                             " line is a task")  # fmt: skip
    return rows


def _indices(text: str) -> dict[str, object]:
    match = _INDICES.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(f"--array {text!r} is no range of indices (0-99, or 0-99:10)")
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if last < first:
        raise InvalidRequest(f"--array {text!r} ends before it begins")
    found: dict[str, object] = {"stop": last + 1}
    return found | ({"start": first} if first else {}) | ({"step": step} if step != 1 else {})


def _grid(texts: Sequence[str]) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name.strip():
            raise InvalidRequest(f"--grid {text!r} is no parameter (w=0.8,1.2 or w=0.8:2.4:0.2)")
        if name.strip() in found:
            raise InvalidRequest(f"--grid gives {name.strip()!r} twice (w=0.8,1.2 has both values)")
        found[name.strip()] = listed(values, f"--grid {name.strip()}=")
    return found


def _range(match: re.Match[str], word: str, where: str) -> list[Value]:
    first, last = Decimal(match[1]), Decimal(match[2])
    step = Decimal(match[3] or 1)
    if not step or (last - first) * step < 0:
        raise InvalidRequest(f"{where} {word!r}: steps of {step} don't lead from {first} to {last}")
    if (last - first) / step > MOST_TASKS:
        raise InvalidRequest(f"{where} {word!r} has more than {MOST_TASKS} values")
    numbers = (first + place * step for place in count())
    inside = takewhile(lambda number: (last - number) * step >= 0, numbers)
    whole = all(_WHOLE.fullmatch(end) for end in match.groups(default="1"))
    return [int(number) if whole else float(number) for number in inside]


def _check(found: dict[str, object], option: str) -> None:
    try:
        msgspec.convert(found, ArraySpec)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{option}: {reading.explain(error, ArraySpec)}") from error
