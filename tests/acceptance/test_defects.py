"""Defects that PyEDB's job manager had, and that no page of its documents tells of."""

import re
import signal
from typing import Any

from acceptance.conftest import Home
from conftest import until
from e2e.asking import ask
from solveyard.pyedb.service import ResourceLimits


def test_bytes_that_are_no_text_fail_no_job(home: Home) -> None:
    program = home.edt.with_name("odd")
    program.write_text(f"#!/bin/sh\nprintf '\\377\\376 odd\\n'\nexec {home.edt} \"$@\"\n")
    program.chmod(0o755)
    handler = home.handler()
    handler.start_service()
    cfg = handler.create_simulation_config(home.project("a.aedt"), str(program), jobid="a")
    handler.submit_jobs_and_wait([cfg], timeout=60)
    told = handler.manager.jobs["a"]
    assert (told.status, told.return_code) == ("completed", 0)
    assert "\ufffd\ufffd odd" in told.output


def test_a_cancelled_job_gives_its_place_free_and_its_id_runs_again(home: Home) -> None:
    limits = ResourceLimits(1, 100, 0, 0)
    handler = home.handler(resource_limits=limits)
    handler.start_service()
    slow = home.project("slow.aedt", "slow")
    config = handler.create_simulation_config(slow, jobid="a")
    handler.submit_job(config)
    until((home.folder / "a.pids").exists, "the engines run")
    handler.cancel_job("a")
    assert handler.wait_until_done("a", timeout=60) == "cancelled"
    assert handler.manager.job_pool.running_jobs == set()
    slow.write_text('{"scenario": "success"}')
    other = handler.create_simulation_config(home.project("b.aedt"), jobid="b")
    handler.submit_jobs_and_wait([config, other], timeout=60)
    assert {job: told.status for job, told in handler.manager.jobs.items()} == {
        "a": "completed", "b": "completed",
    }  # fmt: skip


def test_a_service_says_when_it_starts_and_then_nothing_for_what_is_asked(home: Home) -> None:
    home.environment["PYEDB_JOB_MANAGER_PORT"] = str(home.port)
    service = home.start(["python", "-m", "pyedb.workflows.job_manager.service"])
    url = f"http://localhost:{home.port}"

    def answers() -> bool:
        try:
            return ask(url, "GET", "/queue").status == 200
        except OSError:
            return False

    until(answers, "it answers")
    asked: list[Any] = [ask(url, "GET", path) for path in ("/queue", "/jobs", "/api/jobs") * 20]
    assert {one.status for one in asked} == {200}
    service.send_signal(signal.SIGTERM)
    code, out, err = home.ends(service)
    assert (code, out) == (0, "")
    said = re.sub(r"^token 'first'.*\n", "", err).splitlines()
    assert said == [
        "INFO:JobManager:Resource monitor started (interval=5 s)",
        f"INFO:JobManager:aiohttp server on http://0.0.0.0:{home.port}",
    ]
