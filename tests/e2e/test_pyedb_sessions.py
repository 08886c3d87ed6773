"""Sessions of PyEDB's job manager whose threads, loops and children come and go."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Service, alive
from ports import free_port
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable
from solveyard.pyedb import errors
from solveyard.pyedb.host import Host
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.pyedb.job_submission import HFSSSimulationConfig
from solveyard.pyedb.service import JobManager, ResourceLimits
from solveyard.yard import Yard
from standin import install, project

MANY = ResourceLimits(4, 100, 0, 0)


class Bench:
    """A store, projects, and handlers that are closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.folder = folder / "projects"
        self.handlers: list[JobManagerHandler] = []

    def handler(self) -> JobManagerHandler:
        self.handlers.append(JobManagerHandler(port=free_port(), resource_limits=MANY))
        self.handlers[-1].start_service()
        return self.handlers[-1]

    def config(self, name: str, scenario: str = "slow", place: str = "") -> HFSSSimulationConfig:
        made = project(self.folder / place, scenario, f"{name}.aedt")
        return HFSSSimulationConfig(project_path=made, jobid=name)

    def runs(self, name: str) -> bool:
        return (self.folder / f"{name}.pids").exists()

    def script(self, text: str) -> "subprocess.Popen[str]":
        head = (
            "import asyncio, os, sys, threading\n"
            "from concurrent.futures import ThreadPoolExecutor\n"
            "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
            "from solveyard.pyedb.job_submission import HFSSSimulationConfig\n"
            "from solveyard.pyedb.service import JobManager, ResourceLimits\n"
            "limits = ResourceLimits(4, 100, 0, 0)\n"
            "def config(name):\n"
            f"    path = os.path.join({str(self.folder)!r}, name + '.aedt')\n"
            "    return HFSSSimulationConfig(project_path=path, jobid=name)\n"
        )
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", head + text],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def states(self) -> dict[str, str]:
        with Client(self.store) as client:
            return {one.id: str(one.state) for one in client.jobs(limit=None).jobs}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    one = Bench(tmp_path)
    monkeypatch.setenv("SOLVEYARD_HOME", str(one.store))
    monkeypatch.setenv("ANSYSEM_ROOT252", str(install(tmp_path / "ansys_inc").parent))
    yield one
    for handler in one.handlers:
        handler.close()
    Service(one.store).clean_up()


# What is submitted while it ends


