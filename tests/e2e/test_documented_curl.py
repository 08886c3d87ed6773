"""The command lines with curl that users are shown: each one is run, in order, as it stands."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^curl (?:[^'\n]|'[^']*')*", re.MULTILINE)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")


def commands(text: str) -> list[str]:
    """Each may go over several lines, by quotes and backslashes."""
    blocks = _BLOCK.findall(text)
    return [found for block in blocks for found in _COMMAND.findall(block.replace("\\\n", " "))]


def test_every_documented_command_with_curl_is_answered_well(service: Any) -> None:
    yard = service().start()
    here = urlsplit(yard.told["url"]).netloc
    lines = [line for place in SHOWN for line in commands(place.read_text(encoding="utf-8"))]
    elsewhere = ("yard.example", ".aedt")  # tried by test_proxy.py and test_hfss.py
    ours = [line for line in lines if not any(word in line for word in elsewhere)]
    assert len(ours) >= 5
    assert all("localhost:8080" in line for line in ours)
    for line in ours:
        mine = line.replace("localhost:8080", here).replace(
            "curl ", "curl --fail-with-body -sS ", 1
        )
        done = subprocess.run(
            ["sh", "-c", mine], capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
