"""How much strangers may ask for."""

import asyncio
import contextlib
import socket

import pytest
from aiohttp import web

from solveyard.doors import bounds
from solveyard.doors.bounds import Newcomers, Throttle


def test_who_asks_too_often_is_told_how_long_to_wait_and_others_are_not() -> None:
    now = 100.0
    throttle = Throttle(3, lambda: now)
    assert [throttle.take("a") for _ in range(5)] == [0, 0, 0, 60, 60]
    assert throttle.take("b") == 0
    now += 45
    assert throttle.take("a") == 15
    now += 16
    assert throttle.take("a") == 0


def test_who_asked_long_ago_is_forgotten_and_who_asks_on_is_not() -> None:
    throttle = Throttle(bounds.GUESTS, lambda: 100.0)
    for number in range(bounds.GUESTS):
        assert throttle.take("guest") == 0
        assert throttle.take(f"stranger {number}") == 0
    assert throttle.take("guest") == 60
    assert len(throttle._counts) == 4096
    assert throttle.take("stranger 0") == 0


async def test_a_connection_without_a_request_is_closed_and_one_with_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "FIRST", 0.3)
    loop = asyncio.get_running_loop()
    release = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.Response:
        newcomers.heard(request)  # type: ignore[arg-type]  # all that it looks at
        await release.wait()
        return web.Response(text="late")

    server = web.Server(handle)
    newcomers = Newcomers(server)
    opened = await loop.create_server(newcomers, "127.0.0.1", 0)
    address = opened.sockets[0].getsockname()
    asking, answer = await asyncio.open_connection(*address)
    answer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    silent, quiet = await asyncio.open_connection(*address)
    slow, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow")  # and never the rest
    async with asyncio.timeout(30):
        for reader in (silent, slow):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        release.set()
        assert (await asking.readline()).startswith(b"HTTP/1.1 200")
    for one in (answer, writer, quiet):
        one.close()
    opened.close()
    newcomers.close()
    await server.shutdown()


async def test_more_connections_than_there_may_be_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS", 2)

    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response(text="yes")

    server = web.Server(handle)
    newcomers = Newcomers(server)
    opened = await asyncio.get_running_loop().create_server(newcomers, "127.0.0.1", 0)
    address = opened.sockets[0].getsockname()
    wires = [socket.create_connection(address) for _ in range(2)]
    while len(server.connections) < 2:
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(*address)
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()
    for wire in wires:
        wire.close()
    opened.close()
    newcomers.close()
    await server.shutdown()
