"""PyEDB 0.65.2 itself, unchanged, as a client of our service: the last one with a job manager.

It is installed from PyPI, once, into an environment of its own that pytest's cache keeps.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from environments import python_with
from standin import install, project

VERSION = "0.65.2"
BACKEND = "pyedb.workflows.job_manager.backend"


@pytest.fixture(scope="session")
def pyedb(request: pytest.FixtureRequest) -> str:
    """The Python that has it. Skips, loudly, where PyPI can't be reached."""
    return python_with(request, f"pyedb-{VERSION}", f"pyedb=={VERSION}")


class Site:
    """A service that found a stand-in for ansysedt, and PyEDB's programs."""

    def __init__(self, python: str, folder: Path, make: Callable[..., Any]) -> None:
        self.python = python
        self.folder = folder / "projects"
        edt = install(folder / "ansys_inc")
        root = {"ANSYSEM_ROOT252": str(edt.parent)}
        self.environment = {**os.environ, **root, "PYTHONWARNINGS": "ignore"}
        self.service = make(environment=root).start()
        self.client = self.service.client
        self.url = str(self.service.told["url"]).replace("127.0.0.1", "localhost")
        self.port = self.url.rpartition(":")[2]

    def project(self, name: str, scenario: str = "success") -> Path:
        return project(self.folder, scenario, name)

    def command(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run("-m", f"{BACKEND}.{name}", "--port", self.port, *arguments)

    def script(self, source: str) -> str:
        """What it prints."""
        done = self.run("-c", source)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.python, *arguments], cwd=self.folder.parent, env=self.environment,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def ended(self) -> list[Any]:
        """All jobs, oldest first, once they have ended."""
        found = sorted(self.client.jobs().jobs, key=lambda record: record.number)
        assert self.client.wait([record.id for record in found], 60)
        return [self.client.job(record.id) for record in found]


@pytest.fixture
def site(pyedb: str, tmp_path: Path, service: Callable[..., Any]) -> Site:
    return Site(pyedb, tmp_path, service)


def test_its_submit_local_job_has_a_project_solved(site: Site) -> None:
    board = site.project("board.aedb")
    done = site.command("submit_local_job", "--project-path", str(board), "--num-cores", "2")
    assert (done.returncode, "Job submit successful (status=200)" in done.stderr) == (0, True)
    [job] = site.ended()
    assert (job.state, job.reason) == ("completed", "success"), job.message
    log = Path(f"{board}.batchinfo") / f"board-{job.id}.log"
    assert "list=localhost:2:2:90%" in log.read_text()


def test_its_submit_batch_jobs_has_a_folder_of_projects_solved(site: Site) -> None:
    for name in ("pair.aedb", "pair.aedt", "alone.aedb", "single.aedt"):
        site.project(name)
    project(site.folder / "below", name="deep.aedt")
    done = site.command(
        "submit_batch_jobs", "--root-dir", str(site.folder), "--recursive", "--delay-ms", "0",
        "--max-concurrent", "4",
    )  # fmt: skip
    assert done.returncode == 0
    assert "Successful: 4" in done.stderr, done.stderr
    jobs = site.ended()
    assert {job.state for job in jobs} == {"completed"}
    solved = sorted(place.name for place in site.folder.rglob("*.q.completed"))
    assert solved == [f"{name}.q.completed" for name in
                      ("alone.aedb", "deep.aedt", "pair.aedt", "single.aedt")]  # fmt: skip


