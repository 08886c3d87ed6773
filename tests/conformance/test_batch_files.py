"""Windows HPC's batch files really run, by a stand-in for cmd."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchsystems import BatchSystem
from solveyard.backends.dialects import record, winhpc
from solveyard.backends.dialects.base import BatchJob, Run
from solveyard.model.batch import BatchOptions

Start = Callable[..., int]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """In which there is a `cmd`."""
    system = BatchSystem("winhpc", tmp_path_factory.mktemp("cmd") / "hpc")
    return {**os.environ, **system.environment}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Start:
    """Runs a job's batch file under a native id; gives cmd's exit code."""

    def run(job: BatchJob, native_id: str = "41") -> int:
        script = tmp_path / "job.cmd"
        script.write_text(winhpc.script(job), newline="")
        name = str(script).replace("/", "\\")
        return subprocess.run(
            ["cmd", "/d", "/c", name], cwd=tmp_path, env={**environment, "CCP_JOBID": native_id},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False,
        ).returncode  # fmt: skip

    return run


def job(folder: Path, *argv: str, env: dict[str, str] | None = None, **options: Any) -> BatchJob:
    place = folder / "di pole & (co)"
    place.mkdir(exist_ok=True)
    return BatchJob(
        name="dipole",
        runs=(
            Run(
                attempt=f"{'0' * 32}.7.0.1",
                argv=argv,
                directory=str(place),
                stdout=str(folder / "job.out"),
                stderr=str(folder / "job.err"),
                record=str(folder / "job.record"),
                env=env or {},
            ),
        ),
        options=BatchOptions(**options),
    )


def told(folder: Path) -> record.Record:
    found = record.read((folder / "job.record").read_text(), 0.0)
    assert isinstance(found, record.Record)
    return found


def out(folder: Path) -> list[str]:
    return (folder / "job.out").read_text().replace("\r", "").splitlines()


def test_a_command_runs_in_its_folder_with_its_variables(start: Start, tmp_path: Path) -> None:
    env = {"A": "50% & <more> (so)", "B": "%PATH%"}
    one = job(tmp_path, "cmd", "/d", "/c", "cd & set A & set B", env=env)
    assert start(one) == 0
    folder, *variables = out(tmp_path)
    assert folder.replace("\\", "/").endswith("/di pole & (co)")
    assert "A=50% & <more> (so)" in variables
    assert "B=%PATH%" in variables
    assert (told(tmp_path).stage, told(tmp_path).code) == ("command", 0)
    assert (told(tmp_path).native_id, told(tmp_path).ended) == ("41", None)


def test_its_exit_code_is_the_jobs(start: Start, tmp_path: Path) -> None:
    assert start(job(tmp_path, "cmd", "/d", "/c", "exit 7")) == 7
    assert told(tmp_path).code == 7


def test_a_prologue_that_fails_keeps_it_from_starting(start: Start, tmp_path: Path) -> None:
    assert start(job(tmp_path, "cmd", "/d", "/c", "echo ran", prologue="exit /b 9")) == 9
    assert (told(tmp_path).stage, told(tmp_path).code) == ("prologue", 9)
    assert out(tmp_path) == []


def test_prologue_and_epilogue_run_around_it(start: Start, tmp_path: Path) -> None:
    around = {"prologue": "set WARM=from prologue", "epilogue": "echo %SOLVEYARD_EXIT% %WARM%"}
    assert start(job(tmp_path, "cmd", "/d", "/c", "set WARM & exit 3", **around)) == 3
    assert out(tmp_path) == ["WARM=from prologue", "3 from prologue"]


def test_a_program_that_is_not_there_is_told(start: Start, tmp_path: Path) -> None:
    assert start(job(tmp_path, "nosuch", "x")) != 0
    assert told(tmp_path).code == 9009
    assert "nosuch" in (tmp_path / "job.err").read_text()


def test_a_job_that_was_given_twice_runs_once(start: Start, tmp_path: Path) -> None:
    one = job(tmp_path, "cmd", "/d", "/c", "echo ran")
    assert start(one, "41") == 0
    assert start(one, "42") == 125
    assert out(tmp_path) == ["ran"]
    assert told(tmp_path).native_id == "41"
    assert start(one, "41") == 125, "so does one that is started again under its id"
    assert out(tmp_path) == ["ran"]


def test_a_folder_that_is_not_there_is_told(start: Start, tmp_path: Path) -> None:
    one = job(tmp_path, "cmd", "/d", "/c", "echo ran")
    (tmp_path / "di pole & (co)").rmdir()
    assert start(one) != 0
    assert told(tmp_path).stage == "directory"


def test_a_batch_file_comes_back(start: Start, tmp_path: Path) -> None:
    one = job(tmp_path, "solve.bat", "x")
    batch = tmp_path / "di pole & (co)" / "solve.bat"
    batch.write_text("@echo off\r\necho got %1\r\nexit /b 5\r\n", newline="")
    assert start(one) == 5
    assert told(tmp_path).code == 5
    assert out(tmp_path) == ["got x"]
