"""PyEDB 0.65.2's job manager, name by name: each is there, with its default and its meaning."""

import asyncio
import enum
import inspect
import tempfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from solveyard.pyedb import elsewhere, errors, job_manager_handler, job_submission, service
from solveyard.pyedb.job_manager_handler import JobManagerHandler, cors_middleware, get_session
from solveyard.pyedb.job_submission import (
    HFSS3DLayoutBatchOptions,
    HFSSSimulationConfig,
    MachineNode,
    SchedulerOptions,
    SchedulerType,
)
from solveyard.pyedb.service import (
    JobInfo,
    JobManager,
    JobPoolManager,
    JobStatus,
    ResourceLimits,
    ResourceMonitor,
    SchedulerManager,
)
from standin import project

NEEDED = inspect.Parameter.empty

MODULES: dict[Any, str] = {
    job_submission: "HFSS3DLayoutBatchOptions HFSSSimulationConfig JobStatus MachineNode"
    " SchedulerOptions SchedulerType create_hfss_config",
    service: "JobInfo JobManager JobPoolManager JobStatus ResourceLimits ResourceMonitor"
    " SchedulerManager SchedulerType logger main submit_job_to_manager",
    job_manager_handler: "JobManagerHandler cors_middleware get_session",
}

ENUMS: dict[type[enum.Enum], dict[str, str]] = {
    SchedulerType: {
        "NONE": "none", "LSF": "lsf", "SLURM": "slurm", "PBS": "pbs", "WINDOWS_HPC": "windows_hpc",
    },
    JobStatus: {
        "PENDING": "pending", "RUNNING": "running", "COMPLETED": "completed", "FAILED": "failed",
        "CANCELLED": "cancelled", "SCHEDULED": "scheduled", "QUEUED": "queued",
    },
}  # fmt: skip

#: What a class is when nothing but what must be given is given. What differs from PyEDB's own is
#: told by the test after it.
DEFAULTS: dict[type[Any], dict[str, Any]] = {
    SchedulerOptions: {
        "queue": "default", "time": "24:00:00", "nodes": 1, "tasks_per_node": 1,
        "cores_per_node": 0, "memory": "4GB", "account": None, "reservation": None, "qos": None,
        "constraints": None, "exclusive": False, "gpus": 0, "gpu_type": None,
        "priority": "Normal", "email_notification": None, "run_as_administrator": False,
    },
    MachineNode: {"hostname": "localhost", "cores": -1, "max_cores": 20, "utilization": 90},
    HFSS3DLayoutBatchOptions: {
        "create_starting_mesh": False, "default_process_priority": "Normal", "enable_gpu": False,
        "mpi_vendor": "Intel", "mpi_version": "Default", "remote_spawn_command": "Scheduler",
        "solve_adaptive_only": False, "validate_only": False,
        "temp_directory": tempfile.gettempdir(),
    },
    ResourceLimits: {
        "max_concurrent_jobs": 1, "max_cpu_percent": 80.0, "min_memory_gb": 2.0,
        "min_disk_gb": 2.0,
    },
}  # fmt: skip

CONFIG = {
    "solver": "Hfss3DLayout", "user": "unknown", "distributed": True, "auto": True,
    "non_graphical": True, "monitor": True, "design_name": "", "design_mode": "",
    "setup_name": "", "scheduler_type": SchedulerType.NONE,
    "scheduler_options": SchedulerOptions(), "machine_nodes": (MachineNode(),),
    "layout_options": HFSS3DLayoutBatchOptions(),
}  # fmt: skip

INFO = {
    "start_time": None, "end_time": None, "return_code": None, "output": "", "error": "",
    "process": None, "scheduler_job_id": None, "local_resources": None, "priority": 0,
}  # fmt: skip