def test_what_is_taken_while_a_session_closes_is_ended_with_it(
    bench: Bench, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_configs, answered, go_on = Client.submit_configs, threading.Event(), threading.Event()

    def slowly(*given: Any, **more: Any) -> Any:
        found = submit_configs(*given, **more)
        answered.set()
        assert go_on.wait(60)
        return found

    monkeypatch.setattr(Client, "submit_configs", slowly)
    with Yard(bench.store):
        handler = bench.handler()
        submits = threading.Thread(target=handler.submit_job, args=(bench.config("late"),))
        submits.start()
        assert answered.wait(60)
        closes = threading.Thread(target=handler.close)
        closes.start()
        until(lambda: not handler.started, "it closes")
        go_on.set()
        submits.join()
        closes.join()
        assert bench.states()["late"] in {"cancelled", "held"}


def test_what_was_taken_though_no_answer_came_ends_with_its_session(
    bench: Bench, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_configs = Client.submit_configs

    def lost(*given: Any, **more: Any) -> None:
        submit_configs(*given, **more)
        raise ManagerUnavailable("the manager went away before it answered")

    with Yard(bench.store):
        handler = bench.handler()
        handler.submit_job(bench.config("known"))
        monkeypatch.setattr(Client, "submit_configs", lost)
        with pytest.raises(RuntimeError, match="before it answered"):
            handler.submit_job(bench.config("lost"))
        until(lambda: bench.runs("lost"), "it was taken")
        handler.close()
        until(lambda: bench.states()["lost"] == "cancelled", "it is ended")
        assert bench.states()["known"] == "cancelled"
        until(lambda: not list((bench.store / "sessions").iterdir()), "the session is over")


# Who waits


def test_ctrl_c_ends_the_documents_awaited_block_and_drains(
    bench: Bench, until: Callable[..., None]
) -> None:
    bench.config("slow")
    script = bench.script(
        "async def main():\n"
        "    manager = JobManager(limits)\n"
        "    await manager.submit_job(config('slow'))\n"
        "    await manager.wait_until_all_done()\n"
        "asyncio.run(main())\n"
    )
    until(lambda: bench.runs("slow"), "the engines run")
    script.send_signal(signal.SIGINT)
    _, err = script.communicate(timeout=60)
    assert (script.returncode, "KeyboardInterrupt" in err) == (-signal.SIGINT, True), err
    with Yard(bench.store):
        assert bench.states() == {"slow": "cancelled"}


def test_a_script_drains_at_its_end_while_a_pools_thread_waits(
    bench: Bench, until: Callable[..., None]
) -> None:
    bench.config("slow")
    script = bench.script(
        f"handler = JobManagerHandler(port={free_port()}, resource_limits=limits)\n"
        "handler.start_service()\n"
        "job = handler.submit_job(config('slow'))\n"
        "waits = ThreadPoolExecutor().submit(handler.wait_until_done, job)\n"
        "waits.add_done_callback(lambda one: print(one.exception()))\n"
        "sys.stdin.read()\n"
    )
    until(lambda: bench.runs("slow"), "the engines run")
    out, err = script.communicate(timeout=60)
    assert (script.returncode, out, err) == (0, "the job manager was closed meanwhile\n", "")
    with Yard(bench.store):
        assert bench.states() == {"slow": "cancelled"}


def test_a_thread_of_the_programs_own_may_wait_longer_than_its_main_one(bench: Bench) -> None:
    bench.config("a", "success")
    script = bench.script(
        f"handler = JobManagerHandler(port={free_port()}, resource_limits=limits)\n"
        "handler.start_service()\n"
        "job = handler.submit_job(config('a'))\n"
        "wait = lambda: print(handler.wait_until_done(job))\n"
        "threading.Thread(target=wait).start()\n"
    )
    assert script.communicate(timeout=60) == ("completed\n", "")


def test_waits_take_no_thread_from_what_else_is_awaited(bench: Bench) -> None:
    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        manager = JobManager(MANY)
        job = await manager.submit_job(bench.config("slow"))
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(manager.wait_until_all_done()) for _ in range(3)]
            await asyncio.sleep(0)  # they begin
            waits.pop().cancel()
            assert await manager.cancel_job(job)
        assert manager.jobs[job].status == "cancelled"
        await manager.close()
        with pytest.raises(RuntimeError, match=r"closed \(make another"):
            await manager.submit_job(bench.config("other"))

    asyncio.run(run())


@pytest.mark.parametrize("awaited", [False, True])
def test_all_are_done_when_those_are_that_came_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, awaited: bool
) -> None:
    handler = bench.handler()
    handler.submit_job(bench.config("a", "success"))
    left, wait = ["b", "a", "c"], Client.wait  # a is run anew

    def until_others_came(client: Client, jobs: Any, timeout: float | None = None) -> bool:
        over = wait(client, jobs, timeout)
        if over and left:
            handler.submit_job(bench.config(left.pop(0), "success"))
        return over

    monkeypatch.setattr(Client, "wait", until_others_came)
    if awaited:
        asyncio.run(handler.manager.wait_until_all_done(60))
    else:
        handler.wait_until_all_done(timeout=60)
    assert left == []
    assert bench.states() == dict.fromkeys("cba", "completed")


