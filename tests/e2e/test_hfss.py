"""HFSS jobs over HTTP, by a stand-in for ansysedt (not Ansys software)."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from msgspec import Raw

from solveyard import Yard as SolveYard
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec
from standin import install, project

CURLED = {"Content-Type": "application/x-www-form-urlencoded"}
Case = tuple[object, int, str]


class Answer(NamedTuple):
    status: int
    json: Any


class Yard:
    """A manager that found a stand-in, and a folder of projects."""

    def __init__(self, make: Callable[..., Any], folder: Path, *options: str) -> None:
        self.folder = folder / "projects"
        self.edt = install(folder / "ansys_inc")
        root = {"ANSYSEM_ROOT252": str(self.edt.parent)}
        self.service = make(*options, environment=root).start()
        self.client = self.service.client

    def ask(
        self, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        where = urlsplit(self.service.told["url"])
        wire = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=60)
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = headers or {"Content-Type": "application/json"}
        try:
            wire.request("GET" if body is None else "POST", target, content, sent)
            response = wire.getresponse()
            return Answer(response.status, json.loads(response.read()))
        finally:
            wire.close()

    def submit(self, config: dict[str, Any], **more: Any) -> Answer:
        return self.ask("/jobs/submit", {"config": config, **more})

    def ended(self, job: str) -> Any:
        answer = self.ask(f"/jobs/{job}/wait?timeout=60")
        assert answer.status == 200, answer.json
        return answer.json


@pytest.fixture
def yard(service: Callable[..., Any], tmp_path: Path) -> Yard:
    return Yard(service, tmp_path)


def test_both_of_the_documents_forms_run_to_a_success(yard: Yard) -> None:
    board, patch = project(yard.folder), project(yard.folder, name="patch.aedb")
    answer = yard.submit({"project_path": str(board), "jobid": "board-7", "user": "eve"})
    assert answer.status == 200
    told = answer.json
    assert (told["success"], told["job_id"], told["status"]) == (True, "board-7", "queued")
    assert told["message"]
    assert told["job"]["tags"] == ["user:eve"]
    bare = json.dumps({"project_path": str(patch), "jobid": "patch_1"}).encode()
    assert yard.ask("/jobs/submit", bare, CURLED).status == 200
    for name, place in (("board-7", board), ("patch_1", patch)):
        record = yard.ended(name)
        assert (record["state"], record["reason"]) == ("completed", "success"), record["message"]
        assert record["directory"] == str(yard.folder)
        log = Path(f"{place}.batchinfo") / f"{place.stem}-{name}.log"
        assert f"-jobid {name} -machinelist list=localhost:-1:20:90% -ng" in log.read_text()
        assert Path(f"{place}.q.completed").read_text() == f"JobID='{name}'\n"
        assert not Path(f"{place}.lock").exists()


def test_many_configurations_are_taken_at_once_all_or_none(yard: Yard) -> None:
    places = [str(project(yard.folder, name=f"board{n}.aedb")) for n in range(3)]
    forms: list[Any] = [
        {"config": {"project_path": place, "jobid": f"board-{n}"}, "priority": n}
        for n, place in enumerate(places)
    ]
    gone = {"config": {"project_path": f"{yard.folder}/gone.aedb", "jobid": "gone"}}
    slurm = {"config": {"project_path": places[0], "scheduler_type": "slurm"}}
    for last, status, words in (
        (gone, 400, "job 4 of 4"),
        (slurm, 502, "job 4 of 4"),
        ({"config": {"project_path": places[0], "jobib": "x"}}, 400, "$[3].config.jobib"),
        ({"solver": "nec", "options": {}}, 400, "$[3]"),
    ):
        answer = yard.ask("/jobs/submit", [*forms, last])
        assert (answer.status, answer.json["success"]) == (status, False)
        assert words in answer.json["error"]
        assert yard.client.jobs().total == 0
    first = yard.submit({"project_path": places[0], "jobid": "board-0"}).json["job"]
    answer = yard.ask("/jobs/submit", [*forms, forms[2]])
    assert (answer.status, answer.json["success"]) == (200, True)
    names = [job["id"] for job in answer.json["jobs"]]
    assert names == ["board-0", "board-1", "board-2", "board-2"]
    assert yard.client.jobs().total == 3
    again = answer.json["jobs"][0]
    if again["state"] != "completed":  # else it ended before, and ran again
        assert (again["number"], again["priority"]) == (first["number"], 0)
    for n in range(3):
        assert yard.ended(f"board-{n}")["reason"] == "success"


def test_our_own_form_is_completed_by_what_was_found(yard: Yard) -> None:
    board = project(yard.folder)
    spec = {"solver": "hfss", "options": {"project_path": str(board)}}
    answer = yard.ask("/jobs", spec)
    assert answer.status == 201, answer.json
    record = yard.ended(answer.json["job_id"])
    assert record["state"] == "completed", record["message"]
    assert (Path(f"{board}.batchinfo") / "board-board_job.log").is_file()


def test_a_preview_shows_what_would_run_and_a_script_that_does_it(yard: Yard) -> None:
    board = project(yard.folder)
    options = {"project_path": str(board), "machines": "list", "batch_options_as": "file"}
    spec = {
        "solver": "hfss", "name": "b", "resources": {"cores": 2},
        "options": {**options, "environment": {"LC_ALL": "C"}},
    }  # fmt: skip
    answer = yard.ask("/jobs/preview", spec)
    assert answer.status == 200, answer.json
    plan = answer.json
    assert plan["argv"][:5] == [
        str(yard.edt), "-jobid", "b", "-machinelist", "list=localhost:-1:2:90%",
    ]  # fmt: skip
    assert (plan["environment"], plan["directory"]) == ({"LC_ALL": "C"}, str(yard.folder))
    assert plan["files"]["board-b.options"].startswith("$begin 'Config'\n")
    assert (plan["exclusive"], plan["submit"]) == ([str(board)], [])
    assert plan["spec"]["options"]["ansys_edt_path"] == str(yard.edt)
    both = yard.ask("/jobs/preview", [spec, {**spec, "array": {"stop": 3}}]).json
    assert [one["argv"] == plan["argv"] for one in both] == [True, True]
    wrong = {**spec, "options": {**options, "tasks": 2}}
    for body, status, words in (
        (wrong, 400, "expected `auto` false beside `tasks`"),
        ([spec, wrong], 400, "job 2 of 2"),
        ({**spec, "options": {"project_path": "/no/such.aedt"}}, 400, "no such file"),
        ({**spec, "options": {**options, "script": "/tmp/a.py"}}, 403, "scripts do whatever"),
        ({**spec, "options": {**options, "stop_with": ["/bin/sh"]}}, 403, "scripts do whatever"),
        ({"solver": "command", "options": {"argv": ["true"]}}, 403, "command"),
        ({**spec, "on": "nowhere"}, 400, "no cluster 'nowhere'"),
        ({"config": {}}, 400, "`$.config.project_path`"),
        ({"config": {**options, "jobib": "b"}}, 400, "`$.config.machines`"),
        ([spec, {"config": {"project_path": "/no/such.aedt"}}], 400, "job 2 of 2"),
        ({"config": {"project_path": str(board), "scheduler_type": "lsf"}}, 502, "for lsf"),
    ):
        answer = yard.ask("/jobs/preview", body)
        assert (answer.status, words in answer.json["error"]) == (status, True), answer.json
    assert yard.ask("/jobs").json == []
    assert not Path(f"{board}.batchinfo").exists()
    done = subprocess.run(["sh", "-c", plan["script"]], timeout=60, check=False)
    assert done.returncode == 0
    assert (Path(f"{board}.batchinfo") / "board-b.log").is_file()


def test_a_preview_of_pyedbs_configuration_is_what_submitting_it_runs(yard: Yard) -> None:
    board = project(yard.folder)
    config = {"project_path": str(board), "jobid": "b", "design_name": "D", "user": "eve"}
    plan = yard.ask("/jobs/preview", {"config": config, "priority": 4}).json
    assert (plan["spec"]["priority"], plan["spec"]["tags"]) == (4, ["user:eve"])
    bare = yard.ask("/jobs/preview", [config, {"config": config}]).json
    assert [one["argv"] == plan["argv"] for one in bare] == [True, True]
    assert yard.client.preview_config(config).argv == tuple(plan["argv"])
    spec = JobSpec(solver="hfss", name="b", options=Raw(json.dumps(config).encode()))
    assert yard.client.preview(spec).argv == tuple(plan["argv"])
    with SolveYard(yard.service.store) as embedding:
        assert embedding.preview("hfss", config, name="b").argv == tuple(plan["argv"])
        with pytest.raises(InvalidJob, match="no such field"):
            embedding.preview("hfss", {**config, "design": "D"})
    assert yard.ask("/jobs").json == []
    yard.submit(config)
    assert yard.ended("b")["state"] == "completed"
    command = " ".join(plan["argv"][1:])
    assert command in (Path(f"{board}.batchinfo") / "board-b.log").read_text()


def test_an_array_over_projects_solves_each_in_a_task_of_its_own(yard: Yard) -> None:
    boards = [project(yard.folder, name=f"v{index}.aedt") for index in range(3)]
    options = {"project_path": str(yard.folder / "v{{index}}.aedt")}
    spec = {"solver": "hfss", "options": options, "array": {"stop": 3}}
    answer = yard.ask("/jobs", spec)
    assert answer.status == 201, answer.json
    record = yard.ended(answer.json["job_id"])
    assert record["state"] == "completed", record["message"]
    for board in boards:
        assert Path(f"{board}.q.completed").is_file()
    spec["array"] = {"stop": 4}  # whose last project isn't there
    assert "v3.aedt" in yard.ask("/jobs", spec).json["error"]


def test_a_failure_is_told_with_the_logs_own_words(yard: Yard) -> None:
    endings = {
        "fail": ("exit_code", "hfss.model", "Too few conductors"),
        "error": ("criteria", "hfss.model", "Too few conductors"),
        "licence": ("licence", "hfss.licence", "licensing pool"),
        "cut": ("criteria", "hfss.incomplete", "completed normally"),
        "nolog": ("no_output", None, "is missing"),
    }
    for scenario in endings:
        place = project(yard.folder, scenario, f"{scenario}.aedt")
        assert yard.submit({"project_path": str(place), "jobid": scenario}).status == 200
    for scenario, (reason, cause, words) in endings.items():
        record = yard.ended(scenario)
        assert (record["state"], record["reason"]) == ("failed", reason), record
        assert (record["cause"] or None, words in record["message"]) == (cause, True), record


def test_a_cancelled_job_leaves_no_engine(
    yard: Yard, until: Callable[..., None], alive: Callable[[int], bool]
) -> None:
    slow = project(yard.folder, "slow")
    yard.submit({"project_path": str(slow), "jobid": "slow"})
    pids = yard.folder / "slow.pids"
    until(pids.exists, "the engines run")
    engines = [int(word) for word in pids.read_text().split()]
    assert len(engines) == 2
    assert all(map(alive, engines))
    assert yard.ask("/jobs/slow/cancel", {}).status == 200
    assert yard.ended("slow")["state"] == "cancelled"
    assert not any(map(alive, engines))


def test_jobs_on_one_project_run_one_after_the_other_by_priority(
    yard: Yard, until: Callable[..., None]
) -> None:
    slow = project(yard.folder, "slow")
    (yard.folder / "link.aedt").symlink_to(slow)
    yard.submit({"project_path": str(slow), "jobid": "first"})
    until((yard.folder / "first.pids").exists, "the first runs")
    yard.submit({"project_path": str(yard.folder / "link.aedt"), "jobid": "low"}, priority=-5)
    yard.submit({"project_path": str(slow), "jobid": "high"}, priority=5)
    for name in ("low", "high"):
        record = yard.ask(f"/jobs/{name}").json
        assert (record["state"], str(slow) in record["waiting"]) == ("queued", True), record
    yard.ask("/jobs/first/cancel", {})
    until((yard.folder / "high.pids").exists, "the urgent one runs")
    assert yard.ask("/jobs/low").json["state"] == "queued"
    assert [yard.ask(f"/jobs/{name}").json["priority"] for name in ("low", "high")] == [-5, 5]


def test_a_jobid_is_one_job_until_it_ends_and_then_a_new_attempt(
    yard: Yard, until: Callable[..., None]
) -> None:
    slow = project(yard.folder, "slow")
    config = {"project_path": str(slow), "jobid": "7"}
    number = yard.submit(config).json["job"]["number"]
    until((yard.folder / "7.pids").exists, "it runs")
    again = yard.submit(config)
    assert (again.status, again.json["status"]) == (200, "running")
    assert again.json["job"]["number"] == number
    yard.ask("/jobs/7/cancel", {})
    assert yard.ended("7")["state"] == "cancelled"
    slow.write_text('{"scenario": "success"}')
    anew = yard.submit(config)
    assert (anew.status, anew.json["status"]) == (200, "queued")
    record = yard.ended("7")
    assert (record["number"], record["state"]) == (number, "completed"), record["message"]
    assert [one["reason"] for one in record["attempts"]] == ["cancelled", "success"]


def test_a_jobid_is_a_name_whichever_job_has_that_number(yard: Yard) -> None:
    places = [str(project(yard.folder, "slow", f"board{n}.aedt")) for n in range(5)]
    forms = [{"config": {"project_path": place, "jobid": str(n)}} for n, place in enumerate(places)]
    for form in forms[:2]:  # number 1 is under way when jobid 1 comes
        assert yard.ask("/jobs/submit", [form]).status == 200
    jobs = yard.ask("/jobs/submit", forms).json["jobs"]
    assert [(job["id"], job["number"]) for job in jobs] == [(str(n), n + 1) for n in range(5)]
    assert [job["config"]["project_path"] for job in jobs] == places


def test_jobs_without_a_jobid_never_collide(yard: Yard) -> None:
    board = project(yard.folder)
    for jobid in ({}, {"jobid": ""}, {"jobid": None}):
        answers = [yard.submit({"project_path": str(board), **jobid}) for _ in range(3)]
        assert {answer.status for answer in answers} == {200}
        assert len({answer.json["job_id"] for answer in answers}) == 3


def cases(yard: Yard, board: Path) -> dict[str, Case]:
    """Body -> the status and what the refusal says."""
    good = {"project_path": str(board), "jobid": "a"}

    def one(**fields: Any) -> dict[str, Any]:
        return {"config": good | fields}

    node = {"hostname": "localhost", "cores": 1, "max_cores": 1, "utilization": 90}
    return {
        "nothing": (b"", 400, "JSON"),
        "cut": (b"{", 400, "JSON"),
        "a list in a config's place": ([[]], 400, "object"),
        "null": (b"null", 400, "object"),
        "text": (b'"x"', 400, "object"),
        "an empty object": ({}, 400, "solver"),
        "no config": ({"config": None}, 400, "`$.config`"),
        "a list as config": ({"config": []}, 400, "`$.config`"),
        "an empty config": ({"config": {}}, 400, "`$.config.project_path`"),
        "two objects": (b'{"config": {}}{}', 400, "JSON"),
        "not UTF-8": (b'{"config": {"project_path": "\xff"}}', 400, "UTF-8"),
        "jobid with a newline": (one(jobid="exit0_nl\n"), 400, "`$.config.jobid`"),
        "a long jobid": (one(jobid="a" * 5000), 400, "`$.config.jobid`"),
        "jobid with a blank": (one(jobid="a b"), 400, "`$.config.jobid`"),
        "jobid as a path": (one(jobid="../../etc"), 400, "`$.config.jobid`"),
        "a number as jobid": (one(jobid=5), 400, "`$.config.jobid`"),
        "no such project": (one(project_path="/no/such.aedt"), 400, "FileNotFoundError"),
        "another suffix": (one(project_path="/etc/passwd"), 400, ".aedt or .aedb"),
        "a relative project": (one(project_path="board.aedt"), 400, "absolute"),
        "no such exe": (one(ansys_edt_path="/no/ansysedt"), 400, "FileNotFoundError"),
        "an exe of the caller's": (one(ansys_edt_path="/bin/true"), 403, "--ansysedt"),
        "an unknown batch system": (one(scheduler_type="bogus"), 400, "`$.config.scheduler_type`"),
        "a batch system": (one(scheduler_type="SLURM"), 502, "no batch system is configured"),
        "nodes as text": (one(machine_nodes="x"), 400, "`$.config.machine_nodes`"),
        "no utilization": (
            one(machine_nodes=[node | {"utilization": 0}]),
            400,
            "`$.config.machine_nodes[0].utilization`",
        ),
        "negative cores": (
            one(machine_nodes=[node, node | {"cores": -5}]),
            400,
            "`$.config.machine_nodes[1].cores`",
        ),
        "a host of two words": (
            one(machine_nodes=[node | {"hostname": "h list=evil:1"}]),
            400,
            "`$.config.machine_nodes[0].hostname`",
        ),
        "no nodes": (one(scheduler_options={"nodes": 0}), 400, "scheduler_options.nodes"),
        "a directive": (
            one(scheduler_options={"queue": "a\n#SBATCH --wrap=id"}),
            400,
            "scheduler_options.queue",
        ),
        "an unknown key": (one(projct="x"), 400, "`$.config.projct`"),
        "a misspelt key": (one(desing_name="x"), 400, "did you mean 'design_name'"),
        "an unknown key beside": ({"config": good, "prio": 1}, 400, "did you mean 'priority'"),
        "a word as priority": ({"config": good, "priority": "high"}, 400, "`$.priority`"),
        "NaN as priority": (b'{"config": {}, "priority": NaN}', 400, "JSON"),
        "half a priority": ({"config": good, "priority": 1.5}, 400, "`$.priority`"),
        "true as priority": ({"config": good, "priority": True}, 400, "`$.priority`"),
        "a huge priority": ({"config": good, "priority": 10**12}, 400, "priority"),
        "a design with NUL": (one(design_name="a\0b"), 400, "`$.config.design_name`"),
        "a vendor": (
            one(layout_options={"mpi_vendor": "Acme"}),
            400,
            "`$.config.layout_options.mpi_vendor`",
        ),
    }


def test_every_malformed_submission_is_refused_in_words_and_leaves_nothing(yard: Yard) -> None:
    board = project(yard.folder)
    wrong = []
    for what, (body, status, words) in cases(yard, board).items():
        answer = yard.ask("/jobs/submit", body)
        told = answer.json
        if (answer.status, told["success"]) != (status, False) or words not in told["error"]:
            wrong.append((what, answer))
    assert wrong == []
    answer = yard.submit({"project_path": str(board), "machine_nodes": [{"max_cores": "8"}]})
    assert answer.json["field"] == "$.config.machine_nodes[0].max_cores"
    assert "integer" in answer.json["expected"]
    assert answer.json["got"] == "'8'"
    assert yard.ask("/jobs").json == []


def test_a_body_is_declared_as_json_or_comes_from_curl_alone(yard: Yard) -> None:
    body = json.dumps({"config": {"project_path": str(project(yard.folder))}}).encode()
    origin = {"Origin": yard.service.told["url"]}
    assert yard.ask("/jobs/submit", body, {"Content-Type": "text/plain"}).status == 415
    assert yard.ask("/jobs/submit", body, CURLED | origin).status == 415
    assert yard.ask("/jobs/submit", body, CURLED | {"Sec-Fetch-Site": "none"}).status == 415
    assert yard.ask("/jobs", body, CURLED).status == 415
    assert yard.ask("/jobs").json == []
    assert yard.ask("/jobs/submit", body, CURLED).status == 200


def test_what_the_documents_leave_open_is_taken(yard: Yard) -> None:
    board = project(yard.folder)
    noted = {"platform": "Windows", "timestamp": "2026-01-01", "version": "1.0.0"}
    for fields in (
        {"user": None},
        {"scheduler_type": None},
        {"scheduler_type": "NONE"},
        {"scheduler_options": {"time": "unlimited"}},
        {"solver": "Hfss3DLayout"},
        noted,
    ):
        assert yard.submit({"project_path": str(board), **fields}).status == 200, fields
    bare = {"project_path": str(board), "solver": "Hfss3DLayout"}
    assert yard.ask("/jobs", bare).status == 200


def test_only_programs_that_nobody_else_can_exchange_run_over_http(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    other = install(tmp_path / "other", "v251")
    yard = Yard(service, tmp_path, "--ansysedt", str(other))
    board = project(yard.folder)

    def status(program: Path) -> Answer:
        return yard.submit({"project_path": str(board), "ansys_edt_path": str(program)})

    assert status(yard.edt).status == 200
    assert status(other).status == 200
    third = install(tmp_path / "third", "v242")
    answer = status(third)
    assert (answer.status, "--ansysedt" in answer.json["error"]) == (403, True)
    for place in (yard.edt, yard.edt.parent):
        place.chmod(0o777)
        answer = status(yard.edt)
        assert (answer.status, f"others may write {place}" in answer.json["error"]) == (403, True)
        place.chmod(0o1777)  # nobody can exchange another's file in a sticky folder
        assert status(yard.edt).status == (200 if place.is_dir() else 403)
        place.chmod(0o755)
    options = json.dumps({"project_path": str(board), "ansys_edt_path": str(third)})
    spec = {"solver": "hfss", "options": json.loads(options), "name": "owners"}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(spec))
    done = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(yard.service.store), "submit",
         "--from", str(tmp_path / "jobs.jsonl")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert yard.ended("owners")["state"] == "completed"


def test_serve_refuses_a_program_that_others_may_write(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    program = install(tmp_path / "ansys_inc")
    program.chmod(0o775)
    for path, words in ((program, "others may write"), (tmp_path / "gone", "there is no program")):
        yard = service("--ansysedt", str(path))
        done = subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), "serve",
             *yard.options],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2
        assert words in done.stderr


def test_projects_lie_below_the_project_roots_and_a_guest_has_none(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    inside, outside = tmp_path / "projects", tmp_path / "elsewhere"
    yard = Yard(service, tmp_path, "--project-root", str(inside))
    board, far = project(inside), project(outside, name="far.aedt")
    (inside / "link.aedt").symlink_to(far)
    for place in (far, inside / "link.aedt", inside / ".." / "elsewhere" / "far.aedt"):
        answer = yard.submit({"project_path": str(place)})
        assert (answer.status, "--project-root" in answer.json["error"]) == (403, True), place
    scratch = {"temp_directory": "/usr/share"}
    answer = yard.submit({"project_path": str(board), "layout_options": scratch})
    assert (answer.status, "'/usr/share'" in answer.json["error"]) == (403, True)
    scratch = {"temp_directory": os.environ.get("TMPDIR", "/tmp")}
    answer = yard.submit({"project_path": str(board), "layout_options": scratch})
    assert answer.status == 200, answer.json


def test_a_guest_learns_nothing_of_files_that_they_may_not_use(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    yard = Yard(service, tmp_path)
    made = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(yard.service.store), "token",
         "create", "guest"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    guest = {
        "Authorization": f"Bearer {made.stdout.strip()}",
        "Content-Type": "application/json",
    }
    told = []
    for place in (project(yard.folder), yard.folder / "gone.aedt"):
        answer = yard.ask("/jobs/submit", {"config": {"project_path": str(place)}}, guest)
        told.append((answer.status, answer.json["error"].replace(str(place), "")))
    assert told[0] == told[1]
    assert told[0][0] == 403


def test_the_old_pages_routes_answer_as_it_expects(yard: Yard) -> None:
    assert yard.ask("/api/jobs").json == []
    board = project(yard.folder)
    body = {
        "config": {"project_path": str(board), "jobid": "a", "ansys_edt_path": "/their/own"},
        "user": "eve",
        "machine_nodes": [{"hostname": "localhost", "cores": 2, "max_cores": 2}],
        "batch_options": {"enable_gpu": True},
    }
    assert yard.ask("/api/submit", body).json["job_id"] == "a"
    yard.ended("a")
    [told] = yard.ask("/api/jobs").json
    assert set(told) == {
        "id", "config", "status", "start_time", "end_time", "return_code", "scheduler_job_id",
        "user", "priority",
    }  # fmt: skip
    assert (told["id"], told["status"], told["return_code"]) == ("a", "completed", 0)
    config = told["config"]
    assert (config["ansys_edt_path"], config["user"]) == (str(yard.edt), "eve")
    assert config["layout_options"]["enable_gpu"]
    assert (config["scheduler_type"], config["auto"]) == ("none", True), "what was not given, too"
    assert config["machine_nodes"][0]["cores"] == 2
    cancelled = yard.ask("/api/cancel/a", {})
    assert (cancelled.status, cancelled.json) == (200, {"success": False, "status": "completed"})
    assert yard.ask("/api/cancel/gone", {}).status == 404
    wrong = {"config": {"project_path": str(board), "jobid": "a b"}}
    for bad, words in (({}, "config"), (b"{", "JSON"), (wrong, "jobid")):
        refused = yard.ask("/api/submit", bad)
        assert (refused.status, words in refused.json["error"]) == (400, True), refused
    assert yard.ask("/api/scheduler_type").json == {"scheduler_type": "none"}
    assert yard.ask("/api/cluster_partitions").json == []
    assert yard.ask("/api/queue").json == yard.ask("/queue").json
    assert set(yard.ask("/api/resources").json) == set(yard.ask("/resources").json)
    assert yard.ask("/api/me").json["username"]
    assert yard.ask("/system/start_monitoring", {}).json["success"]


def test_the_old_pages_cancel_says_cancelled_only_of_what_has_ended(
    yard: Yard, until: Callable[..., None]
) -> None:
    slow = project(yard.folder, "slow", "slow.aedt")
    assert yard.submit({"project_path": str(slow), "jobid": "slow"}).status == 200
    until((yard.folder / "slow.pids").exists, "the engines run")
    assert yard.ask("/api/cancel/slow", {}).json == {"success": True, "status": "cancelled"}
    assert yard.client.job("slow").state == "cancelled"
    # a loop: whatever it waited for may be ended before it hears that it is to end, too
    saving = "trap 'asked=1' TERM; touch up; until [ $asked ] && [ -e saved ]; do sleep 0.05; done"
    options = json.dumps({"argv": ["bash", "-c", saving]}).encode()
    spec = JobSpec(solver="command", name="saves", directory=str(yard.folder), options=Raw(options))
    yard.client.submit(spec)
    until((yard.folder / "up").exists, "it runs")
    until(lambda: yard.client.job("saves").state == "running", "the manager knows")
    told = yard.ask("/api/cancel/saves", {}).json
    assert told == {"success": True, "status": "cancelling"}, yard.client.job("saves")
    assert yard.client.job("saves").state == "running"
    (yard.folder / "saved").touch()
    assert yard.ask("/api/cancel/saves", {}).json == {"success": True, "status": "cancelled"}
    assert yard.client.job("saves").state == "cancelled"
