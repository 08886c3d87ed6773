"""What is accepted, and where there is no room for it."""

import asyncio
import errno
import logging
import socket

import pytest

from solveyard.doors import listener, ports
from solveyard.doors.listener import Listener


async def test_what_cannot_be_accepted_is_logged_once_and_then_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "_AGAIN", 0.0)
    loop, taken = asyncio.get_running_loop(), asyncio.Queue[socket.socket]()
    faults = [errno.EMFILE, errno.ECONNABORTED, errno.EMFILE, errno.ENFILE]
    accept = loop.sock_accept

    async def short(wire: socket.socket) -> tuple[socket.socket, object]:
        if faults:
            number = faults.pop()
            raise OSError(number, "no room")
        return await accept(wire)

    monkeypatch.setattr(loop, "sock_accept", short)
    (wire,) = ports.bind(("127.0.0.1",), 0)
    accepting = Listener(wire, taken.put_nowait)
    async with asyncio.timeout(30):
        _, writer = await asyncio.open_connection(*wire.getsockname())
        (await taken.get()).close()
    writer.close()
    await accepting.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_closed_one_leaves_its_port_free() -> None:
    (wire,) = ports.bind(("127.0.0.1",), 0)
    port = wire.getsockname()[1]
    await Listener(wire, lambda _: None).close()
    (again,) = ports.bind(("127.0.0.1",), port)
    again.close()
