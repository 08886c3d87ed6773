"""Sweeps over copies of a project, by a stand-in for ansysedt (not Ansys software)."""

import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.test_hfss_licences import Lab
from solveyard import Yard
from standin import project

TOUCHSTONE = "# GHz S RI R 50\\n1 0.5 0\\n2 0.1 0\\n3 0.4 0\\n"


@pytest.fixture
def lab(service: Callable[..., Any], tmp_path: Path) -> Lab:
    yard = Lab(service, tmp_path, "resources.licences.elec_solve_hfss = 2\n")
    program = Path(yard.service.environment["ANSYSEM_ROOT252"]) / "ansysedt"
    text = program.read_text()
    program.write_text(
        text.replace(
            "ended=$?",
            f"ended=$?; mkdir -p board.aedtresults; printf '{TOUCHSTONE}' >"
            " board.aedtresults/board.s1p",
        )
    )
    yard.service.start()
    return yard


def test_a_sweep_solves_copies_and_ends_with_a_table(lab: Lab) -> None:
    board = project(lab.projects)
    before = sorted(path.name for path in lab.projects.iterdir())
    measures = '{"match": {"from": "results/board.s1p", "touchstone": "S11 dB min"}}'
    told = lab.run(
        "hfss", str(board), "--copy", "--grid", "width=1,2,3", "--name", "sweep", "--wait",
        "--measures", measures, "--set", "keep=trimmed", "--plot", "sweep.svg",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout.split()[:4] == ["sweep", "ID", "INDEX", "WIDTH"], told.stdout
    assert "drawn sweep.svg: S11 of 3 of 3" in told.stderr
    drawn = (lab.folder / "sweep.svg").read_text()
    assert all(f"width {width}" in drawn for width in (1, 2, 3))
    assert sorted(path.name for path in lab.projects.iterdir()) == before
    rows = json.loads(lab.run("results", "sweep", "--json").stdout)
    assert [(row["width"], round(row["match"], 3)) for row in rows] == [
        (1, -20.0), (2, -20.0), (3, -20.0),
    ]  # fmt: skip
    files = lab.run("files", "sweep[0]").stdout
    assert "results/board.s1p" in files
    assert lab.most_at_once() <= 2
    with Yard(lab.service.store) as yard:
        curves = yard.job("sweep").plot(lab.folder / "yard.pdf", "11")
    assert [(one.label, one.values) for one in curves] == [
        (f"width {width}", [0.5, 0.1, 0.4]) for width in (1, 2, 3)
    ]
    assert (lab.folder / "yard.pdf").read_bytes().startswith(b"%PDF")
    lab.service.stop()
    told = lab.run("results", "sweep[0,2]", "--plot", "two.png", "--s", "11", "--csv")
    assert (told.returncode, told.stdout.count("\n")) == (0, 3), told.stderr
    assert "S11 of 2 of 2" in told.stderr
    assert (lab.folder / "two.png").read_bytes().startswith(b"\x89PNG")
    for words, said in (
        (["--plot", "a.svg", "--s", "22"], "there is no S22: results/board.s1p has ports 1 to 1"),
        (["--plot", "a.doc"], "a picture's name ends with .svg, .png, .pdf, not as a.doc"),
        (["--plot", "a.svg", "--touchstone", "no.s1p"], "there is no no.s1p"),
        (["--plot", "no/a.svg"], "cannot write no/a.svg"),
    ):
        refused = lab.run("results", "sweep", *words)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 2), refused.stderr
        assert said in refused.stderr


def test_an_archive_is_solved_without_being_unpacked_by_anybody(lab: Lab) -> None:
    board = project(lab.projects)
    archive = lab.projects / "board.aedtz"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(board, board.name)
    board.unlink()
    told = lab.run("hfss", str(archive), "--wait", "--json")
    record = json.loads(told.stdout)
    assert record["state"] == "completed", record["message"]
    archive.write_bytes(b"torn")
    record = json.loads(lab.run("hfss", str(archive), "--wait", "--json").stdout)
    assert (record["reason"], record["cause"]) == ("exit_code", "hfss.project"), record


@pytest.fixture
def read_only(lab: Lab) -> Iterator[Path]:
    """A project on a real mount that nobody may write, the superuser neither."""
    folder = lab.folder / "archive"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here: projects on read-only mounts are not tested")
    try:
        board = project(folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield board
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_project_on_a_read_only_mount_is_solved_on_a_copy(lab: Lab, read_only: Path) -> None:
    lab.service.client.submit_config({"project_path": str(read_only), "jobid": "pyedb"})
    told = lab.run("hfss", str(read_only), "--wait", "--json")
    record = json.loads(told.stdout)
    assert record["state"] == "completed", record["message"]
    assert lab.service.client.wait(["pyedb"], 60)
    assert lab.service.client.job("pyedb").state == "completed"
    assert Path(record["directory"]).is_relative_to(lab.service.store)
    assert (Path(record["directory"]) / "results" / "board.s1p").is_file()
    assert [path.name for path in read_only.parent.iterdir()] == ["board.aedt"]
