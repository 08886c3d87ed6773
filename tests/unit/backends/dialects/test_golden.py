"""The scripts of a few jobs, as they were looked at when they were kept."""

import shutil
import subprocess
from pathlib import Path

import pytest

from unit.backends.dialects.examples import GOLDEN, texts

TEXTS = texts()


@pytest.mark.parametrize("path", list(TEXTS), ids=lambda path: str(path.relative_to(GOLDEN)))
def test_a_script_and_its_command_are_those_that_were_looked_at(path: Path) -> None:
    assert path.read_bytes().decode() == TEXTS[path]


def test_each_dialect_has_its_examples() -> None:
    assert {path.parent.name for path in TEXTS} == {"lsf", "pbs", "slurm", "winhpc"}


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("*/*.sh")), ids=lambda path: str(path.relative_to(GOLDEN))
)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_every_kept_script_is_a_script(path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    subprocess.run([shell, "-n", str(path)], check=True, capture_output=True)
