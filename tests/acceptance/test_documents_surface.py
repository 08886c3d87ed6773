"""Every name that the PyEDB job manager's documents show can be had where they say."""

import asyncio
import inspect
import re
from typing import Any

import pytest

from acceptance import documents
from acceptance.documents import SERVICE
from solveyard.pyedb import (
    errors,
    job_manager_handler,
    job_submission,
    pool,
    service,
)
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.pyedb.job_submission import (
    HFSS3DLayoutBatchOptions,
    HFSSSimulationConfig,
    MachineNode,
    SchedulerOptions,
    SchedulerType,
    create_hfss_config,
)
from solveyard.pyedb.service import (
    JobInfo,
    JobManager,
    JobStatus,
    ResourceLimits,
    ResourceMonitor,
    SchedulerManager,
    main,
    submit_job_to_manager,
)

_PATH = re.compile(r"\bpyedb\.workflows\.job_manager(?:\.\w+)*")
_LISTED = re.compile(r"^   ((?:job_manager_handler|job_submission|service)\.\w+)$", re.MULTILINE)
_MEMBER = re.compile(r":(?:class|meth):`(\w+)`")


@documents.needed
@pytest.mark.parametrize("name", documents.NAMES)
def test_every_path_in_a_document_can_be_imported_as_written(desk: Any, name: str) -> None:
    text = documents.text(name)
    paths = set(_PATH.findall(text))
    paths |= {f"pyedb.workflows.job_manager.{each}" for each in _LISTED.findall(text)}
    assert paths
    source = (
        "import pkgutil\n"
        f"for path in {sorted(paths)!r}:\n"
        "    print(path, pkgutil.resolve_name(path) is not None)\n"
    )
    code, out, err = desk.ends(desk.script(source))
    assert (code, out.count("True")) == (0, len(paths)), err


@documents.needed
def test_every_class_and_method_that_is_named_in_a_sentence_is_there() -> None:
    ours = {
        *vars(job_manager_handler),
        *vars(job_submission),
        *vars(service),
        *dir(JobManagerHandler),
    }
    named = {each for name in documents.NAMES for each in _MEMBER.findall(documents.text(name))}
    assert {"JobManagerHandler", "submit_jobs_and_wait"} <= named
    assert named - {"ValueError", "FileNotFoundError", "RuntimeError"} <= ours


@documents.needed
def test_the_helpers_signature_is_the_documented_one() -> None:
    told = re.search(r"^\.\. py:function:: submit_job_to_manager\((.*)\) -> str$",
                     documents.text(SERVICE), re.MULTILINE)  # fmt: skip
    assert told is not None
    shown = [part.split(":")[0] for part in told[1].split(", ")]
    signature = inspect.signature(submit_job_to_manager)
    assert list(signature.parameters) == shown == ["config", "priority", "manager_url"]
    defaults = [each.default for each in signature.parameters.values()][1:]
    assert defaults == [0, "http://localhost:8080"]
    assert all(repr(default) in told[1] for default in defaults)
    assert all(inspect.iscoroutinefunction(each) for each in (submit_job_to_manager, main))


def test_three_factories_and_two_submission_methods_are_there() -> None:
    factories = (
        create_hfss_config,
        JobManagerHandler.create_simulation_config,
        HFSSSimulationConfig.from_dict,
    )
    assert all(callable(each) for each in factories)
    assert callable(JobManagerHandler.submit_jobs)
    assert callable(JobManagerHandler.submit_jobs_and_wait)


def test_the_base_url_is_port_8080_of_this_machine_unless_told_otherwise() -> None:
    assert JobManagerHandler(edb=None).url == "http://localhost:8080"
    given = inspect.signature(JobManagerHandler).parameters
    assert (given["host"].default, given["port"].default) == ("localhost", 8080)


def test_the_statuses_are_the_documented_words() -> None:
    assert {each.value for each in JobStatus} == {
        "pending", "queued", "scheduled", "running", "completed", "failed", "cancelled",
    }  # fmt: skip
    assert {each.value for each in JobStatus if each.final} == {"completed", "failed", "cancelled"}
    assert {each.value for each in SchedulerType} == {
        "none", "slurm", "lsf", "pbs", "windows_hpc",
    }  # fmt: skip
    assert [JobStatus.COMPLETED, SchedulerType.NONE] == ["completed", "none"]


