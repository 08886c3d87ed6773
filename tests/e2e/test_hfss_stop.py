"""A clean stop of a solve, by a stand-in for ansysedt (not Ansys software)."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import standin
from ports import free_port
from solveyard.model.jobs import JobSpec
from solveyard.solvers import touchstone

#: In the place of a script with PyAEDT: it asks over a port of the machine.
STOP = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).send(b'stop')"
ENDLESS: dict[str, Any] = {"passes": 100_000, "delta_s": 0.0, "seconds": 0.3}


def test_a_solve_that_goes_on_after_its_clean_stop_gets_term_before_kill(
    service: Callable[..., Any], tmp_path: Path, until: Callable[..., None]
) -> None:
    client = service().start().client
    board = standin.project(tmp_path / "projects", "slow", **ENDLESS)
    options = {
        "project_path": str(board),
        "ansys_edt_path": str(standin.install(tmp_path / "ansys_inc")),
        "stop_with": [sys.executable, "-c", "raise SystemExit('no such port')"],
    }
    raw = msgspec.Raw(msgspec.json.encode(options))
    client.submit(JobSpec(solver="hfss", name="b", options=raw, grace=4))

    def solves() -> bool:
        told = client.job("b").progress
        return told is not None and told.values.get("pass", 0) >= 1

    until(solves, "the first pass is solved")
    client.cancel("b")
    assert client.wait(["b"], 60)
    assert client.job("b").state == "cancelled"
    folder = board.parent
    log = (folder / "board.aedt.batchinfo" / "board-b.log").read_text()
    assert "Simulation was aborted by user" in log  # as it says at TERM; KILL leaves no word
    assert not (folder / "board.aedt.lock").exists()
    assert standin.working_in(folder) == []


@pytest.mark.parametrize("workspace", ["project", "copy"])
def test_a_clean_stop_keeps_the_results_of_a_solve_that_is_cancelled(
    service: Callable[..., Any], tmp_path: Path, until: Callable[..., None], workspace: str
) -> None:
    client = service().start().client
    projects, port = tmp_path / "projects", free_port()
    board = standin.project(projects, "slow", **ENDLESS)
    options = {
        "project_path": str(board),
        "ansys_edt_path": str(standin.install(tmp_path / "ansys_inc")),
        "workspace": workspace,
        "grpc_port": port,
        "stop_with": [sys.executable, "-c", STOP, str(port)],
    }
    spec = JobSpec(
        solver="hfss", name="b", options=msgspec.Raw(msgspec.json.encode(options)), grace=60
    )
    client.submit(spec)

    def solved() -> bool:
        told = client.job("b").progress
        return told is not None and told.values.get("pass", 0) >= 3

    until(solved, "three passes are solved")
    client.cancel("b")
    assert client.wait(["b"], 60)
    record = client.job("b")
    assert record.state == "cancelled", record.message
    assert client.log("b", "stderr").content == b"asking for a clean stop\n"
    folder = Path(record.directory)
    kept = folder / ("results" if workspace == "copy" else "board.aedtresults") / "board.s1p"
    assert len(touchstone.parse(kept.read_text(), 1).frequencies) == 1
    assert not (folder / "board.aedt.lock").exists()
    log = (folder / "board.aedt.batchinfo" / "board-b.log").read_text()
    assert "Simulation was aborted by user" in log
    assert "Stopping Batch Run" in log
    assert standin.working_in(folder) == []
