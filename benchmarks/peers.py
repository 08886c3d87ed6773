"""Other products, each in a virtual environment of its own, from PyPI."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.failure import CannotMeasure

_PATIENCE = 600.0  #: s that an installation may take


def python_with(package: str, folder: Path) -> Path:
    """The Python of a new environment in `folder` that has `package`, e.g. "pyedb==0.65.2".

    Raises CannotMeasure where it can't be had.
    """
    python = folder / "bin" / "python"
    _run([sys.executable, "-m", "venv", str(folder)], "an environment")
    _run([str(python), "-m", "pip", "install", "--quiet", package], package)
    return python


def _run(command: list[str], what: str) -> None:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_PATIENCE, env=clean
        )
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"{what} could not be had in {_PATIENCE:g} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise CannotMeasure(f"{what} could not be had: {lines[-1] if lines else done.returncode}")
