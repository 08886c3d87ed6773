"""Jobs to hand to a batch system."""

import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from solveyard.backends.dialects.base import BatchJob, Run

STORE = "0123456789abcdef0123456789abcdef"
SIMPLE = string.ascii_letters + string.digits
#: What breaks quoting, directives and lines, more often than chance would have it.
NASTY = st.text(
    st.sampled_from("ab \n\r\t'\"\\`$(){}[]|&;<>*?~!#%=,:^/-")
    | st.characters(exclude_characters="\0", exclude_categories=("Cs",)),
    max_size=30,
) | st.sampled_from([
    "\n#SBATCH --wrap=id\n", "\n#PBS -q x\n", "\n#BSUB -q x", "'; touch pwned; '", "$(touch pwned)",
    "\r\n#SBATCH -p x", "\nEOF\n", "-n", "--", "'\"$solveyard_nl\"'",
])  # fmt: skip


def run(
    folder: Path | str = "/data",
    argv: Iterable[str] = ("./solve", "dipole.in"),
    *,
    position: int = 0,
    **more: Any,
) -> Run:
    return Run(
        attempt=f"{STORE}.7.{position}.1",
        argv=tuple(argv),
        directory=str(folder),
        stdout=f"{folder}/out.{position}",
        stderr=f"{folder}/err.{position}",
        record=f"{folder}/end.{position}",
        **more,
    )


def job(*runs: Run, name: str = "dipole", **more: Any) -> BatchJob:
    return BatchJob(name=name, runs=runs or (run(),), **more)


def directives(script: str, mark: str) -> list[str]:
    """What a batch system reads in it, and nothing else that begins like a comment."""
    lines = script.split("\n")
    assert lines[0] == "#!/bin/sh"
    comments = [line for line in lines[1:] if line.lstrip().startswith("#")]
    assert all(line.startswith(f"{mark} ") for line in comments)
    assert comments == lines[1 : len(comments) + 1], "they stand before the first command"
    return [line.removeprefix(f"{mark} ") for line in comments]
