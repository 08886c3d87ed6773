"""What holds for jobs on every batch system; the files beside this one name the systems.

Each job that counts writes a mark when its command starts; the marks are counted.
"""

import json
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from batchsystems.sites import Site
from cluster import jobs
from cluster.jobs import ended, known, running, waits_for
from conftest import Service, until
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import BackendError
from solveyard.model.jobs import JobState, Reason
from solveyard.model.records import JobRecord


def submit(site: Site, service: Service, text: str, **more: Any) -> int:
    return service.client.submit(jobs.job(text, on=site.name, **more)).number


def go(service: Service, number: int) -> None:
    """What a job waits for that says `until [ -e go ]`."""
    (service.store / "jobs" / str(number) / "go").touch()


def evidence(record: JobRecord) -> str:
    return "; ".join(record.evidence)


def store_id(record: JobRecord) -> str:
    """With which every attempt's id begins."""
    return record.attempts[0].id.partition(".")[0]


WAIT = "until [ -e go ]; do sleep 0.1; done"
MARK = "echo $SOLVEYARD_JOB.$SOLVEYARD_TRY >>"


def test_success_has_its_expected_output_and_two_witnesses(site: Site, service: Service) -> None:
    one = submit(site, service, "echo 1 > result", options={"outputs": ["result"]})
    record = ended(service, one)
    assert (record.state, record.exit_code) == (JobState.COMPLETED, 0)
    assert record.scheduler_job_id
    assert "its script recorded its end" in evidence(record)
    missing = submit(site, service, "true", options={"outputs": ["result"]})
    assert ended(service, missing).reason is Reason.NO_OUTPUT


def test_an_exit_code(site: Site, service: Service) -> None:
    record = ended(service, submit(site, service, "exit 7"))
    assert (record.state, record.reason, record.exit_code) == (JobState.FAILED, "exit_code", 7)


def test_a_signal(site: Site, service: Service) -> None:
    record = ended(service, submit(site, service, "kill -SEGV $$"))
    if site.signals:
        assert (record.reason, record.signal) == (Reason.SIGNAL, 11)
    else:
        assert (record.reason, record.state) == (Reason.EXIT_CODE, JobState.FAILED)


def test_the_commands_words_and_environment_arrive_as_they_are(
    site: Site, service: Service
) -> None:
    text = "env | grep -e ^WORD= -e ^SOLVEYARD_JOB= | sort; pwd -P; echo '50 % & <more>'"
    one = submit(site, service, text, options={"env": {"WORD": "it is 50 % & <more>"}})
    record = ended(service, one)
    assert record.state is JobState.COMPLETED, evidence(record)
    folder = (service.store / "jobs" / str(one)).resolve()
    assert service.client.log(one).content.decode().splitlines() == [
        f"SOLVEYARD_JOB={one}", "WORD=it is 50 % & <more>", str(folder), "50 % & <more>",
    ]  # fmt: skip


def test_a_refusal_is_told_in_its_words(site: Site, service: Service) -> None:
    with pytest.raises(BackendError, match=f"{site.name} refused it"):
        submit(site, service, "true", batch={"queue": "nosuch"})
    [record] = service.client.jobs(limit=1).jobs
    assert (record.state, record.reason) == (JobState.FAILED, Reason.LAUNCH)
    assert f"{site.name} refused it" in record.message
    assert site.refusal in record.message


def test_a_prologue_that_fails_keeps_the_command_from_starting(
    site: Site, service: Service
) -> None:
    record = ended(service, submit(site, service, "echo ran", batch={"prologue": site.no_prologue}))
    assert record.reason is Reason.LAUNCH
    assert "its prologue failed" in record.message
    assert service.client.log(record.number).content == b""


def test_a_running_job_is_cancelled(site: Site, service: Service) -> None:
    one = submit(site, service, "sleep 600")
    running(service, one)
    service.client.cancel(one)
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.CANCELLED, Reason.CANCELLED)


def test_a_waiting_job_is_cancelled(site: Site, service: Service, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    one = submit(site, service, f"touch {ran}", batch=site.later)
    known(service, one)
    service.client.cancel(one)
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.CANCELLED, Reason.CANCELLED)
    assert not ran.exists()


def test_a_job_that_waits_for_too_long_is_cancelled(
    site: Site, service: Service, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    one = submit(site, service, f"touch {ran}", batch=site.later, wait_limit=1.0)
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.FAILED, Reason.WAIT_LIMIT)
    assert not ran.exists()


