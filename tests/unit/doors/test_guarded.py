"""What waits for a client of live events, and of which namespace it is."""

from typing import Any

import pytest

from solveyard.doors.guarded import Outbox, Server


class Line:
    """A connection whose client reads when a test says so."""

    closed = False

    def __init__(self) -> None:
        self.queue = Outbox()

    async def send(self, packet: Any) -> None:
        await self.queue.put(packet)


@pytest.fixture
def server() -> Server:
    return Server(namespaces=["/", "/v1"])


async def test_what_waits_of_one_namespace_delays_nothing_of_the_other(server: Server) -> None:
    line = server.eio.sockets["line"] = Line()
    documents = await server.manager.connect("line", "/")
    ours = await server.manager.connect("line", "/v1")
    for _ in range(10):
        await server.tell("/", "job_queued", '{"job_id":"a,/v1,"}')
    assert server.waiting(documents, "/") == 10
    assert server.waiting(ours, "/v1") == 0
    await server.tell("/v1", "events", "[]", [ours])
    assert server.waiting(ours, "/v1") == 1
    for _ in range(11):
        line.queue.get_nowait()
    assert server.waiting(documents, "/") == server.waiting(ours, "/v1") == 0
