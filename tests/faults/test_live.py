"""REST and live events while agents and spawners are killed."""

import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from watching import Listener, listening
from web import Web


def job(folder: Path, number: int, chance: random.Random, **wishes: Any) -> dict[str, Any]:
    """Leaves its attempt's mark, takes a while, and ends with `number` mod 3."""
    script = f'echo "$SOLVEYARD_ATTEMPT" >> marks/{number}; sleep {chance.uniform(0, 0.1):.3f};'
    argv = ["sh", "-c", f"{script} exit {number % 3}"]
    options = {"argv": argv}
    return {"solver": "command", "name": f"job-{number}", "options": options,
            "directory": str(folder), **wishes}  # fmt: skip


def kill(pid: int | None) -> None:
    """Its successor may not be told yet."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("transport", ["websocket"])
async def test_the_documents_events_come_once_each_while_agent_and_spawners_are_killed(
    service: Any, tmp_path: Path, transport: str
) -> None:
    chance = random.Random(21)
    yard = service("--cores", "2", "--allow", "command").start()
    (tmp_path / "marks").mkdir()
    async with (
        aiohttp.ClientSession() as session,
        listening(yard.told["url"], "/", transports=[transport]) as one,
    ):
        web = Web(yard, session)
        for n in range(40):
            await web.ask("POST", "/jobs", job(tmp_path, n, chance), key=f"n-{n}")
            if n % 4 == 3:
                await web.ask("POST", f"/jobs/job-{n}/cancel")
            if n in {10, 30}:
                kill(yard.told["agent_pid"])
            if n == 20:
                kill(yard.told["spawner_pids"][0])
        await web.ended()
        await one.until(lambda: names(one).count("job_completed") >= 40)
        _, records = await web.ask("GET", "/jobs?all=1")
        whole = await web.events()
    started = {e["job"] for e in whole if e["type"] == "job.started"}
    started |= {e["job"] for e in whole if e["type"] == "job.ended" and "started_at" in e}
    for record in records:
        mine = [(name, told) for name, told in one.messages if told["job_id"] == record["id"]]
        begun = ["job_started"] if record["number"] in started else []
        assert [name for name, _ in mine] == ["job_queued", *begun, "job_completed"]
        assert mine[-1][1]["status"] == record["state"]


def names(one: Listener) -> list[str]:
    return [name for name, _ in one.messages]
