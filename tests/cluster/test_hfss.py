"""Solves through a real Slurm, by a stand-in for ansysedt (not Ansys software)."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import standin
from cluster.jobs import ended as the_end
from cluster.slurm import Slurm
from conftest import Service, until
from e2e.test_hfss_stop import STOP
from ports import free_port
from solveyard.client.calls import Call
from solveyard.client.replies import value
from solveyard.model.jobs import JobSpec
from standin.endings import ENDINGS, QUICK, SPECIAL, ended

LATE = "hang"
MINUTE = 60.0  #: s; Slurm counts time limits in minutes


def solve(folder: Path, scenario: str) -> JobSpec:
    """A job for a project of that scenario below `folder`."""
    program = folder / "ansys_inc" / "v252" / "AnsysEM" / "ansysedt"
    if not program.exists():
        standin.install(folder / "ansys_inc")
    values = {} if scenario in {"sweep", "success"} else QUICK | SPECIAL.get(scenario, {})
    place = standin.project(folder / "projects", scenario, f"{scenario}.aedt", **values)
    options = {"project_path": str(place), "jobid": scenario, "ansys_edt_path": str(program)}
    encoded = msgspec.Raw(msgspec.json.encode(options))
    return JobSpec(solver="hfss", name=scenario, options=encoded, on="slurm", grace=2.0)


def test_every_scenario_ends_in_its_reason_and_cause_on_a_node(
    service: Service, tmp_path: Path
) -> None:
    late = ENDINGS[LATE]._replace(words="time limit")
    wanted = ENDINGS | {LATE: late}
    specs = [solve(tmp_path, name) for name in wanted]
    service.client.submit_many(
        [replace(spec, time_limit=MINUTE) if spec.name == LATE else spec for spec in specs]
    )
    assert service.client.wait(list(wanted), 240)
    found = {name: ended(name, service.client.job(name)) for name in wanted}
    assert "time limit" in found[LATE].words
    assert found | {LATE: found[LATE]._replace(words="time limit")} == wanted
    for name in ("cut", "partial"):  # theirs are orphans, which this Slurm (linuxproc) lets go
        for pid in (tmp_path / "projects" / f"{name}.pids").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    assert standin.working_in(tmp_path / "projects") == []


@pytest.mark.parametrize("scenario", [LATE, "deaf"])
def test_a_solve_tells_how_far_it_is_and_cancelled_leaves_no_engine_on_its_node(
    slurm: Slurm, service: Service, tmp_path: Path, scenario: str
) -> None:
    number = service.client.submit(solve(tmp_path, scenario)).number
    until((tmp_path / "projects" / f"{scenario}.pids").exists, "the engines run")
    assert len(standin.working_in(tmp_path / "projects")) >= 3
    until(lambda: service.client.job(number).progress is not None, "how far it is, is told")
    service.client.cancel(number)
    assert the_end(service, number).state == "cancelled"
    until(lambda: not standin.working_in(tmp_path / "projects"), "no engine is left")


def test_a_clean_stop_keeps_the_results_of_a_solve_that_is_cancelled_on_its_node(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    port = free_port()
    spec = solve(tmp_path, "slow")
    options = msgspec.json.decode(bytes(spec.options))
    board = Path(options["project_path"])
    standin.project(board.parent, "slow", board.name, passes=100_000, delta_s=0.0, seconds=0.3)
    options |= {"grpc_port": port, "stop_with": [sys.executable, "-c", STOP, str(port)]}
    spec = replace(spec, options=msgspec.Raw(msgspec.json.encode(options)), grace=60.0)
    number = service.client.submit(spec).number
    log = board.parent / "slow.aedt.batchinfo" / "slow-slow.log"
    until(lambda: log.exists() and "Pass Number:  3;" in log.read_text(), "three passes are solved")
    service.client.cancel(number)
    assert the_end(service, number).state == "cancelled"
    until(lambda: not standin.working_in(board.parent), "no engine is left")
    assert "Stopping Batch Run" in log.read_text()
    assert (board.parent / "slow.aedtresults" / "slow.s1p").stat().st_size > 0


def test_a_disk_that_fills_on_its_node_is_a_warning_and_ends_the_solve_where_that_is_asked(
    service: Service, small_disk: Path, tmp_path: Path
) -> None:
    program = standin.install(tmp_path / "ansys_inc")
    board = standin.project(small_disk / "projects", "slow", passes=100_000, delta_s=0.0)
    options = {"project_path": str(board), "ansys_edt_path": str(program), "min_disk_gb": 1 / 32}

    def submitted(**more: str) -> int:
        encoded = msgspec.Raw(msgspec.json.encode(options | more))
        spec = JobSpec(solver="hfss", options=encoded, on="slurm", grace=2)
        number = service.client.submit(spec).number
        until(lambda: service.client.job(number).progress is not None, "it solves")
        (small_disk / "filler").write_bytes(bytes(48 << 20))
        return number

    def warned() -> bool:
        told = service.client.job(warns).progress
        return told is not None and "of disk are free where it solves" in told.warning

    warns = submitted()
    until(warned, "it is warned")
    service.client.cancel(warns)
    assert the_end(service, warns).state == "cancelled"
    (small_disk / "filler").unlink()
    record = the_end(service, submitted(low_disk="end"))
    assert (record.reason, record.cause) == ("exit_code", "hfss.disk"), record
    until(lambda: not standin.working_in(board.parent), "no engine is left")


def test_a_preview_over_http_is_the_batch_script_and_the_command_that_submits_it(
    service: Service, tmp_path: Path
) -> None:
    spec = msgspec.json.encode(solve(tmp_path, "success"))
    plan = service.client._ask(Call("POST", "/jobs/preview", value, spec))
    assert "ansysedt -jobid success" in plan["script"]
    assert plan["script"].startswith("#!")
    assert any("sbatch" in word for word in plan["submit"]), plan["submit"]
    assert service.client.jobs().total == 0


def test_a_dry_run_for_several_nodes_leaves_their_hosts_to_the_batch_system(
    service: Service, tmp_path: Path
) -> None:
    board = standin.project(tmp_path / "projects")
    program = standin.install(tmp_path / "ansys_inc")
    words = [
        "hfss", str(board), "--on", "slurm", "--nodes", "2", "--cores", "3", "--queue", "any",
        "--ansysedt", str(program), "--dry-run",
    ]  # fmt: skip

    def told(*more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(service.store), *words, *more],
            env={**os.environ, **service.environment}, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    plan = json.loads(told("--json"))
    assert "-distributed -machinelist numcores=6 -auto" in plan["script"]
    assert "hfss_run" not in plan["script"]
    assert any("sbatch" in word for word in plan["submit"])
    assert plan["script"].rstrip() in told()
    assert "# submitted by:\n# " in told()
