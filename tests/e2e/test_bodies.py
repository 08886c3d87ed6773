"""Bodies of requests that are too large, or come too slowly."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from watching import PATIENCE

HEAD = (
    "POST /session HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
    "Content-Length: 1000\r\n\r\n"
)


async def pieces(size: int) -> AsyncIterator[bytes]:
    """At least `size` bytes of an array, whose length nobody is told."""
    yield b"["
    for _ in range(0, size, 1 << 20):
        yield b" " * min(size, 1 << 20)


@pytest.mark.parametrize(("target", "size"), [("/jobs", 64 << 20), ("/session", 4096)])
async def test_a_chunked_body_that_is_too_large_is_413(
    service: Any, target: str, size: int
) -> None:
    yard = service().start()
    kind = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(yard.told["url"], headers=kind) as session:
        async with session.post(target, data=pieces(size)) as answer:
            assert answer.request_info.headers["Transfer-Encoding"] == "chunked"
            assert answer.status == 413
            assert (await answer.json())["success"] is False
        async with session.get("/jobs") as answer:
            assert (answer.status, await answer.json()) == (200, [])


async def test_bodies_that_trickle_hold_nothing_up_and_are_ended(service: Any) -> None:
    yard = service().start()
    where = urlsplit(yard.told["url"])
    trickling = [Trickle(where.hostname, where.port) for _ in range(50)]
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession(yard.told["url"]) as session,
        asyncio.TaskGroup() as tasks,
    ):
        answers = [tasks.create_task(one.run()) for one in trickling]
        for one in trickling:
            await one.begun.wait()
        for _ in range(20):
            async with session.get("/jobs") as answer:
                assert answer.status == 200
        assert not any(answer.done() for answer in answers)
    assert {answer.result() for answer in answers} == {"HTTP/1.1 408 Request Timeout"}


class Trickle:
    """Signs in, byte by byte."""

    def __init__(self, host: Any, port: Any) -> None:
        self.place = (host, port)
        self.begun = asyncio.Event()

    async def run(self) -> str:
        """The first line of the answer."""
        reader, writer = await asyncio.open_connection(*self.place)
        writer.write(HEAD.format("{}:{}".format(*self.place)).encode())
        await writer.drain()
        self.begun.set()
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(reader.readline())
            while not first.done():
                writer.write(b" ")
                await asyncio.wait([first], timeout=0.5)
        writer.close()
        return first.result().decode().strip()
