"""What else the pages for users of PyEDB's job manager say, tried: with a stand-in for ansysedt."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import PATIENCE, Service
from e2e.asking import ask
from e2e.test_pyedb_handler import Bench, bench  # noqa: F401  # a fixture
from ports import free_port
from solveyard.pyedb import errors, neighbours
from solveyard.pyedb.job_submission import HFSSSimulationConfig
from solveyard.pyedb.service import ResourceLimits
from standin import install

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "packages" / "solveyard-pyedb" / "src"
CODE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def blocks(name: str, kind: str) -> list[str]:
    """The page's blocks of code of that kind."""
    text = (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
    return [code for found, code in CODE.findall(text) if found == kind]


def run(*argv: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(PACKAGE), **environment},
    )  # fmt: skip


def command(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run(str(Path(sys.executable).with_name(name)), *arguments)


@contextmanager
def started(port: int) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """`pyedb-job-manager start`, as the migration page has it, and the options that reach it."""
    [shown] = [code for code in blocks("from-pyedb.md", "") if "start" in code]
    first = shown.partition("#")[0].split()
    assert first == ["pyedb-job-manager", "start"]
    program = str(Path(sys.executable).with_name(first[0]))
    service = subprocess.Popen(
        [program, *first[1:], "--port", str(port)], stderr=subprocess.PIPE, text=True
    )
    assert service.stderr is not None
    assert "Resource monitor" in service.stderr.readline()
    assert str(port) in service.stderr.readline()
    try:
        yield service, ["--port", str(port)]
    finally:
        if service.poll() is None:
            service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE) in {0, -signal.SIGKILL}  # the second where a test did it
        service.stderr.close()


# Coming from PyEDB


def test_the_imports_are_as_written_and_the_mending_command_is_the_warnings() -> None:
    [imports] = blocks("from-pyedb.md", "python")
    done = run(sys.executable, "-W", "error", "-c", imports)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{neighbours.MEND}\n" in blocks("from-pyedb.md", "")
    assert (ROOT / neighbours.MEND.split()[-1] / "pyproject.toml").is_file()


def test_what_differs_differs_as_the_page_says(bench: Bench) -> None:  # noqa: F811
    board = bench.project()
    handler = bench.handler()
    handler.start_service()
    cores = len(os.sched_getaffinity(0))
    assert handler.resource_limits == ResourceLimits(cores, 100.0, 0.0, 0.0)
    config = handler.create_simulation_config(board, jobid="a")
    assert HFSSSimulationConfig.from_dict(config.to_dict() | {"jobid": "b"}).jobid == "b"
    with pytest.raises(errors.InvalidConfig, match="once it is made"):
        config.jobid = "b"  # type: ignore[misc]
    with pytest.raises(errors.InvalidConfig, match="no such field"):
        handler.create_simulation_config(board, nodez=3)
    bare = HFSSSimulationConfig.from_dict({"project_path": str(board)})
    assert (bare.design_name, bare.setup_name) == ("", "")
    with pytest.raises(RuntimeError, match="no batch system is configured"):
        handler.cluster_status()
    assert handler.create_simulation_config(board, scheduler_type=None).scheduler_type == "none"
    ids = handler.submit_jobs_and_wait([config, bare], timeout=60)
    assert list(handler.manager.jobs) == ids
    assert handler.manager.jobs["a"].process is None
    with pytest.raises(TypeError):
        handler.manager.jobs["c"] = None  # type: ignore[index]
    assert [job["id"] for job in ask(handler.url, "GET", "/jobs").json] == ids[::-1]
    assert ask(handler.url, "GET", "/api/jobs/a/log").json["summary"]["verdict"] == "success"
    assert ask(handler.url, "GET", "/").status == 200


