"""What the PyEDB job manager's documents say in words, on a service started their way.

The service is `python -m pyedb.workflows.job_manager.service` in a process of its own, with a
stand-in for ansysedt; what is judged is what it answers and what its jobs leave.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Desk
from conftest import alive, until
from e2e.asking import Answer, ask
from solveyard.pyedb.job_submission import HFSSSimulationConfig
from standin import install
from watching import listening

OPEN = {"max_concurrent_jobs": 8, "max_cpu_percent": 100, "min_memory_gb": 0, "min_disk_gb": 0}


class Running:
    """A service, and what a client of it does."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.older = install(desk.folder / "ansys_inc", "v251")
        for edt in (self.older, desk.edt):  # each notes which of them ran
            noting = edt.read_text().replace("exec", 'echo "$0" > "$2.program"\nexec')
            edt.write_text(noting)
        desk.environment["ANSYSEM_ROOT251"] = str(self.older.parent)
        desk.environment["PYEDB_JOB_MANAGER_PORT"] = str(desk.port)
        self.process = desk.start(["python", "-m", "pyedb.workflows.job_manager.service"])
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "aiohttp server on" in line:
                break
        self.url = f"http://localhost:{desk.port}"
        self.count = 0

    def ask(self, method: str, target: str, body: Any = None) -> Answer:
        return ask(self.url, method, target, body)

    def get(self, target: str) -> Any:
        answer = self.ask("GET", target)
        assert answer.status == 200, answer.body
        return answer.json

    def config(self, scenario: str = "success", **fields: Any) -> dict[str, Any]:
        """Of a project and a jobid that nobody else has."""
        self.count += 1
        place = self.desk.project(f"board{self.count}.aedt", scenario)
        return {"project_path": str(place), "jobid": f"job{self.count}", **fields}

    def submit(self, config: dict[str, Any], priority: int = 0) -> str:
        answer = self.ask("POST", "/jobs/submit", {"config": config, "priority": priority})
        assert answer.status == 200, answer.body
        return str(answer.json["job_id"])

    def ended(self, job: str) -> Any:
        return self.get(f"/jobs/{job}/wait?timeout=60")

    def log(self, config: dict[str, Any]) -> str:
        project = Path(config["project_path"])
        return Path(f"{project}.batchinfo", f"{project.stem}-{config['jobid']}.log").read_text()

    def runs(self, job: str) -> Callable[[], bool]:
        return (self.desk.folder / f"{job}.pids").exists


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    desk = Desk(tmp_path_factory.mktemp("promises"))
    running = Running(desk)
    yield running
    desk.leave()


@pytest.fixture
def running(one: Running) -> Running:
    """With nothing to do, and open gates."""
    for job in one.get("/jobs?state=running,queued&limit=100"):
        one.ask("POST", f"/jobs/{job['id']}/cancel")
        one.ended(job["id"])
    assert one.ask("PUT", "/pool/limits", OPEN).status == 200
    return one


# Routes


