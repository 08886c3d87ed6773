"""A configuration's own script and the manager's ask the same, and start the same command."""

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from solveyard import registry
from solveyard.backends.batch import Batch, ClusterOptions
from solveyard.backends.hosts.local import LocalHost
from solveyard.doors import pyedb_form
from solveyard.manager.ordering import Ordering
from solveyard.places import StorePlaces
from solveyard.pyedb.job_submission import HFSSSimulationConfig, SchedulerOptions
from solveyard.solvers.hfss import config as hfss
from solveyard.solvers.hfss import forwarded
from solveyard.solvers.hfss.config import SchedulerType
from standin import install, install_launcher
from unit.solvers.test_hfss_commandline import windows_arguments

EDT = "/opt/Ansys EM/v252/ansysedt"
MARKS = {
    SchedulerType.SLURM: "#SBATCH ", SchedulerType.LSF: "#BSUB ", SchedulerType.PBS: "#PBS ",
}  # fmt: skip
ASKED: dict[str, Any] = {
    "queue": "long", "time": "1.12:30:00", "nodes": 2, "cores_per_node": 8, "memory": "32GB",
    "account": "lab", "exclusive": True, "priority": "Low", "email_notification": "eve@example.org",
}  # fmt: skip
MORE: dict[SchedulerType, dict[str, Any]] = {
    SchedulerType.SLURM: {
        "gpus": 4, "gpu_type": "a100", "qos": "high", "reservation": "r", "constraints": "a|b",
    },
    SchedulerType.LSF: {
        "gpus": 4, "gpu_type": "a100", "qos": "high", "reservation": "r", "constraints": "a && b",
    },
    SchedulerType.PBS: {"gpus": 4, "constraints": "arch=linux"},
    SchedulerType.WINDOWS_HPC: {"run_as_administrator": True, "constraints": "fast"},
}  # fmt: skip
BATCH = [one for one in SchedulerType if one is not SchedulerType.NONE]
#: What only the one says, or only the other, of its job's place and name.
OWN = (
    "--job-name", "--chdir", "--comment", "--no-requeue", "--kill-on-invalid-dep", "--open-mode",
    "--output", "--error", "-J", "-cwd", "-o", "-e", "-N ", "-S ", "-v", "-r", "-j",
    "/jobname", "/workdir", "/stdout", "/stderr", "/rerunnable",
)  # fmt: skip


@pytest.fixture
def made(request: Any, tmp_path: Path) -> tuple[HFSSSimulationConfig, Any, Any]:
    """A configuration; and the backend and the order by which a manager forwards it."""
    kind: SchedulerType = request.param
    board = tmp_path / "my projects" / "it's a board.aedt"
    board.parent.mkdir()
    board.touch()
    one = HFSSSimulationConfig(
        project_path=board, ansys_edt_path=EDT, jobid="a", design_name="D 1", scheduler_type=kind,
        scheduler_options=SchedulerOptions(**ASKED, **MORE[kind]),
    )  # fmt: skip
    name = forwarded.dialect(kind)
    batch = Batch(name, ClusterOptions(dialect=name), registry.dialects()[name], LocalHost({}))
    sent = hfss.HFSSSimulationConfig.model_validate_json(msgspec.json.encode(one.to_dict()))
    spec = pyedb_form.spec(sent, 0, name)
    order = Ordering(StorePlaces(tmp_path)).preview(spec)
    if kind is SchedulerType.WINDOWS_HPC:  # its own rules for paths
        order = order._replace(stdout="C:/s/1.out", stderr="C:/s/1.err")
    return one, batch, order


@pytest.mark.parametrize("made", list(MARKS), indirect=True)
def test_both_scripts_ask_the_same_and_start_the_same_command(made: Any) -> None:
    one, batch, order = made
    mark = MARKS[one.scheduler_type]
    own, ours = one.generate_scheduler_script(), batch.preview(order)[0]
    assert wishes(own, mark) == wishes(ours, mark)
    assert len(wishes(own, mark)) >= 8
    left = [line for line in own.splitlines() if line.startswith("unset ")]
    assert left == [line for line in ours.splitlines() if line.startswith("unset LD_")][: len(left)]
    assert bool(left) is (one.scheduler_type is SchedulerType.LSF)
    [words] = [line for line in ours.splitlines() if line.startswith("set -- ")]
    command = shlex.split(words)[2:]
    assert shlex.split(own.splitlines()[-1]) == command
    assert command[-3:] == ["-batchsolve", "D 1:Nominal", one.project_path]


