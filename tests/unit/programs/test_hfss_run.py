"""A solve in our program's charge: the disk before, meanwhile and at a failure; its clean stop."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from solveyard.programs import hfss_run
from solveyard.programs.hfss_run import Stop

ANY = 1 << 60  #: bytes that no disk has free
RUN = [sys.executable, "-m", "solveyard.programs.hfss_run"]
SOLVE = """
import pathlib, signal, sys, time
if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
    sys.exit("it hears TERM")
pathlib.Path("begun").touch()
while not pathlib.Path("stop").exists():
    time.sleep(0.01)
pathlib.Path("saved").touch()
"""


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*RUN, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_its_exit_code_is_the_solves_own(tmp_path: Path) -> None:
    for words, code in ((["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill $$"], 143)):
        assert run(tmp_path, "--least", "1", "--", *words).returncode == code
    told = run(tmp_path, "--", "/no/such/ansysedt")
    assert (told.returncode, told.stderr.count("\n")) == (hfss_run.NO_START, 1)
    assert "cannot start /no/such/ansysedt" in told.stderr


def test_nothing_is_started_where_too_little_is_free(tmp_path: Path) -> None:
    told = run(tmp_path, "--least", str(ANY), "--", "touch", "started")
    assert told.returncode == hfss_run.NO_ROOM
    assert "no room to solve here: 1073741824.0 GiB are to be free, and " in told.stderr
    assert not (tmp_path / "started").exists()


def test_the_folder_of_temporary_files_must_have_room_too(tmp_path: Path) -> None:
    words = ["--least", "4096", "--scratch", "/proc", "--", "touch", "started"]  # /proc has none
    assert run(tmp_path, *words).returncode == hfss_run.NO_ROOM
    words[3] = "/no/such/folder"
    assert run(tmp_path, *words).returncode == 0


def test_the_result_folder_is_trimmed_or_packed_where_it_went_well(tmp_path: Path) -> None:
    inside = tmp_path / "board.aedtresults" / "d.results"

    def left(keep: str, *command: str) -> tuple[int, list[str]]:
        inside.mkdir(parents=True, exist_ok=True)
        for name in ("board.s2p", "fields.mesh", "solution.asol"):
            (inside / name).write_text("content")
        told = run(tmp_path, "--project", "board.aedt", "--keep", keep, "--", *command)
        return told.returncode, sorted(path.name for path in inside.iterdir())

    assert left("trimmed", "false") == (1, ["board.s2p", "fields.mesh", "solution.asol"])
    assert left("trimmed", "true") == (0, ["board.s2p", "solution.asol"])
    assert left("archive", "true") == (0, ["board.s2p", "solution.asol"])
    with zipfile.ZipFile(tmp_path / "board.aedtresults.zip") as packed:
        assert "board.aedtresults/d.results/fields.mesh" in packed.namelist()


class Room(hfss_run.Room):
    """Enough to begin with."""

    def __init__(self) -> None:
        super().__init__(0)

    @property
    def short(self) -> bool:
        return True


def test_a_failure_while_the_disk_is_full_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert hfss_run.run(["sh", "-c", "exit 3"], Room()) == hfss_run.SHORT
        assert "sh ended with 3 while only" in capfd.readouterr().err
        assert hfss_run.run(["true"], Room()) == 0
        assert hfss_run.run(["/no/such/ansysedt"], Room()) == hfss_run.NO_START
    finally:
        signal.signal(signal.SIGTERM, before)


class Filling(hfss_run.Room):
    """A disk that is short at some looks, and not at the others."""

    def __init__(self, *looks: bool) -> None:
        super().__init__(0)
        self.looks = list(looks)

    @property
    def short(self) -> bool:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Often, and TERM is as it was afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(hfss_run, "_LOOK", 0.02)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("looking")
def test_a_disk_that_fills_meanwhile_is_told_once_and_so_is_its_end(
    capfd: pytest.CaptureFixture[str],
) -> None:
    room = Filling(False, False, True, True, True, True, False, False)
    assert hfss_run.run(["sleep", "0.4"], room) == 0
    lines = capfd.readouterr().err.splitlines()
    assert [line.startswith(hfss_run.NOTE) for line in lines] == [True, True], lines
    assert " of disk are free where it solves (0 MiB are to be)" in lines[0]
    assert " of disk are free again where it solves" in lines[1]


@pytest.mark.usefixtures("looking")
@pytest.mark.parametrize("deaf", [False, True])
def test_a_solve_is_ended_where_the_disk_is_full_and_that_is_asked_for(
    capfd: pytest.CaptureFixture[str], deaf: bool
) -> None:
    words = ["sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"] if deaf else ["sleep", "600"]
    assert hfss_run.run(words, Filling(False, True), grace=0.1) == hfss_run.LOW
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["note", "ending the solve"], lines


@pytest.mark.usefixtures("looking")
def test_a_solve_that_has_a_clean_stop_is_ended_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    solve = [sys.executable, "-c", SOLVE]
    assert (
        hfss_run.run(solve, Filling(False, True), Stop(["touch", "stop"], deaf=True), 60)
        == hfss_run.LOW
    )
    assert (tmp_path / "saved").exists()
    assert "asking for a clean stop" in capfd.readouterr().err


def test_a_solve_that_the_stop_command_leaves_running_hears_term(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    solve = "import os; open('pid', 'w').write(f'{os.getpid()}!'); import time; time.sleep(600)"
    process = subprocess.Popen(
        [*RUN, "--stop", '["false"]', "--", sys.executable, "-c", solve],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    pid = tmp_path / "pid"
    until(lambda: pid.exists() and pid.read_text().endswith("!"), "it solves")
    process.terminate()  # as whoever ends a job does: the first process alone, at first
    assert process.stderr is not None
    told = [process.stderr.readline(), process.stderr.readline()]
    assert told == [
        "asking for a clean stop\n", "false could not have it stopped: exit code 1\n"
    ]  # fmt: skip
    os.kill(int(pid.read_text()[:-1]), signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


def test_term_has_the_stop_command_run_and_reaches_nothing_else(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    stop = json.dumps(["touch", "stop"])
    process = subprocess.Popen(
        [*RUN, "--stop", stop, "--deaf", "yes", "--", sys.executable, "-c", SOLVE],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until((tmp_path / "begun").exists, "it solves")
    os.killpg(process.pid, signal.SIGTERM)  # as whoever ends a job does: all of its tree
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "asking for a clean stop\n")
    assert (tmp_path / "saved").exists()


@pytest.mark.parametrize(
    ("stop", "why"),
    [(["sh", "-c", "touch stop; exit 3"], "exit code 3"), (["/no/such"], "cannot start /no/such")],
)
def test_a_stop_command_that_fails_is_told(
    tmp_path: Path, until: Callable[..., None], stop: list[str], why: str
) -> None:
    process = subprocess.Popen(
        [*RUN, "--stop", json.dumps(stop), "--deaf", "yes", "--", sys.executable, "-c", SOLVE],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until((tmp_path / "begun").exists, "it solves")
    process.terminate()
    assert process.stderr is not None
    told = process.stderr.readline() + process.stderr.readline()
    (tmp_path / "stop").touch()
    process.communicate(timeout=60)
    assert why in told
