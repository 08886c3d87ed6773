"""The command lines with curl that users are shown: each one is run, in order, as it stands."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from e2e.test_hfss import Yard
from e2e.test_proxy import NGINX, Proxied, proxied  # noqa: F401  # a fixture
from standin import project

ROOT = Path(__file__).parents[2]
SHOWN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^curl (?:[^'\n]|'[^']*')*", re.MULTILINE)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")


def commands(text: str) -> list[str]:
    """Each may go over several lines, by quotes and backslashes."""
    blocks = _BLOCK.findall(text)
    return [found for block in blocks for found in _COMMAND.findall(block.replace("\\\n", " "))]


def test_every_documented_command_with_curl_is_answered_well(service: Any, tmp_path: Path) -> None:
    yard = service().start()
    here = urlsplit(yard.told["url"]).netloc
    told = ROOT / "docs/tutorials/job-manager.md"  # test_job_manager_tutorial runs it
    pages = [place.read_text(encoding="utf-8") for place in SHOWN if place != told]
    lines = [line for page in pages for line in commands(page)]
    elsewhere = ("yard.example", ".aedt")  # below
    ours = [line for line in lines if not any(word in line for word in elsewhere)]
    assert len(ours) >= 5
    assert all("localhost:8080" in line for line in ours)
    for line in ours:
        run(line.replace("localhost:8080", here), folder=tmp_path)


def test_the_documented_command_for_hfss_is_answered_well(service: Any, tmp_path: Path) -> None:
    yard = Yard(service, tmp_path)
    board = project(yard.folder)
    [line] = shown("docs/reference/hfss.md")
    here = urlsplit(yard.service.told["url"]).netloc
    told = run(line.replace("localhost:8080", here).replace("/projects/board.aedt", str(board)))
    assert json.loads(told)["job_id"] == "board-7"
    assert yard.ended("board-7")["state"] == "completed"


@pytest.mark.skipif(NGINX is None, reason="no nginx here (Debian: apt-get install nginx-light)")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_the_documented_command_for_a_proxy_is_answered_well(proxied: Proxied) -> None:  # noqa: F811
    [line] = shown("docs/how-to/proxy.md")
    environment = {"TOKEN": proxied.secret, "CURL_CA_BUNDLE": str(proxied.certificate)}
    told = run(line.replace("https://yard.example", proxied.url), environment)
    assert json.loads(told)["running"] == 0


def shown(page: str) -> list[str]:
    return commands((ROOT / page).read_text(encoding="utf-8"))


def run(line: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """What it prints; it has to end well."""
    mine = line.replace("curl ", "curl --fail-with-body -sS ", 1)
    done = subprocess.run(
        ["sh", "-c", mine], capture_output=True, text=True, timeout=90, check=False, cwd=folder,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout
