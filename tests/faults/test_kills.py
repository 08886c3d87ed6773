"""Whoever is killed, whenever: no job is lost, none runs twice, none is told wrongly."""

import os
import random
import signal
import threading
from pathlib import Path

import msgspec

from solveyard.model.errors import ManagerUnavailable
from solveyard.model.jobs import JobSpec


def job(folder: Path, code: int, seconds: float) -> JobSpec:
    """A job that leaves its attempt's mark, takes a while, and ends with `code`."""
    script = (
        f'echo "$SOLVEYARD_ATTEMPT" >> marks/{code}-$SOLVEYARD_JOB; sleep {seconds}; exit {code}'
    )
    options = msgspec.json.encode({"argv": ["sh", "-c", script]})
    return JobSpec(solver="command", options=msgspec.Raw(options), directory=str(folder))


def submitted(service, folder: Path, count: int, seed: int) -> dict[int, int]:
    """Number to the exit code that the job will have."""
    (folder / "marks").mkdir()
    chance = random.Random(seed)
    codes = [chance.choice([0, 0, 0, 1, 7, 42]) for _ in range(count)]
    specs = [job(folder, code, chance.uniform(0.0, 0.12)) for code in codes]
    records = service.client.submit_many(specs)
    return {record.number: code for record, code in zip(records, codes, strict=True)}


def marks(folder: Path) -> list[str]:
    return [line for file in (folder / "marks").iterdir() for line in file.read_text().split()]


def all_ended(service) -> bool:
    try:
        counts = service.client.queue()
    except ManagerUnavailable:
        return False
    return not any(counts.get(s) for s in ("held", "queued", "submitted", "running"))


def test_killing_the_manager_and_the_supervisor_loses_nothing_and_repeats_nothing(
    service, tmp_path, until, marked
):
    yard = service("--cores", "2").start()
    expected = submitted(yard, tmp_path, 300, seed=1)
    chance = random.Random(2)
    agents = 0
    for kill in range(20):
        pause(chance.uniform(0.0, 0.5))
        if kill % 4 == 0 and (agent := yard.told.get("agent_pid")):
            os.kill(int(agent), signal.SIGKILL)
            agents += 1
        yard.kill()
        yard.start()
    assert agents == 5
    until(lambda: all_ended(yard), "all jobs end")
    records = {r.number: r for r in yard.client.jobs(limit=None).jobs}
    assert sorted(records) == sorted(expected)
    assert {n: r.exit_code for n, r in records.items()} == expected
    assert all(
        len(r.attempts) - sum(a.withdrawn for a in r.attempts) == 1 for r in records.values()
    )
    left = marks(tmp_path)
    ran = [a.id for r in records.values() for a in r.attempts if not a.withdrawn]
    assert sorted(left) == sorted(ran)
    assert marked("SOLVEYARD_ATTEMPT=" + ran[0].partition(".")[0]) == []


def test_killing_spawners_starts_nothing_twice_and_loses_only_what_they_ran(
    service, tmp_path, until, marked
):
    yard = service("--cores", "2").start()
    expected = submitted(yard, tmp_path, 200, seed=3)
    chance = random.Random(4)
    running_at_kill = 0
    for _ in range(5):
        pause(chance.uniform(0.2, 0.8))
        spawner = chance.choice(list(map(int, yard.told["spawner_pids"])))
        os.kill(spawner, signal.SIGKILL)
        running_at_kill += 2
        until(lambda gone=spawner: gone not in yard.told["spawner_pids"], "a new spawner", 5.0)
    until(lambda: all_ended(yard), "all jobs end")
    records = yard.client.jobs(limit=None).jobs
    lost = [r for r in records if r.reason == "lost"]
    assert len(lost) <= running_at_kill
    assert all(r.evidence or r.message for r in lost)
    for record in records:
        if record.reason != "lost":
            assert record.exit_code == expected[record.number]
    left = marks(tmp_path)
    assert len(left) == len(set(left))
    ran = {a.id for r in records for a in r.attempts if not a.withdrawn}
    assert set(left) <= ran
    assert ran - set(left) <= {a.id for r in lost for a in r.attempts}
    for record in lost:
        assert marked(f"SOLVEYARD_ATTEMPT={record.attempts[-1].id}") == []


def test_whoever_is_killed_is_back_within_seconds(service, until, alive):
    yard = service().start()
    agent, first, second = yard.pids()[1:4]
    for victim in (agent, first, second):
        os.kill(victim, signal.SIGKILL)
        until(
            lambda gone=victim: gone not in yard.pids() and all(map(alive, yard.pids())),
            "a living successor in manager.json",
            5.0,
        )


def pause(seconds: float) -> None:
    """A random moment is the point here: there's no event to wait for."""
    threading.Event().wait(seconds)
