"""PyEDB's job manager, by its own names: a real manager, and a stand-in for ansysedt."""

import asyncio
import datetime as dt
import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from conftest import Service
from ports import free_port
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable, NotAllowed
from solveyard.pyedb import errors
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.pyedb.job_submission import HFSSSimulationConfig, SchedulerOptions
from solveyard.pyedb.service import JobManager, ResourceLimits, main, submit_job_to_manager
from solveyard.tokens import Tokens
from solveyard.yard import Yard
from standin import install, project


class Bench:
    """A store, a stand-in, and handlers that are closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.folder = folder / "projects"
        self.edt = install(folder / "ansys_inc")
        self.handlers: list[JobManagerHandler] = []

    def handler(self, **more: Any) -> JobManagerHandler:
        self.handlers.append(JobManagerHandler(**{"port": free_port(), **more}))
        return self.handlers[-1]

    def project(self, scenario: str = "success", name: str = "board.aedt") -> Path:
        return project(self.folder, scenario, name)

    def script(self, text: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", text], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def command(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", f"solveyard.pyedb.{name}", *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


def get(port: int, target: str) -> Any:
    wire = http.client.HTTPConnection("localhost", port, timeout=60)
    try:
        wire.request("GET", target)
        return json.loads(wire.getresponse().read())
    finally:
        wire.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    one = Bench(tmp_path)
    monkeypatch.setenv("SOLVEYARD_HOME", str(one.store))
    monkeypatch.setenv("ANSYSEM_ROOT252", str(one.edt.parent))
    yield one
    for handler in one.handlers:
        handler.close()
    Service(one.store).clean_up()


def test_the_documents_batch_runs_and_its_ids_come_in_order(bench: Bench) -> None:
    began = dt.datetime.now().replace(microsecond=0)  # noqa: DTZ005  as PyEDB's scripts have it
    edb = SimpleNamespace(base_path=str(bench.edt.parent))
    handler = bench.handler(edb=edb)
    assert not bench.store.exists()
    handler.start_service()
    assert get(handler.port, "/queue")["running_jobs"] == 0
    cfg1 = handler.create_simulation_config(
        project_path=bench.project(name="antenna.aedt"), jobid="antenna_001"
    )
    cfg2 = handler.create_simulation_config(
        project_path=bench.project("fail", "patch.aedt"), jobid="patch_001"
    )
    assert cfg1.ansys_edt_path == str(bench.edt)
    assert handler.submit_jobs_and_wait([cfg1, cfg2], timeout=60) == ["antenna_001", "patch_001"]
    done, failed = handler.manager.jobs["antenna_001"], handler.manager.jobs["patch_001"]
    assert (done.status, done.return_code, done.reason) == ("completed", 0, "success")
    assert "STAND-IN (not Ansys software)" in done.output
    assert (failed.status, failed.return_code, failed.config) == ("failed", 1, cfg2)
    assert "Too few conductors" in failed.error
    assert done.start_time is not None
    assert done.end_time is not None
    assert began <= done.start_time <= done.end_time <= dt.datetime.now()  # noqa: DTZ005  PyEDB's
    handler.close()
    assert not (bench.store / "manager.json").exists()


def test_the_older_loop_over_statuses_ends(bench: Bench) -> None:
    handler = bench.handler()
    handler.start_service()
    cfg = handler.create_simulation_config(bench.project(), cpu_cores=16)
    assert str(cfg.machine_nodes[0]) == "localhost:16:16:90%"
    job_id = asyncio.run(handler.submit_job(cfg))  # type: ignore[arg-type]  # as they wrote it
    handler.wait_until_all_done(timeout=60)
    assert handler.manager.jobs[job_id].status in {"completed", "failed"}
    assert handler.wait_until_done(job_id) == "completed"


def test_every_method_works_inside_a_running_loop_and_from_other_threads(bench: Bench) -> None:
    handler = bench.handler()

    async def inside() -> str:
        handler.start_service()
        job = await handler.submit_job(handler.create_simulation_config(bench.project()))
        return str(handler.wait_until_done(job, timeout=60))

    assert asyncio.run(inside()) == "completed"
    found: list[str] = []

    def submit(number: int) -> None:
        place = bench.project(name=f"b{number}.aedt")
        found.append(
            handler.submit_job(handler.create_simulation_config(place, jobid="b" * number))
        )

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["b" * number for number in range(1, 9)]
    handler.wait_until_all_done(timeout=60)
    assert {info.status for info in handler.manager.jobs.values()} == {"completed"}
    asyncio.run(handler.stop_service())
    assert not handler.started


@pytest.mark.parametrize("way", ["close", "stop_service", "manager.close", "with"])
def test_closing_ends_what_runs_holds_what_waits_and_may_be_followed_by_a_start(
    bench: Bench, until: Callable[..., None], alive: Callable[[int], bool], way: str
) -> None:
    handler = bench.handler(resource_limits=ResourceLimits(1, 100, 0, 0))
    handler.start_service()
    assert handler.resource_limits == ResourceLimits(1, 100, 0, 0)
    slow = bench.project("slow")
    handler.submit_job(handler.create_simulation_config(slow, jobid="slow"))
    pids = bench.folder / "slow.pids"
    until(pids.exists, "the engines run")
    handler.submit_job(handler.create_simulation_config(bench.project(name="next.aedt"), jobid="n"))
    assert handler.manager.jobs["n"].status == "queued"
    with pytest.raises(asyncio.TimeoutError, match="slow"):
        handler.wait_until_all_done(timeout=0.05)
    if way == "close":
        handler.close()
    elif way == "stop_service":
        asyncio.run(handler.stop_service())
    elif way == "manager.close":
        asyncio.run(handler.manager.close())
    else:
        with handler:
            pass
    assert not any(alive(int(pid)) for pid in pids.read_text().split())
    handler.start_service()
    with Client(bench.store) as client:
        assert [client.job(name).state for name in ("slow", "n")] == ["cancelled", "held"]
    assert "aborted by user" in Path(f"{slow}.batchinfo", "board-slow.log").read_text()


def test_a_script_that_just_ends_drains_too(bench: Bench, until: Callable[..., None]) -> None:
    slow = bench.project("slow")
    script = bench.script(
        "import sys\n"
        "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
        f"handler = JobManagerHandler(port={free_port()})\n"
        f"config = handler.create_simulation_config({str(slow)!r}, jobid='slow')\n"
        "handler.submit_jobs([config])\n"
        "sys.stdin.read()\n"
    )
    until((bench.folder / "slow.pids").exists, "the engines run")
    out, err = script.communicate(timeout=120)
    assert (script.returncode, out, err) == (0, "", "")
    handler = bench.handler()
    handler.start_service()
    with Client(bench.store) as client:
        assert client.job("slow").state == "cancelled"


def test_a_taken_port_is_the_documented_error_and_names_who_has_it(bench: Bench) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        handler = bench.handler(port=other.getsockname()[1])
        with pytest.raises(RuntimeError, match="failed to start within 10 s") as raised:
            handler.start_service()
    assert f"process {os.getpid()}" in str(raised.value)
    assert "or 0 for a free one" in str(raised.value)
    assert isinstance(raised.value, errors.JobManagerError)
    handler.start_service()
    assert handler.started


def test_what_is_refused_is_the_documented_built_in_error(
    bench: Bench, until: Callable[..., None]
) -> None:
    handler = bench.handler()
    config = handler.create_simulation_config(bench.project(), jobid="a")
    with pytest.raises(RuntimeError, match="not started"):
        handler.submit_job(config)
    handler.start_service()
    with pytest.raises(RuntimeError, match="no batch system"):
        handler.submit_jobs([
            handler.create_simulation_config(
                bench.project(name="c.aedt"), scheduler_type="slurm",
                scheduler_options=SchedulerOptions(nodes=4, memory="32GB"),
            )
        ])  # fmt: skip
    with pytest.raises(FileNotFoundError, match="/no/ansysedt"):
        handler.submit_job(config.model_copy(update={"ansys_edt_path": "/no/ansysedt"}))
    with pytest.raises(ValueError, match="priority"):
        handler.submit_job(config, priority="high")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="disappeared"):
        handler.wait_until_done("gone")
    with pytest.raises(RuntimeError, match="no batch system"):
        handler.cluster_status()
    with pytest.raises(ValueError, match="ANSYS release 199 not found"):
        JobManagerHandler(version="199")
    assert JobManagerHandler(version="2025.2").ansys_path == str(bench.edt)
    assert not handler.cancel_job("gone")


def test_a_cancel_may_be_asked_for_twice_and_a_finished_id_runs_again(
    bench: Bench, until: Callable[..., None]
) -> None:
    handler = bench.handler()
    handler.start_service()
    slow = bench.project("slow")
    config = handler.create_simulation_config(slow, jobid="a")
    assert handler.submit_job(config) == handler.submit_job(config) == "a"
    until((bench.folder / "a.pids").exists, "the engines run")
    assert [handler.cancel_job("a"), handler.cancel_job("a")] == [True, True]
    assert handler.wait_until_done("a", timeout=60) == "cancelled"
    slow.write_text('{"scenario": "success"}')
    handler.submit_job(config)
    assert handler.wait_until_done("a", timeout=60) == "completed"
    with Client(bench.store) as client:
        assert [one.reason for one in client.job("a").attempts] == ["cancelled", "success"]


def test_priorities_decide_who_goes_first(bench: Bench, until: Callable[..., None]) -> None:
    handler = bench.handler(resource_limits=ResourceLimits(1, 100, 0, 0))
    handler.start_service()
    handler.submit_job(handler.create_simulation_config(bench.project("slow"), jobid="first"))
    until((bench.folder / "first.pids").exists, "the first runs")
    wanted = {"a0": 0, "b0": 0, "c5": 5, "dm5": -5, "e0": 0, "f10": 10}
    for name, priority in wanted.items():
        place = bench.project(name=f"{name}.aedt")
        handler.submit_job(handler.create_simulation_config(place, jobid=name), priority)
    handler.cancel_job("first")
    handler.wait_until_all_done(timeout=60)
    started: dict[str, Any] = {name: handler.manager.jobs[name].start_time for name in wanted}
    assert sorted(wanted, key=started.__getitem__) == ["f10", "c5", "a0", "b0", "e0", "dm5"]


def test_the_awaited_manager_needs_no_server(bench: Bench) -> None:
    async def run() -> None:
        manager = JobManager(ResourceLimits(max_concurrent_jobs=4, max_cpu_percent=100))
        told = {"project_path": str(bench.project()), "jobid": "a"}
        job_id = await manager.submit_job(HFSSSimulationConfig.from_dict(told), priority=5)
        await manager.wait_until_all_done(timeout=60)
        job = manager.jobs[job_id]
        assert job.status == "completed", f"{job.reason}: {job.error}"
        assert job.priority == 5
        limits = await manager.edit_concurrent_limits({"max_concurrent_jobs": 2})
        assert limits is not None
        assert limits["max_concurrent_jobs"] == manager.resource_limits.max_concurrent_jobs == 2
        wrong = {"max_cpu_percent": 55, "min_memory_gb": -1}
        assert await manager.edit_concurrent_limits(wrong) is None
        assert manager.resource_limits.max_cpu_percent == 100
        await manager.close()

    asyncio.run(run())


def test_the_example_submits_at_different_priorities(bench: Bench) -> None:
    for name in ("a.aedt", "b.aedt", "c.aedb"):
        bench.project(name=name)
    ids = asyncio.run(main([bench.folder / name for name in ("a.aedt", "b.aedt", "c.aedb")]))
    handler = bench.handler()
    handler.start_service()
    with Client(bench.store) as client:
        found = [client.job(one) for one in ids]
    assert [(one.priority, one.state) for one in found] == [
        (0, "completed"), (1, "completed"), (2, "completed"),
    ]  # fmt: skip


def test_a_submission_goes_to_the_manager_and_only_without_one_is_solved_here(
    bench: Bench,
) -> None:
    handler = bench.handler()
    handler.start_service()
    config = HFSSSimulationConfig(project_path=bench.project(), jobid="a")
    url = f"http://localhost:{handler.port}"
    assert asyncio.run(submit_job_to_manager(config, 5, url)) == "a"
    with Client(bench.store) as client:
        assert client.job("a").priority == 5
        assert client.wait(["a"], 60)
    wrong = config.model_copy(update={"ansys_edt_path": "/bin/true", "jobid": "b"})
    with pytest.raises(PermissionError, match="--ansysedt"):
        asyncio.run(submit_job_to_manager(wrong, 0, url))
    handler.close()
    log = Path(f"{config.project_path}.batchinfo", "board-c.log")
    here = config.model_copy(update={"jobid": "c"})
    assert asyncio.run(submit_job_to_manager(here, 0, url)) == "c"
    assert "Normal completion" in log.read_text()


class _Theirs(http.server.BaseHTTPRequestHandler):
    """What PyEDB's own service answers: without our records, kinds of error and limits."""

    answers: ClassVar[list[tuple[int, Any]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, content = self.answers.pop(0)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def test_pyedbs_own_service_is_recognised_and_takes_a_submission(bench: Bench) -> None:
    config = HFSSSimulationConfig(project_path=bench.project(), jobid="a")
    with http.server.ThreadingHTTPServer(("localhost", 0), _Theirs) as theirs:
        threading.Thread(target=theirs.serve_forever).start()
        try:
            port = theirs.server_port
            _Theirs.answers[:] = [(200, {"success": True, "job_id": "a"})] * 2
            url = f"http://localhost:{port}"
            assert asyncio.run(submit_job_to_manager(config, 0, url)) == "a"
            with (
                Client.at(url) as client,
                pytest.raises(ManagerUnavailable, match="is it PyEDB's own service"),
            ):
                client.submit_config(config.to_dict())
            _Theirs.answers[:] = [(400, {"success": False, "error": "1 validation error"})]
            done = bench.command(
                "submit_local_job", "--port", str(port), "--project-path", config.project_path
            )
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith("error: 1 validation error (what answers is not solve")
        finally:
            theirs.shutdown()


def test_the_commands_print_ids_and_never_exit_with_0_on_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(free_port())
    nobody = bench.command(
        "submit_local_job", "--port", port, "--project-path", str(bench.project())
    )
    assert (nobody.returncode, nobody.stdout) == (3, "")
    assert "no manager answers" in nobody.stderr
    handler = bench.handler(port=int(port))
    handler.start_service()
    monkeypatch.setenv("PYEDB_JOB_MANAGER_PORT", port)
    board = str(bench.project(name="b.aedt"))
    done = bench.command("submit_local_job", "--project-path", board, "--num-cores", "2")
    assert (done.returncode, done.stderr) == (0, "")
    [job] = done.stdout.split()
    assert bench.command("submit_local_job", "--project-path", "/no.aedt").returncode == 1
    wrong = bench.command("submit_local_job", "--project-path", board, "--num-cores=0")
    assert wrong.returncode == 2
    slurm = bench.command("submit_job_on_scheduler", "--project-path", board, "--json")
    assert slurm.returncode == 1
    assert "no batch system" in json.loads(slurm.stdout)["error"]
    batch = bench.command(
        "submit_batch_jobs", "--root-dir", str(bench.folder), "--delay-ms", "0", "--json"
    )
    assert batch.returncode == 0, batch.stderr
    told = json.loads(batch.stdout)
    assert [Path(one["project"]).name for one in told["jobs"]] == ["b.aedt", "board.aedt"]
    with Client(bench.store) as client:
        ids = [job, *(one["job_id"] for one in told["jobs"])]
        assert client.wait(ids, 60)
        assert {client.job(one).state for one in ids} == {"completed"}


@pytest.mark.parametrize("name", ["service", "job_manager_handler", "start_service"])
def test_a_starter_says_the_documents_lines_and_drains_at_sigterm(
    bench: Bench, until: Callable[..., None], alive: Callable[[int], bool], name: str
) -> None:
    port = free_port()
    more = ["--min-memory=0", "--min-disk=0"] if name == "start_service" else []
    host = [] if name == "service" else ["--host", "0.0.0.0"]
    starter = subprocess.Popen(
        [sys.executable, "-m", f"solveyard.pyedb.{name}", "--port", str(port), *host, *more],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert starter.stderr is not None
    assert starter.stderr.readline().startswith("token 'first'")
    assert starter.stderr.readline() == "INFO:JobManager:Resource monitor started (interval=5 s)\n"
    line = f"INFO:JobManager:aiohttp server on http://0.0.0.0:{port}\n"
    assert starter.stderr.readline() == line
    if name == "start_service":
        assert get(port, "/queue")["max_concurrent"] == 4
    slow = bench.project("slow")
    config = HFSSSimulationConfig(project_path=slow, jobid="slow")
    asyncio.run(submit_job_to_manager(config, 0, f"http://localhost:{port}"))
    pids = bench.folder / "slow.pids"
    try:
        until(pids.exists, "the engines run")
    except pytest.fail.Exception as error:
        raise AssertionError(get(port, "/jobs/slow")) from error
    taken = bench.command(name, "--port", str(port), "--store", str(bench.store) + "2")
    assert taken.returncode == 1
    assert f"process {starter.pid}" in taken.stderr
    assert not Tokens(Path(f"{bench.store}2")).all()  # nobody listens for whom it would be
    starter.send_signal(signal.SIGTERM)
    assert starter.wait(60) == 0
    starter.stderr.close()
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def test_the_older_documents_command_submits_waits_and_tells(bench: Bench) -> None:
    handler = bench.handler()
    handler.start_service()
    at = ("--port", str(handler.port))
    board, bad = str(bench.project(name="my board.aedt")), str(bench.project("fail", "bad.aedt"))
    done = bench.command("console", "submit", board, "--priority", "5", *at)
    assert (done.returncode, done.stdout) == (0, "my_board_job\n"), done.stderr
    done = bench.command("console", "wait", board, bad, "--timeout", "60", "--json", *at)
    assert done.returncode == 1
    assert json.loads(done.stdout)["jobs"] == {"my_board_job": "completed", "bad_job": "failed"}
    assert "Too few conductors" in done.stderr
    slow = str(bench.project("slow", "slow.aedt"))
    done = bench.command("console", "wait", slow, "--timeout", "0.1", *at)
    assert (done.returncode, "they go on" in done.stderr) == (5, True)
    handler.cancel_job("slow_job")
    told = bench.command("console", "status", *at)
    assert (told.returncode, "queued" in told.stdout) == (0, True)
    assert bench.command("console", "start", "--ansys-version", "199").returncode == 1


def test_projects_of_one_name_are_different_jobs_and_none_is_taken_for_another(
    bench: Bench,
) -> None:
    handler = bench.handler()
    handler.start_service()
    at = ("--port", str(handler.port))
    good = str(project(bench.folder / "a", "success", "board.aedt"))
    bad = str(project(bench.folder / "b", "fail", "board.aedt"))
    done = bench.command("console", "wait", good, bad, good, "--json", *at)
    assert done.returncode == 1
    found = json.loads(done.stdout)["jobs"]
    assert list(found.values()) == ["completed", "failed"]
    with Client(bench.store) as client:
        asked = [(client.job(one).config or {})["project_path"] for one in found]
    assert asked == [good, bad]
    slow = project(bench.folder / "c", "slow", "board.aedt")
    handler.submit_job(handler.create_simulation_config(slow, jobid="board_job"))
    for command in (["submit", good], ["wait", good], ["wait", good, "--json"]):
        done = bench.command("console", *command, *at)
        assert (done.returncode, "completed" in done.stdout) == (1, False), command
        assert f"{good} is not submitted: job board_job is that of {slow}" in done.stderr
    assert bench.command("console", "submit", "--jobid", "board_job", good, *at).returncode == 0
    (bench.folder / "link").symlink_to(slow.parent)
    same = str(bench.folder / "link" / "board.aedt")
    assert bench.command("console", "submit", same, *at).returncode == 0
    handler.cancel_job("board_job")


def test_a_second_handler_opens_its_port_on_the_same_manager_and_may_take_it_over(
    bench: Bench,
) -> None:
    port = free_port()
    first = bench.script(
        "import sys\n"
        "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
        f"handler = JobManagerHandler(port={port})\n"
        "handler.start_service()\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "ready\n"
    second = bench.handler()
    second.start_service()
    second.submit_jobs_and_wait(
        [second.create_simulation_config(bench.project(), jobid="a")], timeout=60
    )
    for each in (port, second.port):
        assert [one["id"] for one in get(each, "/jobs")] == ["a"]
    first.communicate(timeout=120)
    second.submit_job(second.create_simulation_config(bench.project(name="b.aedt"), jobid="b"))
    assert second.wait_until_done("b", timeout=60) == "completed"
    assert [one["id"] for one in get(second.port, "/jobs")] == ["b", "a"]


def test_a_handler_without_a_port_shares_the_managers_or_has_it_open_one(bench: Bench) -> None:
    with Yard(bench.store):  # it listens at none
        alone = bench.handler(port=0)
        alone.start_service()
        assert get(alone.port, "/queue")["running_jobs"] == 0
        alone.close()
    first = bench.handler(port=0)
    first.start_service()
    second = bench.handler(port=0)
    second.start_service()
    assert second.url == first.url
    assert get(second.port, "/queue")["running_jobs"] == 0


def test_a_lent_port_is_given_back_when_its_handler_closes(
    bench: Bench, until: Callable[..., None]
) -> None:
    first = bench.handler()
    first.start_service()
    second = bench.handler()
    second.start_service()
    assert get(second.port, "/queue")["running_jobs"] == 0
    networked = Client.at(f"http://localhost:{first.port}")
    with networked, pytest.raises(NotAllowed, match="private socket"):
        networked.open_port(free_port())
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(RuntimeError, match="is taken by process"):
            bench.handler(port=other.getsockname()[1]).start_service()
    second.close()

    def free() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", second.port)) != 0

    until(free, "nobody listens there")
    assert get(first.port, "/queue")["running_jobs"] == 0


def test_what_a_killed_session_left_is_held_and_ended_by_the_next_manager(
    bench: Bench, until: Callable[..., None], alive: Callable[[int], bool]
) -> None:
    kill_a_session(bench, until)
    handler = bench.handler()
    handler.start_service()
    settled(bench, alive)


def test_a_killed_sessions_engines_are_ended_by_the_agent_while_no_manager_runs(
    bench: Bench, until: Callable[..., None], alive: Callable[[int], bool]
) -> None:
    kill_a_session(bench, until)
    pids = [int(pid) for pid in (bench.folder / "slow.pids").read_text().split()]
    until(lambda: not any(map(alive, pids)), "no engine is left")
    with pytest.raises(ManagerUnavailable), Client(bench.store, patience=0) as client:
        client.job("slow")
    handler = bench.handler()
    handler.start_service()
    settled(bench, alive)
    with Client(bench.store) as client:
        assert "the program that submitted it had died" in client.job("slow").message


def test_what_a_killed_session_left_is_held_and_ended_by_another_processs_manager(
    bench: Bench, until: Callable[..., None], alive: Callable[[int], bool]
) -> None:
    handler = bench.handler(resource_limits=ResourceLimits(8, 100, 0, 0))
    handler.start_service()
    mine = handler.create_simulation_config(bench.project("slow", "mine.aedt"), jobid="mine")
    handler.submit_job(mine)
    until((bench.folder / "mine.pids").exists, "ours runs")
    kill_a_session(bench, until, at_once=2)
    settled(bench, alive)
    with Client(bench.store) as client:
        assert client.job("mine").state == "running"
        assert [one.tags for one in client.jobs().jobs] == [(), (), ()]
    assert [path.name for path in (bench.store / "sessions").iterdir()] == [handler._session._id]


def kill_a_session(bench: Bench, until: Callable[..., None], at_once: int = 1) -> None:
    """Where job slow runs, and job late waits."""
    script = bench.script(
        "import sys\n"
        "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
        "from solveyard.pyedb.service import ResourceLimits\n"
        f"limits = ResourceLimits({at_once}, 100, 0, 0)\n"
        f"handler = JobManagerHandler(port={free_port()}, resource_limits=limits)\n"
        "make = handler.create_simulation_config\n"
        f"slow = make({str(bench.project('slow', 'slow.aedt'))!r}, jobid='slow')\n"
        f"late = make({str(bench.project(name='late.aedt'))!r}, jobid='late')\n"
        "handler.submit_jobs([slow])\n"
        "handler.submit_jobs([late])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    assert script.stdout is not None
    assert script.stdout.readline() == "ready\n"
    until((bench.folder / "slow.pids").exists, "the engines run")
    script.kill()
    script.communicate()


def settled(bench: Bench, alive: Callable[[int], bool]) -> None:
    with Client(bench.store) as client:
        assert client.wait(["slow"], 60)
        assert [client.job(name).state for name in ("slow", "late")] == ["cancelled", "held"]
        pids = (bench.folder / "slow.pids").read_text().split()
        assert not any(alive(int(pid)) for pid in pids)
        client.set_limits(max_concurrent=8)
        client.release("late")
        assert client.wait(["late"], 60)
        assert client.job("late").state == "completed"