#: Parameters and defaults; ours may have more after them.
CALLS: dict[Any, dict[str, Any]] = {
    JobManagerHandler: {"edb": None, "version": None, "host": "localhost", "port": 8080},
    JobManagerHandler.submit_job: {"config": NEEDED, "priority": 0, "timeout": 30.0},
    JobManagerHandler.submit_jobs: {"jobs": NEEDED},
    JobManagerHandler.submit_jobs_and_wait: {"jobs": NEEDED, "timeout": None},
    JobManagerHandler.wait_until_done: {"job_id": NEEDED, "poll_every": 2.0},
    JobManagerHandler.wait_until_all_done: {"poll_every": 2.0},
    JobManagerHandler.cluster_status: {"timeout": 10.0},
    JobManagerHandler.cancel_job: {"job_id": NEEDED},
    JobManagerHandler.create_simulation_config: {
        "project_path": NEEDED, "ansys_edt_path": None, "jobid": None, "scheduler_type": None,
        "cpu_cores": 1, "user": "unknown",
    },
    JobManager: {"resource_limits": None, "scheduler_type": SchedulerType.NONE},
    JobManager.submit_job: {"config": NEEDED, "priority": 0},
    JobManager.cancel_job: {"job_id": NEEDED},
    JobManager.wait_until_all_done: {},
    JobManager.edit_concurrent_limits: {"update_data": NEEDED},
    JobPoolManager: {"resource_limits": NEEDED},
    JobPoolManager.add_job: {"job_id": NEEDED, "priority": 0},
    JobPoolManager.remove_job: {"job_id": NEEDED},
    JobPoolManager.can_start_job: {"resource_monitor": NEEDED},
    ResourceMonitor: {"update_interval": 5},
    SchedulerManager: {"scheduler_type": NEEDED},
    service.submit_job_to_manager: {
        "config": NEEDED, "priority": 0, "manager_url": "http://localhost:8080",
    },
    job_submission.create_hfss_config: {
        "project_path": NEEDED, "jobid": "", "ansys_edt_path": "", "design_name": "",
        "setup_name": "", "machine_nodes": None, "scheduler_type": SchedulerType.NONE,
        "scheduler_options": None,
    },
    HFSSSimulationConfig.submit_to_scheduler: {"script_path": None},
    get_session: {"url": NEEDED},
    cors_middleware: {"request": NEEDED, "handler": NEEDED},
}  # fmt: skip

#: Of what is made without a service.
ATTRIBUTES: dict[type[Any], str] = {
    JobManager: "jobs resource_limits job_pool resource_monitor ansys_path sio scheduler_type"
    " submit_job cancel_job wait_until_all_done edit_concurrent_limits",
    JobManagerHandler: "ansys_path scheduler_type manager host port url started resource_limits"
    " sio start_service submit_job wait_until_done wait_until_all_done create_simulation_config"
    " close stop_service cancel_job submit_jobs submit_jobs_and_wait cluster_status",
    JobPoolManager: "job_queue priority_queue running_jobs job_priorities add_job get_next_job"
    " remove_job can_start_job get_queue_stats",
    ResourceMonitor: "current_usage monitor_resources _sample_once update_interval",
}

USAGE = (
    "cpu_percent", "memory_percent", "memory_used_gb", "memory_total_gb", "memory_free_gb",
    "disk_usage_percent", "disk_free_gb", "timestamp",
)  # fmt: skip


def _names(one: object) -> str:
    return getattr(one, "__qualname__", None) or str(getattr(one, "__name__", one))


def _made(kind: type[Any]) -> Any:
    return kind(ResourceLimits()) if kind is JobPoolManager else kind()


@pytest.mark.parametrize("module", MODULES, ids=_names)
def test_each_module_has_pyedbs_names_and_gives_them_to_a_star(module: Any) -> None:
    assert set(MODULES[module].split()) <= set(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)


@pytest.mark.parametrize("kind", ENUMS, ids=_names)
def test_each_enumeration_has_pyedbs_members_and_each_equals_its_string(
    kind: type[enum.Enum],
) -> None:
    assert {one.name: one.value for one in kind} == ENUMS[kind]
    assert all(one == one.value for one in kind)


@pytest.mark.parametrize("kind", DEFAULTS, ids=_names)
def test_each_default_is_pyedbs(kind: type[Any]) -> None:
    made = kind()
    assert {name: getattr(made, name) for name in DEFAULTS[kind]} == DEFAULTS[kind]
    have = getattr(kind, "model_fields", None) or kind.__dataclass_fields__
    assert set(have) == set(DEFAULTS[kind])


