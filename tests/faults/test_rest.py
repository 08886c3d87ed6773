"""Requests that nobody should send: each is refused, changes nothing, and is answered in time."""

import json
import re
import select
import socket
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

PATIENCE = 20.0  #: s that any one answer may take
PAUSE = 3.0  #: s without an answer, after which nothing more is sent
SPEC = {"solver": "command", "options": {"argv": ["true"]}}
DEEP = b"[" * 20_000 + b"]" * 20_000
HUGE = b"9" * 5000


class Hostile(NamedTuple):
    """What is sent, byte for byte; `{host}` stands for the manager's own."""

    name: str
    content: bytes


def request(
    method: str, target: str, body: bytes | None = None, headers: str = "", kind: str = ""
) -> bytes:
    kind = kind or "application/json"
    declared = (
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if body is not None else ""
    )
    head = f"{method} {target} HTTP/1.1\r\nHost: {{host}}\r\n{declared}{headers}"
    return f"{head}Connection: close\r\n\r\n".encode("latin-1") + (body or b"")


def bodies() -> Iterator[Hostile]:
    """Where a specification is expected."""
    texts: list[bytes] = [
        b"", b"null", b"true", b"0", b'""', b"{", b"}", b"[", b"{}", b"[{}]", b"[[]]", b"[null]",
        b"\xff\xfe", b"\x00", b"{'solver': 1}", b'{"solver"', b'{"solver":}', b"NaN", b"Infinity",
        b'{"solver": "command"}{}', b"\xef\xbb\xbf{}", DEEP, b'{"a":' * 5000, HUGE, b"-" + HUGE,
        b'{"solver":"\\ud800"}', b'{"solver":"\\u0000"}', b'{"solver":"command","solver":"nec"}',
        b'{"solver": "command", "options": {"argv": ["true"]}} x',
    ]  # fmt: skip
    for number, text in enumerate(texts):
        yield Hostile(f"body-{number}", request("POST", "/jobs", text))
    wrong: dict[str, list[Any]] = {
        "solver": ["", "nobody", None, 7, [], {}, "../command", "command\x00", "x" * 10**5],
        "options": [None, [], "x", 7, {"argv": []}, {"argv": "true"}, {"argv": [[1]]},
                    {"argv": ["a\x00b"]}, {"argv": ["true"], "env": {"A=B": "c"}},
                    {"argv": ["true"], "outputs": ["../x"]}, {"argv": ["true"], "outputs": ["/x"]},
                    {"argv": ["true"], "shell": True}],
        "name": ["all", "last", "7", "5-9", "a/b", "a,b", " a", "a\n", "\x00", "x" * 201, 7, None],
        "priority": [1.5, "1", None, 10**10, -(10**10), 10**30, True],
        "resources": [{"cores": -1}, {"cores": -(10**30)}, {"cores": 10**9}, {"cores": "many"},
                      [], 7,
                      {"memory": -1}, {"coers": 1}, {"cores": {"min": 3, "max": 1}}],
        "time_limit": [-1, "1h", 1e300, [], True],
        "grace": [-1, None, 1e11],
        "directory": ["relative", "..", "~", "/tmp/\x00", 7, "/nonexistent/../../x\x00"],
        "exclusive": [["a", "a"], "a", [1]],
        "tags": ["a", [1], {}],
        "hold": ["yes", 1, None],
        "prioritty": [1],
        "__class__": ["x"],
    }  # fmt: skip
    for field, values in wrong.items():
        for number, value in enumerate(values):
            text = json.dumps({**SPEC, field: value}).encode()
            yield Hostile(f"{field}-{number}", request("POST", "/jobs", text))
            if number == 0:
                many = json.dumps([SPEC, SPEC, {**SPEC, field: value}]).encode()
                yield Hostile(f"{field}-{number}-of-many", request("POST", "/jobs", many))


