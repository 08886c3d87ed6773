"""A real Slurm for the session, and a manager that forwards jobs to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import sshd as openssh
from cluster.over_ssh import Serving
from cluster.slurm import Slurm, absent
from cluster.sshd import Sshd
from conftest import Service

SETTINGS = """\
[clusters.slurm]
dialect = "slurm"
poll_min = 0.2
poll_max = 2
settle = 3
lost_after = 5
"""


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


@pytest.fixture(scope="module", autouse=True)
def _what_answers_is_found() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SOLVEYARD_DISCOVER_CLUSTERS")
        yield


@pytest.fixture
def service(slurm: Slurm, tmp_path: Path) -> Iterator[Service]:
    """Its clients wait for Slurm a fifth of a second at most, where users have it at 2 s."""
    yield from serving(slurm, tmp_path, SETTINGS)


def serving(slurm: Slurm, folder: Path, settings: str) -> Iterator[Service]:
    config = folder / "config.toml"
    config.write_text(settings)
    one = Service(
        folder / "store",
        environment={"SLURM_CONF": str(slurm.conf), "SOLVEYARD_CONFIG": str(config)},
    )
    try:
        yield one.start()
    finally:
        one.clean_up()


@pytest.fixture(scope="session")
def sshd(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Before that Slurm."""
    if missing := openssh.absent():
        pytest.skip(f"OpenSSH is not installed: there is no {', '.join(missing)}")
    one = Sshd(tmp_path_factory.mktemp("sshd"), {"SLURM_CONF": str(slurm.conf)})
    one.prepare()
    one.start()
    yield one
    one.cut()


@pytest.fixture(name="serving")
def over_ssh(sshd: Sshd, tmp_path: Path) -> Iterator[Serving]:
    one = Serving(sshd, tmp_path)
    yield one
    one.clean_up()
