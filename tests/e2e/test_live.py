"""Live events as a browser or a script gets them: each once, in order, whatever happens between."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import socketio

from solveyard.client.aio import AsyncClient
from solveyard.model.jobs import JobSpec
from watching import PATIENCE, listening, token


def job(*argv: str, **wishes: Any) -> JobSpec:
    options = msgspec.Raw(msgspec.json.encode({"argv": argv or ("true",)}))
    return JobSpec(solver="command", options=options, **wishes)


async def test_300_jobs_are_told_once_and_in_order_across_reconnections(service: Any) -> None:
    yard = service("--cores", "2").start()
    url = yard.told["url"]
    chance = random.Random(5)
    heard: list[dict[str, Any]] = []
    async with AsyncClient(yard.store) as client:
        await client.submit_many([job("sleep", "0.01") for _ in range(300)])
        connections = 0
        while [event["type"] for event in heard].count("job.ended") < 300:
            async with listening(url, transports=["websocket"]) as one:
                connections += 1
                after = heard[-1]["number"] if heard else 0
                assert (await one.subscribe(after=after))["success"] is True
                enough = chance.randint(1, 30)
                done = [event["type"] for event in heard].count("job.ended")
                await one.until(
                    lambda one=one, enough=enough, done=done: (
                        len(one.events) >= enough
                        or done + [e["type"] for e in one.events].count("job.ended") == 300
                    )
                )
                heard += one.events
        stored = [event async for event in all_events(client)]
    assert connections > 3
    assert [event["number"] for event in heard] == list(range(1, len(heard) + 1))
    assert heard == stored[: len(heard)]


async def test_a_manager_that_was_killed_goes_on_telling_where_it_was(service: Any) -> None:
    yard = service("--cores", "2").start()
    heard: list[dict[str, Any]] = []
    async with AsyncClient(yard.store) as client:
        await client.submit_many([job("sleep", "0.05") for _ in range(40)])
    for _ in range(3):
        async with listening(yard.told["url"], transports=["websocket"]) as one:
            await one.subscribe(after=heard[-1]["number"] if heard else 0)
            await one.until(lambda one=one: len(one.events) >= 10)
            yard.kill()
            await one.gone.wait()
            heard += one.events
        yard.start()
    async with listening(yard.told["url"], transports=["websocket"]) as one:
        await one.subscribe(after=heard[-1]["number"])
        done = [event["type"] for event in heard].count("job.ended")
        await one.until(lambda: done + [e["type"] for e in one.events].count("job.ended") == 40)
        heard += one.events
    assert [event["number"] for event in heard] == list(range(1, len(heard) + 1))
    ends = [event["job"] for event in heard if event["type"] == "job.ended"]
    assert sorted(ends) == list(range(1, 41))


async def all_events(client: AsyncClient) -> AsyncIterator[dict[str, Any]]:
    after = 0
    while events := await client.events(after):
        for event in events:
            yield event
        after = events[-1]["number"]


async def test_a_room_tells_one_job_and_what_is_known_comes_in_one_message(service: Any) -> None:
    yard = service("--cores", "2").start()
    async with AsyncClient(yard.store) as client, listening(yard.told["url"]) as one:
        await client.submit_many([job(name=f"run-{n}") for n in range(50)])
        answer = await one.subscribe(rooms=["job:run-7"], after=0)
        assert answer["success"] is True
        await one.until(lambda: any(e["type"] == "job.ended" for e in one.events))
        number = (await client.job("run-7")).number
        assert {event["job"] for event in one.events} == {number}
        assert one.events[0]["type"] == "job.submitted"
        await client.wait([f"run-{n}" for n in range(50)])
        last = (await client.events(limit=10_000))[-1]["number"]
        before = len(one.messages)
        answer = await one.subscribe(after=0)
        assert (answer["last"], len(answer["store"])) == (last, 32)
        await one.until(lambda: one.events[-1]["number"] == last)
        assert len(one.messages) - before == 1  # all that is known goes in one


async def test_the_documents_events_come_by_themselves_and_no_others(service: Any) -> None:
    yard = service("--cores", "2").start()
    async with AsyncClient(yard.store) as client, listening(yard.told["url"], "/") as one:
        held = await client.submit(job(name="later", hold=True))
        await client.submit(job("sh", "-c", "exit 3", name="bad", priority=5))
        await client.submit(job("sleep", "60", name="long"))
        await one.until(lambda: sum(name == "job_started" for name, _ in one.messages) == 2)
        await client.cancel("long")
        await client.cancel(held.id)
        await one.until(lambda: sum(name == "job_completed" for name, _ in one.messages) == 3)
        await client.set_limits(max_concurrent=7, min_memory_gb=0)
        await one.until(lambda: one.messages[-1][0] == "limits_updated")
    told: dict[str, list[str]] = {}
    for name, content in one.messages[:-1]:
        told.setdefault(content["job_id"], []).append(name)
    assert told == {
        "bad": ["job_queued", "job_started", "job_completed"],
        "long": ["job_queued", "job_started", "job_completed"],
        "later": ["job_completed"],
    }
    by_name = {(name, content.get("job_id")): content for name, content in one.messages}
    assert by_name["job_queued", "bad"]["priority"] == 5
    assert set(by_name["job_queued", "bad"]) == {"job_id", "priority", "queue_position"}
    assert "memory_free_gb" in by_name["job_started", "bad"]["resources"]
    assert by_name["job_completed", "bad"]["status"] == "failed"
    assert by_name["job_completed", "bad"]["return_code"] == 3
    assert by_name["job_completed", "long"]["status"] == "cancelled"
    assert one.messages[-1][1] == {
        "old_limits": {"max_concurrent_jobs": None, "min_memory_gb": None},
        "new_limits": {
            "max_concurrent_jobs": 7,
            "max_cpu_percent": None,
            "min_memory_gb": 0.0,
            "min_disk_gb": None,
        },
    }


async def test_a_job_whose_priority_changes_while_it_waits_is_told_as_queued_again(
    service: Any,
) -> None:
    yard = service("--cores", "1").start()
    async with AsyncClient(yard.store) as client, listening(yard.told["url"], "/") as one:
        await client.submit(job("sleep", "60", name="long"))
        await one.until(lambda: one.messages and one.messages[-1][0] == "job_started")
        await client.submit(job(name="held", hold=True))
        await client.submit(job(name="next", priority=2))
        for name, priority in (("next", 2), ("next", 5), ("next", -1), ("held", 3), ("long", 4)):
            await client.set_priority(name, priority)
        await client.release("held")
        await client.cancel("next")
        await client.cancel("long")
        await client.wait(["held"])
        await one.until(lambda: sum(name == "job_completed" for name, _ in one.messages) == 3)
    told: dict[str, list[Any]] = {}
    for name, content in one.messages:
        detail = content.get("priority", content.get("status"))
        told.setdefault(content["job_id"], []).append((name, detail))
    assert told == {
        "long": [("job_queued", 0), ("job_started", None), ("job_completed", "cancelled")],
        "next": [("job_queued", p) for p in (2, 5, -1)] + [("job_completed", "cancelled")],
        "held": [("job_queued", 3), ("job_started", None), ("job_completed", "completed")],
    }


async def test_what_cannot_be_subscribed_is_answered_with_the_reason(service: Any) -> None:
    yard = service().start()
    async with listening(yard.told["url"]) as one:
        for wish in (
            {"after": -1},
            {"after": 10**6},
            {"after": "x"},
            {"rooms": []},
            {"rooms": ["jobs"]},
            {"rooms": ["job:nobody"]},
            {"rooms": "all"},
            {"aftr": 1},
        ):
            answer = await one.subscribe(**wish)
            assert answer["success"] is False, wish
            assert answer["error"]
        for wish in (7, [1], "all", [[[[]]]]):
            answer = await one.sio.call("subscribe", wish, namespace="/v1")
            assert answer["success"] is False
        assert (await one.subscribe())["success"] is True


async def test_a_revoked_token_ends_its_connections(service: Any) -> None:
    yard = service().start()
    secret = await asyncio.to_thread(token, yard, "create", "eyes")
    headers = {"Authorization": f"Bearer {secret}"}
    async with listening(yard.told["url"], headers=headers, transports=["websocket"]) as one:
        assert (await one.subscribe())["success"] is True
        await asyncio.to_thread(token, yard, "revoke", "eyes")
        async with asyncio.timeout(PATIENCE):
            await one.gone.wait()
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with listening(yard.told["url"], headers=headers):
            pass


async def test_a_stop_does_not_wait_for_who_listens(service: Any) -> None:
    yard = service().start()
    async with listening(yard.told["url"], transports=["websocket"]) as one:
        await one.subscribe(after=0)
        assert await asyncio.to_thread(yard.stop) == 0
        await one.gone.wait()
