"""The stand-in for ansysedt keeps to what is known of ansysedt, and says that it is none."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import standin
from solveyard.solvers import touchstone
from standin import ANSYSEDT, antenna, arguments, licences, lmutil, scenarios, sweep

ENTRY = re.compile(
    r"\[(?:info|warning|error)\] Project:board, "
    r"(?:Design:stand-in, |Setup1 : \[(?:PROFILE|CONVERGE)\] )"
    r"[^()]*(?:\([^()]*\)[^()]*)* \(\d\d:\d\d:\d\d [AP]M  \w{3} \d\d, \d{4}\)"
)
NEC2C = shutil.which("nec2c")
needs_nec2c = pytest.mark.skipif(antenna.engine() != "nec2c", reason="nec2c is not installed")


@pytest.fixture(autouse=True)
def _only_where_it_runs() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the stand-in was written for Linux")


def start(place: Path, *options: str, **environment: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, str(ANSYSEDT), "-jobid", "j", *options, "-batchsolve", str(place)]
    with (place.parent / "said").open("wb") as said:
        return subprocess.Popen(words, stdout=said, stderr=said, env=os.environ | environment)


def solve(place: Path, *options: str, **environment: str) -> int:
    return start(place, *options, **environment).wait()


def said(place: Path) -> str:
    return (place.parent / "said").read_text()


def log(place: Path) -> str:
    return (Path(f"{place}.batchinfo") / f"{place.stem}-j.log").read_text()


def told(place: Path) -> list[str]:
    there = (Path(f"{place}.batchinfo") / f"{place.stem}-j.log").exists()
    return passes_in(log(place)) if there else []


def passes_in(text: str) -> list[str]:
    """The lines of convergence."""
    return re.findall(r"Pass Number: .*Delta S: +[^;]+", text)


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def pids(folder: Path) -> list[int]:
    return [int(word) for word in (folder / "j.pids").read_text().split()]


# The command line


def test_every_option_that_is_known_of_ansysedt_is_taken_in_any_case(tmp_path: Path) -> None:
    machines = tmp_path / "machines"
    machines.write_text("a:2:4\nb:-1:8:90%\n")
    batch = tmp_path / "options"
    batch.write_text("$begin 'Config'\n'HFSS/EnableGPU'=0\n'TempDirectory'='/x y'\n$end 'Config'\n")
    words = (
        "-NG -monitor -waitforlicense -useelectronicsppe=1 -features=beta -grpcsrv 50051 -local"
        " -remote -Distributed includetypes=default maxlevels=2 numlevel1=2 -showmonitorjob"
        " -auto NumDistributedVariations=4 -iconic -usenonwebhelp -queue -jobid j -logfile /l"
        f" -machinelistfile={machines} -batchextract x.py -scriptargs a"
    ).split()
    words += ["-batchoptions", str(batch), "-batchoptions", "HFSS/HPCLicenseType=pool"]
    asked = arguments.read([*words, "-batchsolve", "D:Nominal:S1", "/p/board.aedt"])
    assert (asked.project, asked.design, asked.setup) == (Path("/p/board.aedt"), "D", "S1")
    assert (asked.tasks, asked.cores, asked.hosts) == (3, 12, ["a", "b"])
    assert asked.batch_option("hpclicensetype") == "pool"
    assert asked.batch["tempdirectory"] == "/x y"
    assert (
        arguments.read(["-batchsolve", "-monitor", "D:Nominal", "-ng", "/p/b.aedt"]).design == "D"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-ng", "-batchsolve is missing"),
        ("-nosuch -batchsolve a.aedt", "'-nosuch'"),
        ("-jobid", "incomplete"),
        ("-batchsolve", "takes a project"),
        ("-batchsolve a b c", "takes a project"),
        ("-machinelist 4 -batchsolve a", "no list="),
        ("-machinelist list=a:x -batchsolve a", "no host:tasks"),
        ("-machinelist file=/gone -batchsolve a", "can't be read"),
        ("-batchoptions gone -batchsolve a", "no 'key'='value'"),
        ("-runscriptandexit x.py", "no scripts"),
        ("-help", "no display"),
    ],
)
def test_a_wrong_command_line_is_refused_with_its_reason(words: str, told: str) -> None:
    with pytest.raises(arguments.Wrong, match=re.escape(told)):
        arguments.read(words.split())


def test_a_file_of_batch_options_whose_dollars_a_shell_took_is_refused(tmp_path: Path) -> None:
    (tmp_path / "options").write_text(" 'Config'\n'TempDirectory'='/x'\n 'Config'\n")
    with pytest.raises(arguments.Wrong, match="begin 'Config'"):
        arguments.read(["-batchoptions", str(tmp_path / "options"), "-batchsolve", "a"])


def test_what_is_no_project_of_its_own_is_refused(tmp_path: Path) -> None:
    for content in ("$begin 'AnsoftProject'", "[]", '{"scenario": "wish"}', '{"wish": 1}'):
        (tmp_path / "p.aedt").write_text(content)
        assert solve(tmp_path / "p.aedt") == 1
        assert said(tmp_path / "p.aedt").startswith("STAND-IN (not Ansys software): ")
    assert names(tmp_path) == {"p.aedt", "said"}


# What it computes


@needs_nec2c
def test_delta_s_is_the_difference_of_two_solutions_of_nec2c(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    assert solve(board) == 0
    found = re.findall(
        r"Pass Number:  (\d+);  Solved Elements:  (\d+);.*Delta S:  ([^;]+);", log(board)
    )
    segments = [int(row[1]) for row in found]
    assert segments == sorted(set(segments))
    s11 = []
    for number in segments:
        deck = (
            f"CM oracle\nCE\nGW 1 {number} 0 0 -.235 0 0 .235 .0005\nGE\n"
            f"EX 0 1 {number // 2 + 1} 0 1\nFR 0 1 0 0 900\nXQ\nEN\n"
        )
        (tmp_path / "o.nec").write_text(deck)
        subprocess.run(["nec2c", "-i", "o.nec", "-o", "o.out"], cwd=tmp_path, check=True)
        table = (tmp_path / "o.out").read_text().partition("ANTENNA INPUT PARAMETERS")[2]
        row = next(line.split() for line in table.splitlines() if line.startswith("    1 "))
        z = complex(float(row[6]), float(row[7]))
        s11.append((z - 50) / (z + 50))
    told = [row[2] for row in found]
    assert told == ["N/A", *(f"{abs(b - a):.5g}" for a, b in itertools.pairwise(s11))]
    assert float(told[-1]) <= 0.02 < float(told[-2])
    network = touchstone.parse((tmp_path / "board.aedtresults" / "board.s1p").read_text(), 1)
    assert len(network.frequencies) == 81
    assert abs(network.s[-1][0][0] - s11[-1]) < 1e-9


def test_the_interpolating_sweep_finds_a_resonance_from_few_solutions() -> None:
    def resonance(frequency: float) -> complex:
        z = 70 + 900j * (frequency / 3e8 - 3e8 / frequency)
        return (z - 50) / (z + 50)

    errors: list[float | None] = []
    search = sweep.Interpolation(
        lambda asked: [resonance(one) for one in asked],
        lambda _number, _frequency, error: errors.append(error),
        tolerance=0.5, most=60,
    )  # fmt: skip
    search.run(1e8, 9e8)
    assert search.converged
    assert len(search.basis) == len(errors) < 30
    worst = max(abs(search.at(f) - resonance(f)) for f in sweep.points(1e8, 9e8, 501))
    assert worst < 0.005


@needs_nec2c
def test_an_engine_that_is_deaf_to_sigterm_outlives_a_nec2c_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = tmp_path / "nec2c"
    once.write_text(f'#!/bin/sh\n[ -e ended ] || {{ touch ended; exit 15; }}\nexec {NEC2C} "$@"\n')
    once.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    model = {"length": 0.47, "radius": 0.0005}
    with pytest.raises(antenna.Unsolved, match="ended with 15"):
        antenna.solve(model, 3, 9e8, tmp_path)
    (tmp_path / "ended").unlink()
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert len(antenna.solve(model, 3, 9e8, tmp_path)["s11"]) == 2
    finally:
        signal.signal(signal.SIGTERM, before)


def test_without_nec2c_it_says_so_and_still_refines_what_it_computes(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    assert solve(board, PATH=str(tmp_path)) == 0
    assert "[warning] Project:board, Design:stand-in, STAND-IN (not Ansys software): nec2c" in log(
        board
    )
    assert "solved by ladder" in (tmp_path / "board.aedtresults" / "board.s1p").read_text()
    assert "Adaptive Passes converged" in log(board)


# What it leaves


def test_a_run_leaves_its_queue_file_completed_and_no_lock(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    assert solve(board, "-monitor", "-logfile", str(tmp_path / "my.log")) == 0
    assert (tmp_path / "my.log").read_text() == said(board)
    assert names(tmp_path) == {
        "board.aedt", "board.aedt.q.completed", "board.aedtresults", "j.pids", "my.log", "said",
    }  # fmt: skip
    assert names(tmp_path / "board.aedtresults") == {"board.s1p", "stand-in.results"}
    folder = tmp_path / "board.aedtresults" / "stand-in.results"
    assert names(folder) == {"board.asol", "board.conv", "board.profile"}


def test_a_run_goes_on_after_the_passes_that_a_killed_one_kept(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    whole, board = standin.project(tmp_path / "whole"), standin.project(tmp_path / "cut")
    assert solve(whole) == 0
    first = start(board, STANDIN_SCENARIO='{"scenario": "slow", "seconds": 0.2}')
    until(lambda: len(told(board)) >= 2, "two are solved")
    first.kill()
    first.wait()
    before = log(board)
    done = told(board)
    Path(f"{board}.lock").unlink()
    assert solve(board) == 0
    assert f"goes on after pass {len(done)}, which was kept" in log(board)[len(before) :]
    assert told(board) == told(whole), "none is solved twice, and they are the same"
    results = [one.parent / "board.aedtresults" / "board.s1p" for one in (whole, board)]
    assert results[0].read_text() == results[1].read_text()
    assert solve(board) == 0
    assert told(board) == 2 * told(whole), "a solve that came to its end is begun anew"


def test_a_sweep_goes_on_with_the_points_that_are_kept_unless_the_model_changed(
    tmp_path: Path,
) -> None:
    board = standin.project(tmp_path)
    assert solve(board, STANDIN_SCENARIO="sweep") == 1
    failed = log(board)
    assert solve(board) == 0
    assert told(board) == passes_in(failed)
    points = re.findall(r"Frequency - (\S+) : Elapsed", log(board))
    assert len(points) == len(set(points)) > 5
    assert solve(board, STANDIN_SCENARIO="sweep") == 1
    before = log(board)
    assert solve(board, STANDIN_SCENARIO='{"length": 0.5}') == 0
    assert passes_in(log(board)[len(before) :])[0].startswith("Pass Number:  1;")


def test_its_log_and_results_say_that_they_are_no_ansys_software(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    solve(board)
    results = [*(tmp_path / "board.aedtresults").rglob("*.*p*"), *tmp_path.rglob("*.conv")]
    texts = [log(board), *(one.read_text() for one in results if one.is_file())]
    assert len(texts) == 4
    assert all("STAND-IN (not Ansys software)" in text for text in texts)
    assert "Ansys Electronics Desktop Version" not in log(board)


def test_a_kill_leaves_lock_queue_and_engines(tmp_path: Path, until: Any, alive: Any) -> None:
    board = standin.project(tmp_path, "hang")
    running = start(board, "-machinelist", "list=localhost:3:6")
    until(lambda: (tmp_path / "j.pids").exists(), "the engines run")
    engines = pids(tmp_path)
    comms = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in engines]
    assert comms == ["HFSSCOMENGINE.e", "mpiexec", "hf3d", "hf3d", "hf3d"]
    assert [os.getsid(pid) == pid for pid in engines] == [False, False, True, True, True]
    running.kill()
    running.wait()
    assert all(map(alive, engines))
    assert {"board.aedt.lock", "board.aedt.q"} < names(tmp_path)
    for pid in engines:
        os.kill(pid, signal.SIGKILL)
    assert solve(board) == 1
    assert "is locked" in said(board)


def test_sigterm_is_told_cleans_up_and_ends_the_engines(
    tmp_path: Path, until: Any, alive: Any
) -> None:
    board = standin.project(tmp_path, "slow")
    running = start(board)
    until(lambda: (tmp_path / "j.pids").exists(), "the engines run")
    running.terminate()
    assert running.wait() == 1
    assert "Simulation was aborted by user on server" in log(board)
    assert log(board).splitlines()[-1].startswith("Stopping Batch Run: ")
    assert not {"board.aedt.lock", "board.aedt.q"} & names(tmp_path)
    assert not any(map(alive, pids(tmp_path)))


def test_the_environment_names_a_scenario_too(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    wish = json.dumps({"scenario": "unconverged", "crlf": True, "memory_scale": 100})
    assert solve(board, STANDIN_SCENARIO=wish) == 0
    [content] = [one.read_bytes() for one in tmp_path.rglob("*.log")]
    assert content.count(b"\r\n") == content.count(b"\n")
    assert b"Adaptive Passes did not converge" in content
    assert re.search(rb"Memory \d\.\d+ G :", content)
    assert solve(board, STANDIN_SCENARIO="nan") == 0
    assert "nan nan" in (tmp_path / "board.aedtresults" / "board.s1p").read_text()


def test_a_parametric_setup_solves_each_variation(tmp_path: Path) -> None:
    lengths = [{"length": 0.45}, {"length": 0.5}]
    board = standin.project(tmp_path, variations=lengths, sweep="discrete", points=3)
    words = ["-jobid", "j", "-batchsolve", "D:Optimetrics:P1", str(board)]
    subprocess.run([sys.executable, str(ANSYSEDT), *words], check=True)
    assert log(board).count("A variation (length='0.") == 2
    found = [tmp_path / "board.aedtresults" / f"board_{number}.s1p" for number in (0, 1)]
    assert found[0].read_text() != found[1].read_text()


def test_its_lines_have_the_form_of_ansysedts(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    solve(board)
    text = re.sub(r"\n \(", " (", log(board)).replace("STAND-IN (not Ansys software)", "STAND-IN")
    entries = text.splitlines()
    first = next(i for i, line in enumerate(entries) if line.startswith("[info] Project:"))
    assert [line for line in entries[first:-1] if not ENTRY.fullmatch(line)] == []
    assert entries[0] == " "
    assert len(entries) > 100


# The licence server


@pytest.fixture
def server() -> Any:
    with standin.licence_server(elec_solve_hfss=2, anshpc=8) as address:
        yield address


@pytest.fixture
def watch(server: str) -> Any:
    with contextlib.closing(licences.Client(server)) as client:
        yield client


def test_lmstat_tells_the_true_state(server: str, tmp_path: Path) -> None:
    client = licences.Client(server)
    client.check_out({"elec_solve_hfss": 1, "anshpc": 6}, user="ada", host="ws1")
    program = standin.install_lmutil(tmp_path)
    asked = [str(program), "lmstat", "-a", "-c", server]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    lines = told.splitlines()
    assert lines[0] == "lmutil: STAND-IN (not FlexNet software)"
    assert (
        "Users of elec_solve_hfss:  (Total of 2 licenses issued;  Total of 1 license in use)"
        in lines
    )
    assert "Users of anshpc:  (Total of 8 licenses issued;  Total of 6 licenses in use)" in lines
    assert re.search(
        r"^    ada ws1 ws1 \(v.*\) \(.*\), start \w+ .*, 6 licenses$", told, re.MULTILINE
    )
    client.close()
    again = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert again.count("Total of 0 licenses in use") == 2
    assert "ada" not in again


def test_a_run_holds_its_licences_until_it_ends(
    server: str, watch: licences.Client, tmp_path: Path, until: Any
) -> None:
    board = standin.project(tmp_path / "a", "slow")
    options = ("-batchoptions", "HFSS/HPCLicenseType=pool", "-machinelist", "list=localhost:1:10")
    running = start(board, *options, STANDIN_LICENSE_SERVER=server)
    until(lambda: (tmp_path / "a" / "j.pids").exists(), "the engines run")
    assert [one["features"] for one in watch.state()["held"]] == [
        {"elec_solve_hfss": 1, "anshpc": 6}
    ]
    other = standin.project(tmp_path / "b")
    assert solve(other, *options, STANDIN_LICENSE_SERVER=server) == 1
    assert "Licensed number of users already reached.\nFeature: anshpc\n" in log(other)
    waiting = start(other, *options, "-waitforlicense", STANDIN_LICENSE_SERVER=server)
    running.kill()
    running.wait()
    for pid in pids(tmp_path / "a"):
        os.kill(pid, signal.SIGKILL)
    assert waiting.wait() == 0
    assert watch.state()["peak"] == {"elec_solve_hfss": 1, "anshpc": 6}
    assert watch.state()["denials"] == 1


def test_a_missing_feature_and_a_missing_server_are_told_apart(
    server: str, watch: licences.Client, tmp_path: Path
) -> None:
    board = standin.project(tmp_path)
    packs = ("-machinelist", "list=localhost:1:16")
    assert solve(board, *packs, STANDIN_LICENSE_SERVER=server) == 1
    assert "Request name anshpc_pack does not exist in the licensing pool." in log(board)
    with pytest.raises(licences.Denied, match="missing"):
        watch.check_out({"gone": 1})
    assert lmutil.main(["lmstat", "-a", "-c", "1@127.0.0.1"]) == 1
    assert solve(board, STANDIN_LICENSE_SERVER="1@127.0.0.1") == 1


def test_packs_and_pools_are_counted_as_they_are_sold() -> None:
    cores = (1, 4, 5, 12, 13, 36, 37, 132, 133, 516)
    packs = [licences.needed(number, "pack").get("anshpc_pack", 0) for number in cores]
    assert packs == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    pool = [licences.needed(number, "pool").get("anshpc", 0) for number in cores]
    assert pool == [0, 0, 1, 8, 9, 32, 33, 128, 129, 512]


def test_every_scenario_is_described() -> None:
    described = re.findall(r"^(\w+)  +", ANSYSEDT.read_text(), re.MULTILINE)
    assert sorted(described) == sorted(scenarios.OTHERS | scenarios.ERRORS.keys())
