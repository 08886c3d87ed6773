"""The example of a script as a job, with a script in PyAEDT's place that leaves what that would."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from standin import project

EXAMPLE = Path(__file__).parents[2] / "examples" / "hfss" / "pyaedt_job.py"
SCRIPT = """
import sys
from pathlib import Path
where, result, cores = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
value = "{value}"
rows = "".join(f"{{f}} {{value}} 0 0 0 0 0 {{value}} 0\\n" for f in (1, 2))
Path(result).write_text("# GHz S RI R 50\\n" + rows)
"""


@pytest.mark.parametrize(
    ("value", "state", "reason"),
    [("0.1", "completed", "success"), ("nan", "failed", "criteria"), ("1.0", "failed", "criteria")],
)
def test_a_script_has_licences_a_key_and_a_verdict(
    service: Callable[..., Any], tmp_path: Path, value: str, state: str, reason: str
) -> None:
    (tmp_path / "config.toml").write_text("cores = 8\nresources.licences.elec_solve_hfss = 1\n")
    yard = service(environment={"SOLVEYARD_CONFIG": str(tmp_path / "config.toml")}).start()
    board = project(tmp_path / "projects")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(value=value))
    told = subprocess.run(
        [sys.executable, str(EXAMPLE), str(board), str(script)],
        env={**os.environ, "SOLVEYARD_HOME": str(yard.store)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert told.returncode == (0 if state == "completed" else 1), told.stderr
    [record] = yard.client.jobs().jobs
    assert (record.state, record.reason) == (state, reason), record.message
    spec = next(one for one in yard.client.events() if one["type"] == "job.submitted")["spec"]
    assert spec["resources"]["licences"] == {"elec_solve_hfss": 1}
    assert spec["exclusive"] == [str(board)]