FIELDS: dict[type[Any], set[str]] = {
    ResourceLimits: {"max_concurrent_jobs", "max_cpu_percent", "min_memory_gb", "min_disk_gb"},
    JobInfo: {
        "config", "status", "start_time", "end_time", "return_code", "output", "error", "process",
        "scheduler_job_id", "local_resources", "priority",
    },
    SchedulerOptions: {
        "queue", "time", "nodes", "tasks_per_node", "cores_per_node", "memory", "account",
        "reservation", "qos", "constraints", "exclusive", "gpus", "gpu_type", "priority",
        "email_notification", "run_as_administrator",
    },
    MachineNode: {"hostname", "cores", "max_cores", "utilization"},
    HFSS3DLayoutBatchOptions: {
        "create_starting_mesh", "default_process_priority", "enable_gpu", "mpi_vendor",
        "mpi_version", "remote_spawn_command", "solve_adaptive_only", "validate_only",
        "temp_directory",
    },
    HFSSSimulationConfig: {
        "ansys_edt_path", "solver", "jobid", "user", "distributed", "machine_nodes", "auto",
        "non_graphical", "monitor", "layout_options", "project_path", "design_name", "design_mode",
        "setup_name", "scheduler_type", "scheduler_options",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_each_container_has_pyedbs_fields(kind: type[Any]) -> None:
    have = getattr(kind, "model_fields", None) or kind.__dataclass_fields__
    assert FIELDS[kind] <= set(have)


METHODS: dict[type[Any], str] = {
    JobManagerHandler: "start_service submit_job wait_until_done wait_until_all_done"
    " create_simulation_config close stop_service cancel_job cluster_status url started"
    " scheduler_type resource_limits manager",
    JobManager: "submit_job cancel_job wait_until_all_done edit_concurrent_limits jobs"
    " resource_limits",
    ResourceMonitor: "monitor_resources",
    pool.JobPoolManager: "add_job get_next_job remove_job can_start_job get_queue_stats",
    SchedulerManager: "get_partitions get_jobs",
    HFSSSimulationConfig: "validate_fields generate_machinelist_string"
    " generate_batch_options_string generate_design_string generate_command_string"
    " generate_command_list generate_slurm_script generate_lsf_script generate_scheduler_script"
    " submit_to_scheduler run_simulation to_dict from_dict",
    HFSS3DLayoutBatchOptions: "validate_fields to_batch_options_dict to_batch_options_string",
}


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
def test_each_class_has_pyedbs_methods(kind: type[Any]) -> None:
    assert set(METHODS[kind].split()) <= set(dir(kind))


def test_the_logger_has_the_documented_name() -> None:
    assert service.logger.name == "JobManager"


@pytest.mark.parametrize(
    ("kind", "built_in"),
    [
        (errors.InvalidConfig, ValueError),
        (errors.MissingFile, FileNotFoundError),
        (errors.AnsysNotFound, FileNotFoundError),
        (errors.SubmissionFailed, RuntimeError),
        (errors.ServiceError, RuntimeError),
        (errors.WaitTimeout, asyncio.TimeoutError),
        (errors.Forbidden, PermissionError),
    ],
)
def test_each_error_is_the_documented_built_in_one_and_of_the_one_type(
    kind: type[Exception], built_in: type[Exception]
) -> None:
    assert issubclass(kind, built_in)
    assert issubclass(kind, errors.JobManagerError)


def test_every_error_of_the_facade_is_of_the_one_type() -> None:
    ours = [each for each in vars(errors).values() if inspect.isclass(each)]
    raised = [each for each in ours if each.__module__ == errors.__name__]
    assert len(raised) >= 8
    assert all(issubclass(each, errors.JobManagerError) for each in raised)


def test_a_monitor_samples_again_and_again() -> None:
    async def twice() -> list[str]:
        monitor = ResourceMonitor(update_interval=0)
        seen: list[str] = []
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            sampling = group.create_task(monitor.monitor_resources())
            while len(seen) < 2:
                stamp = monitor.current_usage.get("timestamp")
                if stamp and stamp not in seen:
                    seen.append(stamp)
                await asyncio.sleep(0)
            sampling.cancel()
        return seen

    first, second = asyncio.run(twice())
    assert first < second


def test_what_is_asked_of_a_batch_system_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="none"):
        SchedulerManager(SchedulerType.NONE)
    slurm = SchedulerManager(SchedulerType.SLURM)
    for asking in (slurm.get_partitions, slurm.get_jobs):
        with pytest.raises(RuntimeError, match="not configured"):
            asyncio.run(asking())
