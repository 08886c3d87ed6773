"""Clients of live events that send what no client should; the others notice nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from solveyard.client.aio import AsyncClient
from solveyard.model.jobs import JobSpec
from watching import PATIENCE, Listener, listening, token

HELD = JobSpec(solver="command", options=msgspec.Raw(b'{"argv":["true"]}'), hold=True)
DOOR = "/socket.io/?EIO=4&transport="
MEMORY = 64  #: MiB that the manager may grow by
ENDED = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED,
         aiohttp.WSMsgType.ERROR}  # fmt: skip

#: What raises in the library, or has it wait for ever.
MALFORMED = (
    "", "x", "9", "0{}", "4", "4[]", "4{}", "4null", "43", "4[" + "[" * 100_000, "5", "2probe",
    "3" + "[" * 100_000, "b!", "bAAAA", "42", "42[]", "42{}", "42[{}]", '42["subscribe"', "42[[1]]",
    "42[null]", "427",
    '42["connect"]', '42/v1,["disconnect"]', "42" + "[" * 100_000, "42/v1," + "1" * 200 + '["a"]',
    "42/v1,²[]", "43/v1,1[]", "44/v1,{}", '451-["subscribe",{"_placeholder":true,"num":0}]',
    '45999999999-/v1,["subscribe"]', "46/v1,1-[]", "461-/v1,1[]", "47", "4²", '421-["a"]',
    b"", b"\x00" * 10,
)  # fmt: skip


class Raw:
    """A websocket that sends anything; it reads only where it is told to."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self.line = line

    async def send(self, what: str | bytes) -> bool:
        """Could it be sent?"""
        try:
            await (self.line.send_str if isinstance(what, str) else self.line.send_bytes)(what)
        except ConnectionError:
            return False
        return not self.line.closed

    async def hear(self) -> str:
        message = await self.line.receive(PATIENCE)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return str(message.data)

    async def ended(self) -> None:
        """Read whatever comes until the connection is gone."""
        async with asyncio.timeout(PATIENCE):
            while (await self.line.receive()).type not in ENDED:
                pass