def targets() -> Iterator[Hostile]:
    """Where a job, a file or a number is expected."""
    keys = ["0", "-1", "99999999999999999999", "1e3", "nobody", "%00", "%ff", "..", "%2e%2e",
            "%2F", "'%20OR%201=1", "x" * 5000, "%F0%9F%92%A9", "1%0d%0aX:%20y"]  # fmt: skip
    verbs = [("GET", ""), ("POST", "/cancel"), ("DELETE", "")]
    for key, (method, verb) in product(keys, verbs):
        yield Hostile(f"{method}{verb}-{key[:20]}", request(method, f"/jobs/{key}{verb}"))
    paths = ["../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd", "%2fetc%2fpasswd",
             "%00", "x" * 5000, "a/../../b", ".%2e/x", "%c0%ae%c0%ae/x", "C:%5cx"]  # fmt: skip
    for path in paths:
        yield Hostile(f"file-{path[:20]}", request("GET", f"/jobs/1/files/{path}"))
    queries = [
        "/jobs?limit=0", "/jobs?limit=-1", "/jobs?limit=1e9", "/jobs?limit=x", "/jobs?cursor=x",
        "/jobs?cursor=%00", "/jobs?state=x", "/jobs?state=%00", "/jobs?x=1",
        "/jobs?limit=1&limit=2",
        "/jobs?offset=-1", f"/jobs?offset={'9' * 30}", "/jobs?since=soon", "/jobs?since=1e999",
        "/jobs?name=%ed%a0%80", "/jobs?search=%ff", "/jobs?search=%00", "/jobs?owner=%ed%a0%80",
        "/jobs/1/attempts/x", "/jobs/1/logs?tail=-1", "/jobs/1/logs?follow=x", "/docs/..%2fx.py",
        "/jobs?all=maybe", "/events?after=-1", "/events?after=x", f"/events?after={'9' * 30}",
        "/events?limit=0", "/jobs/1/wait?timeout=-1", "/jobs/1/wait?timeout=nan",
        "/jobs/1/wait?timeout=inf", "/jobs/1/logs?stream=x", "/jobs/1/logs?limit=0",
        "/jobs/1/logs?offset=x", f"/jobs/1/logs?offset={'9' * 30}", "/jobs/1/logs?attempt=0",
        "/jobs/1/logs?attempt=-1", "/jobs/1/logs?wait=1e9", "/jobs/1?x=1", "/queue?x=1",
    ]  # fmt: skip
    for target in queries:
        yield Hostile(target[:60], request("GET", target))


def actions() -> Iterator[Hostile]:
    """Bodies of the other routes."""
    wrong = {
        "/jobs/1/priority": [b"{}", b'{"priority":"x"}', b'{"priority":1e400}', b"[]", b"null",
                             b'{"priority":10000000000}', b'{"priority":1,"x":1}', DEEP],
        "/jobs/1/cancel": [b'{"grace":-1}', b'{"grace":"x"}', b"[]", b'{"x":1}', b"{"],
        "/jobs/1/hold": [b'{"x":1}', b"[]", b"x"],
        "/jobs/1/retry": [b'{"x":1}', b"7"],
        "/pool/limits": [b"{}", b"", b'{"max_concurrent":-1}', b'{"max_concurrent":"x"}',
                         b'{"max_concurrent":true}', b'{"max_concurrent":1.5}', b"null",
                         b'{"max_concurrent":1,"max_concurrent_jobs":2}',
                         b'{"max_concurrent":9,"max_cpu_percent":155}', b'{"max_concurrent":1e30}'],
        "/system/stop": [b'{"how":"later"}', b'{"how":7}', b"[]", b'{"x":1}', b"{"],
    }  # fmt: skip
    for target, texts in wrong.items():
        for number, text in enumerate(texts):
            yield Hostile(f"{target}-{number}", request("POST", target, text))


def raw() -> Iterator[Hostile]:
    """Not HTTP as it should be."""
    spec = json.dumps(SPEC).encode()
    post = b"POST /jobs HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    whole = [
        b"\r\n\r\n", b"\x00" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"GET\r\n\r\n", b"GET /jobs\r\n\r\n", b"GET /jobs HTTP/9.9\r\nHost: {host}\r\n\r\n",
        b"G\xffT /jobs HTTP/1.1\r\nHost: {host}\r\n\r\n", b"SSH-2.0-x\r\n\r\n",
        b"GET /jobs HTTP/1.1\r\n\r\n", b"GET /jobs HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET http://evil.example/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET /jobs HTTP/1.1\r\nHost: {host}\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET /jobs HTTP/1.1\r\nHost: {host}\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /jobs HTTP/1.1\r\nHost: {host}\r\nA\x00B: c\r\n\r\n",
        b"GET /jobs HTTP/1.1\r\nHost: {host}\r\n folded: x\r\n\r\n",
        post + b"Content-Length: -1\r\n\r\n" + spec,
        post + b"Content-Length: x\r\n\r\n" + spec,
        post
        + b"Content-Length: 5\r\nContent-Length: 500\r\n\r\n" + spec,
        post
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + spec,
        post
        + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + spec,
        post
        + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx",
        post
        + b"Content-Length: 99999999999\r\nExpect: 200-no\r\n\r\n",
    ]  # fmt: skip
    for number, content in enumerate(whole):
        yield Hostile(f"raw-{number}", content)
    for headers in (
        "Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: x\r\n", "Origin: \r\n",
        "Authorization: Bearer x\r\n", "Authorization: Basic x\r\n", "Authorization: \r\n",
        "Authorization: Bearer \xff\r\n", "Sec-Fetch-Site: cross-site\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n", f"Idempotency-Key: {'x' * 300}\r\n",
    ):  # fmt: skip
        yield Hostile(headers.strip(), request("POST", "/jobs", spec, headers))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "text/xml", "x", "a/b; c"):
        yield Hostile(kind, request("POST", "/jobs", spec, kind=kind))
    for method in ("PUT", "PATCH", "TRACE", "OPTIONS", "PROPFIND"):
        yield Hostile(method, request(method, "/jobs", spec))
    live = "/socket.io/?EIO=4&transport="
    for target in (
        live + "x", live + "polling&sid=x", live + "websocket", "/socket.io/", "/socket.io/?EIO=1",
        "/socket.io/?EIO=x&transport=polling", live + "polling&j=x",
    ):  # fmt: skip
        yield Hostile(target, request("GET", target))
        yield Hostile(f"POST {target}", request("POST", target, b"\xff\xfe4x", kind="text/plain"))


