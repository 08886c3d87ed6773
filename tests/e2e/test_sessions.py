"""Signing in with a browser, and what a cookie is good for."""

import asyncio
import http.client
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
import socketio

from e2e.asking import Answer, ask, bearer, root, shell, status_for

HELD = {"solver": "command", "hold": True, "options": {"argv": ["true"]}}
PASSED = {"X-Forwarded-For": "192.0.2.7"}  # so that it isn't the owner by their account


def cookie(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.body
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def test_a_cookie_stands_for_its_token_until_that_is_revoked(service: Any) -> None:
    yard = service().start()
    url = yard.told["url"]
    secret = shell(yard, "token", "create", "eyes").stdout.strip()
    assert ask(url, "GET", "/session", headers=PASSED).status == 401
    signed = ask(url, "POST", "/session", {"token": secret}, PASSED)
    assert signed.json == {"name": "token:eyes", "owner": False, "session": True}
    words = [word.strip() for word in signed.headers["set-cookie"].split(";")]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(words)
    assert "Secure" not in words
    assert secret not in signed.headers["set-cookie"]
    signed_in = PASSED | cookie(signed)
    assert ask(url, "GET", "/session", headers=signed_in).json["name"] == "token:eyes"
    assert ask(url, "GET", "/jobs", headers=signed_in).status == 200
    assert ask(url, "GET", "/jobs", headers=cookie(signed) | {"X-Forwarded-For": "192.0.2.8"}
               ).status == 401  # fmt: skip
    shell(yard, "token", "revoke", "eyes")
    assert ask(url, "GET", "/jobs", headers=signed_in).status == 401


def test_who_follows_a_log_is_cut_off_when_their_token_is_revoked(service: Any) -> None:
    yard = service().start()
    where = urlsplit(yard.told["url"])
    secret = shell(yard, "token", "create", "eyes").stdout.strip()
    script = "while echo still; do sleep 0.1; done"
    shell(yard, "submit", "--name", "talker", "--", "sh", "-c", script)
    wire = http.client.HTTPConnection(str(where.hostname), where.port or 0, timeout=20)
    wire.request("GET", "/jobs/talker/logs?follow=1", headers=PASSED | bearer(secret))
    answer = wire.getresponse()
    assert answer.read(6) == b"still\n"
    shell(yard, "token", "revoke", "eyes")
    with pytest.raises(http.client.IncompleteRead):
        answer.read()  # the job goes on, and so would this
    wire.close()
    shell(yard, "cancel", "talker", "--grace", "0")


def test_the_owners_token_and_the_header_sign_in_too_and_signing_out_ends_it(service: Any) -> None:
    yard = service().start()
    url = yard.told["url"]
    token = str(yard.told["token"])
    signed = ask(url, "POST", "/session", headers=PASSED | bearer(token))
    assert signed.json["owner"] is True
    signed_in = PASSED | cookie(signed)
    origin = {"Origin": url}
    assert ask(url, "DELETE", "/session", headers=signed_in).status == 401
    assert ask(url, "GET", "/session", headers=signed_in).status == 200
    assert ask(url, "DELETE", "/session", headers=signed_in | origin).status == 200
    assert ask(url, "GET", "/session", headers=signed_in).status == 401
    assert ask(url, "GET", "/session").json["session"] is False  # by the kernel's word


def test_what_does_not_sign_in_is_refused(service: Any) -> None:
    yard = service().start()
    url = yard.told["url"]
    for body in ({"token": "sy_wrong"}, {}, {"token": ""}):
        answer = ask(url, "POST", "/session", body, PASSED)
        assert (answer.status, answer.json["kind"]) == (401, "unauthorized"), body
        assert "set-cookie" not in answer.headers
    assert ask(url, "POST", "/session", {"tokn": "x"}, PASSED).status == 400
    assert ask(url, "POST", "/session", b'{"token": ' + b"1" * 5000 + b"}", PASSED).status == 413
    foreign = PASSED | {"Origin": "http://evil.example"}
    token = {"token": yard.told["token"]}
    assert ask(url, "POST", "/session", token, foreign).status == 403
    kind = PASSED | {"Content-Type": "text/plain"}
    assert ask(url, "POST", "/session", token, kind).status == 415


def test_a_cookie_counts_only_for_what_the_managers_own_page_asks(service: Any) -> None:
    yard = service("--allow", "command").start()
    url = yard.told["url"]
    signed_in = PASSED | cookie(ask(url, "POST", "/session", {"token": yard.told["token"]}, PASSED))
    for headers, status in (
        ({}, 401),
        ({"Sec-Fetch-Site": "none"}, 401),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": url}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
    ):
        assert ask(url, "POST", "/jobs", HELD, signed_in | headers).status == status, headers
    for site, status in (("same-site", 401), ("cross-site", 401), ("same-origin", 200)):
        headers = signed_in | {"Sec-Fetch-Site": site}
        assert ask(url, "GET", "/jobs", headers=headers).status == status, site


def upgrade(url: str, headers: dict[str, str]) -> int:
    """The status that a websocket's handshake gets."""
    where = urlsplit(url)
    asked = {
        "Host": where.netloc,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    lines = [f"{name}: {text}" for name, text in {**asked, **headers}.items()]
    request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1"
    with socket.create_connection((where.hostname or "", where.port or 0), 30) as wire:
        wire.sendall("\r\n".join([request, *lines, "", ""]).encode())
        return int(wire.makefile("rb").readline().split()[1])


def test_a_cookie_opens_a_websocket_for_its_own_origin_alone(service: Any) -> None:
    yard = service().start()
    url = yard.told["url"]
    signed_in = PASSED | cookie(ask(url, "POST", "/session", {"token": yard.told["token"]}, PASSED))
    assert upgrade(url, PASSED) == 401
    assert upgrade(url, signed_in) == 401
    assert upgrade(url, signed_in | {"Sec-Fetch-Site": "same-origin"}) == 401
    assert upgrade(url, signed_in | {"Origin": "http://evil.example"}) == 403
    assert upgrade(url, signed_in | {"Origin": url}) == 101
    live = "/socket.io/?EIO=4&transport=polling"
    assert ask(url, "GET", live, headers=signed_in).status == 401
    assert ask(url, "GET", live, headers=signed_in | {"Origin": url}).status == 200


async def test_signing_out_ends_live_connections(service: Any) -> None:
    yard = service().start()
    url = f"http://localhost:{urlsplit(yard.told['url']).port}"  # clients send numbers no cookies
    signed = ask(url, "POST", "/session", {"token": yard.told["token"]}, PASSED)
    headers = PASSED | cookie(signed) | {"Origin": url}
    gone = asyncio.Event()
    client = socketio.AsyncClient(reconnection=False)
    client.on("disconnect", lambda *_: gone.set())
    await client.connect(url, headers=dict(headers), transports=["websocket"])
    assert (await asyncio.to_thread(ask, url, "DELETE", "/session", None, headers)).status == 200
    async with asyncio.timeout(60):
        await gone.wait()
    await client.disconnect()


@root
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_another_account_sees_the_page_and_nothing_else(service: Any, host: str) -> None:
    yard = service().start()
    url = f"http://{host}:{urlsplit(yard.told['url']).port}"
    page = ask(url, "GET", "/").body.decode()
    style = "/" + page.split('rel="stylesheet" href="')[1].split('"')[0]
    for target in ("/", style, "/healthz"):
        assert status_for(4242, url, target) == 200, target
    described = ask(url, "GET", "/openapi.json").json["paths"]
    targets = [path.replace("{id}", "1").replace("{path}", "x")
               for path, routes in described.items() if "get" in routes]  # fmt: skip
    targets += ["/dashboard/jobs", "/dashboard/jobs/1", "/dashboard/changes", "/nothing",
                "/jobs/1/touchstone/x", "/socket.io/?EIO=4&transport=polling", "/assetsx",
                "/socket.io/?EIO=4&transport=websocket", "//jobs", "/assets/../jobs"]  # fmt: skip
    assert len(targets) > 20
    for target in targets:
        if target not in {"/", "/healthz"}:
            assert status_for(4242, url, target) in {401, 404}, target
            assert status_for(4242, url, target, "X-Forwarded-For: 127.0.0.1") in {401, 404}
    for target in ("/jobs", "/session", "/events", "/dashboard/jobs"):
        assert status_for(4242, url, target) == 401
    socket_upgrade = ("Upgrade: websocket", "Sec-WebSocket-Version: 13",
                      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")  # fmt: skip
    live = "/socket.io/?EIO=4&transport=websocket"
    assert status_for(4242, url, live, *socket_upgrade) == 401


@root
def test_another_account_cannot_reach_the_private_socket(service: Any) -> None:
    yard = service().start()
    place = str(yard.told["socket"])
    program = (
        f"import os, socket; os.setgroups([]); os.setgid(4242); os.setuid(4242);"
        f"s = socket.socket(socket.AF_UNIX); s.connect({place!r});"
        "s.sendall(b'GET /jobs HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "print(s.makefile('rb').readline().split()[1].decode())"
    )

    def tried() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
        )

    assert "PermissionError" in tried().stderr
