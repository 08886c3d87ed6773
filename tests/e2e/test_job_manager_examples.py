"""The demos of the job manager: the shell's, and the notebook's cells, with their stand-in."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ports import free_port

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "job_manager"
PACKAGE = ROOT / "packages" / "solveyard-pyedb" / "src"
NOTEBOOK: dict[str, Any] = json.loads((EXAMPLES / "demo.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in an empty folder, as one who installed both distributions does."""

    def run(*argv: str, **variables: str) -> str:
        bins = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path,
            env={
                **os.environ, "PATH": bins, "PYTHONPATH": f"{PACKAGE}{os.pathsep}{EXAMPLES}",
                "PYEDB_JOB_MANAGER_PORT": str(free_port()), **variables,
            },
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    return run


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The port of a service that answers whatever it is asked, and what it was asked."""
    asked = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.requestline)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("localhost", 0), Service) as server:
        threading.Thread(target=server.serve_forever).start()
        yield str(server.server_port), asked
        server.shutdown()


def test_the_shells_demo_submits_waits_tells_the_failure_and_stops(
    run: Run, tmp_path: Path, elsewhere: tuple[str, list[str]]
) -> None:
    usual, asked = elsewhere
    told = run("sh", str(EXAMPLES / "demo.sh"), PYEDB_JOB_MANAGER_PORT=usual)
    assert asked == []
    assert "NOT Ansys software" in told.splitlines()[0]
    listed = told[told.index("not all of them succeeded") :]
    assert (listed.count(" completed "), listed.count(" failed ")) == (3, 1)
    assert "batch log says: Port refinement" in listed
    assert told.endswith("stopped\n")
    assert "antenna_job\tcompleted\n" in told
    assert not (tmp_path / "job-manager-demo" / "store" / "manager.json").exists()


def test_the_notebooks_cells_run_in_order(run: Run) -> None:
    code = "\n".join(CODE)
    limits = "max_concurrent_jobs=2"
    assert code.count(limits) == 1
    # whatever else this machine does: its load keeps no job from starting
    told = run(sys.executable, "-c", code.replace(limits, f"{limits}, max_cpu_percent=100"))
    assert "antenna completed\nfilter completed\npatch failed\n" in told
    assert "not ended in 1 s: array\ncancelled: True\n" in told
    assert "array      cancelled   -1" in told
    assert "patch failed: exit code 1" in told
    assert "[error] Project:patch" in told  # its output
    assert "MissingFile no such project" in told
    assert "InvalidConfig `jobid`" in told


def test_the_notebook_is_one_without_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert set(NOTEBOOK) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in NOTEBOOK["cells"]:
        assert all(isinstance(line, str) for line in cell["source"])
        common = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            assert set(cell) == common | {"execution_count", "outputs"}
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
        else:
            assert (set(cell), cell["cell_type"]) == (common, "markdown")


def test_both_demos_say_that_the_stand_in_is_no_ansys_software() -> None:
    for name in ("README.md", "demo.sh", "demo.ipynb", "stand_in.py"):
        assert "not Ansys software" in (EXAMPLES / name).read_text(encoding="utf-8"), name