def test_the_dashboard_is_at_the_root(running: Running) -> None:
    answer = running.ask("GET", "/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert b"<script" in answer.body
    assert not (running.desk.folder / "static").exists()


def test_a_submission_is_answered_with_the_keys_of_both_documents(running: Running) -> None:
    config = running.config()
    answer = running.ask("POST", "/jobs/submit", {"config": config, "priority": 7})
    assert answer.status == 200
    told = answer.json
    assert (told["success"], told["job_id"], told["status"]) == (True, config["jobid"], "queued")
    assert told["message"]
    assert running.ended(config["jobid"])["priority"] == 7


def test_the_jobs_are_an_array_with_all_that_is_known_in_pages(running: Running) -> None:
    given = running.config()
    jobs = [running.submit(given, 1)]
    jobs += [running.submit(running.config(), priority) for priority in (2, 3)]
    for job in jobs:
        running.ended(job)
    newest = running.ask("GET", "/jobs?limit=2")
    assert [(job["id"], job["priority"]) for job in newest.json] == [(jobs[2], 3), (jobs[1], 2)]
    older = running.get("/jobs?limit=2&offset=2")
    assert older[0]["id"] == jobs[0]
    assert {
        "id", "status", "priority", "owner", "submitted_at", "start_time", "end_time",
        "return_code", "reason", "message", "scheduler_job_id", "solver", "tags",
    } <= set(older[0])  # fmt: skip
    config = older[0]["config"]
    assert config.items() >= given.items()
    assert HFSSSimulationConfig.from_dict(config).to_dict().items() >= config.items()


def test_a_queued_and_a_running_job_are_cancelled_and_asking_twice_is_the_same(
    running: Running,
) -> None:
    running.ask("PUT", "/pool/limits", {"max_concurrent_jobs": 1})
    busy = running.submit(running.config("slow"))
    until(running.runs(busy), "the engines run")
    pids = [int(pid) for pid in (running.desk.folder / f"{busy}.pids").read_text().split()]
    waiting = running.submit(running.config())
    for job in (waiting, busy):
        for _ in range(2):
            answer = running.ask("POST", f"/jobs/{job}/cancel")
            assert (answer.status, answer.json["success"]) == (200, True)
        assert running.ended(job)["status"] == "cancelled"
        again = running.ask("POST", f"/jobs/{job}/cancel")
        assert (again.status, again.json["success"]) == (200, True)
    assert not any(alive(pid) for pid in pids)
    assert running.ask("POST", "/jobs/nobody/cancel").status == 404


def test_a_changed_priority_changes_the_turn_and_runs_nothing_twice(running: Running) -> None:
    running.ask("PUT", "/pool/limits", {"max_concurrent_jobs": 1})
    busy = running.submit(running.config("slow"))
    until(running.runs(busy), "the engines run")
    jobs = [running.submit(running.config()) for _ in range(3)]
    for job, priority in ((jobs[2], 5), (jobs[0], -5), (busy, 9)):
        answer = running.ask("POST", f"/jobs/{job}/priority", {"priority": priority})
        assert (answer.status, answer.json["success"]) == (200, True)
    wrong = running.ask("POST", f"/jobs/{jobs[1]}/priority", {"priority": "high"})
    assert (wrong.status, wrong.json["success"]) == (400, False)
    running.ask("POST", f"/jobs/{busy}/cancel")
    ends = {job: running.ended(job) for job in jobs}
    assert sorted(jobs, key=lambda job: ends[job]["start_time"]) == [jobs[2], jobs[1], jobs[0]]
    late = running.ask("POST", f"/jobs/{jobs[1]}/priority", {"priority": 8})
    assert (late.status, late.json["success"]) == (409, False)
    assert len(running.get(f"/jobs/{jobs[1]}/attempts")) == 1


def test_the_queue_tells_how_many_wait_and_run(running: Running) -> None:
    running.ask("PUT", "/pool/limits", {"max_concurrent_jobs": 1})
    busy = running.submit(running.config("slow"))
    until(running.runs(busy), "the engines run")
    for priority in (0, 5, 5):
        running.submit(running.config(), priority)
    told = running.get("/queue")
    assert (told["total_queued"], told["running_jobs"], told["max_concurrent"]) == (3, 1, 1)
    assert (told["regular_queue_size"], told["priority_queues"]) == (1, {"5": 2})


def test_the_telemetry_has_the_documents_keys(running: Running) -> None:
    def sampled() -> bool:
        return running.get("/resources")["memory_total_gb"] is not None

    until(sampled, "a sample")
    told = running.get("/resources")
    assert 0 <= told["cpu_percent"] <= 100
    assert 0 < told["memory_free_gb"] <= told["memory_total_gb"]
    assert told["disk_free_gb"] > 0
    assert 0 <= told["disk_usage_percent"] <= 100


def test_the_limits_are_edited_whole_or_not_at_all(running: Running) -> None:
    answer = running.ask("PUT", "/pool/limits", {"max_concurrent_jobs": 4})
    assert answer.status == 200
    assert answer.json["limits"]["max_concurrent_jobs"] == 4
    wrong = running.ask("PUT", "/pool/limits", {"max_concurrent_jobs": 5, "min_memory_gb": -1})
    assert (wrong.status, wrong.json["success"]) == (400, False)
    assert running.get("/queue")["max_concurrent"] == 4


def test_the_status_tells_of_scheduler_resources_and_limits(running: Running) -> None:
    told = running.get("/system/status")
    assert told["scheduler_detection"]["active_scheduler"] == "none"
    assert "memory_free_gb" in told["resource_monitoring"]
    assert told["limits"]["max_concurrent_jobs"] == OPEN["max_concurrent_jobs"]


def test_every_route_answers_in_json_and_is_described(running: Running) -> None:
    routes = {
        "/jobs", "/resources", "/queue", "/scheduler/partitions", "/system/status",
    }  # fmt: skip
    for route in routes:
        answer = running.ask("GET", route)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("application/json")
    described = running.get("/openapi.json")["paths"]
    posted = {"/jobs/submit", "/jobs/{id}/cancel", "/jobs/{id}/priority"}
    found = {re.sub(r"\{\w+\}", "{id}", path): set(methods) for path, methods in described.items()}
    assert all("get" in found[route] for route in routes)
    assert all("post" in found[route] for route in posted)
    assert "put" in found["/pool/limits"]
    assert running.get("/scheduler/partitions") == []


# Errors


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        pytest.param({"jobid": "a b"}, 400, "jobid", id="a wrong field"),
        pytest.param({"solvr": "x"}, 400, "solver", id="an unknown field"),
        pytest.param({"project_path": "/no/such.aedt"}, 400, "/no/such.aedt", id="no project"),
        pytest.param({"ansys_edt_path": "/no/edt"}, 400, "/no/edt", id="no executable"),
        pytest.param({"ansys_edt_path": "/bin/true"}, 403, "/bin/true", id="another program"),
        pytest.param({"scheduler_type": "slurm"}, 502, "slurm", id="no batch system"),
        pytest.param({"scheduler_type": "pbs"}, 502, "pbs", id="no other one either"),
    ],
)
def test_a_refusal_has_the_documented_status_and_body(
    running: Running, fields: dict[str, Any], status: int, words: str
) -> None:
    config = running.config() | fields
    answer = running.ask("POST", "/jobs/submit", {"config": config, "priority": 0})
    assert (answer.status, answer.json["success"]) == (status, False)
    assert words in answer.json["error"]
    assert running.ask("GET", f"/jobs/{config['jobid'].replace(' ', '%20')}").status == 404


