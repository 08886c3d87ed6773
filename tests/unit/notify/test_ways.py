"""A notice is taken when its receiver says so, and never too long for a command to start."""

import asyncio
import sys

import pytest

from solveyard.notify.ways import VARIABLE, Program, Undelivered, Webhook


async def _answered(head: bytes) -> int:
    """How often a webhook was asked that sends `head`, and leaves its answer open."""
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        async with asyncio.timeout(8):
            await Webhook(url=f"http://{host}:{port}/").deliver("n", b"{}", {})
    finally:
        over.set()
        server.close()
    return asked


async def test_two_hundred_is_taken_though_the_rest_of_the_answer_never_comes() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all of it"
    assert await _answered(head) == 1


async def test_a_refusal_tells_what_it_said() -> None:
    head = b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nfull"
    with pytest.raises(Undelivered, match="it answered 500: full"):
        await _answered(head)


@pytest.mark.skipif(sys.platform == "win32", reason="it is tried with a shell")
async def test_a_command_gets_a_long_text_shortened_in_its_environment_and_whole_as_input() -> None:
    text = "ä" * 300_000
    check = f'[ "$(cat | wc -c)" -eq 600000 ] && [ "$(printf %s "$T" | wc -c)" -eq {2 * VARIABLE} ]'
    await Program(("sh", "-c", check)).deliver("n", text.encode(), {"T": text})
