"""PyEDB's configurations, and the commands and scripts that they stand for."""

import math
import os
import re
import shlex
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.pyedb import errors, submission
from solveyard.pyedb.job_submission import (
    HFSS3DLayoutBatchOptions,
    HFSSSimulationConfig,
    JobStatus,
    MachineNode,
    SchedulerOptions,
    SchedulerType,
    create_hfss_config,
)

EDT = "/opt/Ansys EM/v252/ansysedt"
BATCH = [one for one in SchedulerType if one is not SchedulerType.NONE]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    place = tmp_path / "my projects" / "it's a board.aedt"
    place.parent.mkdir()
    place.write_text("{}")
    return place


def config(board: Path, **fields: Any) -> HFSSSimulationConfig:
    return HFSSSimulationConfig(**{"project_path": board, "ansys_edt_path": EDT, **fields})


def test_what_is_not_given_is_found_when_it_is_made(board: Path) -> None:
    first, second = (
        HFSSSimulationConfig(project_path=board),
        HFSSSimulationConfig(project_path=board),
    )
    assert re.fullmatch(r"JOB_\d{8}_\d{6}_[0-9a-f]{8}", str(first.jobid))
    assert first.jobid != second.jobid
    assert first.layout_options.temp_directory == tempfile.gettempdir()
    assert (first.user, first.solver, first.auto) == ("unknown", "Hfss3DLayout", True)
    assert first.machine_nodes == (MachineNode(),)
    assert str(MachineNode()) == "localhost:-1:20:90%"


def test_a_relative_project_is_made_absolute(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(board.parent)
    assert HFSSSimulationConfig(project_path=board.name).project_path == str(board)


def test_a_configuration_survives_its_dictionary_exactly(board: Path) -> None:
    for kind in SchedulerType:
        one = config(
            board,
            user="eve",
            scheduler_type=kind,
            machine_nodes=[MachineNode(hostname="a", cores=1), {"hostname": "b"}],
            scheduler_options={"nodes": 2, "time": "unlimited", "gpus": 1},
            layout_options=HFSS3DLayoutBatchOptions(temp_directory="/scratch", enable_gpu=True),
            design_name="D 1",
            setup_name="S",
        )
        told = one.to_dict()
        assert {"platform", "timestamp", "version"} < set(told)
        assert HFSSSimulationConfig.from_dict(told) == one
        assert one == config(board, **{name: getattr(one, name) for name in one.model_fields_set})


def test_a_nodes_numbers_may_be_written_in_any_way(board: Path) -> None:
    node = MachineNode(hostname="7", cores="4", max_cores=8.0)
    assert str(node) == "7:4:8:90%"
    numpys: Any = {"cores": np.int64(4), "max_cores": np.float32(8), "utilization": np.uint8(50)}
    assert str(MachineNode(hostname="7", **numpys)) == "7:4:8:50%"
    assert SchedulerOptions(nodes=np.int64(2)).to_dict()["nodes"] == 2
    [read] = config(board, machine_nodes=[{"cores": "-1"}]).machine_nodes
    assert read == MachineNode()
    for wrong in ("four", 4.5, True, "4.0", np.float64("nan"), math.inf):
        with pytest.raises(errors.InvalidConfig, match="`cores`: expected"):
            MachineNode(cores=wrong)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"jbid": "a"}, "did you mean 'jobid'"),
        ({"jobid": "a b"}, "`jobid`"),
        ({"jobid": "a\n"}, "`jobid`"),
        ({"machine_nodes": [{"cores": -5}]}, "cores"),
        ({"machine_nodes": [{"hostname": "a list=evil:1"}]}, "hostname"),
        ({"scheduler_options": {"queue": "a\n#SBATCH --wrap=id"}}, "queue"),
        ({"scheduler_options": {"nodes": 0}}, "nodes"),
        ({"scheduler_type": "slrm"}, "did you mean 'slurm'"),
        ({"setup_name": "S"}, "design_name"),
        ({"layout_options": {"mpi_vendor": "x"}}, "mpi_vendor"),
    ],
)
def test_a_wrong_field_is_refused_when_it_is_made(
    board: Path, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.InvalidConfig, match=re.escape(words)) as raised:
        config(board, **fields)
    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, errors.JobManagerError)
    with pytest.raises(errors.InvalidConfig):
        create_hfss_config(board, **fields)


