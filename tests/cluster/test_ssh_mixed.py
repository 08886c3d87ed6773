"""The same two hundred jobs behind a real sshd, and across a wire, while either is cut."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.mixed import (
    away_and_killed,
    constrained,
    each_ends_in_the_right_state_for_the_right_reason,
)
from cluster.over_ssh import Serving
from cluster.slurm import Slurm
from cluster.sshd import Sshd, absent
from cluster.wire import Wire, laid, serving_across
from conftest import until

pytestmark = pytest.mark.timeout(580)
PATIENCE = 200.0  #: s for the last end: each job's files go there and come back


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    yield from constrained(tmp_path_factory.mktemp("slurm"))


@pytest.fixture
def sshd(slurm: Slurm, tmp_path: Path) -> Iterator[Sshd]:
    if missing := absent():
        pytest.skip(f"OpenSSH is not installed: there is no {', '.join(missing)}")
    folder = tmp_path / "sshd"
    folder.mkdir()
    one = Sshd(folder, {"SLURM_CONF": str(slurm.conf)})
    one.prepare()
    one.start()
    yield one
    one.cut()


@pytest.fixture
def wire() -> Iterator[Wire]:
    yield from laid()


@pytest.fixture
def across(slurm: Slurm, wire: Wire, tmp_path: Path) -> Iterator[Serving]:
    yield from serving_across(slurm, wire, tmp_path)


def test_two_hundred_jobs_end_each_as_they_should_through_an_sshd_that_is_cut(
    slurm: Slurm, sshd: Sshd, serving: Serving, tmp_path: Path
) -> None:
    service = serving()
    each_ends_in_the_right_state_for_the_right_reason(
        slurm, service, tmp_path / "marks", away_and_killed(service, sshd.cut, sshd.start), PATIENCE
    )
    until(lambda: not list((serving.there / "jobs").iterdir()), "nothing is left there")


def test_two_hundred_jobs_end_each_as_they_should_across_a_wire_that_is_cut(
    slurm: Slurm, across: Serving, wire: Wire, tmp_path: Path
) -> None:
    more = "ssh_options = { ServerAliveInterval = 1, ServerAliveCountMax = 3 }\n"
    service = across(more, within=wire.within)
    each_ends_in_the_right_state_for_the_right_reason(
        slurm, service, tmp_path / "marks", away_and_killed(service, wire.cut, wire.mend), PATIENCE
    )
    until(lambda: not list((across.there / "jobs").iterdir()), "nothing is left there")
