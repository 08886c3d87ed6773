"""The tutorial about a parameter study: its files and commands as they stand, one way by one."""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solveyard.client import find
from solveyard.client.sync import Client

PAGE = (Path(__file__).parents[2] / "docs/tutorials/parameter-study.md").read_text()
FILES = re.findall(r"Save this as `([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
PYTHON, SHELL, PLOT, HTTP = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
TOLD, TABLE, CSV = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)

Run = Callable[[str], str]

pytestmark = pytest.mark.skipif(shutil.which("nec2c") is None, reason="no nec2c here")


@pytest.fixture
def run(tmp_path: Path, service: Any) -> Run:
    """Runs some of the page's commands in a folder with its files; answers what they print."""
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    store = service().store

    def run(lines: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", lines], capture_output=True, text=True, timeout=200, check=False,
            cwd=tmp_path, env={**os.environ, "PATH": path, "SOLVEYARD_HOME": str(store)},
        )  # fmt: skip
        assert done.returncode == 0, (lines, done.stdout, done.stderr)
        return done.stdout

    return run


def near(told: str, expected: str) -> None:
    """The same words, and numbers within what engines differ by; how long it took is left out."""
    words, wanted = ([line.split() for line in text.splitlines()] for text in (told, expected))
    assert [len(line) for line in words] == [len(line) for line in wanted]
    place = next((line.index("RUN_TIME") for line in wanted if "RUN_TIME" in line), None)
    for line, other in zip(words, wanted, strict=True):
        for index, (word, meant) in enumerate(zip(line, other, strict=True)):
            if index == place:
                continue
            try:
                assert float(word) == pytest.approx(float(meant), rel=0.01)
            except ValueError:
                assert word == meant


def drawn(picture: Path) -> bool:
    text = picture.read_text()
    return "</svg>" in text and text.count("<use ") > 16  # a mark for each run


def test_the_study_from_python_is_as_the_page_says(run: Run, tmp_path: Path) -> None:
    near(run(PYTHON), TOLD)
    assert drawn(tmp_path / "study.svg")


def test_the_study_from_the_shell_is_as_the_page_says(run: Run, tmp_path: Path) -> None:
    near(run(SHELL), TABLE)
    run(PLOT)
    assert drawn(tmp_path / "study-shell.svg")
    run("solveyard stop --now")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_study_over_http_is_as_the_page_says(run: Run, tmp_path: Path, service: Any) -> None:
    yard = service().start()
    url = str(yard.told["url"])
    run(HTTP.replace("http://localhost:8080", url).replace("curl ", "curl -sSf "))
    table = (tmp_path / "study-http.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(table)))
    meant = list(csv.DictReader(io.StringIO(CSV)))
    assert list(rows[0]) == list(meant[0])
    assert len(rows) == 8
    for name in ("length", "radius", "resonance", "match"):
        assert float(rows[0][name]) == pytest.approx(float(meant[0][name]), rel=0.01)
    assert {row["state"] for row in rows} == {"completed"}
    assert drawn(tmp_path / "study-http.svg")


def test_the_three_ways_measure_the_same(run: Run, service: Any) -> None:
    yard = service().start()
    run(HTTP.replace("http://localhost:8080", str(yard.told["url"])).replace("curl ", "curl -sSf "))
    run(f"solveyard --store {yard.store} submit --solver nec --options @dipole.json --wait"
        " --grid length=0.44:0.56:0.04 --grid radius=0.001,0.003 --measures @measures.json"
        " --name study-shell")  # fmt: skip
    with Client(find.running(yard.store)) as client:
        tables = [client.results(name) for name in ("study-http", "study-shell")]
    told = [[(row["length"], row["radius"], row["match"]) for row in rows] for rows in tables]
    assert told[0] == told[1]
