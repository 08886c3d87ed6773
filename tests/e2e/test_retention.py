"""Ended jobs go where somebody says so, with their files, and nothing else does."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from e2e.asking import ask, bearer
from solveyard.client.sync import Client
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import Conflict, LogCompacted, UnknownJob
from solveyard.model.jobs import JobSpec
from solveyard.tokens import Tokens
from watching import listening


def prune(store: Path, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(store), "prune", *words, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_jobs_go_with_their_files_and_what_is_wanted_stays(
    service: Callable[..., Any], until: Callable[..., None]
) -> None:
    yard = service().start()
    with Client(yard.store) as client:
        names = [f"job-{n}" for n in range(6)]
        specs = [
            {"solver": "command", "name": name, "options": {"argv": ["echo", name]},
             "tags": ["keep"] if name == "job-0" else []}
            for name in names
        ]  # fmt: skip
        specs.append(
            {"solver": "command", "name": "sweep", "array": {"stop": 3},
             "options": {"argv": ["echo", "{{index}}"], "files": {"x": "{{index}}"}}}
        )  # fmt: skip
        lines = "\n".join(json.dumps(spec) for spec in specs)
        subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), "submit",
             "--from", "-"],
            input=lines, text=True, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        assert client.wait([*names, "sweep"], 60)
        folder = yard.store / "jobs" / str(client.job("sweep").number)
        assert len(list(folder.iterdir())) == 3
        told = prune(yard.store, "--keep", "1", "--files", "--dry-run")
        ends = [job["ended_at"] for job in told["jobs"]]
        assert ends == sorted(ends)
        assert "job-0" not in {job["id"] for job in told["jobs"]}
        assert told["count"] == 5
        assert len(client.jobs().jobs) == 7, "a dry run removes nothing"
        prune(yard.store, "--keep", "0", "--files", "--yes")
        until(lambda: [job.id for job in client.jobs().jobs] == ["job-0"], "the others go")
        until(lambda: not folder.exists(), "the array's folder goes")
        kept = [f"{client.job('job-0').number}.1.out"]
        output = yard.store / "output"
        until(lambda: [path.name for path in output.rglob("*.out")] == kept, "the outputs go")


def job(script: str, **wishes: Any) -> JobSpec:
    options = msgspec.Raw(msgspec.json.encode({"argv": ["sh", "-c", script]}))
    return JobSpec(solver="command", options=options, **wishes)


def gone(client: Client, number: int) -> bool:
    try:
        client.job(number)
    except UnknownJob:
        return True
    return False


def test_a_manager_that_is_killed_while_it_deletes_goes_on_and_takes_nothing_else(
    service: Callable[..., Any], until: Callable[..., None], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    first = service().start()
    with Client(first.store) as client:
        client.submit(job("mkdir $(seq 400)", name="large"))
        assert client.wait(["large"], 60)
        specs = [job("echo x > made", name=name) for name in ("kept", "alone", "newest")]
        client.submit_many([job("echo x > made", directory=str(mine)), *specs])
        assert client.wait([2, 3, 4, 5], 60)
        client.remove("alone")  # its files stay: nobody asked for them
    first.stop()
    large = first.store / "jobs" / "1"
    second = service(environment={
        "SOLVEYARD_RETENTION__KEEP_JOBS": "3", "SOLVEYARD_RETENTION__FILES": "true",
    }).start()  # fmt: skip
    until(lambda: gone(second.client, 1), "the record goes")
    second.kill()
    assert large.exists()
    third = service().start()  # no setting asks for anything now
    until(lambda: not large.exists(), "what was begun is finished")
    until(lambda: not list((third.store / "removing").iterdir()), "nothing is left to do")
    assert sorted(one.number for one in third.client.jobs().jobs) == [2, 3, 5]
    assert sorted(path.name for path in (third.store / "jobs").iterdir()) == ["3", "4", "5"]
    outputs = {path.name.partition(".")[0] for path in (third.store / "output").rglob("*.out")}
    assert outputs == {"2", "3", "4", "5"}
    assert (mine / "made").exists()


async def test_who_asks_for_events_that_are_gone_is_told_where_the_log_begins(
    service: Callable[..., Any], until: Callable[..., None]
) -> None:
    first = service().start()
    first.client.submit(job("true"))
    assert first.client.wait([1], 60)
    first.client.submit(job("true", hold=True))
    last = first.client.events()[-1]["number"]
    first.stop()
    yard = service(environment={"SOLVEYARD_RETENTION__MAX_AGE": "0"}).start()
    until(lambda: gone(yard.client, 1), "the ended job goes")
    until(lambda: yard.client.events()[0].get("job") == 2, "the log begins with the other one")
    url = yard.told["url"]
    kept = [event["number"] for event in yard.client.events()]
    assert kept == list(range(kept[0], kept[-1] + 1))
    assert 1 < kept[0] <= last < kept[-1]
    with pytest.raises(LogCompacted, match=f"number {kept[0]}") as refused:
        yard.client.events(after=0)
    assert refused.value.first == kept[0]
    answer = ask(url, "GET", f"/events?after={kept[0] - 2}")
    assert (answer.status, answer.json["kind"], answer.json["first"]) == (410, "compacted", kept[0])
    answer = ask(url, "GET", f"/events?after={kept[0] - 1}")
    assert answer.json[0]["number"] == int(answer.headers["x-first-number"]) == kept[0]
    assert ask(url, "GET", "/dashboard/changes?after=1").json["forgotten"] is True
    async with listening(url, transports=["websocket"]) as one:
        told = await one.subscribe(after=0)
        assert (told["success"], told["first"]) == (False, kept[0])
        assert (await one.subscribe(after=told["first"] - 1))["success"] is True
        await one.until(lambda: len(one.events) >= len(kept))
        assert [event["number"] for event in one.events][: len(kept)] == kept


def test_only_the_owner_may_have_many_jobs_removed(service: Callable[..., Any]) -> None:
    yard = service().start()
    yard.client.submit(job("true"))
    assert yard.client.wait([1], 60)
    guest = bearer(Tokens(yard.store).create("guest"))
    for dry_run in (True, False):
        wish = {"keep_jobs": 0, "dry_run": dry_run}
        answer = ask(yard.told["url"], "POST", "/retention", wish, guest)
        assert (answer.status, answer.json["kind"]) == (403, "forbidden")
    for wrong in ({"max_size": 1}, {"keep_jobs": -1}, {"max_age": "30d"}, {"older": 1}):
        assert ask(yard.told["url"], "POST", "/retention", wrong).status == 400
    assert not gone(yard.client, 1)


def test_a_folder_that_is_being_deleted_is_given_to_nobody(
    service: Callable[..., Any], until: Callable[..., None]
) -> None:
    yard = service().start()
    with Client(yard.store) as client:
        argv = {"argv": ["true"], "files": {"x": ""}}
        options = msgspec.Raw(msgspec.json.encode(argv))
        array = JobSpec(solver="command", options=options, array=ArraySpec(stop=400))
        number = client.submit(array).number
        assert client.wait([str(number)], 60)
        folder = yard.store / "jobs" / str(number)
        prune(yard.store, "--keep", "0", "--files", "--yes")
        until(lambda: gone(client, number), "the array goes")
        with pytest.raises(Conflict, match=f"in the folder of job {number}"):
            client.submit(job("true", directory=str(folder / "399")))
        until(lambda: not folder.exists(), "and then its folder")
