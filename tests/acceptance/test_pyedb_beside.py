"""PyEDB itself, without its job manager, and our distribution of its paths beside it.

Both are installed, from PyPI and from here, into an environment of their own that pytest's cache
keeps.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptance import documents
from e2e.test_pyedb_paths import MODULES
from environments import python_with

OURS = ("solveyard", "solveyard-pyedb")
FIRST = "pyedb==0.66.0"  #: the first that has no job manager


@pytest.fixture(scope="module", params=[FIRST, "pyedb>=0.66"])
def python(request: pytest.FixtureRequest) -> str:
    """Of an environment with both. Skips, loudly, where PyPI can't be reached."""
    ours = [str(documents.ROOT), str(documents.ROOT / "packages" / "solveyard-pyedb")]
    return python_with(
        request, "beside-" + request.param.replace(">", ""), request.param,
        again=[*ours, *(f"--reinstall-package={name}" for name in OURS)],
    )  # fmt: skip


@pytest.fixture
def run(python: str, tmp_path: Path) -> Callable[..., str]:
    """What it prints; it has to end well."""

    def done(*arguments: str) -> str:
        environment = {name: text for name, text in os.environ.items() if "ANSYS" not in name}
        environment.pop("PYTHONPATH", None)
        ended = subprocess.run(
            [python, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert "MixedFiles" not in ended.stderr
        return ended.stdout

    return done


def test_every_documented_path_is_ours_and_pyedb_still_imports(run: Any) -> None:
    lines = ["import pyedb", "import solveyard.pyedb.job_manager_handler as ours"]
    for place in ("pyedb.workflows.job_manager", "pyedb.workflows.job_manager.backend"):
        lines += [f"import {place}.{name}" for name in MODULES]
        lines += [
            f"assert {place}.job_manager_handler.JobManagerHandler is ours.JobManagerHandler",
            f"from {place}.service import JobManager, ResourceLimits, JobStatus, JobInfo",
            f"from {place}.service import ResourceMonitor, JobPoolManager, SchedulerManager",
            f"from {place}.job_submission import HFSSSimulationConfig, create_hfss_config",
        ]
    lines += [
        "from pyedb.workflows.job_manager import JobManagerHandler",
        "from pyedb.workflows.cli.submit_local_job import main",
        "from pyedb import Edb",
        "from pyedb.workflows.utilities.hfss_log_parser import HFSSLogParser",
        "print(Edb.__module__, HFSSLogParser.__module__, pyedb.workflows.__file__)",
    ]
    edb, parser, package = run("-c", "\n".join(lines)).split()
    assert edb.startswith("pyedb.")
    assert parser == "pyedb.workflows.utilities.hfss_log_parser"
    assert package.endswith("/pyedb/workflows/__init__.py")


def test_no_file_of_the_one_is_the_others(run: Any) -> None:
    told = run(
        "-c",
        "from importlib.metadata import distribution\n"
        "files = [{str(one) for one in distribution(name).files}\n"
        "         for name in ('pyedb', 'solveyard-pyedb')]\n"
        "print(len(files[1]), sorted(files[0] & files[1]))\n",
    )
    count, _, shared = told.strip().partition(" ")
    assert (int(count) > 15, shared) == (True, "[]")


@pytest.mark.parametrize("folder", ["", "backend."])
def test_each_module_is_a_command(run: Any, folder: str) -> None:
    for name in MODULES:
        if name != "job_submission":
            told = run("-m", f"pyedb.workflows.job_manager.{folder}{name}", "--help")
            assert told.startswith("usage:"), name
