"""The page about trouble with PyEDB's job manager: each thing that it shows, brought about."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e.asking import ask
from e2e.test_pyedb_handler import Bench, bench  # noqa: F401  # a fixture
from ports import free_port
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.pyedb.job_submission import HFSSSimulationConfig

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TROUBLES = (ROOT / "docs/how-to/troubleshooting.md").read_text(encoding="utf-8")


def seen(actual: object, *told: str) -> None:
    """The trouble looks as the page shows it."""
    for fragment in told:
        assert fragment in TROUBLES
        assert fragment in str(actual)


def shell(line: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PATH": path, **environment},
    )  # fmt: skip


def told(line: str) -> str:
    done = shell(line)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


@pytest.fixture
def open_handler(bench: Bench) -> JobManagerHandler:  # noqa: F811
    handler = bench.handler()
    handler.start_service()
    return handler


def running(handler: JobManagerHandler, bench: Bench, until: Callable[..., None]) -> str:  # noqa: F811
    """A job that runs until it is ended."""
    config = handler.create_simulation_config(bench.project("slow", "slow.aedt"), jobid="slow")
    handler.submit_job(config)
    until(lambda: handler.manager.jobs["slow"].status == "running", "it runs")
    return "slow"


def test_the_troubles_before_any_service_look_as_the_page_shows(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError) as error:
            JobManagerHandler(port=port).start_service()
        seen(
            str(error.value).replace(str(port), "8080"),
            "Job-Manager service failed to start within 10 s: port 8080 is taken by process ",
        )
    missing = shell("python3 -c 'import pyedb.workflows.job_manager'", PYTHONPATH="")
    assert missing.returncode == 1
    seen(missing.stderr, "No module named 'pyedb")
    config = HFSSSimulationConfig(project_path=bench.project(), scheduler_type="slurm")
    monkeypatch.setenv("PATH", str(bench.folder))
    with pytest.raises(RuntimeError) as error:
        config.submit_to_scheduler()
    seen(
        f"{type(error.value).__name__}: {error.value}",
        "SubmissionFailed: sbatch: command not found (127; is the batch system's client installed,"
        " or its module loaded?)",
    )
    monkeypatch.delenv("ANSYSEM_ROOT252")
    with pytest.raises(FileNotFoundError) as error:
        HFSSSimulationConfig(project_path=bench.project()).generate_command_list()
    seen(
        error.value,
        "No installed Ansys EM versions found (give ansys_edt_path, or set ANSYSEM_ROOT and the"
        " release, such as ANSYSEM_ROOT252)",
    )
    with pytest.raises(ValueError, match="there is: none") as error:
        JobManagerHandler(version="199")
    seen(error.value, "ANSYS release 199 not found")


def test_jobs_that_wait_say_why_as_the_page_shows(
    open_handler: JobManagerHandler,
    bench: Bench,  # noqa: F811
    until: Callable[..., None],
) -> None:
    handler = open_handler
    slow = running(handler, bench, until)
    told("solveyard limits --min-memory-gb 1000000")
    board = handler.submit_job(handler.create_simulation_config(bench.project(), jobid="board"))
    seen(told("solveyard show board"), "the limit min_memory_gb of ", " GiB: here would have ")
    told("solveyard limits --min-memory-gb none --max-concurrent 1")
    until(lambda: "at once" in told("solveyard show board"), "it waits for the other limit")
    seen(told("solveyard show board").replace("1 jobs", "2 jobs"), "the limit of 2 jobs at once")
    told("solveyard limits --max-concurrent 4")
    assert handler.wait_until_done(board, timeout=60) == "completed"
    again = handler.create_simulation_config(bench.folder / "slow.aedt", jobid="board2")
    handler.submit_job(again)
    seen(told("solveyard show board2").replace("slow holds", "other holds"), "which job other hold")
    with pytest.raises(asyncio.TimeoutError) as error:
        handler.wait_until_done("board2", timeout=0.1)
    late = f"WaitTimeout: {error.value}".replace("0.1", "60").replace("board2", "board")
    seen(late, "WaitTimeout: not ended in 60 s: board")
    handler.cancel_job(slow)
    with pytest.raises(RuntimeError) as error:
        handler.wait_until_done("nobody")
    seen(str(error.value).replace("nobody", "board"), "Job board disappeared from manager")
    told("solveyard limits --min-disk-gb 1000000")
    left = handler.create_simulation_config(bench.project(name="left.aedt"), jobid="left")
    handler.submit_job(left)
    handler.close()
    seen(told("solveyard ps"), "no manager runs")
    handler.start_service()
    seen(told("solveyard show left"), "somebody to release it: it is held")
    told("solveyard limits --min-disk-gb none && solveyard release left && solveyard wait left")


def test_failures_say_why_as_the_page_shows(
    open_handler: JobManagerHandler,
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler = open_handler
    projects = {
        "licence": bench.project("licence", "licence.aedt"),
        "b1": bench.project("cut", "board.aedt"),
        "locked": bench.project("success", "locked.aedt"),
    }
    Path(f"{projects['locked']}.lock").touch()
    for name, project in projects.items():
        handler.submit_job(handler.create_simulation_config(project, jobid=name))
    handler.wait_until_all_done(timeout=60)
    jobs = handler.manager.jobs
    assert {jobs[name].status for name in projects} == {"failed"}
    seen(
        jobs["licence"].error,
        "exit code 1; the batch log says: ",
        "Request name elec_solve_hfss does not exist in the licensing pool.",
    )
    seen(
        jobs["b1"].error,
        "exit code 0, but board.aedt.batchinfo/board-b1.log doesn't say that the simulation"
        " completed normally",
    )
    seen(jobs["locked"].error, "is locked")
    assert Path(f"{projects['locked']}.lock").exists()
    options = bench.folder / "licence.json"
    options.write_text(json.dumps({"project_path": str(projects["licence"])}))
    once_more = f"solveyard submit --solver hfss --options @{options} --retry 5 --retry-delay 10m"
    assert once_more.replace(str(options), "board.json") in TROUBLES
    few = once_more.replace(
        "--retry 5 --retry-delay 10m", "--retry 2 --retry-delay 0.1 --name retried --wait"
    )
    assert shell(few).returncode == 1
    assert "2: licence" in told("solveyard show retried")
    with pytest.raises(RuntimeError) as error:
        handler.submit_job(HFSSSimulationConfig(project_path=bench.project(),
                                                scheduler_type="slurm"))  # fmt: skip
    seen(error.value, "no batch system is configured on this manager for slurm, and none answers"
         " on its machine")  # fmt: skip
    monkeypatch.delenv("ANSYSEM_ROOT252")
    with pytest.raises(ValueError, match="ansysedt") as error:
        handler.submit_job(HFSSSimulationConfig(project_path=bench.project()))
    seen(error.value, "no ansysedt was found on this machine")


def test_refusals_over_http_are_as_the_page_shows(
    open_handler: JobManagerHandler,
    bench: Bench,  # noqa: F811
) -> None:
    url = open_handler.url
    board = str(bench.project())

    def refused(status: int, sentence: str, body: Any = None,
                headers: Mapping[str, str] | None = None) -> None:  # fmt: skip
        method, target = ("GET", "/queue") if body is None else ("POST", "/jobs/submit")
        answer = ask(url, method, target, body, headers=dict(headers or {}))
        assert answer.status == status
        seen(answer.json["error"], sentence)
        if status != 400:
            row = next(line for line in TROUBLES.splitlines() if f"`{sentence}`" in line)
            assert row.startswith(f"| {status} |")

    refused(401, "the caller shows no token", headers={"X-Forwarded-For": "192.0.2.7"})
    refused(403, "is not one of this manager's names", headers={"Host": "yard.example"})
    refused(403, "may not ask this manager", {}, {"Origin": "http://site.example"})
    other = {"project_path": board, "ansys_edt_path": "/bin/true"}
    refused(403, "may not be run over the network", other)
    refused(415, "a body must be JSON", {}, {"Content-Type": "text/plain"})
    refused(400, "FileNotFoundError: no such file or directory: '/projects/board.aedt'",
            {"project_path": "/projects/board.aedt"})  # fmt: skip
    port = free_port()
    away = shell(f"pyedb-job-manager status --port {port}")
    assert away.returncode == 3
    seen(
        away.stderr.replace(str(port), "8080"),
        "error: no manager answers at http://localhost:8080: Connection refused (is it up, and is"
        " the address right?)",
    )
