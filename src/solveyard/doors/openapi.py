"""The routes as a table, and the OpenAPI document that is made of it."""

import inspect
import re
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

import solveyard
from solveyard.doors import encoding
from solveyard.doors.keys import Handler

_PARAMETER = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_PLACES = {
    "attempt": "an attempt's number, from 1",
    "id": "a job's name, else its number",
    "numbers": "jobs' numbers, with commas",
    "receiver": "a receiver's name in the settings",
    "path": "a file's path in the job's folder",
    "port": "what lending it answered as X-Port-Id",
}
_REFUSED = {
    400: "bad input",
    401: "who are you",
    403: "you may not",
    404: "no such thing",
    408: "the body didn't come in time",
    409: "the job's state or name doesn't allow it",
    410: "it is not kept any more",
    413: "too large",
    415: "not JSON",
    416: "no such range",
    429: "too many wrong tokens, or as many jobs wait as your quota lets",
    502: "a backend failed",
    503: "not now",
    504: "the time is over",
    507: "the store's disk is full",
}
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
    known: int = 0  #: the status where it was done before, by an `Idempotency-Key`; 0: the same
    content: str = encoding.JSON  #: its media type
    besides: tuple[str, ...] = ()  #: others that it may be asked for
    refused: tuple[int, ...] = ()  #: by which statuses, beside those of all routes of its kind
    ranges: bool = False  #: does it send parts?


class Table:
    """The routes of one application, and their description."""

    def __init__(self, public: str = "") -> None:
        """`public`: an address beside the one that the description is asked at."""
        self.routes: list[Route] = []
        self._public = public

    def add(self, app: web.Application, routes: Sequence[Route]) -> None:
        """Before the application starts."""
        self.routes += routes
        for route in routes:
            verb = web.get if route.method == "GET" else partial(web.route, route.method)
            app.router.add_routes([verb(route.path, route.handler)])

    @cached_property
    def document(self) -> bytes:
        """Made when it is first asked for: most managers never are."""
        return document(self.routes, self._public)


def document(routes: Sequence[Route], public: str = "") -> bytes:
    """An OpenAPI 3.1 document, in JSON; `public`: an address beside the one it was asked at."""
    kinds = [kind for route in routes for kind in (route.body, *_alternatives(route)) if kind]
    kinds.append(encoding.Refusal)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_NAME)
    taken = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        body = next(taken) if route.body else None
        told = _operation(route, body, [next(taken) for _ in _alternatives(route)])
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
        "servers": [{"url": url} for url in (".", public) if url],  # "." wherever a proxy puts it
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                f"{status}": {
                    "description": why,
                    "content": {encoding.JSON: {"schema": schemas[-1]}},
                }
                for status, why in _REFUSED.items()
            },
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
    route: Route, body: dict[str, Any] | None, answers: list[dict[str, Any]]
) -> dict[str, Any]:
    text = inspect.getdoc(route.handler) or ""
    summary, _, more = text.partition("\n\n")
    shown = {"schema": {"anyOf": answers} if len(answers) > 1 else answers[0]} if answers else {}
    good = {
        "description": "done",
        "content": {route.content: shown, **{kind: {} for kind in route.besides}},
    }
    answered = {str(route.status): good}
    if route.known:
        answered[str(route.known)] = {**good, "description": "it was done before"}
    if route.ranges:
        answered["206"] = {**good, "description": "a part"}
    refused = {
        str(status): {"$ref": f"#/components/responses/{status}"} for status in _statuses(route)
    }
    told: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": " ".join(summary.split()),
        "parameters": [*_in_path(route.path), *_in_query(route.query)],
        "responses": answered | refused,
    }
    if more:
        told["description"] = " ".join(more.split())
    if body is not None:
        content = {encoding.JSON: {"schema": body}}
        told["requestBody"] = {"required": not _may_be_empty(route.body), "content": content}
    return told


def _statuses(route: Route) -> list[int]:
    """By which it may refuse."""
    some = {400, 401, 403, 429, 503, *route.refused}
    if "{" in route.path:
        some.add(404)
    if route.ranges:
        some.add(416)
    if route.method != "GET":
        some |= {409, 413, 415, 507}
    return sorted(some)


def _may_be_empty(kind: Any) -> bool:
    """No body is read as an empty object: is that one?"""
    try:
        msgspec.convert({}, kind)
    except msgspec.ValidationError:
        return False
    return True


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
