"""Solves that share licences, by a stand-in for ansysedt (not Ansys software)."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from solveyard.cli import main
from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Resources
from standin import install, project

LMSTAT = "Users of anshpc:  (Total of {} licenses issued;  Total of {} licenses in use)"


class Lab:
    """A manager with licences, an ansysedt that leaves marks, and a command line."""

    def __init__(self, make: Callable[..., Any], folder: Path, settings: str) -> None:
        self.folder = folder
        self.projects = folder / "projects"
        self.marks = folder / "marks"
        self.marks.touch()
        program = install(folder / "ansys_inc")
        solving = program.rename(program.with_name("solving"))
        mark, real = shlex.quote(str(self.marks)), shlex.quote(str(solving))
        program.write_text(  # the first waits for a second, so that two are seen together
            f"#!/bin/sh\necho begin >> {mark}\n"
            f'until [ "$(grep -c begin {mark})" -ge "$TOGETHER" ]; do sleep 0.05; done\n'
            f'{real} "$@"\nended=$?\necho end >> {mark}\nexit $ended\n'
        )
        program.chmod(0o755)
        (folder / "config.toml").write_text(f"port = 0\ncores = 64\n{settings}")
        environment = {
            "SOLVEYARD_CONFIG": str(folder / "config.toml"),
            "ANSYSEM_ROOT252": str(program.parent),
            "TOGETHER": "1",
        }
        self.service = make(environment=environment)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(self.service.store), *words],
            capture_output=True, text=True, timeout=120, env=self.service.environment,
            cwd=self.folder,
        )  # fmt: skip

    def submit(self, name: str, *words: str) -> None:
        place = project(self.projects, name=f"{name}.aedt")
        told = self.run("hfss", str(place), "--name", name, *words)
        assert told.returncode == 0, told.stderr

    def most_at_once(self) -> int:
        running, most = 0, 0
        for line in self.marks.read_text().splitlines():
            running += 1 if line == "begin" else -1
            most = max(most, running)
        assert running == 0
        return most


@pytest.fixture
def lab(service: Callable[..., Any], tmp_path: Path) -> Callable[[str], Lab]:
    return lambda settings: Lab(service, tmp_path, settings)


@pytest.mark.parametrize("kind", ["jobs", "tasks"])
def test_of_twenty_solves_never_more_run_than_have_their_licences_and_none_fails(
    lab: Callable[[str], Lab], kind: str
) -> None:
    yard = lab("resources.licences.anshpc = 7\n")
    yard.service.environment["TOGETHER"] = "2"
    yard.service.start()
    array = "v{{index}}.aedt"
    for index in range(20):
        project(yard.projects, name=f"v{index}.aedt")
    if kind == "jobs":
        options = {"hpc_licence": "pool", "machines": "list"}
        specs = [
            JobSpec(
                solver="hfss", name=f"v{index}", resources=Resources(cores=7),
                options=msgspec.Raw(
                    msgspec.json.encode(
                        {**options, "project_path": str(yard.projects / f"v{index}.aedt")}
                    )
                ),
            )
            for index in range(20)
        ]  # fmt: skip
        names = [job.id for job in yard.service.client.submit_many(specs)]
        assert yard.service.client.wait(names, 100)
        ended = [yard.service.client.job(name) for name in names]
        assert {(str(job.state), len(job.attempts)) for job in ended} == {("completed", 1)}
    else:
        submitted = yard.run(
            "hfss", str(yard.projects / array), "--array", "0-19", "--cores", "7", "--hpc", "pool",
            "--wait", "--json",
        )  # fmt: skip
        assert submitted.returncode == 0, submitted.stderr
        record = json.loads(submitted.stdout)
        assert (record["state"], record["tasks"]["completed"]) == ("completed", 20), record
    assert yard.most_at_once() == 2
    assert yard.marks.read_text().count("begin") == 20


def test_a_solve_waits_for_seats_that_others_hold_and_says_so(
    lab: Callable[[str], Lab], tmp_path: Path, until: Callable[..., None]
) -> None:
    answer = tmp_path / "lmstat"
    answer.write_text(LMSTAT.format(36, 30))
    yard = lab(
        "resources.licences = {anshpc = 100, elec_solve_hfss = 4}\n"
        f"licences = {{command = ['cat', '{answer}'], interval = 1, keep = {{anshpc = 2}}}}\n"
    )
    yard.service.start()
    yard.submit("large", "--cores", "16", "--hpc", "pool")
    yard.submit("small", "--cores", "6", "--hpc", "pool", "--wait")

    def waiting() -> str:
        return str(json.loads(yard.run("show", "large", "--json").stdout)["waiting"])

    assert waiting() == "12 anshpc: 30 of 36 in use, 2 kept back"
    shown = yard.run("show", "large").stdout
    assert ". Waiting for 12 anshpc: 30 of 36 in use, 2 kept back.\n" in shown
    answer.unlink()
    until(lambda: "stale since" in waiting(), "the server's silence is told")
    answer.write_text(LMSTAT.format(36, 22))
    ended = yard.run("wait", "large")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(yard.run("show", "large", "--json").stdout)
    assert told["state"] == "completed", told["message"]


def test_a_dry_run_shows_a_script_that_does_what_the_job_would(lab: Callable[[str], Lab]) -> None:
    yard = lab("")
    board = project(yard.projects, name="board 1.aedt")
    words = [
        "hfss", str(board), "--name", "b-1", "--cores", "6", "--hpc", "pool", "--dry-run",
        "--set", "batch_options_as=file", "--set", 'environment={"LC_ALL": "C"}',
    ]  # fmt: skip
    plan = json.loads(yard.run(*words, "--json").stdout)
    assert plan["licences"] == {"elec_solve_hfss": 1, "anshpc": 2}
    assert plan["environment"] == {"LC_ALL": "C"}
    assert plan["exclusive"] == [str(board)]
    solve = plan["argv"][plan["argv"].index("--") + 1 :]
    assert solve[3:5] == ["-machinelist", "list=localhost:-1:6:90%"]
    assert plan["argv"][4:6] == ["--least", str(1 << 30)]
    assert plan["files"]["board 1-b-1.options"].startswith("$begin 'Config'\n")
    shown = yard.run(*words).stdout
    assert "1 elec_solve_hfss, 2 anshpc" in shown
    assert plan["script"] in shown
    assert not (yard.service.store / "manager.json").exists()
    told = subprocess.run(["sh", "-c", plan["script"]], env=yard.service.environment, timeout=60)
    assert told.returncode == 0
    assert (yard.projects / "board 1-b-1.options").read_text() == plan["files"][
        "board 1-b-1.options"
    ]
    assert (yard.projects / "board 1.aedt.batchinfo" / "board 1-b-1.log").is_file()


def test_what_the_command_line_gets_wrong_is_told_in_a_line(
    lab: Callable[[str], Lab], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    yard = lab("")
    board = str(project(yard.projects))
    monkeypatch.chdir(yard.folder)
    for name, text in yard.service.environment.items():
        monkeypatch.setenv(name, text)
    for words, part in (
        ([board, "--tasks", "9", "--cores", "4"], "9 tasks on localhost need as many cores"),
        ([board, "--variations", "2", "--design", "D"], "'Optimetrics'"),
        ([board, "--hpc", "tokens"], "'pool' or 'pack'"),
        ([board, "--set", "ppe"], "NAME=JSON"),
        ([board, "--set", "batch_options={"], "no JSON"),
        ([board, "--set", "nonsense=1"], "nonsense"),
        ([board, "--set", "nope=1"], "`options.nope`: there is no such field (there is: "),
        ([board, "--min-disk", "nan"], "--min-disk: expected a number of GiB, got nan"),
        ([board, "--min-disk", "0", "--end-low-disk"], "expected `min_disk_gb` beside `low_disk`"),
        ([board, "--end-hung"], "--end-hung needs --hang"),
        ([board, "--hang", "0"], "`after`"),
        ([board, "--on", "nowhere"], "nowhere"),
        ([board, "--plot", "a.svg"], "--plot needs --wait"),
        (["board.txt"], ".aedt or .aedb"),
    ):
        status = main(["--store", str(yard.service.store), "hfss", *words, "--dry-run"])
        told = capfd.readouterr()
        assert (status, told.out, part in told.err) == (2, "", True), told.err
        assert told.err.count("\n") == 1


def test_a_program_that_is_not_there_is_told_with_the_way_out(lab: Callable[[str], Lab]) -> None:
    yard = lab("")
    board = project(yard.projects, name="board.aedt")
    for words in (["--dry-run"], [], ["--set", "ansys_edt_path=/nope/ansysedt"]):
        told = yard.run("hfss", str(board), "--ansysedt", "/nope/ansysedt", *words)
        assert (told.returncode, told.stdout) == (2, "")
        line = told.stderr.splitlines()[-1]
        assert line.startswith("error: no such file or directory: '/nope/ansysedt' (leave the")
        assert "started a manager" not in told.stderr
    assert not yard.service.store.exists()


def test_a_program_that_only_a_cluster_over_ssh_has_is_not_looked_for_here(
    lab: Callable[[str], Lab],
) -> None:
    yard = lab('[clusters.far]\ndialect = "slurm"\nhost = "ada@login"\n')
    board = project(yard.projects, name="board.aedt")
    told = yard.run("hfss", str(board), "--ansysedt", "/far/ansysedt", "--on", "far", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert "/far/ansysedt" in told.stdout


def test_a_project_that_is_not_there_is_told_before_anything_else(
    lab: Callable[[str], Lab],
) -> None:
    yard = lab("")
    del yard.service.environment["ANSYSEM_ROOT252"]  # nothing to solve with either
    for words in (["nope.aedt"], ["nope.aedb", "--dry-run"], ["nope.aedtz", "--copy", "--wait"]):
        told = yard.run("hfss", *words)
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith("error: no such file or directory: "), told.stderr
        assert (words[0] in told.stderr, told.stderr.count("\n")) == (True, 1), told.stderr
    assert not (yard.service.store / "manager.json").exists()


def test_a_small_machine_gives_all_its_cores_where_none_are_said(
    lab: Callable[[str], Lab],
) -> None:
    yard = lab("")
    yard.service.environment["SOLVEYARD_CORES"] = "2"
    board = str(project(yard.projects))
    words = ["hfss", board, "--hang", "30m", "--end-hung", "--dry-run", "--json"]
    for running in (False, True):
        if running:
            yard.service.start()
        told = yard.run(*words)
        assert "note: it gets 2 cores, as many as there are (--cores says otherwise)" in told.stderr
        spec = json.loads(told.stdout)["spec"]
        assert (spec["resources"]["cores"], spec["hang"]) == (2, {"after": 1800, "end": True})
    told = yard.run("hfss", board, "--min-disk", "0", "--wait", "--json")
    assert json.loads(told.stdout)["state"] == "completed", told.stderr
    assert yard.run("submit", "--hang", "9s", "--", "true").returncode == 0
    submitted = [one for one in yard.service.client.events() if one["type"] == "job.submitted"]
    assert submitted[-1]["spec"]["hang"] == {"after": 9}
