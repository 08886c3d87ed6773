"""How much strangers may ask for."""

import asyncio
import contextlib
import ssl
import sys
from pathlib import Path

import pytest
from aiohttp import web

from solveyard.doors import bounds, ports
from solveyard.doors.bounds import Newcomers, Throttle
from solveyard.doors.listener import Listener

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def listening(newcomers: Newcomers) -> tuple[Listener, tuple[str, int]]:
    """What accepts them, and where."""
    (wire,) = ports.bind(("127.0.0.1",), 0)
    return Listener(wire, newcomers.take), wire.getsockname()


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
    release = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.Response:
        newcomers.heard(request)  # type: ignore[arg-type]  # all that it looks at
        await release.wait()
        return web.Response(text="late")

    server = web.Server(handle)
    newcomers = Newcomers(server)
    listener, address = listening(newcomers)
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
    await listener.close()
    newcomers.close()
    await server.shutdown()


async def test_the_oldest_that_is_not_known_makes_room_until_all_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS", 3)

    async def handle(request: web.BaseRequest) -> web.Response:
        if "X-Token" in request.headers:
            newcomers.know(request)  # type: ignore[arg-type]  # all that it looks at
        return web.Response(text="yes")

    async def asked(wire: Wire, header: str = "X-Token: right") -> bytes:
        wire[1].write(f"GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        return (await wire[0].readuntil(b"yes"))[:12]

    server = web.Server(handle)
    newcomers = Newcomers(server)
    listener, address = listening(newcomers)
    wires = []

    async def dialled() -> Wire:
        wires.append(await asyncio.open_connection(*address))
        return wires[-1]

    async with asyncio.timeout(30):
        first = await dialled()
        assert await asked(first) == b"HTTP/1.1 200"
        stranger, silent = await dialled(), await dialled()
        assert await asked(stranger, "X-Other: no") == b"HTTP/1.1 200"
        while len(server.connections) < 3:
            await asyncio.sleep(0)
        for gone in (stranger, silent):
            newcomer = await dialled()
            assert await asked(newcomer) == b"HTTP/1.1 200"
            with contextlib.suppress(ConnectionResetError):
                assert await gone[0].read() == b""
        late = await dialled()
        assert await late[0].read() == b""
        assert await asked(first) == b"HTTP/1.1 200"
    for wire in wires:
        wire[1].close()
    await listener.close()
    newcomers.close()
    await server.shutdown()


async def test_by_tls_they_count_from_their_accept_on_and_the_oldest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS", 3)

    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response()

    server = web.Server(handle)
    newcomers = Newcomers(server, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    listener, address = listening(newcomers)
    wires = [await asyncio.open_connection(*address) for _ in range(5)]  # and none says a word
    async with asyncio.timeout(bounds.HANDSHAKE / 2):
        for reader, _ in wires[:2]:
            assert await reader.read() == b""
        assert len(newcomers._strangers) == 3
        newcomers.close()
        for reader, _ in wires[2:]:
            assert await reader.read() == b""
    for _, writer in wires:
        writer.close()
    await listener.close()
    await server.shutdown()


@pytest.mark.skipif(sys.platform == "win32", reason="it is no Unix socket there")
async def test_at_the_private_socket_nobody_makes_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS", 1)

    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response(text="yes")

    server = web.Server(handle)
    newcomers = Newcomers(server)
    listener, address = listening(newcomers)
    private = await asyncio.get_running_loop().create_unix_server(server, str(tmp_path / "s"))
    asking, answer = await asyncio.open_unix_connection(str(tmp_path / "s"))
    while not server.connections:
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(*address)
    async with asyncio.timeout(30):
        assert await reader.read() == b""
        answer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asking.readline()).startswith(b"HTTP/1.1 200")
    for one in (writer, answer):
        one.close()
    await listener.close()
    private.close()
    newcomers.close()
    await server.shutdown()
