"""Live events while managers, agents and spawners are killed and connections are cut.

What is told is held against marks that the jobs write themselves, a table of what may follow what,
the whole list of events, and the records.
"""

import asyncio
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from watching import Scissors, Watcher
from web import Web

ROUNDS = 5  #: in each the manager is killed
PATIENCE = 150.0  #: s for all of it
TASKS = 4  #: of each array

#: state -> event -> the state that follows; "": there is no such job yet.
TABLE = {
    "": {"job.submitted": "queued"},
    "held": {"job.released": "queued", "job.priority_changed": "held", "job.ended": "ended"},
    "queued": {
        "job.held": "held", "job.placed": "submitted", "job.priority_changed": "queued",
        "job.ended": "ended", "array.begun": "begun",
    },
    "submitted": {
        "job.accepted": "submitted", "job.started": "running", "job.recalled": "queued",
        "job.cancel_requested": "submitted", "job.priority_changed": "submitted",
        "job.stale": "submitted", "job.confirmed": "submitted", "job.requeued": "queued",
        "job.ended": "ended",
    },
    "running": {
        "job.cancel_requested": "running", "job.priority_changed": "running",
        "job.stale": "running", "job.confirmed": "running", "job.requeued": "queued",
        "job.ended": "ended",
    },
    "begun": {"job.ended": "ended"},
    "ended": {"job.retried": "queued"},
}  # fmt: skip
STATES = {"success": "completed", "cancelled": "cancelled"}  #: by reason; all others failed


def job(folder: Path, name: str, ending: str, chance: random.Random, **more: Any) -> dict[str, Any]:
    """Writes its attempt into `marks/NAME`, takes a while, and ends."""
    mark = f'echo "$SOLVEYARD_ATTEMPT" >> marks/{name}$SOLVEYARD_TASK'
    script = f"{mark}; sleep {chance.uniform(0, 0.2):.3f}; {ending}"
    options = {"argv": ["sh", "-c", script]}
    return {"solver": "command", "name": name, "options": options, "directory": str(folder), **more}


def batch(folder: Path, turn: int, chance: random.Random) -> list[dict[str, Any]]:
    """Nine jobs: plain ones, an array, one with a retry policy, and some that wait for others."""

    def one(name: str, ending: str, **more: Any) -> dict[str, Any]:
        return job(folder, f"{name}-{turn}", ending, chance, **more)

    return [
        *(one(f"plain{n}", f"exit {n}", priority=chance.randint(-2, 2)) for n in range(3)),
        one("held", "exit 0", hold=True),
        one("array", '[ "$SOLVEYARD_TASK" != 2 ]', array={"stop": TASKS}),
        one("again", '[ "$SOLVEYARD_TRY" -ge 2 ]', retry={"tries": 2, "delay": 0.1}),
        one("later", "exit 0", after=[{"job": f"plain1-{turn}", "on": "end"}]),
        one("never", "exit 0", after=[{"job": f"array-{turn}", "on": "success"}]),
        one("last", "exit 0", after=[{"job": f"again-{turn}", "on": "end"}]),
    ]


async def wishes(web: Web, turn: int, specs: list[Any], chance: random.Random) -> None:
    """Submits them together, and changes some; whatever is asked is asked until it is answered."""
    status, answer = await web.ask("POST", "/jobs", specs, key=f"batch-{turn}")
    assert status in {200, 201}, answer
    plain = [f"plain{n}-{turn}" for n in range(3)] + [f"held-{turn}"]
    for n in range(8):
        what = chance.choice(["cancel", "hold", "release", "retry", "priority"])
        body = {"priority": chance.randint(-9, 9)} if what == "priority" else None
        target = f"/jobs/{chance.choice(plain)}/{what}"
        status, answer = await web.ask("POST", target, body, key=f"{turn}-{n}")
        assert status in {200, 409}, answer
    for name in plain:
        await web.ask("POST", f"/jobs/{name}/release")


