"""The documents' blocks that ask for Slurm, as they stand, on a real one that the manager finds.

Changed are paths, ports and imports that a block leaves out. What solves is a stand-in for
ansysedt (not Ansys software).
"""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance import documents
from acceptance.conftest import Desk
from acceptance.documents import BACKEND, FACADE
from acceptance.test_documents_code import SLURM_IMPORTS, block, placed
from cluster.slurm import Slurm, absent
from conftest import until

pytestmark = documents.needed


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """With the memory that the documents ask for."""
    if missing := absent():
        pytest.skip(f"Slurm is not installed: there is no {', '.join(missing)}")
    folder: Path = tmp_path_factory.mktemp("roomy")
    started = Slurm(folder, memory=64 << 10)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def desk(roomy: Slurm, tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text("")
    one.environment |= {"SLURM_CONF": str(roomy.conf), "SOLVEYARD_CONFIG": str(config)}
    one.install_edb()
    one.project("antenna.aedt")
    yield one
    one.leave()


def states(slurm: Slurm, job: str) -> list[str]:
    """Of all jobs that bear this name before their mark."""
    told = slurm.run("squeue", "-h", "-t", "all", "-o", "%T %j")
    return [line.split()[0] for line in told.splitlines() if line.split()[1].startswith(f"{job}.")]


def test_the_quick_start_runs_to_its_end(roomy: Slurm, desk: Desk) -> None:
    code, out, err = desk.ends(desk.script(placed(desk, block(FACADE, 0))))
    assert (code, out) == (0, "Finished ['demo_001']\n"), err
    assert states(roomy, "demo_001") == ["COMPLETED"]


def test_what_was_submitted_with_options_goes_on_after_its_script(roomy: Slurm, desk: Desk) -> None:
    source = SLURM_IMPORTS + placed(desk, block(FACADE, 4))
    code, out, err = desk.ends(desk.script(source))
    assert (code, out) == (0, "Job submitted to SLURM antenna_001\n"), err
    until(lambda: states(roomy, "antenna_001") == ["COMPLETED"], "it has run, once")
    log = desk.folder / "antenna.aedt.batchinfo" / "antenna-antenna_001.log"
    assert "numcores=4" in log.read_text()


def test_the_synchronous_example_runs_to_its_end(roomy: Slurm, desk: Desk) -> None:
    source = "import asyncio, time\n" + placed(desk, block(BACKEND, 0))
    code, out, err = desk.ends(desk.script(source))
    assert code == 0, err
    job = re.fullmatch(r"Submitted (antenna_[0-9a-f]{6})\n", out)
    assert job is not None, out
    assert states(roomy, job[1]) == ["COMPLETED"]


def test_the_commands_submit_to_what_was_found(roomy: Slurm, desk: Desk) -> None:
    desk.environment["PYEDB_JOB_MANAGER_PORT"] = str(desk.port)
    started = desk.start(["python", "-m", "pyedb.workflows.job_manager.service"])
    assert started.stderr is not None
    while "aiohttp server on" not in next(started.stderr):
        pass
    submit = "python -m pyedb.workflows.job_manager.submit_job_on_scheduler"
    done = desk.shell(f"{submit} --project-path antenna.aedt --partition debug --nodes 2")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    until(lambda: states(roomy, job) == ["COMPLETED"], "it has run")
    done = desk.shell("pyedb-job-manager wait antenna.aedt --timeout 60")
    assert (done.returncode, done.stdout) == (0, "antenna_job\tcompleted\n"), done.stderr
    assert states(roomy, "antenna_job") == ["COMPLETED"]
    done = desk.shell("pyedb-job-manager submit antenna.aedt --jobid here --scheduler none")
    assert (done.returncode, states(roomy, "here")) == (0, []), done.stderr
    desk.project("hang.aedt", "hang")
    held = desk.shell(f"{submit} --project-path hang.aedt --nodes 1")
    assert held.returncode == 0, held.stderr
    until((desk.folder / f"{held.stdout.strip()}.pids").exists, "its engines run")
    wrong = desk.shell(f"{submit} --project-path antenna.aedt --partition nonesuch")
    assert wrong.returncode == 1
    assert "invalid partition specified: nonesuch" in wrong.stderr
    started.send_signal(signal.SIGTERM)
    assert started.wait(60) == 0
    assert states(roomy, held.stdout.strip()) == ["CANCELLED"], "its stop drains"