def test_the_commands_need_no_ansysedt_where_they_are_typed(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with started(free_port()) as (_, at):
        assert command("pyedb-job-manager", "status", *at).returncode == 0
        with monkeypatch.context() as elsewhere:
            elsewhere.delenv("ANSYSEM_ROOT252")
            assert HFSSSimulationConfig(project_path=bench.project()).ansys_edt_path is None
            done = command("pyedb-job-manager", "wait", str(bench.project()), *at)
    assert (done.returncode, done.stdout) == (0, "board_job\tcompleted\n")


# Questions


def test_a_service_that_stops_ends_what_runs_and_starts_what_waits_the_next_time(
    bench: Bench,  # noqa: F811
    until: Callable[..., None],
) -> None:
    port = free_port()
    with started(port) as (_, at):
        assert command("solveyard", "limits", "--max-concurrent", "1").returncode == 0
        for name in ("slow", "success"):
            project = str(bench.project(name, f"{name}.aedt"))
            assert command("pyedb-job-manager", "submit", project, *at).returncode == 0
            until((bench.folder / "slow_job.pids").exists, "the first runs")
    with started(port):
        assert command("solveyard", "wait", "success_job").returncode == 0
        slow = json.loads(command("solveyard", "show", "slow_job", "--json").stdout)
        assert slow["state"] == "cancelled"


CRASH = """
import sys
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.pyedb.service import ResourceLimits
handler = JobManagerHandler(port=0, resource_limits=ResourceLimits(1, 100, 0, 0))
handler.start_service()
for name in sys.argv[1:]:
    handler.submit_job(handler.create_simulation_config(name + ".aedt", jobid=name))
print("submitted", flush=True)
sys.stdin.read()
"""


def test_a_killed_kernels_jobs_are_ended_or_held_by_the_next_manager(
    bench: Bench,  # noqa: F811
    until: Callable[..., None],
    alive: Callable[[int], bool],
) -> None:
    bench.project("slow", "slow.aedt")
    bench.project("success", "next.aedt")
    kernel = subprocess.Popen(
        [sys.executable, "-c", CRASH, "slow", "next"], cwd=bench.folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert kernel.stdout is not None
    assert kernel.stdout.readline() == "submitted\n"
    pids = bench.folder / "slow.pids"
    until(pids.exists, "the engines run")
    engines = [int(pid) for pid in pids.read_text().split()]
    kernel.kill()
    kernel.communicate()
    assert all(alive(pid) for pid in engines)
    bench.handler().start_service()
    assert command("solveyard", "wait", "slow").returncode == 1
    assert not any(alive(pid) for pid in engines)
    told = json.loads(command("solveyard", "show", "next", "--json").stdout)
    assert told["state"] == "held"
    assert command("solveyard", "release", "next").returncode == 0
    assert command("solveyard", "wait", "next").returncode == 0


def test_a_killed_services_jobs_go_on_and_are_had_again_by_their_ids(
    bench: Bench,  # noqa: F811
    until: Callable[..., None],
) -> None:
    with started(free_port()) as (service, at):
        slow = str(bench.project("slow", "slow.aedt"))
        assert command("pyedb-job-manager", "submit", slow, *at).returncode == 0
        pids = bench.folder / "slow_job.pids"
        until(pids.exists, "the engines run")
        engines = pids.read_text()
        service.kill()
    handler = bench.handler()
    handler.start_service()
    config = handler.create_simulation_config(slow, jobid="slow_job")
    assert handler.submit_job(config) == "slow_job"
    assert handler.manager.jobs["slow_job"].status == "running"
    handler.cancel_job("slow_job")
    assert handler.wait_until_done("slow_job", timeout=60) == "cancelled"
    assert pids.read_text() == engines  # it was started once


def test_a_failed_id_is_submitted_again_and_each_job_may_have_its_own_release(
    bench: Bench,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = install(tmp_path / "older", "v251")
    monkeypatch.setenv("ANSYSEM_ROOT251", str(older.parent))
    handler = bench.handler(version="2025.1")
    assert handler.ansys_path == str(older)
    handler.start_service()
    bad = handler.create_simulation_config(bench.project("fail"), jobid="board")
    assert handler.wait_until_done(handler.submit_job(bad), timeout=60) == "failed"
    bench.project("success")
    newer = handler.create_simulation_config(
        bench.folder / "board.aedt", ansys_edt_path=str(bench.edt), jobid="board"
    )
    assert handler.wait_until_done(handler.submit_job(newer), timeout=60) == "completed"
    attempts = ask(handler.url, "GET", "/jobs/board/attempts").json
    assert [attempt["reason"] for attempt in attempts] == ["exit_code", "success"]
    assert command("solveyard", "retry", "board").returncode == 0


# Tuning


def test_limits_are_kept_and_options_reach_ansysedt_as_the_page_says(
    bench: Bench,  # noqa: F811
) -> None:
    known: dict[str, Any] = {}
    for code in blocks("tuning.md", "python"):
        exec(code.replace("/nvme/scratch", str(bench.folder)), known)  # the page's own lines
    small = ResourceLimits(**{**known["limits"].to_dict(), "min_memory_gb": 0, "min_disk_gb": 0})
    first = bench.handler(resource_limits=small)
    first.start_service()
    first.close()
    handler = bench.handler()
    handler.start_service()
    assert handler.resource_limits == small
    asyncio.run(handler.manager.edit_concurrent_limits({"max_cpu_percent": 100}))
    board = bench.project()
    fast = handler.create_simulation_config(
        board, layout_options=known["options"], monitor=False, jobid="fast"
    )
    handler.submit_jobs_and_wait([fast], timeout=60)
    assert (handler.manager.jobs["fast"].status, handler.manager.jobs["fast"].output) == (
        "completed", "",
    )  # fmt: skip
    log = (bench.folder / "board.aedt.batchinfo" / "board-fast.log").read_text()
    assert f"TempDirectory'='{bench.folder}'" in log
    options = json.dumps({"project_path": str(board)})
    done = command(
        "solveyard", "submit", "--solver", "hfss", "--options", options, "--cores", "2", "--json"
    )
    assert json.loads(done.stdout)["cores"] == 2, done.stderr


# Security


def test_projects_outside_the_roots_and_hidden_characters_are_refused_over_http(
    service: Callable[..., Service],
    bench: Bench,  # noqa: F811
    tmp_path: Path,
) -> None:
    [setting] = blocks("job-manager-security.md", "toml")
    settings = tmp_path / "config.toml"
    settings.write_text(setting.replace("/projects", str(bench.folder)))
    yard = service("--port", "0", environment={"SOLVEYARD_CONFIG": str(settings)}).start()

    def submitted(**config: Any) -> int:
        return ask(str(yard.told["url"]), "POST", "/jobs/submit", {"config": config}).status

    inside = str(bench.project())
    outside = bench.project(name="../outside.aedt")
    linked = bench.folder / "linked.aedt"
    linked.symlink_to(outside)
    assert submitted(project_path=inside) == 200
    assert submitted(project_path=str(outside)) == 403
    assert submitted(project_path=str(linked)) == 403
    assert submitted(project_path=inside, layout_options={"temp_directory": "/etc"}) == 403
    assert submitted(project_path=inside, design_name="a\nb") == 400
    assert submitted(project_path=inside, script="x") == 400
