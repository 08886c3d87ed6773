"""The second distribution: PyEDB's own import paths."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from standin import install, project

ROOT = Path(__file__).parents[2]
MODULES = (
    "job_manager_handler", "job_submission", "service", "start_service", "submit_local_job",
    "submit_job_on_scheduler", "submit_batch_jobs",
)  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with what its wheel holds."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--no-build-isolation", "--target", str(folder),
         str(ROOT / "packages" / "solveyard-pyedb")],
        check=True,
    )  # fmt: skip
    return folder


def python(
    installed: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env={**os.environ, "PYTHONPATH": str(installed), **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_every_path_of_the_documents_is_the_same_thing(installed: Path) -> None:
    lines = ["import solveyard.pyedb.job_manager_handler as ours"]
    for folder in ("", ".backend"):
        lines += [f"import pyedb.workflows.job_manager{folder}.{name}" for name in MODULES]
        place = f"pyedb.workflows.job_manager{folder}"
        lines += [
            f"assert {place}.job_manager_handler.JobManagerHandler is ours.JobManagerHandler",
            f"from {place}.service import JobManager, ResourceLimits, JobStatus, JobInfo, logger",
            f"from {place}.service import ResourceMonitor, JobPoolManager, SchedulerManager, main",
            f"from {place}.job_submission import HFSSSimulationConfig, create_hfss_config",
        ]
    lines += [
        "from pyedb.workflows.job_manager import JobManagerHandler",
        "from pyedb.workflows.cli.submit_local_job import main",
        "import sys; assert 'aiohttp' not in sys.modules",
    ]
    done = python(installed, "-c", "\n".join(lines))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", ["job_manager", "job_manager.backend"])
def test_the_modules_are_commands_by_their_documented_names(installed: Path, path: str) -> None:
    for name in MODULES:
        if name != "job_submission":
            done = python(installed, "-m", f"pyedb.workflows.{path}.{name}", "--help")
            assert (done.returncode, "--port" in done.stdout) == (0, True), done.stderr
    assert (installed / "bin" / "submit_local_job").exists()


def test_an_older_pyedb_beside_it_is_said_with_what_mends_it(
    installed: Path, tmp_path: Path
) -> None:
    for version, warned in (("0.65.2", True), ("0.66.0", False), ("1.0", False)):
        beside = tmp_path / version
        (beside / f"pyedb-{version}.dist-info").mkdir(parents=True)
        metadata = beside / f"pyedb-{version}.dist-info" / "METADATA"
        metadata.write_text(f"Metadata-Version: 2.1\nName: pyedb\nVersion: {version}\n")
        done = subprocess.run(
            [sys.executable, "-c", "import pyedb.workflows.job_manager.service"],
            env={**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{beside}"},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert ('pip install "pyedb>=0.66"' in done.stderr) is warned, done.stderr


def test_the_documents_first_script_runs_by_their_imports(installed: Path, tmp_path: Path) -> None:
    edt = install(tmp_path / "ansys_inc")
    board = project(tmp_path / "projects")
    script = (
        "from pyedb.workflows.job_manager import JobManagerHandler\n"
        "class Edb: base_path = None\n"
        "edb = Edb()\n"
        'handler = JobManagerHandler(edb, host="localhost", port=0)\n'
        "handler.start_service()  # returns immediately\n"
        f"cfg = handler.create_simulation_config(project_path={str(board)!r}, jobid='demo_001')\n"
        "job_ids = handler.submit_jobs_and_wait([cfg], timeout=60)\n"
        'print("Finished", job_ids)\n'
    )
    done = python(
        installed, "-c", script,
        SOLVEYARD_HOME=str(tmp_path / "store"), ANSYSEM_ROOT252=str(edt.parent),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "Finished ['demo_001']\n"), done.stderr
