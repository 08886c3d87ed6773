"""Routes about the manager, and the documents' words for what they tell."""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from openapi_spec_validator import validate

SPEC = {"solver": "command", "options": {"argv": ["true"]}}


def ask(
    served: Any,
    method: str,
    target: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    wire = http.client.HTTPConnection("localhost", timeout=20)
    wire.sock = socket.socket(socket.AF_UNIX)
    wire.sock.settimeout(20)
    wire.sock.connect(str(served.socket))
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} if content is not None else {}
    try:
        wire.request(method, target, content, sent | dict(headers or {}))
        response = wire.getresponse()
        told = {name.lower(): text for name, text in response.getheaders()}
        return response.status, told, response.read()
    finally:
        wire.close()


def get(served: Any, target: str) -> Any:
    status, _, body = ask(served, "GET", target)
    assert status == 200, body
    return json.loads(body)


def test_the_documents_resources_are_the_machines_newest_sample(served: Any) -> None:
    assert get(served, "/resources") == {
        "cpu_percent": 12.5,
        "memory_percent": 75.0,
        "memory_used_gb": 3.0,
        "memory_total_gb": 4.0,
        "memory_free_gb": 1.0,
        "disk_usage_percent": 75.0,
        "disk_free_gb": 2.0,
        "timestamp": "2026-09-21T14:13:20.000+00:00",
    }


def test_the_queue_is_told_by_state_and_in_the_documents_figures(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC, SPEC | {"priority": 5}, SPEC | {"priority": -3}])
    ask(served, "POST", "/jobs", SPEC | {"hold": True})
    served.do(lambda: served.manager.start(1))
    told = get(served, "/queue")
    assert (told["queued"], told["held"], told["running"]) == (2, 1, 1)
    assert told["total_queued"] == 2
    assert told["regular_queue_size"] == 0
    assert told["priority_queues"] == {"5": 1, "-3": 1}
    assert told["running_jobs"] == 1
    assert (told["max_concurrent"], told["max_concurrent_jobs"]) == (2, None), "one for each core"


def test_no_batch_system_is_an_empty_list_with_the_reason(served: Any) -> None:
    status, headers, body = ask(served, "GET", "/scheduler/partitions")
    assert (status, json.loads(body)) == (200, [])
    assert headers["x-reason"] == "no batch system is configured"


NO_LIMITS = dict.fromkeys(
    ("max_concurrent", "max_concurrent_jobs", "max_cpu_percent", "min_memory_gb", "min_disk_gb")
)


def test_the_status_has_the_documents_keys_and_the_limits_under_all_names(served: Any) -> None:
    told = get(served, "/system/status")
    assert told["limits"] == NO_LIMITS
    assert told["scheduler_detection"]["active_scheduler"] == "none"
    assert told["resource_monitoring"]["memory_free_gb"] == 1.0
    assert told["local_pool"] == {"running_jobs": 0, "queued_jobs": 0, "max_concurrent": 2}


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("name", ["max_concurrent", "max_concurrent_jobs"])
def test_limits_are_set_under_either_name(served: Any, method: str, name: str) -> None:
    status, _, body = ask(served, method, "/pool/limits", {name: 4})
    assert status == 200
    both = {"max_concurrent": 4, "max_concurrent_jobs": 4}
    assert json.loads(body)["limits"] == NO_LIMITS | both
    assert [request.limits.max_concurrent for request in served.manager.requests] == [4]


def test_a_limit_that_is_not_given_stays_as_it_is(served: Any) -> None:
    for given in ({"max_concurrent_jobs": 4, "max_cpu_percent": 75}, {"min_memory_gb": 2.5},
                  {"min_disk_gb": 0, "max_cpu_percent": None}):  # fmt: skip
        assert ask(served, "PUT", "/pool/limits", given)[0] == 200
    held = NO_LIMITS | {"max_concurrent": 4, "max_concurrent_jobs": 4}
    held |= {"min_memory_gb": 2.5, "min_disk_gb": 0.0}
    assert get(served, "/system/status")["limits"] == held
    queue = get(served, "/queue")
    assert {name: queue[name] for name in held} == held


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "$"),
        ("null", "$"),
        ("[1]", "$"),
        ('{"bogus": 1}', "$.bogus"),
        ('{"max_concurrent": 1, "max_concurrent_jobs": 1}', "$"),
        ('{"max_concurrent_jobs": 0}', "$.max_concurrent_jobs"),
        ('{"max_concurrent_jobs": true}', "$.max_concurrent_jobs"),
        ('{"max_concurrent_jobs": "4"}', "$.max_concurrent_jobs"),
        ('{"max_concurrent": 2, "max_cpu_percent": 150}', "$.max_cpu_percent"),
        ('{"max_cpu_percent": 0}', "$.max_cpu_percent"),
        ('{"max_cpu_percent": true}', "$.max_cpu_percent"),
        ('{"max_cpu_percent": 55, "min_memory_gb": -1}', "$.min_memory_gb"),
        ('{"min_memory_gb": 1e10}', "$.min_memory_gb"),
        ('{"min_memory_gb": NaN}', "$"),
        ('{"min_memory_gb": "1"}', "$.min_memory_gb"),
        ('{"min_disk_gb": false}', "$.min_disk_gb"),
    ],
)
def test_what_is_no_limit_is_refused_whole(served: Any, body: str, field: str) -> None:
    status, _, answer = ask(served, "PUT", "/pool/limits", body.encode())
    told = json.loads(answer)
    assert (status, told["success"], told["field"]) == (400, False, field)
    assert served.manager.requests == []