@pytest.mark.parametrize("made", [SchedulerType.WINDOWS_HPC], indirect=True)
def test_windows_hpc_is_asked_the_same_by_both(made: Any) -> None:
    one, batch, order = made
    [_, line, _] = one.generate_scheduler_script().split("\r\n")
    told = windows_arguments(line.replace("%%", "%"))
    assert told[:2] == ["job", "submit"]
    at = told.index(EDT)
    script, call = batch.preview(order)
    asked = [word for word in call.argv[2:] if word.startswith("/")]
    asked = [word for word in asked if word != "/d" and word != "/c"]  # cmd's
    assert without_own(told[2:at]) == without_own(asked)
    assert len(asked) > 8
    [started] = [text for text in script.split("\r\n") if "ansysedt" in text]
    command = windows_arguments(started.partition(" >>")[0].replace("%%", "%"))
    assert [command[0].replace("\\", "/"), *command[1:]] == told[at:]


@pytest.mark.parametrize("kind", BATCH)
def test_each_kind_has_its_dialect(kind: SchedulerType) -> None:
    assert forwarded.kind(forwarded.dialect(kind)) is kind
    assert forwarded.dialect(kind) in registry.dialects()
    assert forwarded.kind("nonesuch") is None


def test_priorities_are_each_batch_systems_own() -> None:
    def asked(kind: SchedulerType, word: str) -> tuple[int | None, int | None]:
        told = forwarded.wishes(kind, hfss.SchedulerOptions(priority=word))
        return told.priority, told.nice

    assert [asked(SchedulerType.SLURM, one) for one in hfss.PRIORITIES] == [
        (None, 1000), (None, 100), (None, None), (None, None), (None, None),
    ]  # fmt: skip
    assert [asked(SchedulerType.PBS, one)[0] for one in hfss.PRIORITIES] == [
        -1000, -500, None, 500, 1000,
    ]  # fmt: skip
    assert [asked(SchedulerType.WINDOWS_HPC, one)[0] for one in hfss.PRIORITIES] == [
        0, 1000, 2000, 3000, 4000,
    ]  # fmt: skip
    assert {asked(SchedulerType.LSF, one) for one in hfss.PRIORITIES} == {(None, None)}


@pytest.mark.parametrize(
    ("amount", "mib"),
    [
        ("4GB", 4096),
        ("512M", 512),
        ("4 GiB", 4096),
        ("1.5G", 1536),
        ("2TB", 2 << 20),
        ("16000", 16000),
        ("0.5", 1),
        ("1B", 1),
        ("3145728 B", 3),
        ("512k", 1),
    ],
)
def test_memory_is_counted_in_mebibytes_and_rounded_up(amount: str, mib: int) -> None:
    assert forwarded.resources(hfss.SchedulerOptions(memory=amount)).memory == mib


def test_cores_are_each_nodes_and_gpus_are_shared_out() -> None:
    need = forwarded.resources(hfss.SchedulerOptions(nodes=3, tasks_per_node=4, gpus=4))
    assert (need.nodes, need.cores, need.gpus) == (3, 4, 2)
    need = forwarded.resources(hfss.SchedulerOptions(nodes=3, tasks_per_node=4, cores_per_node=8))
    assert (need.nodes, need.cores) == (3, 8)


def test_without_ansys_launcher_slurm_starts_ansysedt_itself(tmp_path: Path) -> None:
    config = hfss.HFSSSimulationConfig(
        project_path="/p/b.aedt", ansys_edt_path=EDT, scheduler_type="slurm", jobid="a"
    )
    spec = pyedb_form.spec(config, 0, "slurm")
    solver = registry.solver("hfss")
    assert solver.command(spec).argv[0].endswith("/utils/ansysedt_launcher.sh")
    without = b'{"batch_launcher":false,' + bytes(spec.options)[1:]
    assert solver.command(replace(spec, options=msgspec.Raw(without))).argv[0] == EDT


def test_a_script_starts_ansys_launcher_unless_it_is_seen_that_there_is_none(
    tmp_path: Path,
) -> None:
    board = tmp_path / "board.aedt"
    board.touch()

    def starts(program: Path) -> str:
        one = HFSSSimulationConfig(project_path=board, ansys_edt_path=program, jobid="a")
        return shlex.split(one.generate_slurm_script().splitlines()[-1])[0]

    edt = install(tmp_path / "ansys_inc")
    assert starts(edt) == str(edt)
    launcher = install_launcher(tmp_path / "ansys_inc")
    assert starts(edt) == str(launcher)
    elsewhere = tmp_path / "elsewhere" / "ansysedt"
    utilities = elsewhere.parent / "schedulers" / "scripts" / "utils"
    assert starts(elsewhere) == str(utilities / "ansysedt_launcher.sh")


def wishes(script: str, mark: str) -> list[str]:
    return without_own(
        [line.removeprefix(mark) for line in script.splitlines() if line.startswith(mark)]
    )


def without_own(options: list[str]) -> list[str]:
    return [one for one in options if not f"{one} ".startswith(OWN)]
