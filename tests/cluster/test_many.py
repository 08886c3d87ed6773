"""Two hundred jobs on a Slurm beside the manager, and troubles of both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.mixed import (
    constrained,
    controller_away,
    each_ends_in_the_right_state_for_the_right_reason,
)
from cluster.slurm import Slurm
from conftest import Service


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    yield from constrained(tmp_path_factory.mktemp("slurm"))


@pytest.mark.timeout(299)
def test_two_hundred_jobs_end_each_in_the_right_state_for_the_right_reason(
    slurm: Slurm, service: Service, tmp_path: Path
) -> None:
    each_ends_in_the_right_state_for_the_right_reason(
        slurm, service, tmp_path / "marks", controller_away(slurm, service), 100
    )
