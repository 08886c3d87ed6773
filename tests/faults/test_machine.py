"""The machine itself fails: its disk fills up, it reboots, somebody sets its clock."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from solveyard.manager import clock as module
from solveyard.manager.clock import Clock
from solveyard.model.errors import StoreFull
from solveyard.model.jobs import JobSpec
from watching import listening
from web import Web


def job(script: str, **more) -> JobSpec:
    options = msgspec.json.encode({"argv": ["sh", "-c", script]})
    return JobSpec(solver="command", options=msgspec.Raw(options), directory="/", **more)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """2 MB; the service's store is on it."""
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    if os.getuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", folder],
        check=False, capture_output=True,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"a small tmpfs can't be mounted here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Leave not a byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def solveyard(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "solveyard.cli", "--store", str(store), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_a_full_disk_refuses_holds_ends_and_goes_on_by_itself(small_disk, service, until, tmp_path):
    yard = service("--cores", "2").start()
    gate = tmp_path / "gate"
    waiting = yard.client.submit(job(f"while [ ! -e {gate} ]; do sleep 0.05; done; exit 3"))
    until(lambda: yard.client.job(waiting.number).state == "running", "the job runs")
    filler = fill(small_disk)

    accepted = []
    with pytest.raises(StoreFull, match="space"):
        for _ in range(2000):
            accepted.append(yard.client.submit(job("true", hold=True)))
    gate.touch()
    until(lambda: not Path(f"/proc/{waiting_pid(yard, waiting)}").exists(), "the job's end")
    assert yard.client.job(waiting.number).state == "running"  # what is on disk, and no more
    with pytest.raises(StoreFull):
        yard.client.submit(job("true"))

    filler.unlink()
    until(lambda: yard.client.job(waiting.number).state == "failed", "the held end is written")
    assert yard.client.job(waiting.number).exit_code == 3
    until(lambda: not yard.client.status()["blocked"], "the store is written again")
    for record in accepted:
        yard.client.release(record.number)
    last = yard.client.submit(job("true"))
    assert yard.client.wait([*(r.number for r in accepted), last.number], 60)
    assert {r.state for r in yard.client.jobs(limit=None).jobs} == {"completed", "failed"}


async def test_a_full_disk_is_507_over_http_and_nothing_is_half_applied(
    small_disk, service, tmp_path
):
    yard = service("--cores", "2", "--allow", "command").start()

    def held(name):
        return {"solver": "command", "name": name, "hold": True, "options": {"argv": ["true"]}}

    async with (
        aiohttp.ClientSession() as session,
        listening(yard.told["url"]) as one,
        listening(yard.told["url"], "/") as documents,
    ):
        web = Web(yard, session)
        assert (await one.subscribe(after=0))["success"] is True
        names = ["first"]
        assert (await web.ask("POST", "/jobs", held("first")))[0] == 201
        filler = fill(small_disk)
        for n in range(2000):
            status, answer = await web.ask("POST", "/jobs", held(f"job-{n}"), key=f"job-{n}")
            if status == 507:
                break
            names.append(f"job-{n}")
        assert (status, answer["kind"]) == (507, "store_full")
        lot = [held(f"lot-{n}") for n in range(20)]
        assert (await web.ask("POST", "/jobs", lot, key="lot"))[0] == 507
        for wish, body in (("release", {}), ("priority", {"priority": 3}), ("cancel", {})):
            assert (await web.ask("POST", f"/jobs/first/{wish}", body))[0] == 507, wish
        _, records = await web.ask("GET", "/jobs?all=1")
        assert {r["id"]: (r["state"], r["priority"]) for r in records} == dict.fromkeys(
            names, ("held", 0)
        )
        filler.unlink()
        async with asyncio.timeout(60):
            while (await web.ask("POST", "/jobs", lot, key="lot"))[0] != 201:
                pass
        assert (await web.ask("POST", "/jobs/first/release"))[0] == 200
        await one.until(lambda: one.events and one.events[-1]["type"] == "job.ended")
        await documents.until(lambda: len(documents.messages) >= 3)
        whole = await web.events()
        heard = one.events
    assert heard == whole[: len(heard)]
    assert [e["number"] for e in heard] == list(range(1, len(heard) + 1))
    submitted = [e["spec"]["name"] for e in heard if e["type"] == "job.submitted"]
    assert submitted == names + [f"lot-{n}" for n in range(20)]
    assert Counter(e["type"] for e in heard)["job.released"] == 1
    told = [(name, content["job_id"]) for name, content in documents.messages]
    kinds = ("job_queued", "job_started", "job_completed")
    assert told == [(kind, "first") for kind in kinds]


