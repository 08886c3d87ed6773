"""ansysedt's whole command line, from what a job was given."""

import re
import shlex
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Allocation, Range, Resources, Share
from solveyard.solvers.hfss import arguments, commandline
from solveyard.solvers.hfss.batch import HfssOptions
from solveyard.solvers.hfss.config import HFSSSimulationConfig
from solveyard.solvers.hfss.solver import HfssSolver
from unit.solvers.test_hfss_commandline import EDT, windows_arguments

PROJECT = "/projects/board.aedt"


def given_nodes(*cores: int) -> Allocation:
    return Allocation(shares=tuple(Share(node=f"n{i}", cores=c) for i, c in enumerate(cores, 1)))


def command(nodes: Allocation | None = None, **fields: Any) -> Any:
    given = msgspec.Raw(
        msgspec.json.encode(
            {"project_path": PROJECT, "ansys_edt_path": EDT, "jobid": "j1"} | fields
        )
    )
    return HfssSolver().command(JobSpec(solver="hfss", options=given), nodes)


def placed(nodes: Allocation, **fields: Any) -> list[str]:
    """What stands between the job's id and -ng."""
    found = list(command(nodes, **fields).argv)
    return found[3 : found.index("-ng")]


def refusal(nodes: Allocation | None = None, **fields: Any) -> str:
    with pytest.raises(InvalidJob) as caught:
        command(nodes, **fields)
    return str(caught.value)


def test_what_pyedbs_configuration_says_is_passed_as_pyedb_passes_it() -> None:
    for fields in (
        {},
        {"design_name": "D", "setup_name": "S", "monitor": False},
        {"machine_nodes": [{"hostname": "a"}, {"hostname": "b", "cores": 2}]},
        {"machine_nodes": [], "layout_options": {"temp_directory": "/scratch/me"}},
    ):
        plain = HFSSSimulationConfig.model_validate_json(
            msgspec.json.encode({"project_path": PROJECT, **fields})
        )
        assert command(given_nodes(7), **fields).argv == commandline.arguments(plain, EDT, "j1")


def test_a_workstation_is_told_the_cores_that_the_job_was_given() -> None:
    auto = placed(given_nodes(6), machines="list")
    assert auto == ["-machinelist", "list=localhost:-1:6:90%", "-auto"]
    manual = placed(given_nodes(6), machines="list", auto=False, tasks=2, ram_percent=70)
    assert manual == ["-machinelist", "list=localhost:2:6:70%"]
    assert placed(given_nodes(6), machines="list", auto=False)[1] == "list=localhost:1:6:90%"


def test_several_nodes_are_named_with_their_shares() -> None:
    found = placed(given_nodes(8, 4), machines="list", auto=False, tasks=3, placing="distributed")
    assert found == ["-distributed", "-machinelist", "list=n1:2:8:90%,n2:1:4:90%"]


def test_a_batch_system_is_asked_for_engines_or_cores() -> None:
    nodes = given_nodes(8, 8)
    cores = placed(nodes, machines="numcores")
    assert cores == ["-distributed", "-machinelist", "numcores=16", "-auto"]
    engines = placed(nodes, machines="num", auto=False, distributed=False, tasks=4)
    assert engines == ["-machinelist", "num=4"]


def test_distributed_says_what_is_spread_and_over_how_many_levels() -> None:
    found = placed(
        given_nodes(16),
        machines="list",
        placing="distributed",
        include_types=["variations", "Mesh Assembly"],
        max_levels=2,
        level1_tasks=2,
    )
    assert found[:4] == [
        "-distributed", "includetypes=variations,mesh assembly", "maxlevels=2", "numlevel1=2",
    ]  # fmt: skip
    assert placed(given_nodes(4), machines="list", placing="local")[0] == "-local"
    assert placed(given_nodes(4), machines="list", placing="remote")[0] == "-remote"


def test_variations_at_once_are_ansysedts_to_spread_or_tasks_of_their_own() -> None:
    sweep = {"machines": "list", "variations": 4, "design_name": "D", "design_mode": "Optimetrics"}
    assert placed(given_nodes(16), **sweep)[-2:] == ["-auto", "NumDistributedVariations=4"]
    assert placed(given_nodes(16), auto=False, **sweep)[-1] == "list=localhost:4:16:90%"


