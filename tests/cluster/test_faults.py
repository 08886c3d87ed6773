"""Whatever is stopped, killed or restarted: no job is lost, and none runs twice.

Each job writes a mark when its command starts; the marks are counted.
"""

import contextlib
import shutil
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, job, known, running, submit, waits_for
from cluster.slurm import NODES, Slurm, absent
from conftest import Service, until
from solveyard.model.jobs import JobState, Reason
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Resources

pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """One line for each start of a command."""
    place = tmp_path / "marks"
    place.touch()
    return place


def marking(marks: Path, then: str = "true") -> str:
    return f'echo "$SOLVEYARD_JOB.$SOLVEYARD_TRY" >> {marks}; {then}'


def started(marks: Path) -> Counter[str]:
    return Counter(marks.read_text().split())


def test_a_controller_that_hangs_after_taking_a_job_never_gets_it_twice(
    slurm: Slurm, service: Service, marks: Path
) -> None:
    before = ended(service, submit(service, marking(marks)))  # so that it's known to answer
    slurm.send("slurmctld", signal.SIGSTOP)
    hung = submit(service, marking(marks))
    attempt = f"{before.attempts[0].id.split('.')[0]}.{hung}.0.1"
    script = service.store / "output" / "0" / f"{hung}.1.sh"
    until(script.exists, "it is being submitted")
    until(lambda: service.client.job(hung).stale_since is not None, "the cluster is away")
    assert service.client.job(hung).state is JobState.SUBMITTED
    slurm.send("slurmctld", signal.SIGCONT)
    record = ended(service, hung)
    assert record.state is JobState.COMPLETED
    assert record.stale_since is None
    assert len(slurm.submissions(attempt)) == 1
    assert started(marks) == {f"{before.number}.1": 1, f"{hung}.1": 1}


def test_jobs_of_a_controller_that_is_away_keep_their_state_and_go_on(
    slurm: Slurm, service: Service, marks: Path
) -> None:
    one = submit(service, marking(marks, "until [ -e go ]; do sleep 0.1; done"))
    running(service, one)
    slurm.remembers()
    slurm.end("slurmctld", signal.SIGKILL)
    until(lambda: service.client.job(one).stale_since is not None, "it is stale")
    assert service.client.job(one).state is JobState.RUNNING
    waiting = submit(service, marking(marks))
    until(lambda: "slurm to answer" in service.client.job(waiting).waiting, "the next one waits")
    (service.store / "jobs" / str(one) / "go").touch()
    slurm.start_controller()
    assert ended(service, one).state is JobState.COMPLETED
    assert ended(service, waiting).state is JobState.COMPLETED
    assert started(marks) == {f"{one}.1": 1, f"{waiting}.1": 1}


def test_a_controller_with_older_state_neither_loses_a_job_silently_nor_has_it_run_twice(
    slurm: Slurm, service: Service, marks: Path, tmp_path: Path
) -> None:
    """It takes the first, which runs, for one that waits, and has never heard of the second.

    So the node ends that: its command may go before its shell, which then has time to say so.
    """
    first = submit(service, marking(marks, "sleep 600"), batch={"native": ["--begin=now+8"]})
    known(service, first)
    slurm.remembers()
    saved = tmp_path / "state"
    shutil.copytree(slurm.folder / "state", saved)
    assert service.client.job(first).state is JobState.SUBMITTED
    second = submit(service, marking(marks, "sleep 600"))
    running(service, first)
    running(service, second)
    slurm.end("slurmctld", signal.SIGKILL)
    shutil.rmtree(slurm.folder / "state")
    shutil.copytree(saved, slurm.folder / "state")
    slurm.start_controller()
    lost = ended(service, second, 120)
    assert lost.state is JobState.FAILED
    if lost.reason is Reason.LOST:
        assert "slurm doesn't know it any more" in "; ".join(lost.evidence)
    else:
        assert (lost.reason, lost.signal) in {(Reason.SIGNAL, 9), (Reason.SIGNAL, 15)}
    again = ended(service, first, 120)
    assert again.state is JobState.FAILED
    assert started(marks) == {f"{first}.1": 1, f"{second}.1": 1}


def test_a_manager_that_is_killed_ten_times_loses_no_job_and_starts_none_twice(
    slurm: Slurm, service: Service, marks: Path
) -> None:
    numbers: list[int] = []
    texts = ["true", "exit 3", "sleep 1", "kill -TERM $$", "sleep 3"]
    for round_ in range(10):
        specs = [job(marking(marks, text), resources=Resources(memory=10)) for text in texts]
        numbers += [one.number for one in service.client.submit_many(specs)]
        last = numbers[-1 - round_ % 3]
        if round_ % 3 == 0:
            known(service, last)
        elif round_ % 3 == 1:
            until(lambda one=last: f"{one}.1" in started(marks), f"job {last} has begun")
        service.kill()
        service.start()
    assert service.client.wait(numbers, 120)
    records = [service.client.job(number) for number in numbers]
    reasons = [Reason.SUCCESS, Reason.EXIT_CODE, Reason.SUCCESS, Reason.SIGNAL, Reason.SUCCESS]
    assert [record.reason for record in records] == reasons * 10
    assert started(marks) == {f"{number}.1": 1 for number in numbers}
    store = records[0].attempts[0].id.partition(".")[0]
    assert sorted(slurm.given(store)) == sorted(record.attempts[0].native_id for record in records)