def test_its_submit_job_on_scheduler_is_taken_with_its_options(site: Site) -> None:
    """It never says which batch system it means, so the job runs on the service's machine."""
    board = site.project("board.aedt")
    done = site.command(
        "submit_job_on_scheduler", "--project-path", str(board), "--run-limit", "24",
        "--nodes", "2", "--partition", "long",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [job] = site.ended()
    assert job.state == "completed"


def test_a_refusal_reaches_its_user(site: Site) -> None:
    board = site.project("board.aedt")
    source = (
        "import asyncio\n"
        f"from {BACKEND}.job_submission import create_hfss_config\n"
        f"from {BACKEND} import submit_local_job as it\n"
        "it.create_hfss_config = lambda project_path: create_hfss_config("
        "project_path=project_path, scheduler_type='slurm')\n"
        "import logging; logging.basicConfig(level='INFO')\n"
        f"asyncio.run(it.submit_job(host='localhost', port={site.port},"
        f" project_path={str(board)!r}, num_cores=1))\n"
    )
    done = site.run("-c", source)
    assert "Job submit failed (status=502)" in done.stderr
    assert "no batch system is configured" in done.stderr
    assert site.client.jobs().jobs == []


def test_its_helper_gets_the_id_of_a_job_with_its_priority(site: Site) -> None:
    board = site.project("board.aedt")
    out = site.script(
        "import asyncio\n"
        f"from {BACKEND}.job_submission import create_hfss_config\n"
        f"from {BACKEND}.service import submit_job_to_manager\n"
        f"config = create_hfss_config({str(board)!r}, jobid='remote_7')\n"
        f"print(asyncio.run(submit_job_to_manager(config, 5, {site.url!r})))\n"
    )
    assert out == "remote_7\n"
    [job] = site.ended()
    assert (job.id, job.priority, job.state) == ("remote_7", 5, "completed")


def test_its_handler_waits_for_our_jobs(site: Site) -> None:
    places = {"good": site.project("a.aedt"), "bad": site.project("b.aedt", "fail")}
    told = site.script(
        "import asyncio, json\n"
        f"from {BACKEND}.job_manager_handler import JobManagerHandler\n"
        f"from {BACKEND}.job_submission import create_hfss_config\n"
        f"from {BACKEND}.service import submit_job_to_manager\n"
        f"handler = JobManagerHandler(port={site.port})\n"
        "handler.started = True  # by somebody else: it asks over HTTP\n"
        f"for name, place in { ({name: str(place) for name, place in places.items()})!r}.items():\n"
        "    config = create_hfss_config(place, jobid=name)\n"
        "    asyncio.run(submit_job_to_manager(config, 0, handler.url))\n"
        "ends = [handler.wait_until_done(name, poll_every=0.1) for name in ('good', 'bad')]\n"
        "handler.wait_until_all_done(poll_every=0.1)\n"
        "try:\n"
        "    handler.wait_until_done('nobody')\n"
        "except RuntimeError as error:\n"
        "    ends.append(str(error))\n"
        "print(json.dumps(ends))\n"
    ).splitlines()[-1]
    assert json.loads(told) == [
        "completed", "failed", "Job nobody disappeared from manager",
    ]  # fmt: skip


def test_its_libraries_hear_our_events(site: Site) -> None:
    board = site.project("board.aedt")
    out = site.script(
        "import asyncio, json, socketio\n"
        f"from {BACKEND}.job_submission import create_hfss_config\n"
        f"from {BACKEND}.service import submit_job_to_manager\n"
        "async def main():\n"
        "    heard, done = [], asyncio.Event()\n"
        "    sio = socketio.AsyncClient()\n"
        "    @sio.on('*')\n"
        "    def told(name, content):\n"
        "        heard.append([name, content])\n"
        "        if name == 'job_completed': done.set()\n"
        f"    await sio.connect({site.url!r})\n"
        f"    config = create_hfss_config({str(board)!r}, jobid='live')\n"
        f"    await submit_job_to_manager(config, 3, {site.url!r})\n"
        "    await asyncio.wait_for(done.wait(), 60)\n"
        "    await sio.disconnect()\n"
        "    print(json.dumps(heard))\n"
        "asyncio.run(main())\n"
    )
    heard = json.loads(out)
    assert [name for name, _ in heard] == ["job_queued", "job_started", "job_completed"]
    queued, started, completed = (content for _, content in heard)
    assert {content["job_id"] for _, content in heard} == {"live"}
    assert queued["priority"] == 3
    assert {"start_time", "resources"} <= set(started)
    assert (completed["status"], completed["return_code"]) == ("completed", 0)
