"""Rules of the settings send jobs to Slurm, or keep them here."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, job
from cluster.slurm import Slurm
from conftest import Service
from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Resources

RULES = """\
[[rules]]
on = "here"
tags = ["quick"]

[[rules]]
on = "slurm"
solvers = ["command"]
memory = "20M"
"""


@pytest.fixture
def service(slurm: Slurm, tmp_path: Path) -> Iterator[Service]:
    yield from serving(slurm, tmp_path, RULES + SETTINGS)


def free(**more: object) -> JobSpec:
    """A job that doesn't say where it runs."""
    return replace(job("true", resources=Resources(memory=20)), **{"on": "", **more})


def test_the_first_rule_that_fits_decides_and_a_job_overrules_it(service: Service) -> None:
    specs = [
        free(), free(tags=("quick",)), free(on="here"), free(resources=Resources(memory=19)),
    ]  # fmt: skip
    found = [ended(service, one.number) for one in service.client.submit_many(specs)]
    assert [one.attempts[-1].machine == "slurm" for one in found] == [True, False, False, False]
    assert [one.state for one in found] == ["completed"] * 4


def test_a_dry_run_says_which_rule_it_is(service: Service) -> None:
    options = [sys.executable, "-m", "solveyard.cli", "--store", str(service.store)]
    wish = [*options, "submit", "--mem", "20M", "--dry-run"]
    told = [
        subprocess.run(
            [*wish, *more, "--", "true"], env=service.environment, capture_output=True, text=True,
            check=True, timeout=60,
        )
        for more in ([], ["--tag", "quick"], ["--on", "here"])
    ]  # fmt: skip
    assert told[0].stderr == "rule 2 of the settings has it run on slurm\n"
    assert told[0].stdout.startswith("#!/bin/sh\n")
    assert told[1].stderr == "rule 1 of the settings has it run here\n"
    assert told[1].stdout.startswith("{")
    assert told[2].stderr == ""


def test_a_rule_for_a_cluster_that_there_isnt_keeps_the_manager_from_starting(
    service: Service, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(SETTINGS + RULES.replace('"slurm"', '"slrum"'))
    done = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(tmp_path / "other"), "serve"],
        env={**service.environment, "SOLVEYARD_CONFIG": str(wrong)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 7
    assert "rule 2: there is no cluster 'slrum' (did you mean 'slurm'?)" in done.stderr
    assert "wrong.toml" in done.stderr