def test_a_project_that_is_missing_is_said_as_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape("no such project")) as raised:
        HFSSSimulationConfig(project_path=tmp_path / "gone.aedt")
    assert isinstance(raised.value, errors.JobManagerError)
    with pytest.raises(FileNotFoundError, match=r"no such project: '.*~nobody-here/a\.aedt'"):
        HFSSSimulationConfig(project_path="~nobody-here/a.aedt")
    with pytest.raises(ValueError, match=re.escape(".aedt or .aedb")):
        HFSSSimulationConfig(project_path="/etc/passwd")


def test_nothing_of_it_can_be_changed(board: Path) -> None:
    one = config(board)
    for holder, name in ((one, "jobid"), (one.scheduler_options, "nodes")):
        with pytest.raises(errors.InvalidConfig, match="once it is made"):
            setattr(holder, name, 5)


def test_words_equal_their_strings() -> None:
    assert JobStatus.COMPLETED in {"completed", "failed"}
    assert [one.value for one in JobStatus] == [
        "pending", "queued", "scheduled", "running", "completed", "failed", "cancelled",
    ]  # fmt: skip
    assert SchedulerType("SLURM") == "slurm"


def test_the_line_is_read_by_a_shell_as_the_list(board: Path) -> None:
    one = config(board, jobid="a", design_name="D 1 $(id)", setup_name='S "1"')
    argv = one.generate_command_list()
    read = subprocess.run(
        ["sh", "-c", f"for one in {one}; do printf '%s\\0' \"$one\"; done"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\0")[:-1]  # fmt: skip
    assert read == argv == shlex.split(str(one))
    assert argv[-3:] == ["-batchsolve", 'D 1 $(id):Nominal:S "1"', str(board)]
    assert f"'TempDirectory'='{tempfile.gettempdir()}'" in argv[argv.index("-batchoptions") + 1]
    assert config(board, jobid="a").generate_command_list()[-2:] == ["-batchsolve", str(board)]


def directives(script: str, mark: str) -> list[str]:
    """Its directives' words, as shells and the batch systems read quotes."""
    lines = [line.removeprefix(mark) for line in script.splitlines() if line.startswith(mark)]
    return [word for line in lines for word in shlex.split(line)]


def options(**more: Any) -> SchedulerOptions:
    return SchedulerOptions(
        queue="long", time="1-12:30:00", nodes=2, cores_per_node=8, memory="32GB",
        account="lab", exclusive=True, priority="Low", email_notification="eve@example.org",
        **more,
    )  # fmt: skip


def test_slurms_script_says_all_that_was_asked(board: Path) -> None:
    asked = options(gpus=2, gpu_type="a100", qos="high", reservation="r", constraints="a&b")
    one = config(board, jobid="a", scheduler_options=asked)
    script = one.generate_slurm_script()
    assert directives(script, "#SBATCH") == [
        "--job-name=a", f"--chdir={board.parent}", "--export=NONE", "--nodes=2",
        "--ntasks-per-node=8", "--cpus-per-task=1", "--mem=32768M", "--gres=gpu:a100:1",
        "--time=1-12:30:00", "--partition=long", "--account=lab", "--reservation=r", "--qos=high",
        "--constraint=a&b", "--exclusive", "--nice=1000", "--mail-user=eve@example.org",
        "--mail-type=END,FAIL",
    ]  # fmt: skip
    command = shlex.split(script.splitlines()[-1])
    tools = "/opt/Ansys EM/v252/schedulers/scripts/utils"
    assert command[: command.index(EDT)] == [
        f"{tools}/ansysedt_launcher.sh", "/usr/bin/env",
        f"ANSYSEM_GENERIC_MPI_WRAPPER={tools}/slurm_srun_wrapper.sh",
        "ANSYSEM_COMMON_PREFIX=/opt/Ansys EM/v252/common",
        "ANSOFT_PASS_DEBUG_ENV_TO_REMOTE_ENGINES=1", "srun", "--overcommit", "--export=ALL", "-n",
        "1", "-N", "1", "--cpu-bind=none", "--mem-per-cpu=0", "--overlap",
    ]  # fmt: skip
    argv = command[command.index(EDT) :]
    assert argv[1:7] == ["-jobid", "a", "-distributed", "-machinelist", "numcores=16", "-auto"]
    assert argv[-2:] == ["-batchsolve", str(board)]


def test_lsfs_script_says_all_that_was_asked(board: Path) -> None:
    asked = options(gpus=2, gpu_type="a100", qos="high", reservation="r", constraints="a && b")
    script = config(board, jobid="a", scheduler_options=asked).generate_lsf_script()
    assert directives(script, "#BSUB") == [
        "-J", "a", "-cwd", str(board.parent), "-o", "a.%J.out", "-e", "a.%J.err",
        "-n", "16", "-R", "span[ptile=8]",
        "-R", "rusage[mem=32768MB/host]", "-R", "select[a && b]", "-gpu",
        "num=1/host:gmodel=a100", "-W", "36:30", "-x", "-q", "long", "-P", "lab", "-U", "r",
        "-sla", "high", "-u", "eve@example.org", "-N",
    ]  # fmt: skip
    assert script.splitlines()[-2] == "unset LD_PRELOAD LD_LIBRARY_PATH"
    plain = directives(config(board).generate_lsf_script(), "#BSUB")
    assert plain[plain.index("-n") + 1] == "1"


def test_pbs_script_says_all_that_was_asked(board: Path) -> None:
    script = config(board, jobid="a", scheduler_options=options(gpus=2)).generate_pbs_script()
    assert directives(script, "#PBS") == [
        "-N", "a", "-S", "/bin/sh",
        "-l", "select=2:ncpus=8:mpiprocs=8:mem=32768mb:ngpus=1", "-l", "place=scatter:excl",
        "-l", "walltime=36:30:00", "-q", "long", "-A", "lab", "-p", "-1000", "-M",
        "eve@example.org", "-m", "ea",
    ]  # fmt: skip
    assert shlex.split(script.splitlines()[-2])[:3] == ["cd", "--", str(board.parent)]


def test_windows_hpc_gets_one_line_of_job_submit(board: Path) -> None:
    asked = options(run_as_administrator=True)
    one = config(board, jobid="a", scheduler_options=asked, design_name="100%")
    [head, line, end] = one.generate_windows_hpc_script().split("\r\n")
    assert (head, end) == ("@echo off", "")
    assert line.startswith("job submit /runasadministrator:true /jobname:a /numnodes:2-2 ")
    assert "/runtime:1:12:30 /jobtemplate:long /projectname:lab /exclusive:true /priority:0" in line
    assert '"100%%:Nominal"' in line


@pytest.mark.parametrize("kind", BATCH)
def test_each_batch_systems_script_is_the_one_that_its_type_names(
    board: Path, kind: SchedulerType
) -> None:
    one = config(board, scheduler_type=kind)
    assert one.generate_scheduler_script() == getattr(one, f"generate_{kind}_script")()
    with pytest.raises(ValueError, match="Unsupported scheduler type"):
        config(board).generate_scheduler_script()


def test_what_a_batch_system_has_no_word_for_is_refused(board: Path) -> None:
    one = config(board, scheduler_options={"qos": "high"})
    with pytest.raises(errors.InvalidConfig, match=r"qos.*PBS has no word for it"):
        one.generate_pbs_script()
    one = config(board, scheduler_options={"run_as_administrator": True})
    with pytest.raises(ValueError, match=r"run_as_administrator.*slurm has no word"):
        one.generate_slurm_script()


words = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), min_size=1)


