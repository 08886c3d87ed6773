"""PyAEDT itself, unchanged, in an environment of its own; no Ansys software is there to run.

It is installed from PyPI, once, into an environment that pytest's cache keeps.
"""

import ast
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from environments import python_with
from solveyard.model.jobs import JobSpec
from solveyard.solvers.hfss.installations import installations
from solveyard.solvers.hfss.reader import read
from solveyard.surroundings import Here
from standin import install, project

VERSION = "1.9.0"
EXAMPLES = Path(__file__).parents[2] / "examples" / "hfss"
#: What an object of PyAEDT's has that `solve_in_batch` looks at; it needs AEDT to be made.
_APP = """
import logging, sys
from types import SimpleNamespace
from ansys.aedt.core.application.analysis import Analysis
app = SimpleNamespace(
    desktop_install_dir=sys.argv[1], logger=logging.getLogger(), setup_names=["Setup1"],
)
solve = Analysis.solve_in_batch
while hasattr(solve, "__wrapped__"):
    solve = solve.__wrapped__
assert solve(app, file_name=sys.argv[2], cores=4, tasks=1, setup=None)
print(app.last_run_job)
print(app.last_run_log)
"""
_SIGNATURES = """
import inspect, json, sys
from ansys.aedt.core import Desktop, Hfss
found = {}
for kind in (Desktop, Hfss):
    for name, what in inspect.getmembers(kind):
        if callable(what) and (name == "__init__" or name[0] != "_"):
            found[f"{kind.__name__}.{name}"] = list(inspect.signature(what).parameters)
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def pyaedt(request: pytest.FixtureRequest) -> str:
    """The Python that has it. Skips, loudly, where PyPI can't be reached."""
    return python_with(request, f"pyaedt-{VERSION}", f"pyaedt=={VERSION}")


def ran(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip


def test_what_the_examples_call_is_there_with_these_parameters(pyaedt: str) -> None:
    told = ran(pyaedt, "-c", _SIGNATURES)
    assert told.returncode == 0, told.stderr[-2000:]
    known: dict[str, list[str]] = msgspec.json.decode(told.stdout.splitlines()[-1])
    calls = []
    for example, made in (("clean_stop", "Desktop"), ("solve_with_pyaedt", "Hfss")):
        for node in ast.walk(ast.parse((EXAMPLES / f"{example}.py").read_text())):
            if not isinstance(node, ast.Call):
                continue
            match node.func:
                case ast.Name(id=name) if name == made:
                    calls.append((f"{made}.__init__", node))
                case ast.Attribute(value=ast.Name(id="desktop" | "hfss"), attr=name):
                    calls.append((f"{made}.{name}", node))
    assert {name for name, _ in calls} == {
        "Desktop.__init__", "Desktop.stop_simulations", "Desktop.release_desktop",
        "Hfss.__init__", "Hfss.analyze", "Hfss.export_touchstone", "Hfss.save_project",
    }  # fmt: skip
    for name, call in calls:
        assert {word.arg for word in call.keywords} <= set(known[name]), name


def test_both_find_the_same_installation(pyaedt: str, tmp_path: Path) -> None:
    program = install(tmp_path / "ansys_inc")
    root = {"ANSYSEM_ROOT252": str(program.parent)}
    asked = "from ansys.aedt.core.internal.aedt_versions import aedt_versions as a"
    told = ran(pyaedt, "-c", f"{asked}; print(a.installed_versions['2025.2'])", **root)
    assert told.returncode == 0, told.stderr[-2000:]
    found = told.stdout.splitlines()[-1]

    class There(Here):
        environment = root

    [first, *_] = installations(There())
    assert first.program == f"{found}/ansysedt" == str(program)


def test_what_it_starts_in_batch_and_waits_for_is_what_the_stand_in_takes_and_leaves(
    pyaedt: str, tmp_path: Path
) -> None:
    program = install(tmp_path / "ansys_inc")
    # PyAEDT looks for the queue's file every half second, and must find it once
    board = project(tmp_path / "projects", "slow", seconds=0.5, sweep="discrete", points=3)
    told = ran(pyaedt, "-c", _APP, str(program.parent), str(board))
    assert told.returncode == 0, told.stderr[-2000:]
    jobid, log = told.stdout.splitlines()[-2:]
    assert log == f"{board}.batchinfo/board-{jobid}.log"
    progress, ending = read(Path(log).read_bytes())
    assert (progress.converged, bool(ending.normal), progress.errors) == (True, True, 0)
    assert progress.cores == 4


def test_a_script_of_its_runs_as_a_job_and_says_that_there_is_no_aedt(
    pyaedt: str, service: Callable[..., Any], tmp_path: Path
) -> None:
    client = service().start().client
    script = str(EXAMPLES / "solve_with_pyaedt.py")
    options = {"argv": [pyaedt, script, str(tmp_path / "board.aedt"), "board.s2p", "4"]}
    client.submit(
        JobSpec(
            solver="command", name="s", options=msgspec.Raw(msgspec.json.encode(options)),
            directory=str(tmp_path), time_limit=120.0,
        )
    )  # fmt: skip
    assert client.wait(["s"], 150)
    record = client.job("s")
    told = client.log("s").content + client.log("s", "stderr").content
    assert (record.state, record.reason) == ("failed", "exit_code"), told
    assert b"pyaedt" in told.lower(), told
