"""The examples of the page about Python run, each in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from solveyard import Yard
from solveyard.client.aio import AsyncClient
from solveyard.client.sync import Client

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "python.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = ["hello\n\n", "", "['solve', 'mesh']\n", "completed\n", "'completed': 3"]


@pytest.mark.parametrize("number", range(5))
def test_each_example_runs_and_prints_what_it_should(number: int, service) -> None:
    running = service().start()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLES[number]],
        env={**os.environ, "SOLVEYARD_HOME": str(running.store)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert PRINTED[number] in done.stdout
    assert len(EXAMPLES) == len(PRINTED)


def test_every_method_is_on_the_page() -> None:
    for kind in (Yard, Client, AsyncClient):
        public = {name for name, what in vars(kind).items() if callable(what) and name[0] != "_"}
        for name in public - {"close", "client"}:
            assert re.search(rf"`{name}[`(]", PAGE), name
