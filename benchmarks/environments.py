"""Virtual environments for other products, from PyPI."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from benchmarks.failure import CannotMeasure

_PATIENCE = 600.0  #: s that an installation may take
_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def pinned(product: str) -> str:
    """It as the extra `bench` names it, e.g. "pyedb==0.65.2"."""
    return next(line for line in extras()["bench"] if line.partition("==")[0] == product)


def extras() -> Mapping[str, Sequence[str]]:
    """What this project's extras have."""
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    return cast("Mapping[str, Sequence[str]]", project["optional-dependencies"])


def python_with(package: str, folder: Path) -> Path:
    """The Python of a new environment in `folder` that has `package`, e.g. "pyedb==0.65.2".

    Raises CannotMeasure where it can't be had.
    """
    python = folder / "bin" / "python"
    run([sys.executable, "-m", "venv", str(folder)], "an environment could not be had")
    run([str(python), "-m", "pip", "install", "--quiet", package], f"{package} could not be had")
    return python


def run(command: Sequence[str], failed: str, seconds: float = _PATIENCE) -> None:
    """`failed`: a sentence for when it does. Raises CannotMeasure then."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=seconds, env=clean
        )
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"{failed} in {seconds:g} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise CannotMeasure(f"{failed}: {lines[-1] if lines else done.returncode}")
