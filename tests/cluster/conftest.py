"""A real Slurm for the session, and a manager that forwards jobs to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.slurm import Slurm, absent


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if missing := absent():
        pytest.skip(f"Slurm is not installed: there is no {', '.join(missing)}")
    folder: Path = tmp_path_factory.mktemp("slurm")
    started = Slurm(folder)
    try:
        started.start()
        yield started
    finally:
        started.stop()
