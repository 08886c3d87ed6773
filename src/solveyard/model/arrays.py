"""Arrays: many runs of one specification that differ by index, value or named parameters."""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

Value = str | int | float | bool

MOST_TASKS = 8_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_RESERVED = frozenset({"index", "value"})


class ArraySpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """The tasks of an array: an index range, a list of values, a grid, or rows of parameters."""

    start: int = 0
    stop: int | None = None  #: of the index range; not itself in it
    step: int = 1
    values: tuple[Value, ...] | None = None  #: one task each
    grid: Mapping[str, tuple[Value, ...]] | None = None  #: each with each; the last runs fastest
    rows: tuple[Mapping[str, Value], ...] | None = None  #: one task each, all of the same names
    at_once: int | None = None  #: tasks that run at the same time; None: as many as fit

    def __post_init__(self) -> None:
        given = [n for n in ("stop", "values", "grid", "rows") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                "an array has one of `stop` (of an index range), `values`, `grid` and `rows`, not "
                + (" and ".join(given) or "none")
            )
        if self.stop is None and (self.start, self.step) != (0, 1):
            raise ValueError("`start` and `step` go with `stop`")
        if self.step < 1:
            raise ValueError(f"`step` is {self.step}; it must be 1 or more")
        if self.at_once is not None and self.at_once < 1:
            raise ValueError(f"`at_once` is {self.at_once}; it must be 1 or more")
        for name in self.names:
            if not _NAME.fullmatch(name) or name in _RESERVED:
                raise ValueError(
                    f"{name!r} can't be a parameter's name: letters, digits and _, but not"
                    " 'index' or 'value'"
                )
        if self.rows is not None and any(row.keys() != self.rows[0].keys() for row in self.rows):
            raise ValueError("the `rows` don't all have the same names")
        if not 1 <= len(self) <= MOST_TASKS:
            told = "more" if self else "none"
            raise ValueError(f"an array has 1 to {MOST_TASKS} tasks; this one has {told}")

    def __len__(self) -> int:
        """Counted up to one more than there may be."""
        if self.stop is not None:
            return min(max(0, -((self.start - self.stop) // self.step)), MOST_TASKS + 1)
        if self.values is not None:
            return len(self.values)
        if self.grid is not None:
            size = 1 if self.grid else 0
            for values in self.grid.values():
                size = min(size * len(values), MOST_TASKS + 1)
            return size
        return len(self.rows or ())

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters."""
        if self.grid is not None:
            return tuple(self.grid)
        return tuple(self.rows[0]) if self.rows else ()

    def index(self, position: int) -> int:
        """How people call the task at `position`, from 0."""
        return self.start + position * self.step

    def position(self, index: int) -> int | None:
        """None: there is no such task."""
        position, rest = divmod(index - self.start, self.step)
        return position if not rest and 0 <= position < len(self) else None

    def parameters(self, position: int) -> dict[str, Value]:
        """By name."""
        if self.rows is not None:
            return dict(self.rows[position])
        found: dict[str, Value] = {}
        for name, values in reversed(list((self.grid or {}).items())):
            position, place = divmod(position, len(values))
            found[name] = values[place]
        return dict(reversed(found.items()))

    def seen(self, position: int) -> dict[str, Value]:
        """What its templates can name: `index`, `value` and the parameters."""
        index = self.index(position)
        value = self.values[position] if self.values is not None else index
        return {"index": index, "value": value, **self.parameters(position)}


def unknown_places(given: bytes, array: ArraySpec) -> list[str]:
    """Names in `{{...}}` that no task has."""
    known = {"index", "value", *array.names}
    named = _PLACE.findall(given.decode("utf-8", "replace"))
    return sorted({name for name in named if name not in known})


def filled(options: bytes, seen: Mapping[str, Value]) -> bytes:
    """JSON with each `{{name}}` in its texts replaced; a text that is nothing else takes the value
    itself, number or truth, so that `{"length": "{{length}}"}` becomes `{"length": 0.47}`.
    """
    if b"{{" not in options:
        return options
    return msgspec.json.encode(_filled(msgspec.json.decode(options), seen))


def filled_text(text_: str, array: ArraySpec, position: int) -> str:
    """A text with each `{{name}}` in it replaced; it stays a text."""
    return _filled_in(text_, array.seen(position)) if "{{" in text_ else text_


def filled_texts(value: object, seen: Mapping[str, Value]) -> object:
    """The same of all texts in `value`, of lists, objects and what JSON has beside them."""
    match value:
        case str():
            return _filled_in(value, seen)
        case list():
            return [filled_texts(one, seen) for one in value]
        case dict():
            return {name: filled_texts(one, seen) for name, one in value.items()}
        case _:
            return value


def _filled(value: object, seen: Mapping[str, Value]) -> object:
    match value:
        case str():
            whole = _PLACE.fullmatch(value)
            if whole is not None:
                return seen.get(whole[1], value)
            return _filled_in(value, seen)
        case list():
            return [_filled(one, seen) for one in value]
        case dict():
            return {_filled_in(name, seen): _filled(one, seen) for name, one in value.items()}
        case _:
            return value


def _filled_in(value: str, seen: Mapping[str, Value]) -> str:
    return _PLACE.sub(lambda place: text(seen.get(place[1], place[0])), value)


def text(value: Value) -> str:
    """As arguments and the environment have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def ranges(numbers: Sequence[int], most: int = 20) -> str:
    """ "3,5-9": ascending numbers for people, cut after `most` ranges."""
    parts: list[str] = []
    for first, last in _runs(numbers):
        if len(parts) == most:
            parts.append("...")
            break
        parts.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(parts)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last
