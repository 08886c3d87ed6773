"""Who is told what when many listen to live events, and some of them have much to read."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from solveyard.doors import live
from solveyard.doors.live import BACKLOG, OURS, PASSED, Live
from solveyard.model.errors import LogCompacted
from solveyard.model.jobs import JobId
from solveyard.model.messages import JobHeld
from solveyard.store.base import Numbered

PATIENCE = 20.0  #: s


class Manager:
    """A log in memory; a test says when it may be read."""

    def __init__(self, events: int) -> None:
        self.first_event = 1
        self.store_uuid = "5" * 32
        self.log: list[Numbered] = []
        self.reads: list[int] = []
        self.readable = asyncio.Event()
        self.asked = asyncio.Event()
        self.following = self
        self._listeners: list[Callable[[Sequence[Numbered]], None]] = []
        self.happen(events)

    @property
    def last_event(self) -> int:
        return len(self.log)

    def subscribe(self, listener: Any) -> Callable[[], None]:
        if listener.__name__ == "_take":
            self._listeners.append(listener)
        return lambda: None

    def happen(self, events: int, job: int | None = None) -> None:
        """To one job, else to jobs 1 to 10 in turn."""
        last = self.last_event
        numbers = range(last + 1, last + events + 1)
        new = [Numbered(n, JobHeld(at=1.0, job=JobId(job or 1 + n % 10))) for n in numbers]
        self.log += new
        for listener in self._listeners:
            listener(new)

    async def events(self, after: int, limit: int) -> list[Numbered]:
        self.reads.append(after)
        self.asked.set()
        await self.readable.wait()
        if after < self.first_event - 1:
            raise LogCompacted("gone", first=self.first_event)
        return self.log[after : after + limit]

    def find(self, key: str) -> Any:
        return type("Found", (), {"id": JobId(int(key))})


class Telling:
    """Nobody listens to the documents' events."""

    def take(self, events: object) -> None: ...
    def pass_over(self, events: object) -> None: ...
    def told(self) -> list[Any]:
        return []


class Lines:
    """The clients' connections; keeps what went to each, and what was written for how many."""

    def __init__(self) -> None:
        self.heard: dict[str, list[Any]] = {}
        self.written: list[int] = []
        self.unread: dict[str, int] = {}
        self.news = asyncio.Event()

    def waiting(self, sid: str, namespace: str) -> int:
        return self.unread.get(sid, 0)

    async def emit(self, name: str, content: Any, to: str, namespace: str) -> None:
        await self.tell(namespace, name, json.dumps(content), [to])

    async def tell(
        self, namespace: str, name: str, content: str, sids: Iterable[str] | None = None
    ) -> None:
        assert namespace == OURS
        assert sids is not None
        to = list(sids)
        self.written.append(len(to))
        for sid in to:
            self.heard.setdefault(sid, []).append((name, json.loads(content)))
        self.news.set()

    def numbers(self, sid: str) -> list[int]:
        told = self.heard.get(sid, [])
        return [one["number"] for name, events in told if name == "events" for one in events]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self.news.clear()
                await self.news.wait()


class Stage:
    def __init__(self, events: int) -> None:
        self.manager = Manager(events)
        self.lines = Lines()
        live: Any = Live(self.manager, lambda caller: True, Telling())  # type: ignore[arg-type]
        live._sio = self.lines
        self.live = live

    async def subscribe(self, *sids: str, **wish: Any) -> None:
        for sid in sids:
            answer = await self.live._subscribe(sid, wish)
            assert answer["success"], answer


@asynccontextmanager
async def playing(events: int) -> AsyncIterator[Stage]:
    stage = Stage(events)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(stage.live.run())
        await asyncio.sleep(0)
        yield stage
        running.cancel()


async def test_who_waits_for_the_store_delays_nobody_who_has_read_all() -> None:
    async with playing(3000) as stage:
        await stage.subscribe("late", after=0)
        await stage.subscribe("listener")
        stage.manager.happen(1)
        await stage.lines.until(lambda: stage.lines.numbers("listener") == [3001])
        assert stage.manager.reads == [0]
        stage.manager.happen(1)
        await stage.lines.until(lambda: stage.lines.numbers("listener") == [3001, 3002])
        assert stage.lines.numbers("late") == []
        stage.manager.readable.set()
        await stage.lines.until(lambda: stage.lines.numbers("late") == [*range(1, 3003)])


