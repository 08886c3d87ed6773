"""Answers of real batch systems that lie beside the checkout, for tests that skip where they don't.

They are terminal sessions: a prompt and the command, what it wrote on both its streams, and
"[rc=0]". `SOLVEYARD_RECORDINGS` names another folder.
"""

import os
import re
from pathlib import Path

import pytest

from solveyard.backends.dialects.base import Answer

FOLDER = Path(
    os.environ.get("SOLVEYARD_RECORDINGS")
    or Path(__file__).parents[1].parent / "shared" / "data" / "batch"
)
wanted = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there are no recordings in {FOLDER}")
COMPLAINT = re.compile(
    r"(?:q\w+|pbs\w+): |Job <\d+>(?: is not found|: )|.*(?:Job not|format string)"
)


def sessions(*names: str) -> list[tuple[str, Answer]]:
    """Commands and their answers; complaints are taken for standard error."""
    found = []
    for name in names:
        text = (FOLDER / name).read_text()
        for match in re.finditer(r"^(?:sim)?\$ (.*)\n((?s:.*?))^\[rc=(\d+)\]$", text, re.MULTILINE):
            lines = match[2].splitlines(keepends=True)
            complaints = [line for line in lines if COMPLAINT.match(line)]
            told = [line for line in lines if not COMPLAINT.match(line)]
            answer = Answer(int(match[3]), "".join(told), "".join(complaints))
            found.append((match[1], answer))
    return found


def answers(command: str, *names: str) -> list[Answer]:
    found = [answer for one, answer in sessions(*names) if re.fullmatch(command, one)]
    assert found, f"no recording of {command}"
    return found
