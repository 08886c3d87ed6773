"""A store and a copy of it, as a backup is one, both in use on one machine."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Service
from solveyard import Yard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="job objects hold the processes")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A store with a job, and its copy."""
    original, copy = (Service(tmp_path / name) for name in ("store", "copy"))
    try:
        with Yard(original.store) as yard:
            yard.command(["true"]).wait(60)
        original.clean_up()
        shutil.copytree(original.store, copy.store, symlinks=True)
        yield original.store, copy.store
    finally:
        original.clean_up()
        copy.clean_up()


def test_a_job_that_is_ended_takes_none_of_the_copys_with_it(stores: tuple[Path, Path]) -> None:
    with Yard(stores[0]) as yard, Yard(stores[1]) as other:
        first = yard.command(["sh", "-c", "echo begun; sleep 60; true"])
        second = other.command(["sh", "-c", "echo begun; sleep 1; echo done"])
        for job in (first, second):
            next(job.follow())
        first.cancel()
        one, another = first.wait(60), second.wait(60)
        assert (one.state, another.state) == ("cancelled", "completed")
        assert second.output() == "begun\ndone\n"
        assert one.attempts[0].id == another.attempts[0].id, "or nothing was shown"


def test_a_copy_that_is_made_while_a_job_runs_neither_ends_it_nor_waits_for_it(
    tmp_path: Path,
) -> None:
    original, copy = (Service(tmp_path / name) for name in ("store", "copy"))
    try:
        with Yard(original.store) as yard:
            job = yard.command(
                ["sh", "-c", "echo begun; until test -e end; do sleep .1; done; echo done"]
            )
            next(job.follow())
            end = Path(job.refresh().directory) / "end"
        shutil.copytree(original.store, copy.store, symlinks=True)
        with Yard(copy.store) as other:
            (same,) = other.jobs()
            lost = same.wait(60)
            assert (lost.state, lost.reason) == ("failed", "lost")
            assert f"a copy of another one, whose agent (in {original.store}" in str(lost)
        with Yard(original.store) as yard:
            end.write_text("go on\n")
            job = yard.jobs()[0]
            assert job.wait(60).state == "completed"
            assert job.output() == "begun\ndone\n"
    finally:
        original.clean_up()
        copy.clean_up()