def test_a_limit_that_the_site_locks_is_refused_with_its_file_and_key(served: Any) -> None:
    served.locked["min_memory_gb"] = "/etc/solveyard/config.toml:3"
    status, _, answer = ask(
        served, "PUT", "/pool/limits", {"max_concurrent": 1, "min_memory_gb": 0}
    )
    assert status == 403
    assert "`limits.min_memory_gb` is locked by /etc/solveyard/config.toml:3" in answer.decode()
    assert served.manager.requests == []
    assert ask(served, "PUT", "/pool/limits", {"max_concurrent": 1})[0] == 200


def test_it_is_ready_while_the_store_is_written_and_the_agent_is_there(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(served, "GET", "/readyz")[0] == 200
    served.manager.connected = False
    status, _, body = ask(served, "GET", "/readyz")
    assert status == 503
    assert "agent" in json.loads(body)["error"]
    served.manager.connected = True
    served.manager.spawners = 0
    status, _, body = ask(served, "GET", "/readyz")
    assert (status, "no spawner" in json.loads(body)["error"]) == (503, True)
    served.manager.spawners = 1
    assert ask(served, "GET", "/readyz")[0] == 200
    served.manager.blocked = "the disk is full"
    assert json.loads(ask(served, "GET", "/readyz")[2])["error"] == "the disk is full"
    served.manager.blocked = ""
    status = {**served.manager.status(), "machines": {}, "agent_trouble": "no room for the agent"}
    with monkeypatch.context() as patched:
        patched.setattr(served.manager, "status", lambda: status)
        assert json.loads(ask(served, "GET", "/readyz")[2])["error"] == "no room for the agent"
    served.manager.store_folder = served.folder / "gone"
    status, _, body = ask(served, "GET", "/readyz")
    assert (status, "can't be written" in json.loads(body)["error"]) == (503, True)


def test_the_figures_are_in_prometheus_format(served: Any) -> None:
    ask(served, "POST", "/jobs", [SPEC, SPEC])
    status, headers, body = ask(served, "GET", "/metrics")
    lines = body.decode().splitlines()
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'solveyard_jobs{state="queued"} 2.0' in lines
    assert "solveyard_events_total 2.0" in lines
    assert 'solveyard_machine_memory_free_bytes{machine="here"} 1.073741824e+09' in lines


def test_the_description_of_the_routes_is_valid_and_leaves_none_out(served: Any) -> None:
    told = get(served, "/openapi.json")
    validate(told)
    assert {"/jobs", "/jobs/{id}", "/jobs/{id}/files/{path}", "/metrics"} <= set(told["paths"])
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            target = path.replace("{id}", "1").replace("{path}", "x")
            assert ask(served, method.upper(), target)[0] != 405
    limit = [one for one in told["paths"]["/jobs"]["get"]["parameters"] if one["name"] == "limit"]
    assert limit[0]["schema"]["type"] == "integer"


def test_a_submission_that_is_repeated_under_its_key_gets_the_same_jobs(served: Any) -> None:
    key = {"Idempotency-Key": "abc"}
    first = ask(served, "POST", "/jobs", [SPEC, SPEC], key)
    again = ask(served, "POST", "/jobs", [SPEC, SPEC], key)
    assert (first[0], again[0]) == (201, 200)
    assert json.loads(first[2]) == json.loads(again[2])
    assert len(served.manager.records) == 2
    assert ask(served, "POST", "/jobs", SPEC, {"Idempotency-Key": "x" * 256})[0] == 400
    told = get(served, "/openapi.json")["paths"]
    for path in ("/jobs", "/jobs/submit"):
        assert {"200", "201", "400"} <= set(told[path]["post"]["responses"])


def test_the_description_has_the_refusals_that_only_some_routes_give(served: Any) -> None:
    assert ask(served, "POST", "/jobs/wait", {"jobs": ["nobody"]})[0] == 404
    told = get(served, "/openapi.json")["paths"]
    assert "404" in told["/jobs/wait"]["post"]["responses"]
    for path in ("/jobs", "/jobs/submit", "/jobs/preview", "/api/submit"):
        assert "502" in told[path]["post"]["responses"], path