def paths(events: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each job's and task's own events, by the name of its mark."""
    names: dict[int, str] = {}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["type"] == "job.submitted":
            names[event["job"]] = event["spec"]["name"]
        if "job" in event:
            found[names[event["job"]] + str(event.get("task", ""))].append(event)
    yield from found.items()


def follow(name: str, path: list[dict[str, Any]]) -> None:
    """Each event may follow the one before, and the last one is an end."""
    state = "queued" if "task" in path[0] else ""
    for event in path:
        if event["type"] != "job.evidence_added":  # of an old attempt, whatever the state
            assert event["type"] in TABLE[state], (name, state, event)
            held = event["type"] == "job.submitted" and event["spec"].get("hold")
            state = "held" if held else TABLE[state][event["type"]]
    assert state == "ended", name


def starts(path: list[dict[str, Any]]) -> tuple[list[str], set[str]]:
    """The attempts that may have started, in order, and those that did for certain."""
    may: list[str] = []
    did: set[str] = set()
    for event in path:
        if event["type"] == "job.placed":
            may.append(event["attempt"])
        elif event["type"] == "job.recalled":
            may.pop()
        elif event.get("outcome", {}).get("reason") in {"success", "exit_code"}:
            did.add(may[-1])
    return may, did


def check_marks(folder: Path, name: str, path: list[dict[str, Any]]) -> None:
    """What the job itself wrote is what was told: each attempt started once, in that order."""
    mark = folder / "marks" / name
    wrote = mark.read_text().split() if mark.exists() else []
    may, did = starts(path)
    assert len(set(may)) == len(may), name
    assert wrote == [attempt for attempt in may if attempt in wrote], (name, wrote, may)
    assert did <= set(wrote), (name, wrote, did)


def check_ends(path: list[dict[str, Any]], code: int) -> None:
    """A command that ended by itself is told with its own exit code."""
    for event in path:
        if event.get("outcome", {}).get("reason") in {"success", "exit_code"}:
            assert event["outcome"].get("exit_code", 0) == code, event


def check_order(by_name: dict[str, list[dict[str, Any]]], turn: int) -> None:
    """Nobody started before whom it waits for had ended; a wish for success is no other's."""
    for waiting, before in (("later", "plain1"), ("last", "again")):
        placed = [e for e in by_name[f"{waiting}-{turn}"] if e["type"] == "job.placed"]
        ends = [e for e in by_name[f"{before}-{turn}"] if e["type"] == "job.ended"]
        assert all(ends[0]["number"] < e["number"] for e in placed)
    never = by_name[f"never-{turn}"]
    assert [e["type"] for e in never] == ["job.submitted", "job.ended"]
    assert never[-1]["outcome"]["reason"] == "dependency"


def kill(pid: int | None) -> None:
    """Its successor may not be told yet."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def killings(
    web: Web, folder: Path, chance: random.Random, watchers: Iterable[Watcher]
) -> int:
    """Submits and kills while all watch; how often there was work left when the manager died."""
    yard, busy = web.yard, 0
    for turn in range(ROUNDS):
        specs = batch(folder, turn, chance)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wishes(web, turn, specs, random.Random(chance.random())))
            for watcher in watchers:
                await watcher.watching.wait()
            await asyncio.sleep(chance.uniform(0, 0.4))  # a random moment is the point
            if turn == 1:
                kill(yard.told["agent_pid"])
            if turn in {2, 4}:
                kill(chance.choice(yard.told["spawner_pids"]))
            await asyncio.to_thread(yard.kill)
            await asyncio.to_thread(yard.start)
            busy += await web.unfinished() > 0
    await web.ended()
    return busy


@pytest.mark.parametrize("seed", [11])
async def test_each_transition_is_seen_once_and_in_order_whoever_is_killed(
    service: Callable[..., Any], tmp_path: Path, seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    (tmp_path / "marks").mkdir()
    yard = service("--cores", "2", "--allow", "command").start()
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession() as session,
        Scissors(lambda: web.url, random.Random(seed)) as scissors,
    ):
        web = Web(yard, session)
        first = batch(tmp_path, 99, chance)
        assert (await web.ask("POST", "/jobs", first, key="first"))[0] == 201
        await web.ask("POST", "/jobs/held-99/release")
        watchers = [
            Watcher(lambda: web.url, "websocket"),
            Watcher(lambda: web.url, "polling"),
            Watcher(lambda: scissors.url, "websocket"),
            Watcher(lambda: scissors.url, "polling"),
            Watcher(lambda: scissors.url, "websocket", ("job:again-99", "job:array-99")),
        ]
        async with asyncio.TaskGroup() as tasks:
            for watcher in watchers:
                tasks.create_task(watcher.run())
            busy = await killings(web, tmp_path, chance, watchers[:2])
            whole = await web.events()
            scissors.idle = True
            rooms = {e["job"] for e in whole if room(e)}
            told = [whole] * 4 + [[e for e in whole if e.get("job") in rooms]]
            for watcher, events in zip(watchers, told, strict=True):
                watcher.finish(events[-1]["number"])
        _, records = await web.ask("GET", "/jobs?all=1")
    assert busy == ROUNDS
    assert scissors.cuts >= 5
    assert [e["number"] for e in whole] == list(range(1, len(whole) + 1))
    for watcher, events in zip(watchers, told, strict=True):
        assert watcher.heard[: len(events)] == events
        more = [e["number"] for e in watcher.heard[len(events) :]]
        assert more == list(range(len(whole) + 1, len(whole) + 1 + len(more)))
        assert watcher.refusals == []
    assert all(watcher.connections > ROUNDS for watcher in watchers[:2])
    check(tmp_path, whole, records)


def room(event: dict[str, Any]) -> bool:
    submitted = event["type"] == "job.submitted"
    return submitted and event["spec"]["name"] in {"again-99", "array-99"}


def check(folder: Path, whole: list[dict[str, Any]], records: list[dict[str, Any]]) -> None:
    """Events, marks and records say the same."""
    by_name = dict(paths(whole))
    for name, path in by_name.items():
        follow(name, path)
        if not name.startswith("array") or "task" in path[0]:
            check_marks(folder, name, path)
        if name.startswith("plain"):
            check_ends(path, int(name[5]))
    for turn in (*range(ROUNDS), 99):
        check_order(by_name, turn)
    ends = {e["job"]: e["outcome"]["reason"] for e in whole
            if e["type"] == "job.ended" and "task" not in e}  # fmt: skip
    assert {r["number"]: r["reason"] for r in records} == ends
    assert all(r["state"] == STATES.get(r["reason"], "failed") for r in records)
    assert len(records) == 9 * (ROUNDS + 1)
    for record in records:
        if record["tasks"]:
            tasks = [by_name[f"{record['name']}{n}"][-1] for n in range(TASKS)]
            states = Counter(STATES.get(e["outcome"]["reason"], "failed") for e in tasks)
            assert {s: n for s, n in record["tasks"].items() if n} == {"total": TASKS, **states}
