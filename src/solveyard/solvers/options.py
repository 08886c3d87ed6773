"""A job's options, checked: what is wrong is said in one line, with the way out."""

import re
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from solveyard.model import arrays, paths, signals
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec
from solveyard.model.reading import nearest

#: "Tuple should have at least 1 item after validation, not 0".
_SIZE = re.compile(r"^\w+ should have (at (?:least|most) \d+ \w+)(?: after validation, not \d+)?$")
_SHORT = 4096  #: bytes; longer options are not kept
_LARGEST = 4 << 20  #: bytes of one job's options, as JSON


class Options(BaseModel):
    """Base of a solver's options. A field's description is the way out that an error names."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Chosen = TypeVar("Chosen", bound=Options)


def read(model: type[Chosen], spec: JobSpec) -> Chosen:
    """The options of `spec` as `model`.

    Raises InvalidJob: which option, what was expected, what it is, what would do.
    """
    text = bytes(spec.options) or b"{}"
    try:
        found = _validated(model, text) if len(text) < _SHORT else model.model_validate_json(text)
    except ValidationError as error:
        raise InvalidJob(_sentence(model, spec.solver, error)) from error
    assert isinstance(found, model)
    return found


@lru_cache(maxsize=256)
def _validated(model: type[Options], text: bytes) -> Options:
    """Equal options are read once: a job's are looked at on its way in, at its start and end."""
    return model.model_validate_json(text)


def check(spec: JobSpec) -> None:
    """Raises InvalidJob for what no job of any solver may have."""
    directory(spec)
    size(spec)
    warning(spec)


def directory(spec: JobSpec) -> str:
    """Where the job runs: absolute, or empty. Raises InvalidJob."""
    where = spec.directory
    if where and ("\0" in where or not paths.absolute(where)):
        raise InvalidJob(f"`directory`: expected an absolute path, got {_short(where)}")
    return where


def size(spec: JobSpec) -> None:
    """Raises InvalidJob for options that take more than may be sent to where the job runs."""
    took = len(bytes(spec.options))
    if took > _LARGEST:
        raise InvalidJob(
            f"`options`: expected at most {_LARGEST >> 20} MiB, got {took / (1 << 20):.1f} MiB"
            " (put what is large into a file of its own, and name that)"
        )


def warning(spec: JobSpec) -> None:
    """Raises InvalidJob for a warning that can't be sent."""
    if spec.warning_signal not in signals.NAMES:
        hint = nearest(spec.warning_signal.upper().removeprefix("SIG")[:10], signals.NAMES)
        raise InvalidJob(
            f"`warning_signal`: expected a signal's name without SIG, such as USR1, got"
            f" {_short(spec.warning_signal)}{hint}"
        )
    if spec.warning is not None and spec.time_limit is not None and spec.warning > spec.time_limit:
        raise InvalidJob(
            f"`warning` is {spec.warning:g} s before the time limit, which is {spec.time_limit:g} s"
            " (make it less)"
        )
    if spec.warning is not None and spec.time_limit is None and not spec.on:
        raise InvalidJob(  # a batch system may have a limit of its own
            f"`warning` is {spec.warning:g} s before the time limit, and there is none (give"
            " `time_limit`, or leave it out)"
        )


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text


def _worded(value: object) -> object:
    """A task of an array has numbers in the place of `{{name}}`."""
    return arrays.text(value) if isinstance(value, bool | int | float) else value


InsidePath = Annotated[str, AfterValidator(paths.inside)]  #: relative, without "." and ".."
Text = Annotated[str, AfterValidator(_text)]  #: without NUL
Worded = BeforeValidator(_worded)  #: before a text: a number or truth is taken as its text


class Problem(NamedTuple):
    """What is wrong with options, first of all."""

    place: tuple[str | int, ...]
    kind: str  #: pydantic's
    expected: str  #: "a list", "greater than or equal to 1"; or a sentence
    got: str  #: empty: nothing, or it says no more
    more: int  #: other problems

    @property
    def sentence(self) -> str:
        if self.kind == "missing":
            return "it is missing"
        return _line(self.expected + (f", got {self.got}" if self.got else ""))


def problem(error: ValidationError) -> Problem:
    """The first problem of `error`."""
    first = error.errors(include_url=False)[0]
    place = tuple(part for part in first["loc"] if part != "[key]")
    kind, got = first["type"], first["input"]
    if kind == "unknown_key":
        place, got = (*place, str(first["ctx"]["key"])[:60]), None
    expected = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    for word in ("valid array", "valid tuple"):
        expected = expected.replace(word, "list")
    expected = re.sub(r"\ban? valid (?=[aeiou])", "an ", expected).replace("a valid ", "a ")
    expected = _SIZE.sub(r"expected \1", expected)
    shown = "" if kind in {"missing", "json_invalid"} or got is None else _short(got)
    return Problem(place, kind, expected, shown, error.error_count() - 1)


def _sentence(model: type[Options], solver: str, error: ValidationError) -> str:
    found = problem(error)
    place = [str(part) for part in found.place]
    path = ".".join(["options", *place])
    if found.kind == "extra_forbidden":
        has = f" (it has: {', '.join(model.model_fields)})" if len(place) == 1 else ""
        return _line(f"`{path}` is no option of solver {solver!r}{has}")
    missing = found.kind == "missing"
    sentence = f"`{path}` is missing" if missing else f"`{path}`: {found.sentence}"
    field = model.model_fields.get(place[0]) if place else None
    if field is not None and field.description:
        sentence += f"; give {field.description}"
    return _line(sentence) + (f" (and {found.more} more)" if found.more else "")


def _short(value: Any) -> str:  # whatever the user gave
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _line(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= 600 else shown[:597] + "..."