def test_a_wait_that_takes_too_long_is_504(running: Running) -> None:
    busy = running.submit(running.config("slow"))
    answer = running.ask("GET", f"/jobs/{busy}/wait?timeout=0.05")
    assert (answer.status, answer.json["success"]) == (504, False)


# Events


async def test_every_transition_is_told_by_the_documented_events(running: Running) -> None:
    async with listening(running.url, "/") as ear:
        good = running.submit(running.config(), 5)
        bad = running.submit(running.config("fail"))
        slow = running.submit(running.config("slow"))
        await ear.until(lambda: {"job_started"} <= names(ear, slow))
        running.ask("PUT", "/pool/limits", {"max_concurrent_jobs": 1})
        waiting = running.submit(running.config())
        running.ask("POST", f"/jobs/{waiting}/priority", {"priority": 3})
        running.ask("POST", f"/jobs/{waiting}/cancel")
        running.ask("POST", f"/jobs/{slow}/cancel")
        for job in (good, bad, slow, waiting):
            await ear.until(lambda job=job: "job_completed" in names(ear, job))
        await ear.until(lambda: any(name == "limits_updated" for name, _ in ear.messages))
    told = {
        job: [
            (name, content.get("priority", content.get("status")))
            for name, content in ear.messages
            if content.get("job_id") == job
        ]
        for job in (good, bad, slow, waiting)
    }
    assert told == {
        good: [("job_queued", 5), ("job_started", None), ("job_completed", "completed")],
        bad: [("job_queued", 0), ("job_started", None), ("job_completed", "failed")],
        slow: [("job_queued", 0), ("job_started", None), ("job_completed", "cancelled")],
        waiting: [("job_queued", 0), ("job_queued", 3), ("job_completed", "cancelled")],
    }
    contents = dict(ear.messages)
    assert {"queue_position"} <= set(contents["job_queued"])
    assert {"start_time", "resources"} <= set(contents["job_started"])
    assert {"end_time", "return_code"} <= set(contents["job_completed"])
    assert contents["limits_updated"]["new_limits"]["max_concurrent_jobs"] == 1


