"""What is logged of requests, and what isn't, since anybody can send it."""

import asyncio
import logging

import pytest
from aiohttp import web

from solveyard.doors import encoding, guarded, refusing, wirelog

HEAD = b"POST /%s HTTP/1.1\r\nHost: x\r\n"


async def answered(content: bytes) -> bytes:
    """The first line of the answer of a server that closes after it."""

    async def handle(request: web.BaseRequest) -> web.Response:
        if request.path == "/fault":
            raise RuntimeError("ours")
        refusal = web.Response(status=401)
        refusal.force_close()
        return refusal

    server = web.Server(handle, logger=wirelog.log)
    opened = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*opened.sockets[0].getsockname())
    async with asyncio.timeout(30):
        writer.write(content)
        found = await reader.read()  # until it is closed
    writer.close()
    opened.close()
    await server.shutdown()
    return found.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "wrong",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"No header\r\n\r\n",
        b"Host: y\r\n\r\n",
    ],
)
async def test_what_a_sender_got_wrong_is_not_logged(
    wrong: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await answered(HEAD % b"x" + wrong)).split()[1] in {b"400", b"401"}
    assert caplog.records == []


@pytest.mark.parametrize("target", ["x", "socket.io/?EIO=4&transport=polling"])
async def test_a_sender_who_goes_in_the_middle_of_a_body_is_not_either(
    target: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        begun.set()
        try:
            if request.path == "/x":
                await encoding.body(request)
            return await guarded.Server().eio.handle_request(request)
        finally:
            ended.set()

    app = web.Application(middlewares=[refusing.refusals])
    app.router.add_post("/{any:.*}", handle)
    runner = web.AppRunner(app, logger=wirelog.log)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with asyncio.timeout(30):
        _, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(HEAD % target.encode() + b"Content-Length: 20\r\n\r\n{half of")
        await begun.wait()
        writer.close()
        await ended.wait()
    await runner.cleanup()
    assert caplog.records == []


async def test_a_fault_of_ours_is(caplog: pytest.LogCaptureFixture) -> None:
    wanted = HEAD % b"fault" + b"Connection: close\r\n\r\n"
    assert (await answered(wanted)).split()[1] == b"500"
    (record,) = (one for one in caplog.records if one.levelno >= logging.ERROR)
    assert (record.name, str(record.exc_info and record.exc_info[1])) == (wirelog.log.name, "ours")
