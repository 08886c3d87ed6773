"""Sessions: whose they are, and when they end; and how often a stranger may try to begin one."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from solveyard.doors import bounds, openapi, procnet, sessions
from solveyard.doors.auth import Keeper
from solveyard.doors.keys import KEEPER, Caller
from solveyard.doors.sessions import Sessions
from solveyard.doors.sites import Sites
from solveyard.tokens import Tokens

GUEST = Caller("token:guest", token="t")


def test_a_session_is_good_from_where_it_was_begun_until_its_time_is_over() -> None:
    now = 0.0
    known = Sessions("x", lambda: now)
    secret = known.begin(GUEST, "192.0.2.7")
    found = known.whose(secret, "192.0.2.7")
    assert found is not None
    assert (found.name, found.token) == (GUEST.name, GUEST.token)
    assert known.live(found)
    assert known.whose(secret, "192.0.2.8") is None
    assert known.whose(secret + "x", "192.0.2.7") is None
    now += sessions.LIFETIME
    assert known.whose(secret, "192.0.2.7") is None
    assert not known.live(found)


def test_one_token_has_few_sessions_and_takes_none_from_others() -> None:
    known = Sessions("x")
    owners = known.begin(Caller("me", owner=True), "a")
    secrets = [known.begin(GUEST, "a") for _ in range(sessions.PER_TOKEN + 3)]
    assert [known.whose(one, "a") is not None for one in secrets] == [False] * 3 + [
        True
    ] * sessions.PER_TOKEN
    assert known.whose(owners, "a") is not None


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"tokn": "x"}', "application/json", 400),
        (b"x" * (sessions.LARGEST + 1), "application/json", 413),
        (b"x", "", 415),
        (b"", "", 401),
    ],
)
async def test_who_signs_in_in_vain_waits_after_a_while_and_who_has_a_token_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, kind: str, status: int
) -> None:
    monkeypatch.setattr(bounds, "STRANGERS", 3)
    keeper = Keeper("me", "sy_right", Tokens(tmp_path), Sites(), Sessions("x"))
    app = web.Application(middlewares=[keeper.keep])
    app[KEEPER] = keeper
    app.router.add_post("/session", sessions.sign_in)
    passed = {"X-Forwarded-For": "192.0.2.7"}  # so that it isn't the owner by their account
    async with TestClient(TestServer(app)) as client:
        found = []
        for _ in range(5):
            head = passed | ({"Content-Type": kind} if kind else {})
            skip = () if kind else ("Content-Type",)
            async with client.post(
                "/session", data=body, headers=head, skip_auto_headers=skip
            ) as answer:
                found.append((answer.status, "Retry-After" in answer.headers))
        assert found == [(status, False)] * 3 + [(429, True)] * 2
        right = {"token": "sy_right"}
        assert (await client.post("/session", json=right, headers=passed)).status == 200


async def test_a_body_that_does_not_come_in_time_is_answered_as_the_description_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.01)
    app = web.Application()
    app[KEEPER] = Keeper("me", "sy_right", Tokens(tmp_path), Sites(), Sessions("x"))
    app.router.add_post("/session", sessions.sign_in)
    answered = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        yield b"{"
        await answered.wait()

    async with TestClient(TestServer(app)) as client, client.post("/session", data=late()) as found:
        answered.set()
        described = json.loads(openapi.document(sessions.ROUTES))["paths"]["/session"]["post"]
        assert (found.status, "408" in described["responses"]) == (408, True)


@pytest.mark.parametrize(
    ("ours", "theirs", "status"),
    [
        ("127.0.0.1", "127.0.0.1", 200),
        ("192.0.2.1", "192.0.2.1", 200),
        ("192.0.2.1", "192.0.2.7", 401),
        ("2001:db8::1", "2001:db8::7", 401),
    ],
)
async def test_the_owners_token_signs_in_on_the_managers_own_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: str, theirs: str, status: int
) -> None:
    monkeypatch.setattr(procnet, "endpoints", lambda _: ((ours, 8080), (theirs, 40000)))
    keeper = Keeper("me", "sy_right", Tokens(tmp_path), Sites(), Sessions("x"))
    app = web.Application(middlewares=[keeper.keep])
    app[KEEPER] = keeper
    app.router.add_post("/session", sessions.sign_in)
    app.router.add_get("/session", sessions.who)
    shown = {"Authorization": "Bearer sy_right"}
    async with TestClient(TestServer(app)) as client:
        assert (await client.post("/session", json={"token": "sy_right"})).status == status
        assert (await client.get("/session", headers=shown)).status == status
        secret = Tokens(tmp_path).create("guest")
        shown = {"Authorization": f"Bearer {secret}"}
        assert (await client.get("/session", headers=shown)).status == 200
