"""PyEDB's configurations by each batch system, found on PATH; a stand-in for ansysedt solves.

A real Slurm has tests of its own in `cluster/test_pyedb.py`; the others are stand-ins.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Home
from batchsystems.sites import Site
from conftest import alive, until
from solveyard.pyedb import errors
from solveyard.solvers.hfss import forwarded
from solveyard.solvers.hfss.config import SchedulerType

SITES = ("pbs", "lsf", "lsf-open", "winhpc")
SMALL = {"memory": "200MB"}


@pytest.fixture
def home(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A desk on whose PATH the batch system is; no settings name it."""
    desk = Home(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text("")
    here = {
        **site.environment, "SOLVEYARD_HOME": str(desk.store), "SOLVEYARD_CONFIG": str(config),
        "ANSYSEM_ROOT252": str(desk.edt.parent), "SLURM_CONF": str(tmp_path / "no Slurm"),
    }  # fmt: skip
    for name, text in here.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("SOLVEYARD_DISCOVER_CLUSTERS")
    yield desk
    for handler in desk.handlers:
        handler.close()
    desk.leave()


def config(home: Home, handler: Any, name: str, scenario: str = "success", **options: Any) -> Any:
    return handler.create_simulation_config(
        home.project(f"{name}.aedt", scenario), jobid=name, scheduler_options=SMALL | options
    )


def test_a_configuration_that_leaves_it_open_is_solved_there(site: Site, home: Home) -> None:
    kind = forwarded.kind(site.dialect)
    assert kind not in {None, SchedulerType.NONE}
    handler = home.handler()
    handler.start_service()
    one = config(home, handler, "a", cores_per_node=2)
    assert (handler.scheduler_type, one.scheduler_type) == (kind, kind)
    handler.submit_jobs_and_wait([one], timeout=60)
    info = handler.manager.jobs["a"]
    assert (info.status, info.return_code) == ("completed", 0), info
    assert info.scheduler_job_id
    log = (home.folder / "a.aedt.batchinfo" / "a-a.log").read_text()
    assert "-distributed -machinelist numcores=2 -auto" in log


def test_a_running_one_is_cancelled_there_with_its_engines(site: Site, home: Home) -> None:
    handler = home.handler()
    handler.start_service()
    handler.submit_job(config(home, handler, "hang", "hang"))
    until((home.folder / "hang.pids").exists, "the engines run")
    assert handler.cancel_job("hang")
    assert handler.wait_until_done("hang", timeout=60) == "cancelled"
    engines = [int(pid) for pid in (home.folder / "hang.pids").read_text().split()]
    if site.dialect == "winhpc":  # its stand-in ends one process group
        for pid in filter(alive, engines):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(alive, engines)), "no engine is left")


def test_a_refusal_is_a_runtime_error_in_its_words(site: Site, home: Home) -> None:
    handler = home.handler()
    handler.start_service()
    with pytest.raises(errors.SubmissionFailed, match=site.refusal):
        handler.submit_job(config(home, handler, "a", queue="nonesuch"))
