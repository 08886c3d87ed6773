"""What a handler leaves alone: jobs of others, be they named or numbered like its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Service
from solveyard.model.jobs import JobState
from solveyard.pyedb import errors
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.yard import Yard, YardJob


class Bench:
    """A store, a program that solves until it is ended, and handlers that are closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.yard = Yard(folder / "store", cores=8)
        self.edt = folder / "ansysedt"
        self.edt.write_text("#!/bin/sh\nexec sleep 600\n")
        self.edt.chmod(0o755)
        self.handlers: list[JobManagerHandler] = []

    def handler(self) -> JobManagerHandler:
        self.handlers.append(JobManagerHandler(store=self.yard.store, port=0))
        self.handlers[-1].start_service()
        return self.handlers[-1]

    def config(self, jobid: str, name: str = "board") -> Any:
        """As PyEDB's clients write it."""
        place = self.folder / f"{name}.aedt"
        place.write_text("{}")
        return {"project_path": str(place), "ansys_edt_path": str(self.edt), "jobid": jobid}

    def state(self, job: str | int) -> JobState:
        with self.yard.client() as client:
            return client.job(job).state


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    one = Bench(tmp_path)
    yield one
    for handler in one.handlers:
        handler.close()
    one.yard.close()
    Service(tmp_path / "store").clean_up()


@pytest.fixture
def theirs(bench: Bench, until: Callable[..., None]) -> YardJob:
    """Somebody's job, number 1, which runs."""
    job = bench.yard.command(["sleep", "600"])
    until(lambda: bench.state(1) == "running", "it runs")
    return job


@pytest.mark.usefixtures("theirs")
def test_a_close_ends_its_own_job_and_not_the_one_of_that_number(
    bench: Bench, until: Callable[..., None]
) -> None:
    handler = bench.handler()
    assert handler.submit_job(bench.config("1")) == "1"
    until(lambda: bench.state("#2") == "running", "it runs")
    handler.close()
    assert [bench.state(number) for number in (1, 2)] == ["running", "cancelled"]


def test_a_close_leaves_whoever_got_the_number_that_a_removed_job_was_named_by(
    bench: Bench, until: Callable[..., None]
) -> None:
    handler = bench.handler()
    assert handler.submit_job(bench.config("2")) == "2"
    assert handler.cancel_job("2")
    handler.wait_until_done("2", timeout=60)
    with bench.yard.client() as client:
        client.remove("2")
    later = bench.yard.command(["sleep", "600"])
    until(lambda: bench.state(2) == "running", "it runs")
    assert not handler.cancel_job("2")
    with pytest.raises(RuntimeError, match="Job 2 disappeared"):
        handler.wait_until_done("2")
    handler.close()
    assert (later.record.number, bench.state(2)) == (2, "running")


def test_a_handler_goes_on_without_a_job_that_somebody_removed(bench: Bench) -> None:
    handler = bench.handler()
    for job in ("gone", "runs"):
        handler.submit_job(bench.config(job, job))
    jobs = handler.manager.jobs
    handler.cancel_job("gone")
    handler.wait_until_done("gone", timeout=60)
    assert list(jobs) == ["gone", "runs"]
    with bench.yard.client() as client:
        client.remove("gone")
    with pytest.raises(errors.WaitTimeout, match=r": runs$"):
        handler.wait_until_all_done(timeout=0)
    handler.cancel_job("runs")
    handler.wait_until_all_done(timeout=60)
    assert ("gone" in jobs, jobs.get("gone"), list(jobs), len(jobs)) == (False, None, ["runs"], 1)
    assert {job: str(one.status) for job, one in jobs.items()} == {"runs": "cancelled"}
    bench.yard.command(["sleep", "600"], name="gone")
    assert not handler.cancel_job("gone")  # it is another's
    handler.close()
    assert (list(jobs), bench.state("gone").final) == (["runs"], False)


def test_a_close_leaves_what_another_session_submitted_under_that_name(
    bench: Bench, until: Callable[..., None]
) -> None:
    first, second = bench.handler(), bench.handler()
    first.submit_job(bench.config("demo"))
    until(lambda: bench.state("demo") == "running", "it runs")
    assert second.submit_job(bench.config("demo", "other")) == "demo"
    assert second.manager.jobs["demo"].config.project_path == str(bench.folder / "board.aedt")
    second.close()
    assert bench.state("demo") == "running"
    assert second.manager.jobs["demo"].status == "running"
    first.cancel_job("demo")
    first.wait_until_done("demo", timeout=60)
    third = bench.handler()
    third.submit_job(bench.config("demo", "other"))  # anew, so it is the third's now
    until(lambda: bench.state("demo") == "running", "it runs")
    first.close()
    assert bench.state("demo") == "running"
    third.close()
    assert bench.state("demo") == "cancelled"


@pytest.mark.usefixtures("theirs")
def test_a_number_is_no_id_of_somebody_elses_job(bench: Bench, until: Callable[..., None]) -> None:
    handler = bench.handler()
    assert not handler.cancel_job("1")
    with pytest.raises(RuntimeError, match="Job 1 disappeared"):
        handler.wait_until_done("1")
    with pytest.raises(RuntimeError, match="no job named '1'"):
        handler.manager.job_pool.add_job("1", 5)
    assert bench.state(1) == "running"
    assert handler.cancel_job("#1")
    until(lambda: bench.state(1) == "cancelled", "it is ended")


@pytest.mark.parametrize(("jobid", "told"), [("tool", "a job of solver"), ("sweep", "an array")])
def test_a_jobid_that_names_no_solve_is_refused(bench: Bench, jobid: str, told: str) -> None:
    bench.yard.command(["true"], name="tool", hold=True)
    bench.yard.sweep(["true"], name="sweep", hold=True, n=[1, 2])
    handler = bench.handler()
    for submit in (handler.submit_job, lambda config: handler.submit_jobs([config])):
        with pytest.raises(errors.ServiceError, match=f"'{jobid}' is the name of {told}"):
            submit(bench.config(jobid))
    assert len(handler.manager.jobs) == 0
