"""Read what people write in JSON, and say what is wrong with it so that they can mend it."""

import difflib
import inspect
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from solveyard.model.arrays import ArraySpec
from solveyard.model.batch import BatchOptions
from solveyard.model.criteria import Bounds, Measure, SuccessCriteria
from solveyard.model.errors import InvalidJob, InvalidRequest
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import Dependency, RetryPolicy
from solveyard.model.resources import Range, Resources

T = TypeVar("T")

_WRONG_TYPE = re.compile(r"Expected (?P<expected>.+?), got (?P<got>.+?)(?: - at `(?P<at>.+)`)?$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `(?P<at>.+)`)?$")
_MISSING = re.compile(
    r"Object missing required field `(?P<name>.+?)`(?: - at `(?P<at>.+)`)?$"
)  # fmt: skip
_NO_CHOICE = re.compile(r"Invalid enum value (?P<got>.+?)(?: - at `(?P<at>.+)`)?$", re.DOTALL)
_BOUND = re.compile(r"`(?P<name>\w+)` ")  #: how a refusal by a struct's own rules begins
_PLACE = re.compile(r"(?P<holder>.*)\.(?P<name>\w+)(?:\[\d+\])*")
_ELSEWHERE = re.compile(r"(?P<what>.+) - at `(?P<at>.+)`$", re.DOTALL)
_INDEX = re.compile(r"\[\d+\]")
_FIELDS: dict[str, type[msgspec.Struct]] = {  # where a specification has fields of its own
    "$.array": ArraySpec,
    "$.after[...]": Dependency,
    "$.batch": BatchOptions,
    "$.retry": RetryPolicy,
    "$.success": SuccessCriteria,
    "$.success.bounds[...]": Bounds,
    "$.measures[...]": Measure,
    "$.resources": Resources,
    "$.resources.cores": Range,
    "$.resources.nodes": Range,
}


class Malformed(InvalidRequest):
    """What came can't be read as what was expected.

    `field` is its path ("$.resources.cores"), or empty; `expected` and `got` are kinds of value.
    """

    def __init__(self, message: str, *, field: str = "", expected: str = "", got: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.expected = expected
        self.got = got


class MalformedJob(Malformed, InvalidJob):
    """A job's specification that can't be read."""


def spec(text: bytes | msgspec.Raw, at: str = "$") -> JobSpec:
    """Read one job's specification. Raises MalformedJob; its `field` begins with `at`."""
    return read(text, JobSpec, at=at, error=MalformedJob)


def read(
    text: bytes | msgspec.Raw, kind: type[T], *, at: str = "$", error: type[Malformed] = Malformed
) -> T:
    """Read JSON as a `kind`, strictly. Raises `error`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise explain(problem, kind, at=at, error=error) from problem


def parameters(texts: dict[str, str], kind: type[T]) -> T:
    """Read a query's parameters, all texts, as a `kind`. Raises Malformed."""
    try:
        return msgspec.convert(texts, kind, strict=False)
    except msgspec.ValidationError as problem:
        raise explain(problem, kind) from problem


def nearest(word: str, right: Iterable[str]) -> str:
    """ " (did you mean ...?)" with the right words that look most like `word`; or nothing."""
    close = difflib.get_close_matches(word, [str(one) for one in right], n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(one) for one in close)}?)" if close else ""