def test_machines_in_a_file_are_those_of_the_list() -> None:
    nodes = given_nodes(8, 4)
    found = command(nodes, machines="file")
    assert found.argv[found.argv.index("-machinelist") + 1] == "file=/projects/board-j1.machines"
    assert found.files == {"board-j1.machines": "n1:-1:8:90%\nn2:-1:4:90%\n"}


def test_flags_and_scripts_stand_before_what_is_solved() -> None:
    found = command(
        wait_for_licence=True,
        ppe=True,
        log_file="logs/solve.log",
        grpc_port=50051,
        features=["beta"],
        script="/scripts/set.py",
        script_arguments="w=1mm",
        extract_script="/scripts/export.py",
        design_name="D",
    )
    argv = list(found.argv)
    del argv[argv.index("-batchoptions") : argv.index("-batchoptions") + 2]
    assert argv[5:] == [
        "-ng", "-monitor", "-waitforlicense", "-useelectronicsppe",
        "-logfile", "/projects/logs/solve.log", "-grpcsrv", "50051", "-features=beta",
        "-runscript", "/scripts/set.py", "-scriptargs", "w=1mm",
        "-batchextract", "/scripts/export.py", "-batchsolve", "D:Nominal", PROJECT,
    ]  # fmt: skip
    assert found.outputs == ("logs/solve.log",)


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"run": "batchsave", "script": "/s.py"}, ["-runscript", "/s.py", "-batchsave", PROJECT]),
        ({"run": "batchextract", "extract_script": "/s.py"}, ["-batchextract", "/s.py", PROJECT]),
        (
            {"run": "runscript", "script": "/s.py", "script_arguments": "a b"},
            ["-runscriptandexit", "/s.py", "-scriptargs", "a b"],
        ),
    ],
)
def test_a_run_may_save_extract_or_be_a_script(fields: dict[str, str], end: list[str]) -> None:
    assert list(command(**fields).argv)[-len(end) :] == end


def test_batch_options_have_three_forms_with_one_meaning() -> None:
    own = {
        "hpc_licence": "pool",
        "ram_percent": 80,
        "batch_options": {"hfss/enablegpu": True, "Desktop/ProjectDirectory": "C:\\a b", "x": 7},
        "layout_options": {"mpi_version": "2021"},
    }
    argv = list(command(**own).argv)
    pairs = re.findall(r"'([^']*)'='([^']*)'", argv[argv.index("-batchoptions") + 1])
    said = dict(pairs)
    assert len(said) == len(pairs) == 18
    assert (said["HFSS/HPCLicenseType"], said["HFSS/RAMLimitPercent"]) == ("pool", "80")
    assert (said["hfss/enablegpu"], said["x"]) == ("1", "7")
    each = list(command(**own, batch_options_as="each").argv)
    after = [each[at + 1] for at, word in enumerate(each) if word == "-batchoptions"]
    assert after == [f"'{key}'='{value}'" for key, value in pairs]
    filed = command(**own, batch_options_as="file")
    assert filed.argv[filed.argv.index("-batchoptions") + 1] == "/projects/board-j1.options"
    lines = filed.files["board-j1.options"].splitlines()
    assert (lines[0], lines[-1]) == ("$begin 'Config'", "$end 'Config'")
    assert {"'x'=7", "'HFSS 3D Layout Design/MPIVersion'='2021'", "'HFSS/HPCLicenseType'='pool'",
            "'Desktop/ProjectDirectory'='C:\\\\a b'"} <= set(lines)  # fmt: skip
    assert len(lines) == 20


def test_a_batch_option_given_again_replaces_the_one_that_is_there() -> None:
    argv = list(command(batch_options={"hfss/ramlimitpercent": 55}).argv)
    options = argv[argv.index("-batchoptions") + 1]
    assert "'HFSS/RAMLimitPercent'='55'" in options
    assert options.lower().count("'hfss/ramlimitpercent'") == 1