def test_a_manager_without_room_for_its_agents_file_says_so_and_goes_on_by_itself(
    small_disk, service, until
):
    yard = service().start()
    assert yard.stop() == 0
    for file in (small_disk / "agent").glob("*.pyz"):  # as an upgrade does, which has another
        file.unlink()
    filler = fill(small_disk)
    os.truncate(filler, filler.stat().st_size - 120 * 1024)
    yard.start()
    waits = yard.client.submit(job("true"))
    trouble = f"the store's disk is full: free some space on {small_disk}"
    assert yard.client.status()["agent_trouble"].startswith(trouble)
    assert trouble in yard.client.job(waits.number).waiting
    doctor = solveyard(small_disk, "doctor")
    assert doctor.returncode == 1
    assert f"no job starts here: {trouble}" in doctor.stdout
    filler.unlink()
    assert yard.client.wait([waits.number], 60)
    assert yard.client.status()["agent_trouble"] == ""
    until(lambda: yard.told["spawner_pids"], "manager.json tells of them")


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize(
    "words", [("submit", "--", "true"), ("serve", "--port", "0"), ("token", "create", "ada")]
)
def test_a_command_that_a_full_disk_stops_names_the_disk(small_disk, service, words, used):
    if used:
        assert service().start().stop() == 0
    fill(small_disk)
    before = sorted(small_disk.glob(".*"))
    told = solveyard(small_disk, *words)
    full = f"error: the store's disk is full: free some space on {small_disk} (a manager that runs"
    assert full in told.stderr
    assert told.returncode == 4
    assert sorted(small_disk.glob(".*")) == before


def test_a_command_that_a_read_only_disk_stops_names_the_store_and_the_way_out(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for words in (("submit", "--", "true"), ("serve", "--port", "0"), ("token", "create", "ada")):
        told = solveyard(small_disk / "new", *words)
        assert told.returncode == 3
        assert told.stderr == (
            f"error: cannot use the store in {small_disk}/new: Read-only file system (check the"
            " folder's owner and permissions, or set SOLVEYARD_HOME to another)\n"
        )


def waiting_pid(yard, record) -> str:
    return yard.client.job(record.number).attempts[-1].native_id


def test_what_ran_when_the_machine_rebooted_is_lost_and_what_waited_goes_on(
    service, until, alive, marked
):
    yard = service("--cores", "1", environment={"SOLVEYARD_BOOT_ID": "first"}).start()
    ran = yard.client.submit(job("sleep 600", name="ran"))
    until(lambda: yard.client.job("ran").state == "running", "the job runs")
    waited = yard.client.submit(job("exit 5", name="waited"))
    everybody = [*yard.pids(), *marked(f"SOLVEYARD_ATTEMPT={ran.attempts[-1].id}")]
    for pid in everybody:
        os.kill(pid, signal.SIGKILL)
    yard.process.wait()
    until(lambda: not any(map(alive, everybody)), "everything is gone")

    yard.environment["SOLVEYARD_BOOT_ID"] = "second"
    yard.start()
    assert yard.client.wait([ran.number, waited.number], 60)
    lost = yard.client.job("ran")
    assert (lost.state, lost.reason) == ("failed", "lost")
    assert "reboot" in " ".join((lost.message, *lost.evidence))
    assert yard.client.job("waited").exit_code == 5
    assert len(lost.attempts) == 1


def test_the_managers_clock_follows_nobody_who_sets_the_calendars(monkeypatch):
    clock = Clock()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert before <= clock.now() < before + 60
    later = Clock()
    later.go_on(before)
    assert later.now() >= before
    assert later.ahead() > before - 60
    assert later.ago(60.0) < 60, "what was told before may be of a calendar that was ahead"


def test_the_managers_clock_leaps_where_the_calendars_is_set_forward(monkeypatch):
    calendar, elapsed, day, passed = time.time, module.elapsed, 86400.0, [0.0]
    monkeypatch.setattr(module, "elapsed", lambda: elapsed() + passed[0])
    clock = Clock()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: calendar() + day + passed[0])
    assert clock.now() < before + 60
    monkeypatch.setattr(time, "time", lambda: calendar() + passed[0])
    passed[0] += 15.0
    assert clock.now() < before + 60
    monkeypatch.setattr(time, "time", lambda: calendar() + day + passed[0])
    passed[0] += 15.0
    assert clock.now() < before + 90, "that was put right, and this isn't steady yet"
    passed[0] += 30.0
    before, after = before + 60.0, clock.now()
    assert before + day <= after < before + day + 60
    assert [leap.by for leap in clock.leaps] == [pytest.approx(day, abs=1.0)]
    assert before - 60 - 1 <= clock.ago(60.0) < before, "no day has passed since"
    assert clock.ahead() == 0.0
    monkeypatch.setattr(time, "time", lambda: calendar() + passed[0])
    assert clock.now() >= after
    assert len(clock.leaps) == 1
    assert clock.ahead() > day - 60


def test_ages_go_on_where_the_calendar_was_once_ahead_and_was_put_right(monkeypatch):
    calendar, elapsed, year, passed = time.time, module.elapsed, 365 * 86400.0, [0.0]
    monkeypatch.setattr(module, "elapsed", lambda: elapsed() + passed[0])
    clock = Clock()
    ended = clock.now()
    monkeypatch.setattr(time, "time", lambda: calendar() + year + passed[0])
    clock.now()
    passed[0] += 21.0
    assert clock.now() > ended + year
    ended_ahead = clock.now()
    monkeypatch.setattr(time, "time", lambda: calendar() + passed[0])
    for days in (29, 41):
        passed[0] = days * 86400.0
        ago = clock.ago(30 * 86400.0)
        assert (ended < ago, ended_ahead < ago) == (days > 30, days > 30)