def answer(url: str, content: bytes) -> bytes:
    """The first answer; empty: the connection was closed without a word.

    What waits for more is told that nothing more comes: it must close the connection then.
    """
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=PATIENCE) as wire:
        try:
            wire.sendall(content.replace(b"{host}", where.netloc.encode()))
            if not select.select([wire], [], [], PAUSE)[0]:
                wire.shutdown(socket.SHUT_WR)
            found = b""
            while not complete(found) and (piece := wire.recv(65536)):
                found += piece
        except (ConnectionResetError, BrokenPipeError):
            return b""  # refused before it was read to its end
    return found


def complete(found: bytes) -> bool:
    head, _, body = found.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


def polling(url: str) -> str:
    """A live connection's id."""
    target = "/socket.io/?EIO=4&transport=polling"
    body = answer(url, request("GET", target)).partition(b"\r\n\r\n")[2]
    return str(json.loads(body[body.index(b"{") :])["sid"])


@pytest.mark.timeout(300)
def test_no_hostile_request_is_answered_by_5xx_or_half_applied_or_left_hanging(
    service: Any,
) -> None:
    yard = service("--allow", "command", "--port", "0").start()
    url = yard.told["url"]
    held = json.dumps({**SPEC, "hold": True, "name": "there"}).encode()
    assert b" 201 " in answer(url, request("POST", "/jobs", held)).partition(b"\r\n")[0] + b" "
    before = yard.client.job("there")
    sent = [*bodies(), *targets(), *actions(), *raw()]
    sid = polling(url)
    target = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
    for number, text in enumerate(
        (b"4x", b"42[", b"\xff", b"451-[]", b"40/nothing,", b"9", b"4" + DEEP)
    ):
        sent.append(Hostile(f"live-{number}", request("POST", target, text, kind="text/plain")))
    assert len(sent) >= 200
    wrong = []
    for one in sent:
        line = answer(url, one.content).partition(b"\r\n")[0]
        if line and not line.split()[1].startswith((b"4", b"2")):
            wrong.append((one.name, line))
    assert wrong == []
    after = yard.client.jobs(limit=None)
    assert [record.name for record in after.jobs] == ["there"]
    assert after.jobs[0] == before
    assert yard.client.status()["limits"]["max_concurrent"] is None
    assert "Traceback" not in (yard.store.parent / "serve.log").read_text(), "anybody could fill it"
    assert b" 200 " in answer(url, request("GET", "/readyz")).partition(b"\r\n")[0] + b" "


def test_who_sends_nothing_and_who_reads_nothing_keeps_nobody_waiting(service: Any) -> None:
    yard = service("--port", "0").start()
    url = yard.told["url"]
    where = urlsplit(url)
    place = (where.hostname, where.port)
    silent = [socket.create_connection(place, timeout=PATIENCE) for _ in range(100)]
    halves = [socket.create_connection(place, timeout=PATIENCE) for _ in range(20)]
    for wire in halves:
        wire.sendall(
            f"POST /jobs HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
            "Content-Length: 1000\r\n\r\n[".encode()
        )
    assert answer(url, request("GET", "/jobs")).startswith(b"HTTP/1.1 200")
    assert yard.stop() == 0
    for wire in (*silent, *halves):
        wire.close()


@pytest.mark.parametrize("name", ["a b", "ä", "%41", "a?b#c", "x" * 200])
def test_a_name_that_is_odd_but_allowed_is_found_over_http(service: Any, name: str) -> None:
    yard = service("--allow", "command", "--port", "0").start()
    url = yard.told["url"]
    spec = json.dumps({**SPEC, "name": name}).encode()
    assert answer(url, request("POST", "/jobs", spec)).startswith(b"HTTP/1.1 201")
    found = answer(url, request("GET", f"/jobs/{quote(name, safe='')}"))
    assert json.loads(found.partition(b"\r\n\r\n")[2])["name"] == name
