"""Solves that take licences of a server, whose own count judges. Both are stand-ins."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import standin
from standin import licences

COUNT = 6
QUICK = {"sweep": "discrete", "points": 3}


@pytest.fixture
def server() -> Iterator[str]:
    if not sys.platform.startswith("linux"):
        pytest.skip("the stand-in was written for Linux")
    with standin.licence_server(elec_solve_hfss=20, anshpc=10) as address:
        yield address


@pytest.fixture
def desk(server: str) -> Iterator[licences.Client]:
    """Somebody who works by hand, with three of the ten seats."""
    with contextlib.closing(licences.Client(server)) as person:
        person.check_out({"anshpc": 3}, user="ada", host="ws1")
        yield person


def test_solves_take_what_lmstat_says_is_free_and_none_is_denied(
    service: Callable[..., Any], tmp_path: Path, server: str, desk: licences.Client
) -> None:
    program = standin.install(tmp_path / "ansys_inc")
    lmutil = standin.install_lmutil(tmp_path)
    (tmp_path / "config.toml").write_text(
        "cores = 64\nresources.licences = {anshpc = 100, elec_solve_hfss = 100}\n"
        f"licences = {{command = ['{lmutil}', 'lmstat', '-a', '-c', '{server}'], interval = 1}}\n"
    )
    environment = {
        "SOLVEYARD_CONFIG": str(tmp_path / "config.toml"),
        "ANSYSEM_ROOT252": str(program.parent),
        licences.VARIABLE: server,
    }
    yard = service(environment=environment).start()
    for index in range(COUNT):
        standin.project(tmp_path / "projects", "slow", f"v{index}.aedt", seconds=0.1, **QUICK)
    array = str(tmp_path / "projects" / "v{{index}}.aedt")
    told = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), "hfss", array,
         "--array", f"0-{COUNT - 1}", "--cores", "7", "--hpc", "pool", "--wait", "--json"],
        capture_output=True, text=True, env=yard.environment, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    record = json.loads(told.stdout)
    assert (record["state"], record["tasks"]["completed"]) == ("completed", COUNT), record
    state = desk.state()
    assert state["denials"] == 0
    assert state["peak"] == {"anshpc": 9, "elec_solve_hfss": 2}, "two at once beside the desk"
    assert [one["user"] for one in state["held"]] == ["ada"], "all others were given back"
