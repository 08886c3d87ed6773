"""Who makes room for a service."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from solveyard import succession
from solveyard.store.lease import Lease, LeaseTaken


async def test_a_store_that_nobody_has_is_taken(tmp_path: Path) -> None:
    (await succession.lease(tmp_path, asyncio.Event())).release()


async def test_who_does_not_run_in_the_background_keeps_the_store(tmp_path: Path) -> None:
    lease = Lease.take(tmp_path, {"another": "detail"})
    with pytest.raises(LeaseTaken):
        await succession.lease(tmp_path, asyncio.Event())
    lease.release()


async def test_one_in_the_background_is_waited_for_until_it_goes(tmp_path: Path) -> None:
    held = Lease.take(tmp_path, succession.BACKGROUND)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(succession.lease(tmp_path, asyncio.Event()))
        await asyncio.sleep(0)
        assert not waiting.done()
        held.release()
    waiting.result().release()


async def test_who_is_told_to_stop_meanwhile_waits_no_longer(tmp_path: Path) -> None:
    held = Lease.take(tmp_path, succession.BACKGROUND)
    given_up = asyncio.Event()
    given_up.set()
    with pytest.raises(LeaseTaken):
        await succession.lease(tmp_path, given_up)
    held.release()


async def test_who_is_told_to_stop_while_the_one_in_the_background_does_not_answer_goes(
    tmp_path: Path,
) -> None:
    held = Lease.take(tmp_path, succession.BACKGROUND)
    given_up = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        given_up.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    told = {"url": url, "token": "t", "pid": os.getpid()}
    (tmp_path / "manager.json").write_text(json.dumps(told))
    async with asyncio.timeout(30):
        with pytest.raises(LeaseTaken):
            await succession.lease(tmp_path, given_up)
    server.close()
    held.release()