@given(words, words.filter(lambda text: ":" not in text))
def test_no_value_leaves_its_place_in_a_script(condition: str, design: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        board = Path(folder, "b.aedt")
        board.touch()
        try:
            asked = SchedulerOptions(constraints=condition)
        except errors.InvalidConfig:
            asked = SchedulerOptions()
        one = config(board, scheduler_options=asked, design_name=design)
        for name, mark in (("slurm", "#SBATCH"), ("lsf", "#BSUB"), ("pbs", "#PBS")):
            try:
                script = getattr(one, f"generate_{name}_script")()
            except errors.InvalidConfig:
                assert name == "pbs"  # its conditions are such as arch=linux
                continue
            wanted = {"slurm": f"--constraint={condition}", "lsf": f"select[{condition}]"}
            told = directives(script, mark)
            assert asked.constraints is None or name == "pbs" or wanted[name] in told
            assert f"{design}:Nominal" in shlex.split(script.splitlines()[-1])
            checked = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
            assert checked.returncode == 0


def program(folder: Path, name: str, content: str) -> Path:
    place = folder / name
    place.write_text(f"#!/bin/sh\n{content}\n")
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    return place


SAYING = {"sbatch": "Submitted batch job 42", "qsub": "42.head.example.org"}


@pytest.mark.parametrize("kind", [SchedulerType.SLURM, SchedulerType.LSF, SchedulerType.PBS])
def test_a_submission_goes_to_the_batch_systems_own_command(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: SchedulerType
) -> None:
    taken = tmp_path / "taken"
    program(tmp_path, "sbatch", f'cat "$1" > {taken}; echo {SAYING["sbatch"]}')
    program(tmp_path, "qsub", f'cat "$1" > {taken}; echo {SAYING["qsub"]}')
    program(tmp_path, "bsub", f'cat > {taken}; echo "Job <42> is submitted to queue <normal>."')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    one = config(board, jobid="a", scheduler_type=kind)
    assert one.run_simulation() == f"{kind}_job_42"
    assert taken.read_text() == one.generate_scheduler_script()


def test_a_refused_submission_is_a_runtime_error_with_its_words(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = config(board, scheduler_type="slurm")
    program(tmp_path, "sbatch", "echo invalid partition >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match="sbatch ended with 1: invalid partition"):
        one.submit_to_scheduler()
    (tmp_path / "sbatch").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="sbatch: command not found"):
        one.submit_to_scheduler()


def test_a_solve_without_a_manager_tells_how_it_ended(board: Path, tmp_path: Path) -> None:
    edt = program(tmp_path, "ansysedt", 'echo "$@"')
    done = config(board, jobid="a", ansys_edt_path=edt).run_simulation()
    assert not isinstance(done, str)
    assert done.stdout.startswith("-jobid a -machinelist")
    edt = program(tmp_path, "failing", "echo no licence >&2; exit 3")
    with pytest.raises(RuntimeError, match="ended with 3: no licence"):
        config(board, ansys_edt_path=edt).run_simulation()
    with pytest.raises(FileNotFoundError, match="cannot start /no/such"):
        config(board, ansys_edt_path="/no/such").run_simulation()
    edt = program(tmp_path, "slow", "exec sleep 600")
    with pytest.raises(TimeoutError, match="longer than"):
        config(board, ansys_edt_path=edt).run_simulation(timeout=0.1)


def test_a_solve_without_a_manager_takes_what_subprocess_run_takes(
    board: Path, tmp_path: Path
) -> None:
    one = config(board, ansys_edt_path=program(tmp_path, "ansysedt", "echo said; echo why >&2"))

    def said(**given: Any) -> tuple[str | None, str | None]:
        done = one.run_simulation(**given)
        assert not isinstance(done, str)
        return done.stdout, done.stderr

    assert said() == said(capture_output=True) == ("said\n", "why\n")
    assert said(capture_output=False) == (None, None)
    assert said(stderr=subprocess.STDOUT) == ("said\nwhy\n", None)
    with (tmp_path / "out").open("w") as out:
        assert said(stdout=out) == (None, "why\n")
    assert (tmp_path / "out").read_text() == "said\n"
    for wrong in ({"capture_output": True, "stdout": subprocess.PIPE}, {"no_such": 1}):
        with pytest.raises(errors.InvalidConfig, match=r"subprocess\.run takes no such"):
            one.run_simulation(**wrong)


def test_ids_are_read_from_what_the_submit_commands_print() -> None:
    assert submission.job_id(SchedulerType.WINDOWS_HPC, "Job has been submitted. ID: 7.") == "7"
    assert submission.job_id(SchedulerType.PBS, "12[].head\n") == "12"
    assert submission.job_id(SchedulerType.SLURM, "sbatch: error") is None


def test_importing_it_starts_and_configures_nothing_and_opens_no_port(tmp_path: Path) -> None:
    content = (
        "import importlib, logging, os, pkgutil, sys, threading\n"
        "def loggers():\n"
        "    known = {'root': logging.root, **logging.root.manager.loggerDict}\n"
        "    return {name for name, one in known.items() if getattr(one, 'handlers', [])}\n"
        "handled, level, files = loggers(), logging.root.level, os.listdir('/proc/self/fd')\n"
        "import solveyard.pyedb, pyedb.workflows\n"
        "names = []\n"
        "for package in (solveyard.pyedb, pyedb.workflows):\n"
        "    walked = pkgutil.walk_packages(package.__path__, package.__name__ + '.')\n"
        "    names += [one.name for one in walked]\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "slow = {'aiohttp', 'socketio', 'engineio', 'requests', 'psutil', 'zmq'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
        "assert threading.active_count() == 1\n"
        "assert (loggers(), logging.root.level) == (handled, level)\n"
        "assert os.listdir('/proc/self/fd') == files  # neither a port nor a file\n"
        "assert not open('/proc/self/task/%d/children' % os.getpid()).read()\n"
        "assert len(names) > 40, names\n"
    )
    site = str(Path(__file__).parents[3] / "packages" / "solveyard-pyedb" / "src")
    environment = {**os.environ, "PYTHONPATH": site, "SOLVEYARD_HOME": str(tmp_path / "store")}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", content], check=True, cwd=tmp_path, env=environment
    )
    assert list(tmp_path.iterdir()) == []
