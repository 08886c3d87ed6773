"""PyEDB's configurations: what is taken, what is refused, and that nothing is lost on the way."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from solveyard.model import walltime
from solveyard.solvers.hfss.config import (
    MPI_VENDORS,
    PRIORITIES,
    PROCESS_PRIORITIES,
    HFSS3DLayoutBatchOptions,
    HFSSSimulationConfig,
    MachineNode,
    SchedulerOptions,
    SchedulerType,
)

PROJECT = "/projects/board.aedt"
names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)
words = st.from_regex(r"\A[A-Za-z0-9_]{1,12}\Z")
nodes = st.builds(
    MachineNode,
    hostname=st.sampled_from(["localhost", "node-7.example.org", "10.0.0.7"]),
    cores=st.just(-1) | st.integers(1, 512),
    max_cores=st.integers(1, 512),
    utilization=st.integers(1, 100),
)
configurations = st.builds(
    HFSSSimulationConfig,
    project_path=names.map(lambda name: f"/projects/{name}.AEDB"),
    ansys_edt_path=st.none() | names.map("/opt/".__add__),
    jobid=st.none() | st.from_regex(r"\A[A-Za-z0-9_-]{1,128}\Z"),
    user=names,
    machine_nodes=st.lists(nodes, max_size=3).map(tuple),
    design_name=names,
    setup_name=names,
    auto=st.booleans(),
    distributed=st.booleans(),
    scheduler_type=st.sampled_from(SchedulerType),
    layout_options=st.builds(
        HFSS3DLayoutBatchOptions,
        mpi_vendor=st.sampled_from(MPI_VENDORS),
        default_process_priority=st.sampled_from(PROCESS_PRIORITIES),
        temp_directory=st.none() | names.map("/scratch/".__add__),
    ),
    scheduler_options=st.builds(
        SchedulerOptions,
        queue=words,
        nodes=st.integers(1, 99),
        account=st.none() | words,
        priority=st.sampled_from(PRIORITIES),
        time=st.sampled_from(["24:00:00", "2-12", "unlimited", "90"]),
    ),
)


def refusal(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        HFSSSimulationConfig(**{"project_path": PROJECT, **fields})
    return str(caught.value)


@given(configurations)
def test_a_configuration_comes_back_exactly_as_it_went(config: HFSSSimulationConfig) -> None:
    told = json.loads(json.dumps(config.to_dict()))
    assert HFSSSimulationConfig.from_dict(told) == config
    assert HFSSSimulationConfig.model_validate_json(json.dumps(told)) == config
    assert told["user"] == config.user


def test_the_defaults_are_those_of_the_documents() -> None:
    told = HFSSSimulationConfig(project_path=PROJECT).to_dict()
    assert told["machine_nodes"] == [
        {"hostname": "localhost", "cores": -1, "max_cores": 20, "utilization": 90}
    ]
    assert told["layout_options"] == {
        "create_starting_mesh": False,
        "default_process_priority": "Normal",
        "enable_gpu": False,
        "mpi_vendor": "Intel",
        "mpi_version": "Default",
        "remote_spawn_command": "Scheduler",
        "solve_adaptive_only": False,
        "validate_only": False,
        "temp_directory": None,
    }
    assert told["scheduler_options"] == {
        "queue": "default",
        "time": "24:00:00",
        "nodes": 1,
        "tasks_per_node": 1,
        "memory": "4GB",
        "account": None,
        "reservation": None,
        "qos": None,
        "constraints": None,
        "exclusive": False,
        "gpus": 0,
        "gpu_type": None,
        "priority": "Normal",
        "email_notification": None,
        "run_as_administrator": False,
        "cores_per_node": 0,
    }
    rest = {name: told[name] for name in ("solver", "user", "distributed", "auto", "monitor")}
    assert rest == {
        "solver": "Hfss3DLayout",
        "user": "unknown",
        "distributed": True,
        "auto": True,
        "monitor": True,
    }


def test_what_pyedb_notes_beside_the_fields_is_read_over() -> None:
    told = HFSSSimulationConfig(project_path=PROJECT).to_dict()
    noted = told | {"platform": "Windows", "timestamp": "2026-01-01T00:00:00", "version": "1.0.0"}
    assert HFSSSimulationConfig.from_dict(noted).to_dict() == told


def test_paths_may_be_paths_lists_may_be_lists_and_no_user_is_the_unknown_one() -> None:
    config = HFSSSimulationConfig(
        project_path=Path(PROJECT), machine_nodes=[{"hostname": "a"}], user=None
    )
    assert config.project_path == PROJECT
    assert config.machine_nodes == (MachineNode(hostname="a"),)
    assert config.user == "unknown"


def test_a_configuration_never_changes() -> None:
    config = HFSSSimulationConfig(project_path=PROJECT)
    with pytest.raises(ValidationError):
        config.jobid = "x y"
    with pytest.raises(ValidationError):
        config.scheduler_options.nodes = 0


@pytest.mark.parametrize("word", ["SLURM", "slurm", "Slurm", " slurm "])
def test_a_batch_system_is_known_in_any_case(word: str) -> None:
    found = HFSSSimulationConfig(project_path=PROJECT, scheduler_type=word).scheduler_type
    assert found is SchedulerType.SLURM
    assert found == "slurm"
    assert SchedulerType("Windows-HPC") is SchedulerType.WINDOWS_HPC


def test_none_is_this_machine_and_words_are_taken_in_any_case() -> None:
    config = HFSSSimulationConfig(
        project_path=PROJECT,
        scheduler_type=None,
        layout_options={"mpi_vendor": "open mpi"},
        scheduler_options={"priority": "abovenormal"},
    )
    assert config.scheduler_type is SchedulerType.NONE
    assert config.layout_options.mpi_vendor == "Open MPI"
    assert config.scheduler_options.priority == "AboveNormal"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"jobbid": "a"}, "did you mean 'jobid'"),
        ({"layout_options": {"mpi_vender": "Intel"}}, "did you mean 'mpi_vendor'"),
        ({"jobid": "a\n"}, "letters, digits"),
        ({"jobid": "a b"}, "letters, digits"),
        ({"jobid": "../../etc"}, "letters, digits"),
        ({"jobid": ""}, "letters, digits"),
        ({"jobid": "a" * 129}, "1 to 128"),
        ({"jobid": "ä"}, "letters, digits"),
        ({"jobid": 5}, "valid string"),
        ({"project_path": "/p/x.txt"}, ".aedt or .aedb"),
        ({"project_path": ""}, "not empty"),
        ({"project_path": "/p/\0.aedt"}, "control characters"),
        ({"design_name": "a\0b"}, "control characters"),
        ({"design_name": "a\u2028b"}, "one line"),
        ({"design_name": "a\u202eb"}, "control characters"),
        ({"design_name": "a:b"}, "without ':'"),
        ({"setup_name": "Setup1"}, "`design_name`"),
        ({"scheduler_type": "bogus"}, "none, lsf, slurm"),
        ({"scheduler_type": "slrum"}, "did you mean 'slurm'"),
        ({"machine_nodes": "x"}, "machine_nodes"),
        ({"machine_nodes": [{"cores": -5}]}, "-1 (as many as there are)"),
        ({"machine_nodes": [{"cores": 0}]}, "-1 (as many as there are)"),
        ({"machine_nodes": [{"max_cores": 0}]}, "max_cores"),
        ({"machine_nodes": [{"utilization": 0}]}, "utilization"),
        ({"machine_nodes": [{"utilization": 101}]}, "utilization"),
        ({"machine_nodes": [{"hostname": "h list=evil:1"}]}, "a host's name"),
        ({"machine_nodes": [{"hostname": "h\n"}]}, "a host's name"),
        ({"machine_nodes": [{"hostname": ""}]}, "a host's name"),
        ({"machine_nodes": [{"hostname": "-x"}]}, "a host's name"),
        ({"scheduler_options": {"nodes": 0}}, "nodes"),
        ({"scheduler_options": {"nodes": True}}, "nodes"),
        (
            {"scheduler_options": {"queue": "a\n#SBATCH --wrap=id"}},
            "expected a name such as 'debug'",
        ),
        ({"scheduler_options": {"queue": "my queue"}}, "expected a name such as 'debug'"),
        ({"scheduler_options": {"email_notification": "eve eve"}}, "expected a mail address"),
        ({"scheduler_options": {"constraints": "a\nb"}}, "expected a condition such as"),
        ({"scheduler_options": {"time": "soon"}}, "24:00:00"),
        ({"scheduler_options": {"memory": "much"}}, "4GB"),
        ({"scheduler_options": {"memory": "4 bananas"}}, "an amount above 0"),
        ({"scheduler_options": {"memory": "0"}}, "an amount above 0"),
        ({"scheduler_options": {"memory": "0.0 GB"}}, "an amount above 0"),
        ({"scheduler_options": {"priority": "urgent"}}, "BelowNormal"),
        ({"layout_options": {"mpi_vendor": "Acme"}}, "Open MPI"),
        ({"layout_options": {"temp_directory": ""}}, "not empty"),
        ({"layout_options": {"temp_directory": "/t' 'x'='y"}}, "can't hold"),
        ({"layout_options": {"remote_spawn_command": "a'b"}}, "can't hold"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(fields: dict[str, Any], words: str) -> None:
    assert words in refusal(**fields)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("24:00:00", 24),
        ("100:00:00", 100),
        ("90", 1.5),
        ("12:30", 12.5),
        ("2-12", 60),
        ("2-12:30", 60.5),
        ("2-12:30:36", 60.51),
        ("1.12:00:00", 36),
        ("1:12:00:00", 36),
        ("36h", 36),
        ("1d 12h", 36),
        ("90 min", 1.5),
        ("2 hours", 2),
        ("36s", 0.01),
        ("unlimited", None),
        ("UNLIMITED", None),
        ("infinite", None),
    ],
)
def test_a_wall_time_is_read_in_every_form_that_people_write(
    text: str, hours: float | None
) -> None:
    assert walltime.seconds(text) == (None if hours is None else round(hours * 3600))
    assert SchedulerOptions(time=text).time == text


@given(st.text(max_size=20) | st.from_regex(r"\A[0-9:.dhms -]{0,12}\Z"))
def test_any_other_text_is_no_wall_time_and_none_is_zero(text: str) -> None:
    try:
        found = walltime.seconds(text)
    except ValueError:
        return
    assert found is None or found > 0
