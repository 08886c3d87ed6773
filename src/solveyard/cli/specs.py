"""From what a person typed, or wrote into a file, to specifications."""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from solveyard.cli import files, units
from solveyard.cli.here import absolute, current_folder
from solveyard.model import reading
from solveyard.model.errors import InvalidJob, InvalidRequest
from solveyard.model.jobs import JobSpec

#: Of options that hold a field of the specification as JSON.
_EXAMPLES = {
    "--measures": r'{"gain": {"pattern": "gain (\\S+)"}}',
    "--success": '{"must_match": ["converged"]}',
}
_PLACE = re.compile(r"job (\d+) of \d+: (.*)", re.DOTALL)


class Line(NamedTuple):
    """A specification and the number of the line that holds it, from 1."""

    number: int
    spec: JobSpec


def of_argv(
    argv: Sequence[str], env: Sequence[str], outputs: Sequence[str], given: dict[str, object]
) -> JobSpec:
    """A job of the solver `command`, in the current folder unless `given` names another."""
    options: dict[str, object] = {"argv": list(argv)}
    if env:
        options["env"] = dict(units.setting(text) for text in env)
    if outputs:
        options["outputs"] = list(outputs)
    directory = given.get("directory") or current_folder()
    return _spec("command", msgspec.json.encode(options), given | {"directory": directory})


def of_solver(solver: str, options: str, given: dict[str, object]) -> JobSpec:
    """A job of any solver; `options` is JSON, or "@" and the path of a file that holds it."""
    text, _ = _json("--options", options)
    return _spec(solver, text, given)


def of_file(path: str) -> list[Line]:
    """One specification a line, as JSON; blank lines and lines that begin with # are skipped.

    "-" is standard input. Raises InvalidJob, naming the line.
    """
    lines = []
    for number, text in enumerate(files.content(path).splitlines(), 1):
        line = text.strip()
        if not line or line.startswith(b"#"):
            continue
        try:
            lines.append(Line(number, reading.spec(line)))
        except reading.MalformedJob as error:
            raise InvalidJob(f"line {number} of {files.named(path)}: {error}") from error
    return lines


def with_line(error: InvalidRequest, path: str, lines: Sequence[Line]) -> InvalidRequest:
    """The manager's refusal of one of many, told by its line instead of its place."""
    if len(lines) == 1:
        return type(error)(f"line {lines[0].number} of {files.named(path)}: {error}")
    if match := _PLACE.fullmatch(str(error)):
        number = lines[int(match[1]) - 1].number
        return type(error)(f"line {number} of {files.named(path)}: {match[2]}")
    return error


def fields(
    *,
    cores: int,
    memory: str,
    disk: str = "",
    gpus: int = 0,
    nodes: int | None = None,
    time_limit: str,
    directory: str,
    **more: object,
) -> dict[str, object]:
    """The fields of a specification from options, `more` as they are. Raises InvalidRequest."""
    return more | {
        "resources": {
            "cores": cores,
            "memory": units.mebibytes(memory) if memory else 0,
            "disk": units.mebibytes(disk) if disk else 0,
            "gpus": gpus,
            "nodes": nodes,
        },
        "time_limit": units.seconds(time_limit) if time_limit else None,
        "directory": absolute(directory) if directory else "",
    }


def json_object(option: str, given: str | None) -> dict[str, object] | None:
    """What `option` holds, as JSON or in a file by "@"; None: it was not given."""
    return None if given is None else _json(option, given)[1]


def _json(option: str, given: str) -> tuple[bytes, dict[str, object]]:
    """A JSON object as text, and read. Raises InvalidJob."""
    text = given.encode(errors="surrogateescape")
    if given.startswith("@"):
        text = files.content(given[1:])
    try:
        return text, msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        named = f"{option}, {files.named(given[1:])}," if given.startswith("@") else option
        raise InvalidJob(
            f"{named} is no JSON object: {_where(text, error)}{_example(option)}"
        ) from error


def _where(text: bytes, error: Exception) -> str:
    """What is wrong with `text`, and at which line of several."""
    try:
        json.loads(text.decode())
    except UnicodeDecodeError as wrong:
        return f"it is not UTF-8 (byte {wrong.start})"
    except json.JSONDecodeError as wrong:
        if b"\n" in text.strip():
            return f"line {wrong.lineno}, column {wrong.colno}: {wrong.msg}"
    except (ValueError, RecursionError):
        return str(error)
    return str(error)


def _spec(solver: str, options: bytes, given: dict[str, object]) -> JobSpec:
    fields = {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(
            {"solver": solver, "options": msgspec.Raw(options), **fields}, JobSpec
        )
    except msgspec.ValidationError as error:
        told = reading.explain(error, JobSpec, error=reading.MalformedJob)
        for option in _EXAMPLES:
            if re.match(rf"\$\.{option[2:]}\b", told.field):
                raise InvalidJob(f"{told}{_example(option)}") from error
        raise told from error


def _example(option: str) -> str:
    known = _EXAMPLES.get(option)
    return f" (an example: {option} '{known}')" if known else ""