WRONG = [
    ({"max_levels": 2}, "`placing` 'distributed'"),
    ({"placing": "distributed", "level1_tasks": 2}, "`max_levels` 2"),
    ({"placing": "local", "machines": "numcores"}, "takes hosts from a batch system"),
    ({"machines": "list", "machine_nodes": [{"hostname": "a"}]}, "either `machine_nodes` or"),
    ({"machines": "list", "tasks": 2}, "with -auto ansysedt chooses"),
    ({"machines": "list", "auto": False, "tasks": -1}, "`auto` true beside `tasks` -1"),
    ({"machines": "list", "auto": False, "tasks": 0}, "-1 or a number from 1"),
    ({"tasks": 2}, "has no place for it"),
    ({"machines": "list", "variations": 2, "design_name": "D"}, "'Optimetrics'"),
    ({"variations": 2}, "'numcores' beside `variations`"),
    ({"machines": "num", "auto": False, "variations": 3, "tasks": 2}, "as many `tasks` as"),
    ({"run": "runscript"}, "`script` beside `run` 'runscript'"),
    ({"run": "batchextract"}, "`extract_script` beside"),
    ({"script_arguments": "a"}, "`script` beside `script_arguments`"),
    ({"run": "batchsave", "extract_script": "/s"}, "'batchsolve' or 'batchextract'"),
    ({"run": "batchextract", "extract_script": "/s", "script": "/t"}, "no `script`"),
    ({"run": "batchsave", "design_name": "D"}, "says what is solved"),
    (
        {"layout_options": {"validate_only": True, "solve_adaptive_only": True}},
        "the one solves nothing",
    ),
    ({"run": "runscript", "script": "/s", "batch_options_as": "file"}, "'string' or 'each'"),
    ({"script": "set.py"}, "absolute path of a script"),
    ({"batch_options": {"HFSS/TempDirectory": "/x"}}, "layout_options.temp_directory"),
    ({"batch_options": {"a": "it's"}}, "without '"),
    ({"batch_options": {"a'='b": "c"}}, "a key such as"),
    ({"environment": {"LD_PRELOAD": "/x"}}, "ANSYSLMD_LICENSE_FILE"),
    ({"log_file": "../x.log"}, "inside the job's directory"),
    ({"include_types": ["frequency"], "placing": "distributed"}, "frequencies"),
]


@pytest.mark.parametrize(("fields", "why"), WRONG, ids=[why for _, why in WRONG])
def test_a_wrong_combination_is_refused_with_the_reason(fields: dict[str, Any], why: str) -> None:
    assert why in refusal(**fields)


def test_more_tasks_than_cores_are_refused() -> None:
    assert "3 tasks on localhost need as many cores, and it was given 2" in refusal(
        given_nodes(2), machines="list", auto=False, tasks=3
    )
    assert "leave n2 without one" in refusal(
        given_nodes(2, 2), machines="list", auto=False, tasks=1
    )


def test_before_it_is_placed_it_is_tried_with_the_least_that_it_may_be_given() -> None:
    assert arguments.asked(Resources(cores=Range(min=3, max=9))).cores == 3
    assert len(arguments.asked(Resources(cores=2, nodes=2)).shares) == 2


PATHS = st.sampled_from(["/a b/c.aedt", "C:\\Program Files\\x\\c.aedt", "\\\\srv\\p q\\c.aedt"])
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'\""))


@given(project=PATHS, arguments_=WORDS, value=WORDS, cores=st.integers(2, 64))
def test_any_command_line_is_read_back_by_either_shell(
    project: str, arguments_: str, value: str, cores: int
) -> None:
    options = HfssOptions.model_validate_json(
        msgspec.json.encode(
            {
                "project_path": project,
                "machines": "list",
                "placing": "distributed",
                "include_types": ["mesh assembly"],
                "script": "/s/t.py",
                "script_arguments": arguments_,
                "batch_options": {"Desktop/ProjectDirectory": value},
                "batch_options_as": "each",
            }
        )
    )
    argv = list(arguments.made(options, EDT, "j", given_nodes(cores)).argv)
    assert shlex.split(commandline.line(argv, windows=False)) == argv
    assert windows_arguments(commandline.line(argv, windows=True)) == argv
    assert f"'Desktop/ProjectDirectory'='{value}'" in argv
    assert argv[-1] == project


def test_old_and_rare_options_are_passed_as_they_are_and_no_others() -> None:
    argv = command(given_nodes(2), flags=["-showmonitorjob", "-iconic"]).argv
    assert argv[argv.index("-monitor") + 1 :][:2] == ("-showmonitorjob", "-iconic")
    assert "flags" in refusal(flags=["-help"])
    nodes = given_nodes(2, 4)
    found = command(nodes, machines="machinelistfile")
    assert "-machinelistfile=/projects/board-j1.machines" in found.argv
    assert found.files == command(nodes, machines="file").files
    assert "-auto" in found.argv
    assert "somebody must say" in refusal(machines="machinelistfile", auto=False, tasks=-1)
