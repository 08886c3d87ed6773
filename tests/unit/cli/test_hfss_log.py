"""hfss-log: what is told of a log in a file, and of one that grows."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from solveyard.cli import app, hfss_log

WRITTEN = Path(__file__).parents[2] / "golden" / "hfss" / "written"
KEYS = [
    "product", "phase", "passes", "converged", "delta_s", "tetrahedra", "peak_memory_mib",
    "sweep_points", "sweep_points_solved", "elapsed_s", "verdict", "cause", "evidence",
]  # fmt: skip


def told(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = app.run(["hfss-log", *words])
    out, err = capfd.readouterr()
    return status, out, err


def test_json_has_these_keys_and_no_others(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = told(capfd, str(WRITTEN / "converged.log"), "--json")
    found = json.loads(out)
    assert (status, err, list(found)) == (0, "", KEYS)
    found.pop("evidence")
    assert found == {
        "product": "HFSS 2024.2.0", "phase": "ended", "passes": 4, "converged": True,
        "delta_s": 0.0143, "tetrahedra": 20077, "peak_memory_mib": 1659, "sweep_points": 401,
        "sweep_points_solved": 6, "elapsed_s": 133.0, "verdict": "success", "cause": None,
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"", b" \n", b"\0\xff\r\r", b"[error"])
def test_a_file_of_which_nothing_is_known_is_read(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    place = tmp_path / "a.log"
    place.write_bytes(content)
    status, out, _ = told(capfd, str(place), "--json")
    found = json.loads(out)
    assert (status, list(found), found["verdict"]) == (0, KEYS, "unfinished")
    assert {found[name] for name in KEYS[2:10]} == {None}
    assert told(capfd, str(place))[0] == 0


def test_people_get_a_row_for_each_pass_and_the_verdict(
    capfd: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = told(capfd, str(WRITTEN / "memory.log"))
    lines = out.splitlines()
    assert status == 0
    assert lines[0].startswith("PASS  FREQUENCY  TETRAHEDRA  MATRIX SIZE  MEMORY")
    assert lines[0].endswith("MAX MAG. DELTA S")
    assert lines[1].split() == ["1", "28GHz", "9120", "45603", "612", "MiB", "-"]
    for line in (
        "product      HFSS 2024.2.0",
        "verdict      failed: it has an error line, or ended without normal completion",
        "cause        hfss.memory",
        "what to do   give it more memory, fewer tasks at once, or a coarser mesh",
    ):
        assert line in lines
    assert "evidence     line 41: Adaptive Pass 2, process hf3d error" in out
    assert "sweep        Wide, discrete, 6 of 41 points solved" in told(
        capfd, str(WRITTEN / "discrete.log")
    )[1]  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--follow",)])
def test_what_a_log_says_steers_no_terminal_and_stays_on_its_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    text = (WRITTEN / "memory.log").read_bytes()
    for word in (b"Matrix solver exception", b"/data/rf/coupler.aedt"):
        text = text.replace(word, b"\x1b[2J\xc2\x9b1A" + word)
    place = tmp_path / "a.log"
    place.write_bytes(text)
    _, out, _ = told(capfd, str(place), *options)
    assert "\ufffd[2J\ufffd1AMatrix solver exception" in out
    assert out.replace("\n", "").isprintable()
    assert out.count("\n") == told(capfd, str(WRITTEN / "memory.log"), *options)[1].count("\n")


def test_what_is_no_file_is_told_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.log").touch()
    os.mkfifo(tmp_path / "pipe")
    for place, words in (
        (tmp_path / "gone.log", "there is no file"),
        (tmp_path, "is a folder: name a log in it, such as"),
        (tmp_path / "pipe", "is no regular file"),
        (tmp_path / "a.log" / "b", "cannot read"),
    ):
        status, out, err = told(capfd, str(place))
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_a_growing_log_is_followed_to_its_end(tmp_path: Path) -> None:
    text = (WRITTEN / "converged.log").read_bytes()
    third, end = (text.index(one) for one in (b"Adaptive Pass 4", b"Stopping Batch Run"))
    place = tmp_path / "a.log"
    place.write_bytes(text[:third])
    follower = subprocess.Popen(
        [sys.executable, "-m", "solveyard.cli", "hfss-log", str(place), "--follow", "--json"],
        stdout=subprocess.PIPE,
    )
    assert follower.stdout is not None
    watchdog = threading.Timer(60, follower.kill)
    watchdog.start()
    first = json.loads(follower.stdout.readline())
    assert (first["passes"], first["verdict"]) == (3, "unfinished")
    with place.open("ab") as log:
        log.write(text[third:end])
    second = json.loads(follower.stdout.readline())
    assert (second["passes"], second["verdict"]) == (4, "unfinished")
    with place.open("ab") as log:
        log.write(text[end:])
    third_told = json.loads(follower.stdout.readline())
    assert third_told["verdict"] == "success"
    assert follower.wait(60) == 0
    assert follower.stdout.read() == b""
    watchdog.cancel()
    follower.stdout.close()


def test_following_a_log_that_has_ended_ends(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = told(capfd, str(WRITTEN / "unconverged.log"), "--follow")
    assert status == 0
    assert out.startswith("ended, 4 passes, delta S 0.0143, 20077 tetrahedra, not converged\n")
    assert "verdict      not_converged" in out


def test_a_log_that_is_begun_anew_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a.log"
    place.write_bytes((WRITTEN / "discrete.log").read_bytes())
    monkeypatch.setattr(
        hfss_log.time,
        "sleep",
        lambda _: place.write_bytes((WRITTEN / "mpi.log").read_bytes()),
    )
    verdicts = [ending.stopped > 0 for _, ending in hfss_log._readings(place, follow=True)]
    assert verdicts == [False, True]
