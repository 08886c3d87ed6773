"""A campaign: an array with criteria and measures, run by a real manager with real commands."""

import asyncio
import http.client
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from solveyard import Yard
from solveyard.client import find
from solveyard.client.aio import AsyncClient
from solveyard.manager.manager import Manager
from solveyard.model.errors import InvalidJob

SOLVE = """
echo "start {{index}}"
[ {{length}} = 3 ] && echo "step 1 diverged"
[ {{length}} = 4 ] && exit 3
printf '{"far": {"gain": [{{length}}.5]}}' > out_{{index}}.json
echo "residual 1e-{{length}}"
"""


@pytest.fixture
def store(tmp_path: Path, service) -> Path:
    """A store whose agent is ended after the test."""
    return service().store


def sweep(lengths: list[int], **more: object) -> dict[str, object]:
    return {
        "solver": "command",
        "name": "sweep",
        "options": {"argv": ["sh", "-c", SOLVE]},
        "array": {"grid": {"length": lengths}},
        "success": {
            "exit_codes": [0],
            "files": ["out_{{index}}.json"],
            "must_match": ["^residual "],
            "must_not_match": ["diverged"],
            "bounds": {"gain": {"max": 5}},
        },
        "measures": {
            "gain": {"from": "out_{{index}}.json", "json": "far.gain[0]"},
            "residual": {"pattern": r"residual (\S+)"},
        },
        **more,
    }


def test_each_task_is_judged_by_what_it_wrote(store):
    with Yard(store) as yard:
        [job] = yard.submit_many([sweep([1, 3, 4, 5])])
        record = job.wait(60)
        assert record.state == "failed"
        with yard.client() as client:
            tasks = [client.job(f"sweep[{index}]") for index in range(4)]
        assert [(task.state, task.reason, task.cause) for task in tasks] == [
            ("completed", "success", ""),
            ("failed", "criteria", "criteria.pattern"),
            ("failed", "exit_code", ""),
            ("failed", "criteria", "criteria.bound"),
        ]
        assert tasks[0].values == {"gain": 1.5, "residual": 0.1}
        assert tasks[1].message == "stdout matches 'diverged' in line 2: step 1 diverged"
        assert tasks[3].message == "gain is 5.5, above 5"


def test_a_result_of_an_earlier_run_is_no_result(store, tmp_path):
    (tmp_path / "made.json").write_text('{"gain": 1}')
    with Yard(store) as yard:
        job = yard.command(
            ["true"],
            directory=str(tmp_path),
            success={"files": ["made.json"]},
            measures={"gain": {"from": "made.json", "json": "gain"}},
        )
        record = job.wait(60)
        assert (record.state, record.reason, record.values) == ("failed", "no_output", {})
        assert "made.json is old" in record.message


def test_jobs_that_write_one_file_one_after_the_other_have_each_its_own_value(service, tmp_path):
    """However brief they are: the next begins when the file of the one before was read."""
    yard = service("--cores", "1").start()
    with Yard(yard.store) as attached:
        job = attached.sweep(
            ["sh", "-c", "echo {{n}} > out.txt"],
            n=list(range(80)),
            directory=str(tmp_path),
            measures={"value": {"from": "out.txt", "pattern": r"(\d+)"}},
        )
        job.wait(60)
        assert [one.record.values["value"] for one in job.tasks()] == list(range(80))


def test_other_exit_codes_may_be_success(store):
    with Yard(store) as yard:
        job = yard.command(["sh", "-c", "exit 3"], success={"exit_codes": [0, 3]})
        record = job.wait(60)
        assert (record.state, record.exit_code) == ("completed", 3)


def test_criteria_hold_for_another_solver(store):
    dipole = {"length": 0.5, "radius": 0.001, "segments": 21}
    options = {"dipole": dipole, "frequencies": {"start": 2e8, "stop": 4e8, "points": 21}}
    with Yard(store) as yard:
        job = yard.submit(
            "nec",
            options,
            measures={
                "match": {"from": "result.s1p", "touchstone": "S11 dB min"},
                "resonance": {"from": "result.s1p", "touchstone": "S11 dB argmin"},
            },
            success={"bounds": {"match": {"max": -60}}},
        )
        record = job.wait(60)
        if record.reason == "launch":
            pytest.skip("no NEC2 engine is here")
        assert (record.state, record.cause) == ("failed", "criteria.bound")
        assert 2.7e8 < record.values["resonance"] < 3.0e8  # a bit below half a wave at 300 MHz


