"""A desk at which somebody's script runs: a store, a stand-in for ansysedt, projects, a free port.

Scripts import `pyedb.workflows.job_manager` from the source of `packages/solveyard-pyedb`, and
run in processes of their own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance import documents
from conftest import Service, until
from ports import free_port
from solveyard.client.sync import Client
from solveyard.model.errors import SolveyardError
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from standin import install, project

PATIENCE = 120  #: s for a script

EDB = '''"""Stands in for PyEDB, which opens boards only with Ansys software."""

import os


class Edb:
    def __init__(self, edbpath):
        self.base_path = os.environ["ANSYSEM_ROOT252"]
'''


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.port = free_port()
        self.edt = install(folder / "ansys_inc")
        self.site = folder / "site"
        shutil.copytree(documents.ROOT / "packages" / "solveyard-pyedb" / "src", self.site)
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "SOLVEYARD_HOME": str(self.store),
            "ANSYSEM_ROOT252": str(self.edt.parent),
            "PYTHONPATH": str(self.site),
            "PYTHONUNBUFFERED": "1",
            "SLURM_CONF": str(folder / "no Slurm"),  # whatever answers on this machine
        }
        self.made: list[subprocess.Popen[str]] = []

    def project(self, name: str, scenario: str = "success") -> Path:
        return project(self.folder, scenario, name)

    def install_edb(self) -> None:
        """As where PyEDB itself is installed, too."""
        (self.site / "pyedb" / "__init__.py").write_text(EDB)

    def start(self, argv: list[str], **more: Any) -> "subprocess.Popen[str]":
        started = subprocess.Popen(
            argv, cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
        )  # fmt: skip
        self.made.append(started)
        return started

    def script(self, source: str) -> "subprocess.Popen[str]":
        """Python, from a file."""
        place = self.folder / "script.py"
        place.write_text(source, encoding="utf-8")
        return self.start([sys.executable, "-W", "error", str(place)])

    def awaiting_script(self, source: str) -> "subprocess.Popen[str]":
        """Python that awaits outside of any function, as notebooks and `python -m asyncio` take."""
        place = self.folder / "cell.py"
        place.write_text(source, encoding="utf-8")
        run = (
            "import ast, asyncio, sys, types;"
            "code = compile(open(sys.argv[1]).read(), 'cell', 'exec',"
            " ast.PyCF_ALLOW_TOP_LEVEL_AWAIT);"
            "asyncio.run(types.FunctionType(code, {'__name__': '__main__'})())"
        )
        return self.start([sys.executable, "-W", "error", "-c", run, str(place)])

    def shell(self, line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, text=True,
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    def open_gates(self, job: str = "") -> None:
        """Whatever else this machine does: its load keeps no job from starting.

        `job`: once that is there, for a script sets its own limits before it submits.
        """

        def there() -> bool:
            try:
                with Client(self.store) as client:
                    if job:
                        client.job(job)
                    client.set_limits(max_cpu_percent=100, min_memory_gb=0, min_disk_gb=0)
            except (SolveyardError, OSError):
                return False
            return True

        until(there, "the manager takes limits")

    def ends(self, started: "subprocess.Popen[str]") -> tuple[int, str, str]:
        out, err = started.communicate(timeout=PATIENCE)
        return started.returncode, out, err

    def leave(self) -> None:
        """End everything that was started here."""
        for each in self.made:
            if each.poll() is None:
                each.kill()
            each.communicate()
        Service(self.store).clean_up()


class Home(Desk):
    """A desk with handlers in this process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.handlers: list[JobManagerHandler] = []

    def handler(self, **given: Any) -> JobManagerHandler:
        self.handlers.append(JobManagerHandler(**{"port": free_port(), **given}))
        return self.handlers[-1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.leave()


@pytest.fixture
def starter(desk: Desk) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a service by a command line, on the desk's port unless the line has another."""

    def start(line: str) -> "subprocess.Popen[str]":
        desk.environment["PYEDB_JOB_MANAGER_PORT"] = str(desk.port)
        return desk.start(["bash", "-c", f"exec {line}"])

    return start


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A desk whose environment this process has, too."""
    desk = Home(tmp_path)
    monkeypatch.setenv("SOLVEYARD_HOME", str(desk.store))
    monkeypatch.setenv("ANSYSEM_ROOT252", str(desk.edt.parent))
    yield desk
    for handler in desk.handlers:
        handler.close()
    desk.leave()
