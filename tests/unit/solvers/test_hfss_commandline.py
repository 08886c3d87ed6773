"""ansysedt's command line, read back by the rules of those who will read it."""

import shlex
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from solveyard.solvers.hfss import commandline
from solveyard.solvers.hfss.config import HFSSSimulationConfig

EDT = "/opt/AnsysEM/v252/Linux64/ansysedt"


def windows_arguments(line: str) -> list[str]:
    """What CommandLineToArgvW makes of a line, as Microsoft's page on it tells.

    The program's name ends at a blank, or at the next quote where it begins with one; in it a
    backslash is nothing special.
    """
    found, place = [], 0
    if line[:1] == '"':
        place = line.index('"', 1)
        found.append(line[1:place])
        place += 1
    else:
        while place < len(line) and line[place] not in " \t":
            place += 1
        found.append(line[:place])
    while True:
        while place < len(line) and line[place] in " \t":
            place += 1
        if place == len(line):
            return found
        text, quoted = "", False
        while place < len(line) and (quoted or line[place] not in " \t"):
            slashes = 0
            while line[place : place + 1] == "\\":
                slashes, place = slashes + 1, place + 1
            if line[place : place + 1] == '"':
                text += "\\" * (slashes // 2)
                if slashes % 2:
                    text += '"'
                elif quoted and line[place + 1 : place + 2] == '"':
                    text, place = text + '"', place + 1
                else:
                    quoted = not quoted
                place += 1
                continue
            text += "\\" * slashes
            if place < len(line) and (quoted or line[place] not in " \t"):
                text, place = text + line[place], place + 1
        found.append(text)


def config(**fields: Any) -> HFSSSimulationConfig:
    return HFSSSimulationConfig(**{"project_path": "/projects/board.aedt", **fields})


def argv(**fields: Any) -> list[str]:
    return list(commandline.arguments(config(**fields), EDT, "j1"))


def test_the_whole_command_as_it_is_started() -> None:
    found = argv(layout_options={"temp_directory": "/scratch/me"})
    options = found.pop(found.index("-batchoptions") + 1)
    assert found == [
        EDT, "-jobid", "j1", "-machinelist", "list=localhost:-1:20:90%", "-ng", "-monitor",
        "-batchoptions", "-batchsolve", "/projects/board.aedt",
    ]  # fmt: skip
    layout = "HFSS 3D Layout Design/"
    assert shlex.split(options.replace("'='", "=")) == [
        layout + "CreateStartingMesh=0",
        layout + "DefaultProcessPriority=Normal",
        layout + "EnableGPU=0",
        layout + "MPIVendor=Intel",
        layout + "MPIVersion=Default",
        layout + "RemoteSpawnCommand=Scheduler",
        layout + "SolveAdaptiveOnly=0",
        layout + "ValidateOnly=0",
        layout + "RAMLimitPercent=90",
        "HFSS/RAMLimitPercent=90",
        "Maxwell 2D/RAMLimitPercent=90",
        "Maxwell 3D/RAMLimitPercent=90",
        "Q3D Extractor/RAMLimitPercent=90",
        "TempDirectory=/scratch/me",
    ]
    assert options.count("'='") == 14


def test_without_a_temporary_directory_none_is_told() -> None:
    assert not any("TempDirectory" in text for text in argv())


def test_backslashes_of_a_temporary_directory_are_slashes() -> None:
    windows = argv(layout_options={"temp_directory": "C:\\Temp\\me"})
    assert any("'TempDirectory'='C:/Temp/me'" in text for text in windows)
    linux = argv(layout_options={"temp_directory": "/a\\b"})
    assert any("'TempDirectory'='/a\\b'" in text for text in linux)


def test_flags_stand_only_where_they_were_asked_for() -> None:
    assert {"-ng", "-monitor"}.isdisjoint(argv(non_graphical=False, monitor=False))
    assert "-machinelist" not in argv(machine_nodes=[])
    several = argv(machine_nodes=[{"hostname": "a"}, {"hostname": "b", "cores": 2}])
    assert "list=a:-1:20:90%,b:2:20:90%" in several


def test_only_a_batch_system_is_asked_for_cores_and_an_automatic_split() -> None:
    local = argv(auto=True, distributed=True)
    assert {"-auto", "-distributed"}.isdisjoint(local)
    options = {"nodes": 2, "cores_per_node": 8}
    batch = argv(scheduler_type="slurm", scheduler_options=options)
    assert batch[3:7] == ["-distributed", "-machinelist", "numcores=16", "-auto"]
    assert not any("list=" in text for text in batch)
    plain = argv(scheduler_type="lsf", distributed=False, auto=False)
    assert plain[3:5] == ["-machinelist", "numcores=1"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, []),
        ({"design_name": "D 1"}, ["D 1:Nominal"]),
        ({"design_name": "D", "setup_name": "S 1"}, ["D:Nominal:S 1"]),
        (
            {"design_name": "D", "design_mode": "Optimetrics", "setup_name": "S"},
            ["D:Optimetrics:S"],
        ),
    ],
)
def test_a_design_is_one_argument_and_none_is_no_argument(
    fields: dict[str, str], told: list[str]
) -> None:
    found = argv(**fields)
    assert found[found.index("-batchsolve") + 1 : -1] == told


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc"))) | st.text('\\" ab%&^')


@given(st.lists(texts, max_size=4))
@example(['a\\"b', "c\\\\", "", 'd" e', "\\\\server\\share x\\"])
def test_both_lines_are_read_as_the_arguments_that_they_were_made_of(rest: list[str]) -> None:
    linux, windows = [EDT, *rest], ["C:\\Program Files\\AnsysEM\\ansysedt.exe", *rest]
    assert shlex.split(commandline.line(linux, windows=False)) == linux
    assert windows_arguments(commandline.line(windows, windows=True)) == windows


@given(texts.filter(str.isprintable).filter(lambda text: ":" not in text))
def test_line_and_list_say_the_same_of_any_design(design: str) -> None:
    said = argv(design_name=design)
    assert shlex.split(commandline.line(said, windows=False)) == said
    assert windows_arguments(commandline.line(said, windows=True)) == said
    assert "::" not in " ".join(said)


def test_the_oracle_reads_microsofts_own_examples() -> None:
    told = {
        r'x "a b c" d e': ["x", "a b c", "d", "e"],
        r'x "ab\"c" "\\" d': ["x", 'ab"c', "\\", "d"],
        r'x a\\\b d"e f"g h': ["x", r"a\\\b", "de fg", "h"],
        r"x a\\\"b c d": ["x", r"a\"b", "c", "d"],
        r'x a\\\\"b c" d e': ["x", r"a\\b c", "d", "e"],
    }
    assert {line: windows_arguments(line) for line in told} == told