def names(ear: Any, job: str) -> set[str]:
    return {name for name, content in ear.messages if content.get("job_id") == job}


# Limits, and the note on jobs that stay queued


@pytest.mark.parametrize(
    "tight",
    [{"max_cpu_percent": 5}, {"min_memory_gb": 900_000}, {"min_disk_gb": 900_000}],
    ids=["cpu", "memory", "disk"],
)
def test_a_limit_that_is_too_tight_keeps_a_job_queued_until_it_is_relaxed(
    running: Running, tight: dict[str, float]
) -> None:
    busy = running.submit(running.config("slow"))
    until(running.runs(busy), "the engines run")
    [name] = tight
    assert running.ask("PUT", "/pool/limits", tight).status == 200
    job = running.submit(running.config())
    until(lambda: name in running.get(f"/jobs/{job}")["waiting"], "the reason is told")
    assert running.get(f"/jobs/{job}")["status"] == "queued"
    running.ask("PUT", "/pool/limits", {name: OPEN[name]})
    assert running.ended(job)["status"] == "completed"


def test_no_more_jobs_run_than_max_concurrent_jobs(running: Running) -> None:
    running.ask("PUT", "/pool/limits", {"max_concurrent_jobs": 2})
    jobs = [running.submit(running.config("slow")) for _ in range(3)]
    until(lambda: all(running.runs(job)() for job in jobs[:2]), "two run")
    assert [running.get(f"/jobs/{job}")["status"] for job in jobs] == [
        "running", "running", "queued",
    ]  # fmt: skip
    running.ask("POST", f"/jobs/{jobs[0]}/cancel")
    until(running.runs(jobs[2]), "the third runs")


# Each job's own


def test_each_job_has_the_ansys_version_that_its_configuration_names(running: Running) -> None:
    configs = [running.config(ansys_edt_path=str(edt)) for edt in (running.older, running.desk.edt)]
    for config in configs:
        assert running.ended(running.submit(config))["status"] == "completed"
    ran = [(running.desk.folder / f"{one['jobid']}.program").read_text() for one in configs]
    assert ran == [f"{running.older}\n", f"{running.desk.edt}\n"]


def test_monitor_and_temp_directory_reach_the_command(running: Running, tmp_path: Path) -> None:
    config = running.config(monitor=False, layout_options={"temp_directory": str(tmp_path)})
    assert running.ended(running.submit(config))["status"] == "completed"
    log = running.log(config)
    assert f"'TempDirectory'='{tmp_path}'" in log
    assert " -monitor" not in log
    shown = running.config()
    running.ended(running.submit(shown))
    assert " -monitor" in running.log(shown)


def test_a_failed_job_is_not_restarted_until_it_is_submitted_again(running: Running) -> None:
    config = running.config("fail")
    job = running.submit(config)
    record = running.ended(job)
    assert (record["status"], record["return_code"]) == ("failed", 1)
    assert "Too few conductors" in record["message"]
    after = running.submit(running.config())  # whatever would restart it had its turn
    running.ended(after)
    assert len(running.get(f"/jobs/{job}/attempts")) == 1
    Path(config["project_path"]).write_text('{"scenario": "success"}')
    assert running.submit(config) == job
    assert running.ended(job)["status"] == "completed"
    assert len(running.get(f"/jobs/{job}/attempts")) == 2