def little(where: Any) -> socket.socket:
    """A socket that takes little before it is read."""
    made = socket.socket(where[0], where[1], where[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    return made


@asynccontextmanager
async def raw(url: str, **options: Any) -> AsyncIterator[Raw]:
    """One that is in `/v1`."""
    connector = aiohttp.TCPConnector(socket_factory=little)
    async with aiohttp.ClientSession(connector=connector) as session:
        line = await session.ws_connect(url + DOOR + "websocket", **options)
        one = Raw(line)
        assert (await one.hear()).startswith("0{")
        await one.send("40/v1,")
        assert (await one.hear()).startswith("40/v1,{")
        try:
            yield one
        finally:
            line._response.close()  # a deaf one says no goodbye


def memory(pid: int) -> int:
    """MiB that it holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) >> 10


@asynccontextmanager
async def bystander(yard: Any) -> AsyncIterator[Listener]:
    """Somebody else, who gets events and answers all the time, and no more than that happens."""
    before = memory(yard.told["pid"])
    async with AsyncClient(yard.store) as client, listening(yard.told["url"]) as one:
        assert (await one.subscribe())["success"] is True
        yield one
        held = await client.submit_many([{"solver": "command", "options": {"argv": ["true"]}}])
        await client.wait([job.id for job in held])
        await one.until(lambda: [e["type"] for e in one.events].count("job.ended") == 1)
        assert not one.gone.is_set()
    log = (yard.store.parent / "serve.log").read_text()
    assert "Traceback" not in log
    assert memory(yard.told["pid"]) < before + MEMORY


async def test_a_client_that_asks_and_never_reads_is_cut_off(service: Any) -> None:
    yard = service("--allow", "command").start()
    async with bystander(yard), raw(yard.told["url"]) as deaf:
        async with asyncio.timeout(PATIENCE):
            while await deaf.send('42/v1,1["subscribe",{"rooms":["%s"]}]' % ("é" * 600)):
                pass


async def test_what_makes_no_sense_ends_its_own_connection_alone(service: Any) -> None:
    yard = service("--allow", "command").start()
    async with bystander(yard):
        for what in MALFORMED:
            async with raw(yard.told["url"]) as one:
                await one.send(what)
                await one.ended()
        log = (yard.store.parent / "serve.log").read_text().splitlines()
        assert len(log) <= len(MALFORMED) + 5  # one line each, at most


async def parts() -> AsyncIterator[bytes]:
    """A body of no declared length that is too large."""
    for _ in range(20):
        yield b"4" * (64 << 10)


async def test_what_makes_no_sense_by_polling_is_refused(service: Any) -> None:
    yard = service("--allow", "command").start()
    place = yard.told["url"] + DOOR + "polling"
    handshake = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    async with bystander(yard), aiohttp.ClientSession() as session:

        async def status(method: str, more: str = "", **options: Any) -> int:
            async with session.request(method, place + more, **options) as answer:
                await answer.read()
                return answer.status

        for body in (
            b"\xff", b"", b"d=", b"d=4", b"\x1e" * 20, b"x", b"2", b"5", b"6", b"9", b"1\x1e\x1e",
            b"bAAAA", b"4" + b"[" * 10_000, b"43", b"3[",
        ):  # fmt: skip
            async with session.get(place) as answer:
                sid = "&sid=" + (await answer.text()).split('"')[3]
            assert await status("POST", sid, data=body) == 400, body
            assert await status("POST", sid, data=b"40/v1,") == 400, body
        for body in (b"42[]", b"42/v1,{}", b"1\x1e40/v1,\x1e42/v1,[{}]", b"40[\x1e40"):
            async with session.get(place) as answer:
                sid = "&sid=" + (await answer.text()).split('"')[3]
            await status("POST", sid, data=body)
            assert await status("GET", sid) == 400, body
        assert await status("POST", "&sid=nobody", data=parts()) == 413
        assert await status("POST", "", data=b"40") == 400
        assert await status("GET", "&j=1") == 400
        assert await status("GET", "&sid=nobody") == 400
        assert await status("PUT") == 405
        for wrong in ({"Upgrade": "websocket"}, {**handshake, "Connection": "xupgrade"}):
            place = place.replace("polling", "websocket")
            assert await status("GET", headers=wrong) == 400


async def test_a_polling_client_that_leaves_gets_its_last_answer_at_once(service: Any) -> None:
    yard = service().start()
    place = yard.told["url"] + DOOR + "polling"
    async with aiohttp.ClientSession() as session:

        async def left() -> tuple[int, str]:
            async with session.get(place) as answer:
                sid = "&sid=" + (await answer.text()).split('"')[3]
            async with asyncio.TaskGroup() as tasks:
                news = tasks.create_task(session.get(place + sid))
                async with session.get(yard.told["url"] + "/healthz") as answer:
                    await answer.read()
                async with session.post(place + sid, data=b"1") as answer:
                    assert answer.status == 200
            return news.result().status, await news.result().text()

        async with asyncio.timeout(PATIENCE):
            while await left() != (200, ""):
                pass  # it asked for news when it had left


async def test_a_poll_after_one_that_was_cut_is_refused(service: Any) -> None:
    """Some library repeated it silently, and what the cut answer held is gone."""
    yard = service().start()
    place = yard.told["url"] + DOOR + "polling"
    async with aiohttp.ClientSession() as session, aiohttp.ClientSession() as another:
        async with session.get(place) as answer:
            place += "&sid=" + (await answer.text()).split('"sid":"')[1].split('"')[0]
        assert (await session.post(place, data="40/v1,")).status == 200
        async with session.get(place) as answer:
            assert (await answer.text()).startswith("40/v1,{")
        assert (await session.post(place, data='42/v1,["subscribe",{"rooms":["all"]}]')).ok

        async def poll(by: aiohttp.ClientSession) -> int:
            """There is news for it."""
            await asyncio.to_thread(yard.client.submit, HELD)
            async with asyncio.timeout(PATIENCE), by.get(place) as answer:
                await answer.read()
                return answer.status

        assert await poll(session) == 200
        assert await poll(another) == 200, "it may change its connection while the last is there"
        await another.close()
        assert await poll(session) == 400


async def test_whose_token_is_revoked_loses_the_connection(service: Any) -> None:
    yard = service("--allow", "command").start()
    secret = await asyncio.to_thread(token, yard, "create", "deaf")
    headers = {"Authorization": f"Bearer {secret}"}
    async with bystander(yard), raw(yard.told["url"], headers=headers) as deaf:
        for _ in range(300):
            await deaf.send('42/v1,1["subscribe",{"rooms":["%s"]}]' % ("é" * 600))
        await asyncio.to_thread(token, yard, "revoke", "deaf")
        await deaf.ended()


async def test_two_arguments_where_there_is_one_are_answered(service: Any) -> None:
    yard = service("--allow", "command").start()
    async with bystander(yard), listening(yard.told["url"]) as one:
        answer = await one.sio.call("subscribe", ({}, {}), namespace="/v1")
        assert answer == {"success": False, "error": "`subscribe` takes one object, not 2"}
        answer = await one.sio.call("subscribe", {"rooms": ["job:\ud800"]}, namespace="/v1")
        assert answer["success"] is False
        assert (await one.subscribe(rooms=["x" * 9000]))["error"].endswith(" ...")
        assert (await one.subscribe())["success"] is True