def test_what_somebody_else_cancels_is_told_as_far_as_it_tells(
    site: Site, service: Service
) -> None:
    one = submit(site, service, "sleep 600")
    site.cancel(running(service, one).scheduler_job_id or "")
    record = ended(service, one)
    assert record.reason is (Reason.CANCELLED if site.tells_cancellations else Reason.SIGNAL)
    assert not record.cancel_requested


def test_what_somebody_else_cancels_while_it_waits_is_not_handed_in_again(
    site: Site, service: Service
) -> None:
    one = submit(site, service, "true", batch=site.later)
    waits_for(service, one, f"{site.name} to start it")
    site.cancel(known(service, one))
    record = ended(service, one)
    assert (record.reason, record.cancel_requested) == (Reason.CANCELLED, False)


def test_the_reason_why_it_waits_stands_on_a_waiting_job(site: Site, service: Service) -> None:
    first = submit(site, service, WAIT, resources=site.all_cores)
    running(service, first)
    second = submit(site, service, "true", resources=site.all_cores)
    waits_for(service, second, f"{site.name} to start it")
    waits_for(service, second, site.waiting)
    record = service.client.job(second)
    assert (record.state, record.status) == (JobState.SUBMITTED, "scheduled")
    go(service, first)
    assert ended(service, first).state is JobState.COMPLETED
    assert ended(service, second).state is JobState.COMPLETED


def test_a_waiting_job_is_held_and_released(site: Site, service: Service) -> None:
    """What holds it back ends meanwhile; so only the hold keeps it."""
    if not site.holds:
        pytest.skip(f"{site.name} holds no jobs")
    first = submit(site, service, WAIT, resources=site.all_cores)
    running(service, first)
    second = submit(site, service, "true", resources=site.all_cores)
    known(service, second)
    service.client.hold(second)
    word = re.compile(rf"{site.name} to start it \(.*held", re.IGNORECASE)
    until(lambda: bool(word.search(service.client.job(second).waiting)), "it is held there")
    go(service, first)
    assert ended(service, first).state is JobState.COMPLETED
    third = submit(site, service, "true", resources=site.all_cores)
    assert ended(service, third).state is JobState.COMPLETED
    assert not service.client.job(second).state.final
    service.client.release(second)
    assert ended(service, second).state is JobState.COMPLETED


def test_its_time_limit(site: Site, service: Service) -> None:
    one = submit(site, service, "sleep 600", time_limit=2 if site.dialect != "slurm" else 600)
    site.reach_limit(running(service, one).scheduler_job_id or "")
    record = ended(service, one, 90)
    if site.tells_limits:
        assert (record.state, record.reason) == (JobState.FAILED, Reason.TIME_LIMIT)
    else:
        assert record.reason is Reason.CANCELLED


