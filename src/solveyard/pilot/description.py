"""A QCG-PilotJob job description as its clients send it, read strictly.

Source: QCG-PilotJob's manual, "Job description", and what its service takes (0.14.2).
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from solveyard.model.errors import InvalidJob
from solveyard.model.reading import nearest

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$\.?(?P<at>.+)`)?$")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Execution(Part, frozen=True, kw_only=True):
    exec: str | None = None
    script: str | None = None
    args: list[Any] | None = None  # whatever JSON has; each is taken as its text
    env: dict[str, str] | None = None
    wd: str | None = None
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    modules: str | list[str] | None = None
    venv: str | None = None
    model: str | None = None
    model_opts: Mapping[str, Any] | None = None


class Scheduler(Part, frozen=True, kw_only=True):
    name: str
    params: Mapping[str, Any] = {}


class Size(Part, frozen=True, kw_only=True):
    """A number of cores or nodes."""

    exact: int | None = None
    min: int | None = None
    max: int | None = None
    scheduler: Scheduler | None = None


class Needs(Part, frozen=True, kw_only=True, rename={"cores": "numCores", "nodes": "numNodes"}):
    cores: int | Size | None = None
    nodes: int | Size | None = None
    wt: str | None = None
    nodeCrs: dict[str, int] | None = None  # noqa: N815  QCG-PilotJob's name


class Iteration(Part, frozen=True, kw_only=True):
    start: int | None = None
    stop: int | None = None
    values: list[Any] | None = None  # whatever JSON has; each is taken as its text


class Dependencies(Part, frozen=True, kw_only=True):
    after: list[str] | None = None


class Description(Part, frozen=True, kw_only=True):
    name: str
    execution: Execution
    resources: Needs = Needs(cores=1)
    iteration: Iteration | None = None
    dependencies: Dependencies | None = None
    attributes: Mapping[str, Any] | None = None


_PARTS: Mapping[str, type[Part]] = {
    "execution": Execution,
    "resources": Needs,
    "resources.numCores": Size,
    "resources.numNodes": Size,
    "iteration": Iteration,
    "dependencies": Dependencies,
}


def read(given: object) -> Description:
    """Raises InvalidJob, which names the job and the field."""
    try:
        return msgspec.convert(given, Description)
    except msgspec.ValidationError as error:
        name = given.get("name") if isinstance(given, dict) else None
        whose = f"job {name!r}: " if isinstance(name, str) else ""
        raise InvalidJob(f"{whose}{_sentence(str(error))}") from error


def _sentence(problem: str) -> str:
    if match := _UNKNOWN.match(problem):
        at = match["at"] or ""
        fields = _PARTS.get(at, Description).__struct_encode_fields__
        place = f"`{at}`" if at else "the description"
        return f"{place} has no field {match['name']!r}{nearest(match['name'], fields)}"
    return problem[:1].lower() + problem[1:].replace("`$.", "`")
