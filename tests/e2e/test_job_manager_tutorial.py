"""The tutorial about PyEDB's job manager: its files and commands as they stand, in their order."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PATIENCE, Service
from ports import free_port

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "packages" / "solveyard-pyedb" / "src"
PAGE = (ROOT / "docs/tutorials/job-manager.md").read_text(encoding="utf-8")
FILES = re.findall(r"Save this as `([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
PREPARE, PYTHON, SERVE, SUBMIT, CURL, AGAIN = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
TOLD, SERVED, SUBMITTED, WATCHED = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
WATCH = "python3 watch.py"
INSTALL = "pip install . ./packages/solveyard-pyedb\n"


class Reader:
    """Somebody who follows the page in an empty folder; their manager listens at another port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.store = folder / "store"
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(PACKAGE),
            "SOLVEYARD_HOME": str(self.store),
            "PYEDB_JOB_MANAGER_PORT": str(self.port),
        }
        (folder / "examples").symlink_to(ROOT / "examples")
        assert PREPARE.startswith(INSTALL)  # done
        self.prepare = PREPARE.removeprefix(INSTALL).replace("cd ", "cd ./")
        self.run("true")
        for name, text in FILES:
            (folder / "projects" / name).write_text(self.here(text))

    def here(self, text: str) -> str:
        return text.replace("8080", str(self.port))

    def command(self, lines: str, *, second: bool = False) -> list[str]:
        """In the terminal that was prepared, or in a second one."""
        curled = self.here(lines).replace("curl ", "curl -sS --fail-with-body ")
        return ["bash", "-ec", ("cd ./projects\n" if second else self.prepare) + curled]

    def run(self, lines: str, *, second: bool = False) -> str:
        done = subprocess.run(
            self.command(lines, second=second), capture_output=True, text=True, timeout=120,
            check=False, cwd=self.folder, env=self.environment,
        )  # fmt: skip
        assert done.returncode == 0, (lines, done.stdout, done.stderr)
        return done.stdout

    def start(self, line: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(f"exec {line}"), cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    one = Reader(tmp_path)
    yield one
    Service(one.store).clean_up()


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_the_batch_from_python_is_as_the_page_says(reader: Reader) -> None:
    assert lines(reader.run(PYTHON)) == lines(TOLD)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_service_its_commands_curl_and_events_are_as_the_page_says(reader: Reader) -> None:
    before, _, _ = PAGE.partition(SERVE)
    assert "in the terminal in which you ran `eval`" in before.rpartition("## A service")[2]
    served = reader.start(SERVE.strip())
    assert served.stdout is not None
    for line in lines(reader.here(SERVED)):
        assert served.stdout.readline().rstrip() == line
    first, *others = lines(reader.run(SUBMIT, second=True))
    meant, *wanted = lines(SUBMITTED)
    form = r"JOB_\d{8}_\d{6}_[0-9a-f]{8}"
    assert re.fullmatch(form, first)
    assert re.fullmatch(form, meant)
    assert others == wanted

    answered = reader.run(CURL, second=True)
    for word in ('"cpu_percent"', '"total_queued"', '"job_id":"antenna_002"', '"return_code":0'):
        assert word in answered
    assert "Stopping Batch Run" in answered

    assert WATCH in PAGE
    watching = reader.start(WATCH)
    assert watching.stdout is not None
    told = [watching.stdout.readline()]
    assert json.loads(reader.run(AGAIN, second=True))["job_id"] == "antenna_002"
    told += list(watching.stdout)
    assert watching.wait(PATIENCE) == 0
    assert lines("".join(told)) == lines(WATCHED)

    served.send_signal(signal.SIGINT)
    assert served.wait(PATIENCE) == 0
    served.stdout.close()
    watching.stdout.close()