def test_a_configurations_defaults_are_pyedbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "simulation.aedt").touch()
    made = HFSSSimulationConfig()
    expected = {**CONFIG, "layout_options": HFSS3DLayoutBatchOptions()}
    assert {name: getattr(made, name) for name in expected} == expected
    assert made.project_path == str(tmp_path / "simulation.aedt")
    assert str(made.jobid).startswith("JOB_")
    assert set(type(made).model_fields) == {*CONFIG, "project_path", "jobid", "ansys_edt_path"}


def test_a_dictionarys_defaults_are_those_of_the_constructor(tmp_path: Path) -> None:
    """PyEDB's own were others, and its round trip never came back."""
    made = HFSSSimulationConfig.from_dict({"project_path": str(project(tmp_path, "success"))})
    assert {name: getattr(made, name) for name in CONFIG} == CONFIG


def test_how_a_job_is_has_pyedbs_defaults() -> None:
    made = JobInfo(config=None, status=JobStatus.QUEUED)
    assert {name: getattr(made, name) for name in INFO} == INFO


@pytest.mark.parametrize("call", CALLS, ids=_names)
def test_each_call_has_pyedbs_parameters_in_order_with_their_defaults(call: Any) -> None:
    given = [one for one in inspect.signature(call).parameters.values() if one.name != "self"]
    wanted = CALLS[call]
    assert {one.name: one.default for one in given[: len(wanted)]} == wanted
    assert [one.name for one in given[: len(wanted)]] == list(wanted)
    optional = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    more = given[len(wanted) :]
    assert all(one.default is not NEEDED or one.kind in optional for one in more)


@pytest.mark.parametrize("kind", ATTRIBUTES, ids=_names)
def test_each_object_has_pyedbs_attributes_before_anything_is_started(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOLVEYARD_HOME", str(tmp_path / "store"))
    made = _made(kind)
    absent = [name for name in ATTRIBUTES[kind].split() if not hasattr(made, name)]
    assert absent == []
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["app", "setup_routes", *elsewhere.ROUTES])
def test_what_a_manager_of_its_own_process_alone_could_have_says_what_does_it_instead(
    name: str,
) -> None:
    for owner in (JobManagerHandler(), JobManager()):
        with pytest.raises(AttributeError, match="url") as caught:
            getattr(owner, name)
        assert isinstance(caught.value, errors.JobManagerError)
        assert not hasattr(owner, name)


def test_what_there_never_was_is_a_plain_attribute_error() -> None:
    for owner in (JobManagerHandler(), JobManager()):
        with pytest.raises(AttributeError, match="no attribute 'resource_monitr'") as caught:
            owner.resource_monitr  # noqa: B018  looking is what is tested
        assert not isinstance(caught.value, errors.JobManagerError)


def test_a_monitor_knows_its_machine_at_the_first_look() -> None:
    for monitor in (ResourceMonitor(), JobManager().resource_monitor):
        usage = monitor.current_usage
        assert tuple(usage) == USAGE
        assert 0 < usage["memory_free_gb"] <= usage["memory_total_gb"]


def test_a_session_for_requests_is_made_within_a_loop_and_without_one() -> None:
    async def inside() -> float | None:
        async with get_session("http://localhost:8080") as session:
            assert session.headers["User-Agent"] == "pyedb-job-manager/1.0"
            return session.timeout.total

    assert asyncio.run(inside()) == 30

    previous = asyncio.new_event_loop()
    asyncio.set_event_loop(previous)
    session = get_session("https://localhost:8080")
    loop = asyncio.get_event_loop()
    assert loop is not previous
    loop.run_until_complete(session.close())
    loop.close()
    previous.close()
    asyncio.set_event_loop(None)


def test_the_middleware_lets_any_page_read_an_application_of_ones_own() -> None:
    async def answered() -> dict[str, str]:
        async def hello(_request: web.Request) -> web.Response:
            return web.Response(text="hello")

        app = web.Application(middlewares=[cors_middleware])
        app.router.add_get("/", hello)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            url = f"http://127.0.0.1:{port}/"
            async with get_session(url) as session, session.get(url) as answer:
                assert await answer.text() == "hello"
                return dict(answer.headers)
        finally:
            await runner.cleanup()

    headers = asyncio.run(answered())
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in headers["Access-Control-Allow-Methods"]
