"""The routes as a table, and the OpenAPI document that is made of it."""

import inspect
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

import solveyard
from solveyard.doors import encoding
from solveyard.doors.keys import Handler

_PARAMETER = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_PLACES = {"id": "a job's name, else its number", "path": "a file's path in the job's folder"}
_NAME = "#/components/schemas/{name}"


class Route(NamedTuple):
    """One route: what it takes and what it answers, as types that msgspec reads and writes."""

    method: str
    path: str  #: as aiohttp writes it
    handler: Handler
    query: Any = encoding.NoQuery
    body: Any = None  #: None: an empty object, or nothing
    answer: Any = dict[str, Any]  #: a tuple: one of them
    status: int = 200  #: of a good answer
    content: str = encoding.JSON  #: its media type


def document(routes: Sequence[Route], public: str = "") -> bytes:
    """An OpenAPI 3.1 document, in JSON; `public`: an address beside the one it was asked at."""
    kinds = [kind for route in routes for kind in (route.body, *_alternatives(route)) if kind]
    kinds.append(encoding.Refusal)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_NAME)
    taken, refusal = iter(schemas), schemas[-1]
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        body = next(taken) if route.body else None
        told = _operation(route, body, [next(taken) for _ in _alternatives(route)], refusal)
        place = _PARAMETER.sub(lambda match: f"{{{match[1]}}}", route.path)
        paths.setdefault(place, {})[route.method.lower()] = told
    content = {
        "openapi": "3.1.0",
        "info": {
            "title": "solveyard",
            "version": solveyard.__version__,
            "description": "A job manager for simulations.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url} for url in (public, "/") if url],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(content)


def _alternatives(route: Route) -> Sequence[Any]:
    """The types that it may answer with."""
    if route.content != encoding.JSON:
        return ()
    return route.answer if isinstance(route.answer, tuple) else (route.answer,)


def _operation(
    route: Route, body: dict[str, Any] | None, answers: list[dict[str, Any]], refusal: Any
) -> dict[str, Any]:
    text = inspect.getdoc(route.handler) or ""
    summary, _, more = text.partition("\n\n")
    shown = {"schema": {"anyOf": answers} if len(answers) > 1 else answers[0]} if answers else {}
    good = {"description": "done", "content": {route.content: shown}}
    bad = {"description": "refused", "content": {encoding.JSON: {"schema": refusal}}}
    told: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": " ".join(summary.split()),
        "parameters": [*_in_path(route.path), *_in_query(route.query)],
        "responses": {str(route.status): good, "default": bad},
    }
    if more:
        told["description"] = " ".join(more.split())
    if body is not None:
        told["requestBody"] = {"required": True, "content": {encoding.JSON: {"schema": body}}}
    return told


def _operation_id(route: Route) -> str:
    words = re.findall(r"[a-z]+", route.path)
    return "_".join([route.method.lower(), *words])


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PLACES.get(name, name),
            "schema": {"type": "string"},
        }
        for name in _PARAMETER.findall(path)
    ]


def _in_query(kind: Any) -> list[dict[str, Any]]:
    [reference], components = msgspec.json.schema_components([kind], ref_template=_NAME)
    described = components[reference["$ref"].rpartition("/")[2]]
    required = described.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in described["properties"].items()
    ]