def test_tasks_may_each_have_a_directory(store, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with Yard(store) as yard:
        [job] = yard.submit_many([
            {
                "solver": "command",
                "options": {"argv": ["sh", "-c", "pwd > here"]},
                "array": {"values": ["a", "b"]},
                "directory": str(tmp_path / "{{value}}"),
                "success": {"files": ["here"]},
            }
        ])  # fmt: skip
        assert job.wait(60).state == "completed"
        assert (tmp_path / "b" / "here").read_text() == f"{tmp_path / 'b'}\n"


def test_a_pattern_that_is_none_is_refused_at_the_door(store):
    with Yard(store) as yard, pytest.raises(InvalidJob, match=r"success.must_match\[0\].*RE2"):
        yard.command(["true"], success={"must_match": ["(a"]})


def test_a_table_of_results_has_a_row_for_each_task(store):
    with Yard(store) as yard:
        [job] = yard.submit_many([sweep([1, 3, 5])])
        job.wait(60)
        rows = job.results(frame=False)
        assert [(row["index"], row["length"], row["state"], row["gain"]) for row in rows] == [
            (0, 1, "completed", 1.5),
            (1, 3, "failed", 3.5),
            (2, 5, "failed", 5.5),
        ]
        assert list(rows[0]) == [
            "id", "index", "length", "state", "reason", "run_time", "gain", "residual",
        ]  # fmt: skip
        frame = job.results()
        assert list(frame.columns) == list(rows[0])
        assert frame["gain"].tolist() == [1.5, 3.5, 5.5]
        with yard.client() as client:
            assert [row["index"] for row in client.results("sweep[0,2]")] == [0, 2]
            [lines] = [b"".join(client.results_csv("sweep")).decode().split("\r\n")]
            assert lines[0] == ",".join(rows[0])
            assert len(lines) == 5
            failed = client.tasks("sweep", ["failed"])
            assert [task.task for task in failed] == [1, 2]
            assert [t.task for t in client.tasks("sweep", limit=1, offset=1)] == [1]
        assert [task.record.task for task in job.tasks(["completed"])] == [0]


def test_who_goes_through_all_tasks_has_each_looked_at_once(store, monkeypatch):
    looked_at, looks = [], Manager.state

    def state(manager, job_id):
        looked_at.append(job_id)
        return looks(manager, job_id)

    monkeypatch.setattr(Manager, "state", state)
    with Yard(store) as yard:
        job = yard.sweep(["true"], n=range(3500), hold=True)
        looked_at.clear()
        assert [task.record.task for task in job] == list(range(3500))
        assert len(looked_at) < 3500
        for index in (3, 3400, 3499):
            job[index].cancel()
        looked_at.clear()
        assert [task.record.task for task in job.tasks(["cancelled"])] == [3, 3400, 3499]
        assert len(looked_at) < 2 * 3500, "the last page, which is empty, needs no look"
        held = [task.record.task for task in job.tasks(["held"])]
        assert held == [task for task in range(3500) if task not in (3, 3400, 3499)]
        with yard.client() as client:
            some = client.tasks(f"{job.number}[2-4,3400]", ["cancelled"], limit=1, offset=1)
            assert [task.task for task in some] == [3400]
        for query, total in (("state=cancelled&", 3), ("", 3500), ("state=held,cancelled&", 3500)):
            where = f"/jobs/{job.number}/tasks?{query}limit=1&offset=1"
            assert answered(yard, where, {})[0].headers["X-Total-Count"] == str(total)
        job.cancel()


def test_without_pandas_results_are_a_list(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with Yard(store) as yard:
        job = yard.command(["echo", "x 5"], name="one", measures={"x": {"pattern": r"x (\d)"}})
        job.wait(60)
        [row] = job.results()
        assert (row["id"], row["state"], row["x"]) == ("one", "completed", 5)


def test_a_task_is_a_job_that_can_be_asked_and_retried_alone(store):
    with Yard(store) as yard:
        [job] = yard.submit_many([sweep([1, 3, 5])])
        job.wait(60)
        task = yard.job("sweep[1]")
        assert task.output().startswith("start 1\n")
        task.retry()
        assert task.wait(60).attempts[-1].number == 2
        assert [len(one.record.attempts) for one in job.tasks()] == [1, 2, 1]


async def test_tasks_and_results_come_to_who_awaits_them(store):
    with Yard(store) as yard:
        [job] = yard.submit_many([sweep([1, 3])])
        await asyncio.to_thread(job.wait, 60)
        async with AsyncClient(store) as client:
            assert [row["gain"] for row in await client.results("sweep")] == [1.5, 3.5]
            assert [task.task for task in await client.tasks("sweep", ["failed"])] == [1]


def ask(yard: Yard, target: str, **headers: str) -> tuple[int, str, bytes]:
    """Status, kind, body."""
    response, body = answered(yard, target, headers)
    return response.status, response.headers["Content-Type"], body


def answered(
    yard: Yard, target: str, headers: Mapping[str, str]
) -> tuple[http.client.HTTPResponse, bytes]:
    where = find.manager(yard.store)
    assert where is not None
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(30)
        wire.connect(where.socket)
        lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        wire.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        response = http.client.HTTPResponse(wire)
        response.begin()
        return response, response.read()


def test_the_form_of_the_table_is_asked_by_name_or_header(store):
    with Yard(store) as yard:
        yard.submit_many([sweep([1])])[0].wait(60)
        status, kind, _ = ask(yard, "/jobs/sweep/results", Accept="text/csv, */*")
        assert (status, kind) == (200, "text/csv; charset=utf-8")
        status, kind, body = ask(yard, "/jobs/sweep/results?format=json", Accept="text/csv")
        assert (status, kind) == (200, "application/json")
        assert json.loads(body)[0]["gain"] == 1.5
        for target in ("/jobs/sweep/results?format=xml", "/jobs/sweep/tasks?state=faild",
                       "/jobs/sweep/tasks?limit=0", "/jobs/sweep[9]/tasks"):  # fmt: skip
            status, _, body = ask(yard, target)
            assert status in {400, 404}
            assert json.loads(body)["error"]
        yard.command(["true"], name="alone").wait(60)
        status, _, body = ask(yard, "/jobs/alone/tasks")
        assert (status, "no array" in json.loads(body)["error"]) == (400, True)
