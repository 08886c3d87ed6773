"""The stand-in's log beside two real ones, which aren't ours to publish.

They lie beside the project, in `../shared/data/hfss`, or where $AEDT_LOGS says.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import standin

FOLDER = Path(os.environ.get("AEDT_LOGS") or Path(__file__).parents[3] / "shared" / "data" / "hfss")
REAL = sorted(FOLDER.glob("*.log")) if FOLDER.is_dir() else []
#: What public texts have and these two logs haven't, since neither is an HFSS log to its end.
ELSEWHERE = {
    "[info] message Normal completion of simulation on server",
    "[info] PROFILE Interpolating sweep converged and is passive",
}
pytestmark = pytest.mark.skipif(not REAL, reason=f"there are no real logs in {FOLDER}")


def shapes(text: str) -> dict[str, set[str]]:
    """What a log's lines are about, and the names of the values that they give."""
    found: dict[str, set[str]] = {}
    whole = re.sub(r"\n \(", " (", text)
    for line in whole.splitlines():
        told = re.sub(r"\s*\([\d: APM]+ +\w+ \d+, \d+\)$", "", line)
        entry = re.match(
            r"(\[\w+\]) Project:[^,]+, (?:Design:[^,]+, |[^\[]+: \[(\w+)\] +)(.*)", told
        )
        if entry is None:
            words = told.partition(":")[0]
            found.setdefault(f"header {words.strip()}", set())
            continue
        level, kind, said = entry.groups()
        parts = re.split(r" : (?=[A-Z])", said.strip())
        task = re.split(r"[:;]| - |\d|#", parts[0].replace("#", ""))[0].strip()
        values = {
            re.sub(r"[\d.]+|:.*", "", each).strip().split("  ")[0]
            for part in [said if kind == "CONVERGE" else " : ".join(parts[1:])]
            for each in re.split(r" : |; +|, ", part)
        }
        keys = found.setdefault(f"{level} {kind or 'message'} {task}", set())
        keys |= {re.sub(r" (M|G)$", "", value).strip() for value in values}
    return found


def test_each_of_its_lines_is_of_a_kind_that_real_logs_have(tmp_path: Path) -> None:
    board = standin.project(tmp_path)
    said = tmp_path / "log"
    words = ["-logfile", str(said), "-machinelist", "list=localhost:2:2:90%", "-ng"]
    subprocess.run(
        [sys.executable, str(standin.ANSYSEDT), *words, "-batchsolve", str(board)], check=True
    )
    real: dict[str, set[str]] = {}
    for one in REAL:
        for shape, values in shapes(one.read_text(errors="replace")).items():
            real.setdefault(shape, set()).update(values)
    ours = shapes(said.read_text())
    assert len(ours) > 30
    strange = {
        shape: values - real.get(shape, set())
        for shape, values in ours.items()
        if (shape not in real or values - real[shape]) and shape not in ELSEWHERE
        and "STAND-IN" not in shape
    }  # fmt: skip
    assert strange == {}
