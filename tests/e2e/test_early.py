"""A manager that starts: looks are answered before its agent is there, changes wait for it."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from solveyard import serve
from solveyard.backends.local_agent import LocalAgent
from solveyard.doors import door
from solveyard.places import runtime_folder

URL = "http://solveyard"


async def _answering(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with session.get(f"{URL}/healthz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.01)


async def test_looks_are_answered_at_once_and_changes_once_the_agent_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    start, may_start = LocalAgent.start, asyncio.Event()
    monkeypatch.setattr(LocalAgent, "start", lambda agent: may_start.is_set() and start(agent))
    folder, over = tmp_path / "store", asyncio.Event()

    async def served() -> None:
        async with serve.opened(folder, serve.ServeOptions(on_stop="now")):
            await over.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(served())
        socket = aiohttp.UnixConnector(str(runtime_folder(folder) / "manager.sock"))
        async with aiohttp.ClientSession(connector=socket) as session:
            await _answering(session)
            async with session.get(f"{URL}/queue") as answer:
                assert answer.status == 200
            async with session.get(f"{URL}/readyz") as answer:
                assert answer.status == 503
                assert "agent" in (await answer.json())["error"]
            spec = {"solver": "command", "options": {"argv": ["true"]}}
            coming = tasks.create_task(session.post(f"{URL}/jobs/submit", json=spec))
            await asyncio.sleep(0.3)
            assert not coming.done()
            assert not (folder / "manager.json").exists()
            may_start.set()
            async with asyncio.timeout(20):
                submitted = await coming
            assert submitted.status == 201
            async with session.get(f"{URL}/readyz") as answer:
                assert answer.status == 200
        over.set()


async def test_the_library_of_live_events_is_imported_for_the_first_who_asks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(LocalAgent, "start", lambda agent: None)
    imported, load = [], door._live
    monkeypatch.setattr(door, "_live", lambda: imported.append(1) or load())
    folder, stop = tmp_path / "store", serve.Stop("now")

    async def served() -> None:
        options = serve.ServeOptions(network=serve.Network(port=0))
        async with serve.opened(folder, options, stop):
            pass

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(served())
        socket = aiohttp.UnixConnector(str(runtime_folder(folder) / "manager.sock"))
        async with aiohttp.ClientSession(connector=socket) as session, asyncio.timeout(20):
            await _answering(session)
            async with session.get(f"{URL}/queue") as answer:
                assert answer.status == 200
            assert imported == []
            for _ in range(2):
                where = f"{URL}/socket.io/?EIO=4&transport=polling"
                async with session.get(where) as answer:
                    assert answer.status == 200
            assert imported == [1]
        stop("now")


async def test_a_stop_that_was_asked_for_before_it_is_open_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(LocalAgent, "start", lambda agent: None)  # it never comes
    stop = serve.Stop("leave")
    stop("now")
    async with (
        asyncio.timeout(10),
        serve.opened(tmp_path / "store", serve.ServeOptions(), stop) as running,
    ):
        assert running.stopped.is_set()
