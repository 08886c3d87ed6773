"""What the PyEDB job manager's documents say in words of the handler, shown in this process."""

import asyncio
import inspect
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import pytest

from acceptance.conftest import Home
from conftest import until
from e2e.asking import ask
from ports import free_port
from solveyard.client.sync import Client
from solveyard.pyedb.errors import JobManagerError
from solveyard.pyedb.job_submission import HFSSSimulationConfig
from solveyard.pyedb.service import JobManager, ResourceLimits, submit_job_to_manager


def test_waiting_ends_when_each_job_has_completed_failed_or_been_cancelled(home: Home) -> None:
    handler = home.handler(resource_limits=ResourceLimits(3, 100, 0, 0))
    scenarios = ["success", "fail", "slow"]
    configs = [
        handler.create_simulation_config(home.project(f"{scenario}.aedt", scenario), jobid=scenario)
        for scenario in scenarios
    ]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(handler.submit_jobs_and_wait, configs, timeout=100)
        until((home.folder / "slow.pids").exists, "the engines run")
        handler.wait_until_done("success")
        handler.wait_until_done("fail")
        assert not waiting.done()
        assert handler.cancel_job("slow")
        assert waiting.result() == scenarios
    ends = [info.status for info in handler.manager.jobs.values()]
    assert ends == ["completed", "failed", "cancelled"]


@pytest.mark.parametrize("says", ["exit 1", "exit 0", "echo nonsense"])
def test_commands_of_a_batch_system_that_answers_nothing_change_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    for name in (
        "sinfo",
        "squeue",
        "sbatch",
        "bsub",
        "bqueues",
        "bhosts",
        "bparams",
        "qstat",
        "qsub",
    ):
        stray = home.folder / name
        stray.write_text(f"#!/bin/sh\n{says}\n")
        stray.chmod(0o755)
    monkeypatch.setenv("PATH", str(home.folder), prepend=os.pathsep)
    handler = home.handler(resource_limits=ResourceLimits(2, 100, 0, 0))
    assert handler.scheduler_type == "none"
    configs = [
        handler.create_simulation_config(home.project(f"{name}.aedt"), scheduler_type=asked)
        for name, asked in (("found", None), ("here", "none"))
    ]
    ends = {handler.wait_until_done(job) for job in handler.submit_jobs(configs)}
    assert ends == {"completed"}
    assert {one.scheduler_job_id for one in handler.manager.jobs.values()} == {None}
    with Client(home.store) as client:
        assert (client.batch_system(), client.cluster_status()) == ("none", [])


def test_a_wait_for_all_that_takes_too_long_is_the_documented_error_and_ends_nothing(
    home: Home,
) -> None:
    handler = home.handler(resource_limits=ResourceLimits(2, 100, 0, 0))
    config = handler.create_simulation_config(home.project("slow.aedt", "slow"), jobid="slow")
    with pytest.raises(asyncio.TimeoutError, match="slow"):
        handler.submit_jobs_and_wait([config], timeout=0.1)
    until((home.folder / "slow.pids").exists, "the engines run")
    assert handler.manager.jobs["slow"].status == "running"