async def test_those_at_one_place_share_what_is_read_and_written() -> None:
    many = [f"late-{n}" for n in range(50)]
    async with playing(2500) as stage:
        stage.manager.readable.set()
        await stage.subscribe(*many, after=0)
        await stage.subscribe("one-job", after=0, rooms=["job:7"])
        await stage.lines.until(lambda: len(stage.lines.numbers(many[-1])) == 2500)
        stage.manager.happen(10)
        await stage.lines.until(lambda: len(stage.lines.numbers(many[-1])) == 2510)
        await stage.lines.until(lambda: len(stage.lines.numbers("one-job")) == 251)
    assert [stage.lines.numbers(sid) for sid in many] == [[*range(1, 2511)]] * 50
    assert stage.lines.numbers("one-job") == [*range(6, 2511, 10)]
    assert sorted(stage.lines.written) == [1] * 4 + [50] * 4
    assert stage.manager.reads == [0, 1000, 2000]


async def test_who_comes_later_gets_what_was_read_for_another() -> None:
    async with playing(5000) as stage:
        stage.manager.readable.set()
        await stage.subscribe("first", after=0)
        await stage.lines.until(lambda: len(stage.lines.numbers("first")) == 2000)
        await stage.subscribe("second", after=0)
        await stage.lines.until(lambda: len(stage.lines.numbers("second")) == 5000)
    assert stage.lines.numbers("first") == stage.lines.numbers("second") == [*range(1, 5001)]
    assert stage.manager.reads == [0, 1000, 2000, 3000, 4000]


async def test_who_asks_anew_while_it_is_read_for_them_hears_the_new_alone() -> None:
    async with playing(2000) as stage:
        await stage.subscribe("one", after=0)
        await stage.manager.asked.wait()
        await stage.subscribe("one")
        stage.manager.readable.set()
        stage.manager.happen(1)
        await stage.lines.until(lambda: bool(stage.lines.numbers("one")))
    assert stage.lines.numbers("one") == [2001]


async def test_who_asks_for_one_job_waits_for_no_pause_while_nothing_of_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "PAUSE", 2 * PATIENCE)
    async with playing(10_000) as stage:
        stage.manager.log[-1] = Numbered(10_000, JobHeld(at=1.0, job=JobId(11)))
        stage.manager.readable.set()
        await stage.subscribe("one-job", after=0, rooms=["job:11"])
        await stage.lines.until(lambda: stage.lines.numbers("one-job") == [10_000])
    assert stage.manager.reads == [*range(0, 10_000, 1000)]


async def test_who_hears_nothing_of_a_job_is_told_now_and_then_how_far_the_log_was_read() -> None:
    async with playing(2 * PASSED + 10) as stage:
        stage.manager.readable.set()
        await stage.subscribe("one-job", after=0, rooms=["job:11"])
        await stage.subscribe("listener", rooms=["job:11"])
        await stage.lines.until(lambda: len(stage.lines.heard.get("one-job", [])) == 2)
        stage.manager.happen(1, job=11)
        await stage.lines.until(lambda: bool(stage.lines.numbers("one-job")))
    reached = [("reached", {"after": PASSED}), ("reached", {"after": 2 * PASSED})]
    assert stage.lines.heard["one-job"][:-1] == reached
    assert stage.lines.numbers("one-job") == [2 * PASSED + 11]
    assert [name for name, _ in stage.lines.heard["listener"]] == ["events"]


@pytest.mark.parametrize("after", [0, 2000])
async def test_who_does_not_read_gets_no_more_and_goes_on_where_it_was(after: int) -> None:
    async with playing(2000) as stage:
        stage.manager.readable.set()
        stage.lines.unread["deaf"] = BACKLOG
        await stage.subscribe("deaf", "other", after=after)
        stage.manager.happen(1)
        await stage.lines.until(lambda: stage.lines.numbers("other")[-1:] == [2001])
        assert "deaf" not in stage.lines.heard
        del stage.lines.unread["deaf"]
        await stage.lines.until(lambda: stage.lines.numbers("deaf")[-1:] == [2001])
    assert stage.lines.numbers("deaf") == [*range(after + 1, 2002)]


async def test_who_falls_behind_what_is_kept_is_told_where_the_log_begins() -> None:
    async with playing(3000) as stage:
        await stage.subscribe("late", after=0)
        stage.manager.first_event = 2501
        stage.manager.readable.set()
        await stage.lines.until(lambda: len(stage.lines.numbers("late")) == 500)
    assert stage.lines.heard["late"][0] == ("compacted", {"first": 2501})
    assert stage.lines.numbers("late") == [*range(2501, 3001)]
