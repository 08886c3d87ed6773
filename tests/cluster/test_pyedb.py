"""PyEDB's job manager on a real Slurm: solved by a stand-in for ansysedt (not Ansys software)."""

import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import standin
from acceptance.conftest import Home
from cluster.conftest import SETTINGS
from cluster.slurm import Slurm
from conftest import alive, until
from solveyard.model.jobs import JobState
from solveyard.pyedb import errors
from solveyard.pyedb.job_submission import HFSSSimulationConfig, SchedulerOptions, SchedulerType
from solveyard.pyedb.service import SchedulerManager

SMALL = {"memory": "200MB"}  #: a node of the tests' Slurm has little


@pytest.fixture
def desk(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """One whose managers find this Slurm named in the settings."""
    yield from _desk(slurm, tmp_path, monkeypatch, SETTINGS)


@pytest.fixture
def bare(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """One whose settings name no cluster."""
    yield from _desk(slurm, tmp_path, monkeypatch, "")


def _desk(
    slurm: Slurm, folder: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> Iterator[Home]:
    one = Home(folder)
    config = folder / "config.toml"
    config.write_text(settings)
    here = {
        "SOLVEYARD_HOME": str(one.store),
        "SOLVEYARD_CONFIG": str(config),
        "ANSYSEM_ROOT252": str(one.edt.parent),
        "SLURM_CONF": str(slurm.conf),
    }
    one.environment |= here
    for name, text in here.items():
        monkeypatch.setenv(name, text)
    yield one
    for handler in one.handlers:
        handler.close()
    one.leave()
    slurm.run("scancel", "--quiet", "--me", check=False)


def config(desk: Home, handler: Any, name: str, scenario: str = "success", **more: Any) -> Any:
    options = more.pop("scheduler_options", SMALL)
    return handler.create_simulation_config(
        desk.project(f"{name}.aedt", scenario), jobid=name, scheduler_options=options, **more
    )


def ask(handler: Any, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{handler.port}{path}", data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


def test_a_configuration_for_slurm_is_solved_there_and_shows_its_id(
    slurm: Slurm, desk: Home
) -> None:
    standin.install_launcher(desk.folder / "ansys_inc")
    handler = desk.handler()
    told: list[tuple[str, dict[str, Any]]] = []
    for name in ("job_queued", "job_scheduled", "job_started", "job_completed"):
        handler.sio.on(name, lambda content, name=name: told.append((name, content)))
    handler.start_service()
    one = config(desk, handler, "demo_001", scheduler_type="slurm")
    assert handler.submit_jobs_and_wait([one], timeout=60) == ["demo_001"]
    info = handler.manager.jobs["demo_001"]
    assert (info.status, info.return_code) == ("completed", 0), info
    native = str(info.scheduler_job_id)
    assert slurm.state(native) == "COMPLETED"
    shown = slurm.run("scontrol", "show", "job", native)
    assert "NumNodes=1" in shown
    [record] = ask(handler, "/api/jobs")
    assert (record["scheduler_job_id"], record["status"]) == (native, "completed")
    log = desk.folder / "demo_001.aedt.batchinfo" / "demo_001-demo_001.log"
    assert "-distributed -machinelist numcores=1 -auto" in log.read_text()
    assert info.output.startswith("STAND-IN ansysedt_launcher.sh\n")
    until(lambda: told[-1][0] == "job_completed", "its end is told")
    assert [name for name, _ in told] == [
        "job_queued", "job_scheduled", "job_started", "job_completed",
    ]  # fmt: skip
    assert told[1][1] == {"job_id": "demo_001", "scheduler_job_id": native}
    assert told[2][1]["scheduler_job_id"] == native
    assert told[3][1]["status"] == "completed"


def test_a_cancelled_one_has_told_its_log_and_progress_and_leaves_no_engine(
    slurm: Slurm, desk: Home
) -> None:
    handler = desk.handler()
    handler.start_service()
    handler.submit_job(config(desk, handler, "hang", "hang", scheduler_type="slurm"))
    until((desk.folder / "hang.pids").exists, "the engines run")
    until(lambda: ask(handler, "/jobs/hang")["progress"], "its progress is told")
    assert ask(handler, "/api/jobs/hang/log")["project"]["name"] == "hang"
    native = ask(handler, "/jobs/hang")["scheduler_job_id"]
    assert slurm.state(native) == "RUNNING"
    assert handler.cancel_job("hang")
    assert handler.wait_until_done("hang", timeout=60) == "cancelled"
    assert slurm.state(native) == "CANCELLED"
    pids = [int(pid) for pid in (desk.folder / "hang.pids").read_text().split()]
    until(lambda: not any(map(alive, pids)), "no engine is left")


def test_what_sbatch_refuses_is_502_and_a_runtime_error_with_its_words(desk: Home) -> None:
    handler = desk.handler()
    handler.start_service()
    wrong = {"queue": "nonesuch"} | SMALL
    one = config(desk, handler, "a", scheduler_type="slurm", scheduler_options=wrong)
    with pytest.raises(RuntimeError, match="invalid partition specified: nonesuch"):
        handler.submit_job(one)
    with pytest.raises(errors.SubmissionFailed, match="invalid partition"):
        handler.submit_jobs([one])
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(handler, "/jobs/submit", {"config": one.to_dict(), "priority": 0})
    assert refused.value.code == 502
    told = json.load(refused.value)
    assert (told["success"], "invalid partition specified" in told["error"]) == (False, True)


def test_every_option_reaches_slurm(slurm: Slurm, desk: Home) -> None:
    until_tomorrow = slurm.run(
        "scontrol", "create", "reservation", "ReservationName=course", "Users=root",
        "StartTime=now", "Duration=60", "Nodes=n3,n4", "Flags=IGNORE_JOBS",
    )  # fmt: skip
    assert "course" in until_tomorrow
    asked = SchedulerOptions(
        queue="high", time="0.00:50:00", nodes=2, cores_per_node=3, memory="300MB",
        reservation="course", exclusive=True, gpus=4, priority="Low",
        email_notification="eve@example.org", account="lab",
    )  # fmt: skip
    handler = desk.handler()
    handler.start_service()
    one = config(desk, handler, "all", "hang", scheduler_type="slurm", scheduler_options=asked)
    try:
        handler.submit_job(one)
        until((desk.folder / "all.pids").exists, "the engines run")
        native = ask(handler, "/jobs/all")["scheduler_job_id"]
        shown = slurm.run("scontrol", "show", "job", native)
        handler.cancel_job("all")
        handler.wait_until_done("all", timeout=60)
    finally:
        until(lambda: not slurm.run("squeue", "-h", "-R", "course"), "nothing runs in it")
        slurm.run("scontrol", "delete", "ReservationName=course")
    facts = dict(word.partition("=")[::2] for word in shown.split())
    wanted = {
        "Partition": "high", "TimeLimit": "00:50:00", "NumNodes": "2", "MinMemoryNode": "300M",
        "Reservation": "course", "OverSubscribe": "NO", "TresPerNode": "gres:gpu:2",
        "MailUser": "eve@example.org", "Account": "lab", "Nice": "1000",
    }  # fmt: skip
    assert {name: facts.get(name) for name in wanted} == wanted
    log = (desk.folder / "all.aedt.batchinfo" / "all-all.log").read_text()
    assert "numcores=6" in log


def test_what_a_batch_system_has_goes_on_when_its_handler_is_closed(
    slurm: Slurm, desk: Home
) -> None:
    handler = desk.handler()
    handler.start_service()
    handler.submit_job(config(desk, handler, "long", "hang", scheduler_type="slurm"))
    until((desk.folder / "long.pids").exists, "the engines run")
    native = ask(handler, "/jobs/long")["scheduler_job_id"]
    handler.close()
    assert slurm.state(native) == "RUNNING"
    handler.start_service()
    until(lambda: ask(handler, "/jobs/long")["state"] == JobState.RUNNING, "it is known to run")
    assert [one["native_id"] for one in ask(handler, "/jobs/long/attempts")] == [native]
    handler.cancel_job("long")
    assert handler.wait_until_done("long", timeout=60) == "cancelled"
    assert slurm.state(native) == "CANCELLED"


def test_what_a_batch_system_has_goes_on_when_its_session_is_killed(
    slurm: Slurm, desk: Home
) -> None:
    board = desk.project("long.aedt", "hang")
    script = desk.start(
        [
            sys.executable, "-c",
            "import sys\n"
            "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
            "handler = JobManagerHandler(port=0)\n"
            "handler.start_service()\n"
            f"one = handler.create_simulation_config({str(board)!r}, jobid='long',"
            f" scheduler_type='slurm', scheduler_options={SMALL!r})\n"
            "print(handler.submit_job(one), flush=True)\n"
            "sys.stdin.read() or __import__('signal').pause()\n",
        ]
    )  # fmt: skip
    assert script.stdout is not None
    assert script.stdout.readline() == "long\n"
    until((desk.folder / "long.pids").exists, "the engines run")
    script.kill()
    script.wait()
    handler = desk.handler()
    handler.start_service()
    until(lambda: ask(handler, "/jobs/long")["state"] == JobState.RUNNING, "it is known to run")
    until(lambda: not list((desk.store / "sessions").glob(f"[!{handler._session._id}]*")), "done")
    assert slurm.state(ask(handler, "/jobs/long")["scheduler_job_id"]) == "RUNNING"
    assert not ask(handler, "/jobs/long")["cancel_requested"]
    handler.cancel_job("long")
    assert handler.wait_until_done("long", timeout=60) == "cancelled"


def test_a_slurm_that_answers_here_is_found_and_meant_where_none_is_said(
    slurm: Slurm, bare: Home
) -> None:
    handler = bare.handler()
    assert handler.scheduler_type == "slurm"
    handler.start_service()
    assert handler.scheduler_type == "slurm"
    assert ask(handler, "/api/scheduler_type") == {"scheduler_type": "slurm"}
    one = config(bare, handler, "found")
    assert one.scheduler_type == "slurm"
    here = config(bare, handler, "here", scheduler_type="none")
    handler.submit_jobs_and_wait([one, here], timeout=60)
    jobs = handler.manager.jobs
    assert {jobs[name].status for name in ("found", "here")} == {"completed"}
    assert slurm.state(jobs["found"].scheduler_job_id) == "COMPLETED"
    assert jobs["here"].scheduler_job_id is None


def test_what_a_cluster_is_like_is_told_whether_it_answers_or_not(slurm: Slurm, bare: Home) -> None:
    handler = bare.handler()
    handler.start_service()
    handler.submit_job(config(bare, handler, "hang", "hang", scheduler_type="slurm"))
    until(lambda: ask(handler, "/scheduler/partitions"), "its partitions are told")
    native = ask(handler, "/jobs/hang")["scheduler_job_id"]
    until(lambda: ask(handler, "/jobs/hang")["state"] == JobState.RUNNING, "it runs")
    slurm.send("slurmctld", signal.SIGSTOP)
    try:
        told = ask(handler, "/api/cluster_partitions")
        assert {one["name"] for one in told} == {"debug", "low", "again", "high"}
        [debug] = [one for one in told if one["name"] == "debug"]
        assert (debug["nodes_total"], debug["cores_total"]) == (4, 32)
        until(
            lambda: not ask(handler, "/system/status")["scheduler_detection"]["backend_available"],
            "it is known to be away",
        )
        status = ask(handler, "/system/status")
        assert status["scheduler_detection"]["active_scheduler"] == "slurm"
        assert status["mode"] == "slurm"
        found = handler.cluster_status()
        assert {one["name"] for one in found["partitions"]} == {"debug", "low", "again", "high"}
        assert [(one["job_id"], one["state"]) for one in found["jobs"]] == [(native, "running")]
        assert ask(handler, "/api/scheduler_type") == {"scheduler_type": "slurm"}
    finally:
        slurm.send("slurmctld", signal.SIGCONT)
    handler.cancel_job("hang")
    assert handler.wait_until_done("hang", timeout=60) == "cancelled"


async def test_scheduler_manager_asks_slurm_itself(slurm: Slurm, bare: Home) -> None:
    there = SchedulerManager(SchedulerType.SLURM)
    assert {one["name"] for one in await there.get_partitions()} == {
        "debug",
        "low",
        "again",
        "high",
    }
    handler = bare.handler()
    handler.start_service()
    handler.submit_job(config(bare, handler, "hang", "hang", scheduler_type="slurm"))
    until(lambda: ask(handler, "/jobs/hang")["state"] == JobState.RUNNING, "it runs")
    [job] = await there.get_jobs()
    assert (job["job_id"], job["state"], job["nodes"]) == (
        ask(handler, "/jobs/hang")["scheduler_job_id"], "running", 1,
    )  # fmt: skip
    handler.cancel_job("hang")
    assert handler.wait_until_done("hang", timeout=60) == "cancelled"


def test_its_own_script_is_taken_by_sbatch_and_solves(slurm: Slurm, bare: Home) -> None:
    standin.install_launcher(bare.folder / "ansys_inc")
    one = HFSSSimulationConfig(
        project_path=bare.project("own.aedt"), jobid="own", scheduler_type="slurm",
        ansys_edt_path=bare.edt, scheduler_options=SMALL,
    )  # fmt: skip
    said = str(one.run_simulation())
    assert said.startswith("slurm_job_")
    native = said.removeprefix("slurm_job_")
    until(lambda: slurm.state(native) in {"COMPLETED", "FAILED"}, "it has ended")
    assert slurm.state(native) == "COMPLETED"
    out = bare.folder / f"slurm-{native}.out"
    assert "STAND-IN ansysedt_launcher.sh" in out.read_text()
    log = bare.folder / "own.aedt.batchinfo" / "own-own.log"
    assert "Normal completion" in log.read_text()