def explain(
    problem: Exception, kind: Any, *, at: str = "$", error: type[Malformed] = Malformed
) -> Malformed:  # `kind` may be any type that msgspec reads
    """Turn a reading error of msgspec's into one with path, expected and got."""
    if isinstance(problem, RecursionError):
        return error(f"it is nested too deeply at `{at}`", field=at)
    if isinstance(problem, UnicodeDecodeError):
        return error(f"it is not UTF-8 at `{at}`: {problem.reason}", field=at)
    text = str(problem)
    if not isinstance(problem, msgspec.ValidationError):
        what = text.removeprefix("JSON is malformed: ")
        return error(f"it is not valid JSON: {what[:1].lower()}{what[1:]}", field=at)

    def path(match: re.Match[str]) -> str:
        return at + (match["at"] or "$")[1:]

    if match := _UNKNOWN.match(text):
        holder = _holder(match["at"] or "$", kind)
        fields = getattr(holder, "__struct_encode_fields__", ())
        name = match["name"]
        hint = nearest(name, fields) or (f" (there is: {', '.join(fields)})" if fields else "")
        where = f"{path(match)}.{name}"
        return error(f"there is no field `{name}` at `{path(match)}`{hint}", field=where)
    if match := _MISSING.match(text):
        where = f"{path(match)}.{match['name']}"
        return error(f"`{where}` is missing; it must be given", field=where, got="nothing")
    if match := _WRONG_TYPE.match(text):
        expected, got = match["expected"].replace("`", ""), match["got"].replace("`", "")
        where = path(match)
        message = f"`{where}` must be {expected}, not {got}"
        return error(message, field=where, expected=expected, got=got)
    if match := _NO_CHOICE.match(text):
        where, got, choices = path(match), match["got"], _choices(match["at"] or "$", kind)
        expected = _either(choices) if choices else "another"
        message = f"`{where}` is {got}; it must be {expected}"
        message += nearest(got.strip("'"), choices)
        return error(message, field=where, expected=expected, got=got)
    if match := _ELSEWHERE.match(text):
        return error(f"{match['what']} (at `{path(match)}`)", field=path(match))
    match = _BOUND.match(text)
    known = match is not None and match["name"] in getattr(kind, "__struct_encode_fields__", ())
    return error(text, field=f"{at}.{match['name']}" if match and known else at)


def _holder(at: str, kind: Any) -> Any:
    """The struct there, where `kind` is what was read; None: it isn't known."""
    return kind if at == "$" else _FIELDS.get(_INDEX.sub("[...]", at))


def _choices(at: str, kind: Any) -> list[Any]:
    """What may stand there; none: it isn't known."""
    match = _PLACE.fullmatch(at)
    holder: Any = _holder(match["holder"], kind) if match else None
    if match is None or not hasattr(holder, "__struct_encode_fields__"):
        return []
    fields = msgspec.structs.fields(holder)
    types = [field.type for field in fields if field.encode_name == match["name"]]
    return [one for known in types for one in _allowed(msgspec.inspect.type_info(known))]


def _allowed(known: Any) -> list[Any]:
    """Of a type as msgspec tells it, the values; of a list, those in it."""
    match known:
        case msgspec.inspect.LiteralType(values=values):
            return [value for value in values if value != ""]
        case msgspec.inspect.EnumType(cls=cls):
            return [one.value for one in cls]
        case msgspec.inspect.UnionType(types=types):
            return [one for part in types for one in _allowed(part)]
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return _allowed(known.item_type)
        case _:
            return []


def _either(choices: list[Any]) -> str:
    *first, last = map(repr, choices)
    return f"{', '.join(first)} or {last}" if first else last


def described() -> Any:
    """A type whose JSON schema is that of a job's specification."""
    fields: list[Any] = []  # as msgspec.defstruct takes them
    for field in msgspec.structs.fields(JobSpec):
        if field.name == "options":  # any object: its own schema is the solver's
            fields.append((field.name, dict[str, Any], msgspec.field(default_factory=dict)))
        elif field.required:
            fields.append((field.name, field.type))
        elif field.default is msgspec.NODEFAULT:
            made = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, field.type, made))
        else:
            fields.append((field.name, field.type, field.default))
    return msgspec.defstruct("JobSpec", fields, kw_only=True, forbid_unknown_fields=True)


def schema() -> bytes:
    """The JSON schema of a job's specification, as `docs/reference/job-spec.schema.json` has it."""
    told = _settled(msgspec.json.schema(described()))
    told["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return msgspec.json.format(msgspec.json.encode(told, order="sorted"), indent=2) + b"\n"


def _settled(told: Any) -> Any:
    """The same whatever Python and msgspec tell it: docstrings without their indentation, which
    Python 3.13 strips by itself, and `null` after the other kinds, where new msgspecs have it.
    """
    if isinstance(told, list):
        return sorted(map(_settled, told), key=lambda part: part == {"type": "null"})
    if not isinstance(told, dict):
        return told
    return {
        name: inspect.cleandoc(part)
        if name == "description" and isinstance(part, str)
        else _settled(part)
        for name, part in told.items()
    }
