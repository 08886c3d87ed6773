"""Python environments with other products, from PyPI: pytest's cache keeps them, every lane's."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

#: as whoever runs the tests has it, for programs that fetch something
OUTSIDE = dict(os.environ)


def python_with(
    request: pytest.FixtureRequest, name: str, *packages: str, again: Sequence[str] = ()
) -> str:
    """The Python of the environment `name` that has `packages`, and today's `again`.

    One lane makes it while the others wait. Skips, loudly, where PyPI can't be reached.
    """
    assert request.config.cache is not None
    place = request.config.cache.mkdir(name)
    folder = place / "env"
    python = str(folder / "bin" / "python")
    whole = folder / "whole"  # what it has, and for where: an environment can't be moved
    told = "\n".join((str(folder), *packages))
    with (place / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.is_file() or whole.read_text() != told:
            _uv(name, "venv", "--clear", "--python", sys.executable, str(folder))
            _uv(name, "pip", "install", "--python", python, *packages)
            whole.write_text(told)
        if again:
            _uv(name, "pip", "install", "--python", python, *packages, *again)
    return python


def _uv(name: str, *words: str) -> None:
    try:
        subprocess.run(
            [sys.executable, "-m", "uv", *words],
            env=OUTSIDE, capture_output=True, text=True, timeout=280, check=True,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or error
        pytest.skip(f"NOT SHOWN: {name} can't be installed: {said!s:.500}")