def test_what_ended_while_the_manager_was_down_is_taken_up(
    slurm: Slurm, service: Service, marks: Path
) -> None:
    done = submit(service, marking(marks, "until [ -e go ]; do sleep 0.1; done; exit 5"))
    cancelled = submit(service, marking(marks, "sleep 600"))
    goes_on = submit(service, marking(marks, "until [ -e go ]; do sleep 0.1; done"))
    for number in (done, cancelled, goes_on):
        running(service, number)
    natives = {number: known(service, number) for number in (done, cancelled, goes_on)}
    service.kill()
    (service.store / "jobs" / str(done) / "go").touch()
    slurm.run("scancel", natives[cancelled])
    until(lambda: slurm.state(natives[done]) == "FAILED", "one has ended")
    until(lambda: slurm.state(natives[cancelled]) == "CANCELLED", "one is cancelled")
    service.start()
    assert ended(service, done).exit_code == 5
    assert ended(service, cancelled).reason is Reason.CANCELLED
    assert service.client.job(goes_on).state is JobState.RUNNING
    (service.store / "jobs" / str(goes_on) / "go").touch()
    assert ended(service, goes_on).state is JobState.COMPLETED
    assert started(marks) == {f"{number}.1": 1 for number in natives}


def test_a_cancellation_that_was_asked_for_before_a_kill_is_carried_out_after_it(
    slurm: Slurm, service: Service, marks: Path
) -> None:
    one = submit(service, marking(marks, "sleep 600"))
    running(service, one)
    slurm.send("slurmctld", signal.SIGSTOP)
    service.client.cancel(one)
    service.kill()
    slurm.send("slurmctld", signal.SIGCONT)
    service.start()
    record = ended(service, one)
    assert (record.state, record.reason) == (JobState.CANCELLED, Reason.CANCELLED)
    assert slurm.state(record.scheduler_job_id) == "CANCELLED"


def test_a_waiting_job_that_was_renamed_is_known_again_after_a_kill(
    slurm: Slurm, service: Service, marks: Path
) -> None:
    """Its comment and its name were its marks, and it has no record yet."""
    wishes = {"native": ["--begin=now+1hour"]}
    one = submit(service, marking(marks), batch=wishes, retry=RetryPolicy(tries=2, delay=0))
    waits_for(service, one, "slurm to start it (")
    native = known(service, one)
    slurm.run("scontrol", "update", f"jobid={native}", "comment=mine", "name=mine")
    service.kill()
    service.start()
    waits_for(service, one, "slurm to start it (")
    slurm.run("scontrol", "update", f"jobid={native}", "starttime=now")
    record = ended(service, one)
    assert (record.state, record.scheduler_job_id) == (JobState.COMPLETED, native)
    assert started(marks) == {f"{one}.1": 1}


def test_what_starts_the_commands_is_killed_at_work_and_no_job_is_lost_or_runs_twice(
    slurm: Slurm, service: Service, marks: Path
) -> None:
    """All have names of their own, so that each is submitted alone."""
    jobs = [job(marking(marks), name=f"j-{at}") for at in range(24)]
    numbers = [one.number for one in service.client.submit_many(jobs)]
    for _ in range(4):
        until(lambda: _killed_at_work(service), "a command is under way, and cut off")
    assert service.client.wait(numbers, 120), service.client.jobs()
    assert {service.client.job(one).state for one in numbers} == {JobState.COMPLETED}
    assert started(marks) == {f"{one}.1": 1 for one in numbers}


def _killed_at_work(service: Service) -> bool:
    assert service.process is not None
    for one in psutil.Process(service.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(word.endswith("running.py") for word in one.cmdline()) and one.children():
                one.kill()
                return True
    return False


def test_a_controller_that_gives_ids_again_has_no_stranger_taken_for_ours(
    tmp_path: Path, marks: Path
) -> None:
    """Neither is its end told as that of our job, nor is it cancelled in its stead."""
    if missing := absent():
        pytest.skip(f"Slurm is not installed: there is no {', '.join(missing)}")
    (tmp_path / "slurm").mkdir()
    own = Slurm(tmp_path / "slurm")
    try:
        own.start()
        for service in serving(own, tmp_path, SETTINGS):
            _meets_strangers(own, service, marks)
    finally:
        own.stop()


def _meets_strangers(slurm: Slurm, service: Service, marks: Path) -> None:
    wishes = {"native": ["--begin=now+1hour"]}
    ours = [submit(service, marking(marks), batch=wishes) for _ in range(2)]
    ids = [known(service, one) for one in ours]
    for one in ours:
        waits_for(service, one, "slurm to start it (")  # so that it knows when they were submitted
    service.stop()
    slurm.end("slurmctld", signal.SIGKILL)
    for place in (slurm.folder / "state").iterdir():
        if place.is_file() and "job" in place.name:
            place.unlink()
    slurm.start_controller(clean=True)
    until(lambda: slurm.idle() == NODES, "its nodes are idle")
    submit_another = ("sbatch", "--parsable", "--job-name=other", "--output=/dev/null")
    assert slurm.run(*submit_another, "--wrap=true") == ids[0]
    assert slurm.run(*submit_another, "--wrap=sleep 600") == ids[1]
    service.start()
    service.client.cancel(ours[1])
    assert ended(service, ours[0]).reason is Reason.LOST
    assert service.client.wait(ours, 60)
    assert slurm.state(ids[1]) == "RUNNING"
    slurm.run("scancel", ids[1])
    assert not started(marks)