def test_every_public_method_may_be_called_from_many_threads_and_loops_at_once(
    home: Home,
) -> None:
    handler = home.handler(resource_limits=ResourceLimits(8, 100, 0, 0))
    everything = {name for name in dir(handler) if not name.startswith("_")}
    plain = {"host", "port", "ansys_path"}
    heard: Queue[tuple[int, str]] = Queue()
    managers: dict[str, JobManager] = {}

    def use(number: int) -> tuple[int, set[str]]:
        def made(name: str) -> HFSSSimulationConfig:
            place = home.project(f"{name}{number}.aedt")
            return handler.create_simulation_config(place, jobid=f"{name}{number}")

        handler.start_service()
        handler.sio.on("job_completed", lambda content: heard.put((number, content["job_id"])))
        one = handler.submit_job(made("one"))
        two = handler.submit_jobs([made("two")])
        three = handler.submit_jobs_and_wait([made("three")], timeout=100)
        handler.wait_until_all_done(timeout=100)
        ends = {handler.wait_until_done(job, timeout=100) for job in (one, *two, *three)}
        assert handler.cancel_job(one)
        with pytest.raises(RuntimeError, match="batch system"):
            handler.cluster_status()
        assert (handler.started, handler.url.startswith("http://")) == (True, True)
        assert handler.scheduler_type == "none"
        assert handler.resource_limits.max_concurrent_jobs == 8
        assert handler.manager.jobs[one].return_code == 0
        assert handler.manager is managers.setdefault("one", handler.manager)
        return number, {str(end) for end in ends}

    async def ended() -> None:
        handler.close()
        await handler.stop_service()

    def end(number: int) -> None:
        if number % 2:
            asyncio.run(ended())
        else:
            handler.close()

    async def awaited(number: int) -> tuple[int, set[str]]:
        return use(number)

    def inside_a_loop_or_not(number: int) -> tuple[int, set[str]]:
        return asyncio.run(awaited(number)) if number % 2 else use(number)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(inside_a_loop_or_not, range(8)))
        assert told == [(number, {"completed"}) for number in range(8)]
        missing = {(number, f"three{number}") for number in range(8)}
        while missing:
            missing.discard(heard.get(timeout=60))
        list(pool.map(end, range(8)))
    assert not handler.started
    here = inspect.getsource(
        test_every_public_method_may_be_called_from_many_threads_and_loops_at_once
    )
    assert everything - plain <= set(re.findall(r"\bhandler\.(\w+)", here))


def test_a_job_has_30_s_to_end_cleanly_and_is_killed_then(home: Home) -> None:
    """One saves its work for 5 s after TERM; one ignores TERM, and counts how long it may."""
    program = home.folder / "ansys_inc" / "slowly"
    program.write_text(
        "#!/bin/bash\n"
        "name=$2\n"
        "trap 'if [ $name = saves ]; then sleep 5; echo saved > saves.txt; exit 0; fi' TERM\n"
        'while :; do echo tick >> "$name.ticks"; sleep 1 & wait $!; done\n'
    )
    program.chmod(0o755)
    limits = ResourceLimits(2, 100, 0, 0)
    handler = home.handler(resource_limits=limits)
    for name in ("saves", "stubborn"):
        config = handler.create_simulation_config(
            home.project(f"{name}.aedt"), ansys_edt_path=str(program), jobid=name
        )
        handler.submit_jobs([config])
        until((home.folder / f"{name}.ticks").exists, "it runs")
    ticks = home.folder / "stubborn.ticks"
    before = len(ticks.read_text().split())
    handler.close()
    assert (home.folder / "saves.txt").read_text() == "saved\n"
    counted = len(ticks.read_text().split())
    assert counted - before >= 10  # of 30, for it counts while the machine may be busy
    handler.start_service()
    record = ask(handler.url, "GET", "/jobs/stubborn").json
    assert (record["status"], record["return_code"]) == ("cancelled", -9)
    assert len(ticks.read_text().split()) == counted
    handler.close()


def test_a_port_that_cannot_be_had_is_the_documented_error_and_another_one_works(
    home: Home,
) -> None:
    elsewhere = home.handler(host="192.0.2.1")  # nobody's address
    with pytest.raises(RuntimeError, match="Job-Manager service failed to start within 10 s"):
        elsewhere.start_service()
    handler = home.handler()
    handler.start_service()
    assert ask(handler.url, "GET", "/queue").status == 200
    handler.close()


def test_the_program_that_has_the_port_is_found_by_its_id_and_stopped(home: Home) -> None:
    port = free_port()
    source = (
        f"import socket; s = socket.create_server(('127.0.0.1', {port})); print('up', flush=True);"
        " input()"
    )
    other = subprocess.Popen(
        ["python", "-c", source], env=home.environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    home.made.append(other)
    assert other.stdout is not None
    assert other.stdout.readline() == "up\n"
    handler = home.handler(port=port)
    with pytest.raises(RuntimeError, match=f"process {other.pid}\\b"):
        handler.start_service()
    other.kill()
    other.communicate()
    handler.start_service()
    assert handler.started
    handler.close()


async def test_the_helper_raises_when_neither_a_manager_nor_this_machine_can(home: Home) -> None:
    config = HFSSSimulationConfig(project_path=str(home.project("bad.aedt", "fail")))
    url = f"http://localhost:{free_port()}"
    with pytest.raises(JobManagerError, match="ended with 1"):
        await submit_job_to_manager(config, manager_url=url)
