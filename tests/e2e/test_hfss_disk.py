"""A disk that fills while it is solved on, by a stand-in for ansysedt (not Ansys software)."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import standin
from conftest import Service
from solveyard.model.jobs import JobSpec

FREE = 32 / 1024  #: GiB that are to be free, of 64 MiB
LOW = "of disk are free where it solves (32 MiB are to be)"


class Bench:
    """A manager that found a stand-in, and a project on a small disk that can be filled."""

    def __init__(self, service: Callable[..., Service], folder: Path, disk: Path) -> None:
        self.filler = disk / "filler"
        self.projects = disk / "projects"
        edt = standin.install(folder / "ansys_inc")
        self.service = service(environment={"ANSYSEM_ROOT252": str(edt.parent)}).start()
        self.client = self.service.client

    def fill(self) -> None:
        self.filler.write_bytes(bytes(48 << 20))

    def run(self, *words: str) -> str:
        """What the command line answers."""
        done = subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(self.service.store), *words],
            env=self.service.environment, capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def progress(self) -> Any:
        return self.client.job("b").progress


@pytest.fixture
def bench(service: Callable[..., Service], tmp_path: Path, small_disk: Path) -> Bench:
    return Bench(service, tmp_path, small_disk)


def test_a_disk_that_fills_is_a_warning_until_there_is_room_and_ends_nothing(
    bench: Bench, until: Callable[..., None]
) -> None:
    board = standin.project(bench.projects, "licence")  # it waits until it is given one
    waits = ["--min-disk", str(FREE), "--set", "wait_for_licence=true"]
    bench.run("hfss", str(board), "--name", "b", *waits)
    until(lambda: bench.progress() is not None, "it solves")
    assert bench.progress().warning == ""
    bench.fill()
    until(lambda: bench.progress().warning != "", "it is warned")
    assert bench.progress().warning.endswith(LOW), bench.progress()
    assert f"progress    warning: {bench.progress().warning}, " in bench.run("show", "b")
    assert "warning: only " in bench.run("ps")
    [row] = json.loads(bench.run("ps", "--json"))
    assert row["progress"]["warning"] == bench.progress().warning
    bench.filler.unlink()
    until(lambda: bench.progress().warning == "", "there is room again")
    assert "warning" not in bench.progress().text
    Path(f"{board}.licence").touch()
    assert bench.client.wait(["b"], 60)
    record = bench.client.job("b")
    assert record.reason == "success", record
    assert [one.partition(" of disk ")[2] for one in record.evidence[-2:]] == [
        "are free where it solves (32 MiB are to be)", "are free again where it solves",
    ]  # fmt: skip


@pytest.mark.parametrize("scenario", ["slow", "deaf"])
def test_a_solve_whose_disk_fills_is_ended_where_that_is_asked_for(
    bench: Bench, until: Callable[..., None], scenario: str
) -> None:
    board = standin.project(bench.projects, scenario, passes=100_000, delta_s=0.0)
    options = {"project_path": str(board), "min_disk_gb": FREE, "low_disk": "end"}
    encoded = msgspec.Raw(msgspec.json.encode(options))
    bench.client.submit(JobSpec(solver="hfss", name="b", options=encoded, grace=1))
    until((bench.projects / "b.pids").exists, "the engines run")
    assert len(standin.working_in(bench.projects)) >= 4
    bench.fill()
    assert bench.client.wait(["b"], 60)
    record = bench.client.job("b")
    assert (record.state, record.reason, record.cause) == ("failed", "exit_code", "hfss.disk")
    assert "it was ended, as `low_disk` has it, since too little disk was free" in record.message
    assert any(LOW in one for one in record.evidence), record.evidence
    until(lambda: standin.working_in(bench.projects) == [], "no engine is left")