def test_an_arrays_tasks_end_each_as_it_did_and_keep_its_limit(
    site: Site, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    text = f"echo + >> {marks}; sleep 0.3; echo - >> {marks}; exit $((SOLVEYARD_TASK % 3))"
    array = service.client.submit(jobs.job(text, on=site.name, array=ArraySpec(stop=6, at_once=2)))
    assert service.client.wait([array.number], 120)
    tasks = service.client.tasks(array.number)
    assert {task.state.final for task in tasks} == {True}, tasks
    assert [task.exit_code for task in tasks] == [index % 3 for index in range(6)]
    at_once = most = 0
    for sign in marks.read_text().split():
        at_once += 1 if sign == "+" else -1
        most = max(most, at_once)
    assert marks.read_text().count("+") == 6
    assert most <= 2


def test_one_of_several_that_went_together_is_cancelled_without_the_others(
    site: Site, service: Service
) -> None:
    spec = jobs.job("true", on=site.name, batch=site.later)
    numbers = [one.number for one in service.client.submit_many([spec] * 3)]
    for number in numbers:
        waits_for(service, number, f"{site.name} to start it")
    service.client.cancel(numbers[1])
    assert ended(service, numbers[1]).state is JobState.CANCELLED
    for number in (numbers[0], numbers[2]):
        assert not service.client.job(number).state.final
        service.client.cancel(number)
    assert service.client.wait(numbers, 60)


def test_a_dependency_that_can_never_be_met(site: Site, service: Service) -> None:
    parent = submit(site, service, f"{WAIT}; exit 1")
    wishes = site.depends(running(service, parent).scheduler_job_id or "")
    if wishes is None:
        service.client.cancel(parent)
        ended(service, parent)
        pytest.skip(f"{site.name} is asked for no dependencies")
    child = submit(site, service, "true", batch=wishes)
    known(service, child)
    go(service, parent)
    assert ended(service, parent).exit_code == 1
    if site.unmet:
        waits_for(service, child, site.unmet)
        service.client.cancel(child)
        ended(service, child)
        return
    record = ended(service, child)
    assert (record.state, record.reason) == (JobState.FAILED, site.never)
    assert service.client.log(child).content == b""


def test_the_log_of_a_running_job_is_read_as_it_grows(site: Site, service: Service) -> None:
    one = submit(site, service, f"echo first; {WAIT}; echo second")
    running(service, one)
    until(lambda: service.client.log(one).content == b"first\n", "its first line is there")
    go(service, one)
    assert b"".join(service.client.follow_log(one)) == b"first\nsecond\n"


def test_its_queues_and_cores_are_told(site: Site, service: Service) -> None:
    def told() -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{service.told['url']}/scheduler/partitions") as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found

    until(lambda: len(told()) == site.queues, "it has told its queues")
    if site.queues:
        (default,) = [queue for queue in told() if queue["default"]]
        assert (default["up"], default["cores_total"]) == (True, site.cores)


def test_a_dry_run_prints_what_it_would_take(site: Site, service: Service, tmp_path: Path) -> None:
    wish = ["--on", site.name, "-p", site.queue, "-n", "4", "--mem", "2000M", "--dry-run"]
    before = len(service.client.jobs())
    shown = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(service.store), "submit", *wish,
         "--", "sh", "-c", "exit 3"],
        env=service.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    script, _, command = shown.stdout.rpartition("# submitted by:\n")
    for wished in (site.queue, site.four_cores, "2000"):
        assert wished in shown.stdout
    assert site.submits in command
    assert site.takes(script, command.removeprefix("# ").strip(), tmp_path)
    assert len(service.client.jobs()) == before


def test_a_submission_that_hangs_after_it_arrived_runs_once_under_the_next_manager(
    site: Site, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    before = ended(service, submit(site, service, f"{MARK} {marks}"))
    site.hang_after_taking()
    one = submit(site, service, f"{MARK} {marks}")
    script = service.store / "output" / "0" / f"{one}.1.{site.ending}"
    until(script.exists, "it is being submitted")
    site.taken(f"{store_id(before)}.{one}.")
    service.kill()
    service.start()
    site.come_back()
    assert ended(service, one).state is JobState.COMPLETED
    assert marks.read_text().split() == [f"{before.number}.1", f"{one}.1"]
    assert len(site.given(f"{store_id(before)}.{one}.")) == 1


def test_what_ended_while_the_manager_was_down_is_taken_up(
    site: Site, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    done = submit(site, service, f"{MARK} {marks}; {WAIT}; echo > over; exit 5")
    goes_on = submit(site, service, f"{MARK} {marks}; {WAIT}")
    for number in (done, goes_on):
        running(service, number)
    service.kill()
    go(service, done)
    until((service.store / "jobs" / str(done) / "over").exists, "one has ended")
    service.start()
    assert ended(service, done).exit_code == 5
    assert service.client.job(goes_on).state is JobState.RUNNING
    go(service, goes_on)
    assert ended(service, goes_on).state is JobState.COMPLETED
    assert sorted(marks.read_text().split()) == sorted([f"{done}.1", f"{goes_on}.1"])


def test_a_manager_that_is_killed_again_and_again_loses_no_job_and_starts_none_twice(
    site: Site, service: Service, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.touch()
    texts = ["true", "exit 3", "sleep 1"]
    numbers: list[int] = []
    for round_ in range(3):
        specs = [jobs.job(f"{MARK} {marks}; {text}", on=site.name) for text in texts]
        numbers += [one.number for one in service.client.submit_many(specs)]
        if round_ != 2:
            known(service, numbers[-1 - round_])
        service.kill()
        service.start()
    assert service.client.wait(numbers, 120)
    records = [service.client.job(number) for number in numbers]
    assert [record.exit_code for record in records] == [0, 3, 0] * 3
    assert Counter(marks.read_text().split()) == {f"{number}.1": 1 for number in numbers}
    given = [each for number in numbers for each in site.given(f"{store_id(records[0])}.{number}.")]
    assert len(given) == len(set(given))