def test_who_waits_when_it_closes_is_told_so(bench: Bench, until: Callable[..., None]) -> None:
    handler = bench.handler()
    for gone in ("gone", ""):
        assert not handler.cancel_job(gone)
        with pytest.raises(RuntimeError, match="disappeared"):
            handler.wait_until_done(gone)
    job = handler.submit_job(bench.config("slow"))
    found: list[str] = []

    def tell(wait: Callable[[], object]) -> None:
        try:
            wait()
        except errors.ServiceError as error:
            found.append(str(error))

    calls = [handler.wait_until_all_done, lambda: handler.wait_until_done(job)]
    threads = [threading.Thread(target=tell, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    until(lambda: set(threads) <= handler._session.waiting_in(), "they wait")
    handler.close()
    for thread in threads:
        thread.join()
    assert found == ["the job manager was closed meanwhile"] * 2
    with pytest.raises(RuntimeError, match="not started"):
        handler.wait_until_done(job)


# Who closes it


@pytest.fixture
def closes_at_a_signal(bench: Bench) -> Iterator[Callable[[], None]]:
    """Sends the signal whose handler closes every session."""

    def close(number: int, frame: object) -> None:
        for handler in bench.handlers:
            handler.close()

    before = signal.signal(signal.SIGTERM, close)
    yield lambda: signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)


def test_a_signal_that_closes_it_while_it_starts_is_heeded_once_it_has(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, closes_at_a_signal: Callable[[], None]
) -> None:
    def signalled(*given: Any, **more: Any) -> Host:
        closes_at_a_signal()
        return Host(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr("solveyard.pyedb.job_manager_handler.Host", signalled)
        with pytest.raises(RuntimeError, match="closed meanwhile"):
            bench.handler()
    [handler] = bench.handlers
    assert not handler.started
    assert handler.submit_jobs_and_wait([bench.config("a", "success")], timeout=60) == ["a"]


def test_a_signal_that_closes_it_while_it_closes_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, closes_at_a_signal: Callable[[], None]
) -> None:
    cancel = Client.cancel

    def signalled(*given: Any) -> Any:
        closes_at_a_signal()
        return cancel(*given)

    with Yard(bench.store):
        handler = bench.handler()
        handler.submit_job(bench.config("slow"))
        monkeypatch.setattr(Client, "cancel", signalled)
        handler.close()
        assert bench.states() == {"slow": "cancelled"}
    assert not handler.started


def test_a_signal_that_closes_it_while_it_submits_waits_for_no_answer(
    bench: Bench,
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    closes_at_a_signal: Callable[[], None],
) -> None:
    submit_configs = Client.submit_configs

    def signalled(*given: Any, **more: Any) -> Any:
        found = submit_configs(*given, **more)
        closes_at_a_signal()
        return found

    monkeypatch.setattr("solveyard.pyedb.session._LANDING", 1e6)
    with Yard(bench.store):
        handler = bench.handler()
        monkeypatch.setattr(Client, "submit_configs", signalled)
        handler.submit_job(bench.config("slow"))
        assert not handler.started
        until(lambda: bench.states()["slow"] in {"cancelled", "held"}, "it goes on without none")


def test_once_it_is_closed_its_jobs_are_seen_as_they_were_then(bench: Bench) -> None:
    limits = ResourceLimits(1, 100, 0, 0)
    handler = JobManagerHandler(port=free_port(), resource_limits=limits)
    bench.handlers.append(handler)
    good, bad = bench.config("good", "success"), bench.config("bad", "fail")
    handler.submit_jobs_and_wait([good, bad], timeout=60)
    before = dict(handler.manager.jobs)
    handler.submit_job(bench.config("waits"))
    handler.submit_job(bench.config("waits_too"))
    handler.close()
    seen = handler.manager.jobs
    assert list(seen) == ["good", "bad", "waits", "waits_too"]
    assert (seen["good"], seen["bad"]) == (before["good"], before["bad"])
    assert "STAND-IN" in seen["good"].output
    assert (seen["waits_too"].status, seen["waits_too"].config.jobid) == ("queued", "waits_too")
    with pytest.raises(KeyError):
        seen["another"]
    handler.start_service()
    handler.submit_job(bench.config("good", "success"))
    handler.wait_until_all_done(timeout=60)
    assert list(seen) == ["bad", "waits", "waits_too", "good"]
    assert seen["good"].start_time != before["good"].start_time


# What it was opened with


@pytest.mark.parametrize(("host", "shown"), [("localhost", "localhost"), ("::1", "[::1]")])
def test_its_address_can_be_opened(bench: Bench, host: str, shown: str) -> None:
    handler = JobManagerHandler(host=host, port=free_port())
    assert handler.url == f"http://{shown}:{handler.port}"
    bench.handlers.append(handler)
    try:
        handler.start_service()
    except errors.ServiceError:
        pytest.skip(f"this machine has no {host}")
    with Client.at(handler.url) as client:
        assert client.healthy()


@pytest.mark.parametrize(("given", "port"), [(None, 8080), ("18080", 18080), (np.int64(0), 0)])
def test_its_port_may_be_written_as_pyedbs_could(bench: Bench, given: Any, port: int) -> None:
    assert JobManagerHandler(port=given).port == port


@pytest.mark.parametrize("wrong", [18080.0, "http", -1, 65536, True, "²"])
def test_a_port_that_is_none_is_refused(bench: Bench, wrong: Any) -> None:
    with pytest.raises(errors.InvalidConfig, match="`port` must be a whole number"):
        JobManagerHandler(port=wrong)


def test_a_service_whose_limits_cannot_be_set_is_not_started(bench: Bench) -> None:
    handler = JobManagerHandler(port=free_port(), resource_limits=ResourceLimits(0))
    manager = JobManager(ResourceLimits(0))
    for _ in range(2):
        with pytest.raises(ValueError, match="max_concurrent"):
            handler.start_service()
        assert not handler.started
        with pytest.raises(ValueError, match="max_concurrent"):
            asyncio.run(manager.submit_job(bench.config("a", "success")))


def test_limits_are_set_by_assigning_them_before_the_start_and_after(bench: Bench) -> None:
    handler = JobManagerHandler(port=free_port())
    bench.handlers.append(handler)
    limits = handler.manager.resource_limits
    limits.max_concurrent_jobs, limits.min_disk_gb = 1, 3.0  # as PyEDB's start_service did
    handler.manager.job_pool.resource_limits = limits
    assert handler.resource_limits == limits
    for _ in range(2):
        handler.start_service()
        with Client(bench.store) as client:
            told = client.limits()
        assert (told["max_concurrent"], told["min_disk_gb"], told["max_cpu_percent"]) == (
            1,
            3,
            None,
        )
        handler.close()
    handler.start_service()
    handler.manager.resource_limits.max_concurrent_jobs = 7
    with pytest.raises(errors.InvalidConfig, match="max_cpu_percent"):
        handler.resource_limits.max_cpu_percent = 101
    assert handler.resource_limits == ResourceLimits(7, 100, 0, 3)
    handler.resource_limits = MANY
    assert handler.manager.resource_limits == MANY
    manager = JobManager()
    manager.resource_limits = ResourceLimits(3)
    assert manager.resource_limits == ResourceLimits(3)
    assert handler.resource_limits == MANY


def test_a_jobs_configuration_is_the_one_that_runs(bench: Bench) -> None:
    handler, other = bench.handler(), bench.handler()
    first, second = bench.config("x", "slow", "a"), bench.config("x", "success", "b")
    handler.submit_job(first)
    for _ in range(2):
        handler.submit_job(second)
        assert handler.manager.jobs["x"].config == first
    other.submit_job(second)
    assert other.manager.jobs["x"].config == first
    handler.cancel_job("x")
    handler.wait_until_done("x", timeout=60)
    told = {"project_path": second.project_path, "jobid": "x", "machine_nodes": [{"cores": 4}]}
    handler.submit_job(told)  # type: ignore[arg-type]  # as PyEDB's clients write it
    assert handler.manager.jobs["x"].config is told
    handler.wait_until_done("x", timeout=60)


@pytest.mark.parametrize("timeout", [-1, 0, float("nan"), float("inf"), 1e12, "5"])
def test_a_timeout_that_is_none_is_refused(bench: Bench, timeout: Any) -> None:
    handler = bench.handler()
    with pytest.raises(errors.InvalidConfig, match="`timeout` must be a number of seconds"):
        handler.submit_job(bench.config("a", "success"), timeout=timeout)
    assert bench.states() == {}
    handler.submit_job(bench.config("a", "success"), timeout=1e6)
    handler.submit_job(bench.config("b", "success"), np.int64(3), timeout=np.int64(30))
    assert handler.manager.jobs["b"].priority == 3


# Children


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no process")
def test_a_forked_child_submits_for_its_parent_and_its_exit_ends_nothing(
    bench: Bench, until: Callable[..., None]
) -> None:
    for name, scenario in (("slow", "slow"), ("quick", "success"), ("late", "slow")):
        bench.config(name, scenario)
    script = bench.script(
        f"handler = JobManagerHandler(port={free_port()}, resource_limits=limits)\n"
        "handler.start_service()\n"
        "job = handler.submit_job(config('slow'))\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    print(handler.wait_until_done(handler.submit_job(config('quick')), timeout=15))\n"
        "    handler.submit_job(config('late'))\n"
        "    sys.exit(0)\n"
        "print('child', os.waitpid(pid, 0)[1], flush=True)\n"
        "sys.stdin.read()\n"
        "print(handler.manager.jobs[job].status)\n"
    )
    assert script.stdout is not None
    assert [script.stdout.readline() for _ in range(2)] == ["completed\n", "child 0\n"]
    until(lambda: bench.runs("slow") and bench.runs("late"), "both run")
    assert bench.states() == {"slow": "running", "quick": "completed", "late": "running"}
    assert script.communicate(timeout=60) == ("running\n", "")
    with Yard(bench.store):
        assert bench.states()["slow"] == "cancelled"
        until(lambda: bench.states()["late"] == "cancelled", "the child's is ended, too")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no process")
def test_a_child_that_outlives_its_killed_parent_keeps_nothing_running_and_no_port(
    bench: Bench, until: Callable[..., None]
) -> None:
    bench.config("slow")
    port = free_port()
    script = bench.script(
        f"handler = JobManagerHandler(port={port}, resource_limits=limits)\n"
        "handler.start_service()\n"
        "handler.submit_job(config('slow'))\n"
        "if not os.fork():\n"
        "    os.read(0, 1)\n"
        "    os._exit(0)\n"
        "print('forked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    assert script.stdin is not None
    assert script.stdout is not None
    assert script.stdout.readline() == "forked\n"
    until(lambda: bench.runs("slow"), "the engines run")
    engine = int((bench.folder / "slow.pids").read_text().split()[0])
    script.kill()
    script.wait()
    until(lambda: not alive(engine), "the agent ends them")
    handler = JobManagerHandler(port=port, resource_limits=MANY)
    bench.handlers.append(handler)
    handler.start_service()
    config = bench.config("next", "success")
    assert handler.submit_jobs_and_wait([config], timeout=60) == ["next"]
    script.stdin.close()
    script.stdout.read(), script.stdout.close()  # its child has gone
    assert script.stderr is not None
    script.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no process")
def test_a_handler_may_start_again_while_a_pools_children_live(bench: Bench) -> None:
    for name in ("a", "b"):
        bench.config(name, "success")
    script = bench.script(
        "import multiprocessing\n"
        f"handler = JobManagerHandler(port={free_port()}, resource_limits=limits)\n"
        "handler.start_service()\n"
        "handler.submit_jobs_and_wait([config('a')], timeout=60)\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    print(pool.map(abs, [-1, 2]))\n"
        "    handler.close()\n"
        "    handler.start_service()\n"
        "    print(handler.submit_jobs_and_wait([config('b')], timeout=60))\n"
    )
    assert script.communicate(timeout=120) == ("[1, 2]\n['b']\n", "")
