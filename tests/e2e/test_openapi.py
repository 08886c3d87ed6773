"""What /openapi.json promises, tried on a real manager with made-up requests, good and bad."""

import json
import random
from typing import Any
from urllib.request import Request, urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = 6  #: for each operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DIPOLE = {
    "solver": "nec",
    "name": "dipole",
    "options": {
        "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
        "frequencies": {"start": 2e8, "stop": 4e8, "points": 3},
    },
}
IDS = ["dipole", "1", "2", "nobody"]


def ask(url: str, method: str, body: Any = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    asked = Request(url, content, {"Content-Type": "application/json"}, method=method)
    with urlopen(asked, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.timeout(280)
def test_every_described_operation_answers_as_it_is_described(service: Any) -> None:
    yard = service().start()
    url = yard.told["url"]
    ask(f"{url}/jobs", "POST", [DIPOLE, {**DIPOLE, "name": "", "hold": True}])
    ask(f"{url}/jobs/dipole/wait?timeout=60", "GET")
    described = schemathesis.openapi.from_dict(ask(f"{url}/openapi.json", "GET"))
    described.config.base_url = url
    tried: list[str] = []
    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path == "/system/stop":
            continue  # it would
        tried.append(operation.label)
        _try(operation)
    assert len(tried) >= 30
    assert ask(f"{url}/readyz", "GET") == {"success": True}


def _try(operation: Any) -> None:
    kinds = [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]

    @seed(7)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(kinds), job=st.sampled_from(IDS))
    def examples(case: Any, job: str) -> None:
        if "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = job
        if case.query and case.query.get("follow"):
            case.query.pop("follow")  # a held job's output never ends
        if operation.path.endswith("/wait"):
            case.query = {**(case.query or {}), "timeout": random.Random(job).choice(["0", "x"])}
        case.call_and_validate(checks=CHECKS, timeout=20)

    examples()
