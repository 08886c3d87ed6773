"""Live events for many clients, about many jobs."""

import json
from collections import defaultdict
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import aiohttp

from solveyard.client.aio import AsyncClient
from watching import PATIENCE, Listener, listening

DOOR = "/socket.io/?EIO=4&transport=websocket"
CLIENTS = 500
ROOMS = 20  #: that each asks for, no two of them the same
JOBS = 5000
JOB = {"solver": "command", "options": {"argv": ["true"]}}

HANDSHAKE = {
    "Connection": "upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip
#: What a job's next event may be, where nobody wishes anything.
FOLLOWS = {
    "job.submitted": {"job.placed"},
    "job.placed": {"job.accepted", "job.recalled", "job.started", "job.ended"},
    "job.accepted": {"job.recalled", "job.started", "job.ended"},
    "job.recalled": {"job.placed"},
    "job.started": {"job.ended"},
    "job.ended": set(),
}


class Ear:
    """One client; it hears of its own rooms."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self.line = line

    async def hear(self, start: str) -> Any:
        """The first message that begins with `start`, without it."""
        while True:
            text = str(await self.line.receive_str(timeout=PATIENCE))
            if text.startswith(start):
                return json.loads(text.removeprefix(start))

    async def subscribe(self, rooms: list[str]) -> Any:
        wish = json.dumps(["subscribe", {"rooms": rooms, "after": 0}])
        await self.line.send_str(f"42/v1,1{wish}")
        [answer] = await self.hear("43/v1,1")
        return answer

    async def told(self) -> list[tuple[int, str]]:
        """The jobs and events of one message."""
        _, events = await self.hear("42/v1,")
        return [(event["job"], event["type"]) for event in events]


async def test_500_clients_are_told_of_their_10_000_rooms_and_no_more_are_let_in(
    service: Any,
) -> None:
    yard = service("--allow", "command").start()
    url = yard.told["url"]
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        client = await stack.enter_async_context(AsyncClient(yard.store))
        ears = []
        for _ in range(CLIENTS):
            line = await stack.enter_async_context(session.ws_connect(url + DOOR))
            await line.send_str("40/v1,")
            ears.append(Ear(line))
        for ear in ears:
            await ear.hear("40/v1,")
        for place in (DOOR, DOOR.replace("websocket", "polling")):
            async with session.get(url + place, headers=HANDSHAKE) as answer:
                assert answer.status == 503
                assert answer.headers["Retry-After"]
                assert "500 clients listen already" in (await answer.json())["error"]
        wishes = [
            [f"job:{1 + n + turn * CLIENTS}" for turn in range(ROOMS)] for n in range(CLIENTS)
        ]
        assert len({room for rooms in wishes for room in rooms}) == 10_000
        for ear, rooms in zip(ears, wishes, strict=True):
            assert (await ear.subscribe(rooms))["success"] is True
        refused = await ears[0].subscribe([f"job:{n}" for n in range(1, 1002)])
        assert refused["success"] is False
        assert "1001 names; it must have 1 to 1000" in refused["error"]
        await client.submit_many([{**JOB, "hold": True}] * CLIENTS)
        heard = [await ear.told() for ear in ears]
        await ears[0].line.close()
        async with listening(url) as one:  # there is a place again
            assert (await one.subscribe())["success"] is True
    assert heard == [[(number, "job.submitted")] for number in range(1, CLIENTS + 1)]


def ended(one: Listener) -> int:
    return sum(event["type"] == "job.ended" for event in one.events)


async def test_each_transition_of_5000_jobs_is_told_once_and_in_order(service: Any) -> None:
    yard = service("--cores", "4", "--allow", "command").start()
    async with (
        AsyncClient(yard.store) as client,
        listening(yard.told["url"], transports=["websocket"]) as one,
    ):
        assert (await one.subscribe())["success"] is True
        await client.submit_many([JOB] * JOBS)
        await one.until(lambda: ended(one) == JOBS)
        heard = one.events
    first = heard[0]["number"]
    assert [e["number"] for e in heard] == list(range(first, first + len(heard)))
    paths: dict[int, list[str]] = defaultdict(list)
    for event in heard:
        if "job" in event:
            paths[event["job"]].append(event["type"])
    assert len(paths) == JOBS
    for path in paths.values():
        assert path[0] == "job.submitted"
        assert path[-1] == "job.ended"
        for before, after in pairwise(path):
            assert after in FOLLOWS[before], path
