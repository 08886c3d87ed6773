"""Some of the suite on stand-ins for PBS and LSF behind a real sshd, with nothing shared."""

from collections.abc import Iterator

import pytest

from batchsystems.sites import Site
from cluster.jobs import ended, running
from cluster.over_ssh import Serving
from cluster.sshd import Sshd, absent
from conformance.batch_suite import (
    MARK,
    submit,
    test_a_manager_that_is_killed_again_and_again_loses_no_job_and_starts_none_twice,
    test_a_refusal_is_told_in_its_words,
    test_a_running_job_is_cancelled,
    test_a_submission_that_hangs_after_it_arrived_runs_once_under_the_next_manager,
    test_a_waiting_job_is_cancelled,
    test_an_arrays_tasks_end_each_as_it_did_and_keep_its_limit,
    test_an_exit_code,
    test_its_queues_and_cores_are_told,
    test_its_time_limit,
    test_one_of_several_that_went_together_is_cancelled_without_the_others,
    test_success_has_its_expected_output_and_two_witnesses,
)
from conftest import Service, until

__all__ = [
    "test_a_manager_that_is_killed_again_and_again_loses_no_job_and_starts_none_twice",
    "test_a_refusal_is_told_in_its_words",
    "test_a_running_job_is_cancelled",
    "test_a_submission_that_hangs_after_it_arrived_runs_once_under_the_next_manager",
    "test_a_waiting_job_is_cancelled",
    "test_an_arrays_tasks_end_each_as_it_did_and_keep_its_limit",
    "test_an_exit_code",
    "test_its_queues_and_cores_are_told",
    "test_its_time_limit",
    "test_one_of_several_that_went_together_is_cancelled_without_the_others",
    "test_success_has_its_expected_output_and_two_witnesses",
]

SITES = ("pbs", "lsf")


@pytest.fixture(scope="module")
def serving(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    if missing := absent():
        pytest.skip(f"OpenSSH is not installed: there is no {', '.join(missing)}")
    sshd = Sshd(tmp_path_factory.mktemp("sshd"), site.environment)
    sshd.prepare()
    sshd.start()
    one = Serving(sshd, tmp_path_factory.mktemp("manager"), site.name)
    yield one
    one.clean_up()
    sshd.cut()


@pytest.fixture(scope="module")
def service(serving: Serving) -> Service:
    return serving()


def test_a_connection_that_is_cut_changes_no_job(
    site: Site, serving: Serving, service: Service
) -> None:
    marks = serving.folder / "marks"
    one = submit(
        site, service, f"{MARK} {marks}; until [ -e go ]; do sleep 0.1; done; echo 1 >result"
    )
    record = running(service, one)
    serving.sshd.cut()
    until(lambda: service.client.job(one).stale_since is not None, "nobody answers")
    (serving.there / "jobs" / record.attempts[0].id / "go").touch()
    serving.sshd.start()
    record = ended(service, one, 120)
    assert (record.state, len(record.attempts)) == ("completed", 1)
    assert marks.read_text().split() == [f"{one}.1"]
    assert b"".join(service.client.read_file(one, "result")) == b"1\n"
    until(lambda: not list((serving.there / "jobs").iterdir()), "nothing is left there")
