import sys
from pathlib import Path

import msgspec
import pytest

from solveyard.manager.ordering import Ordering
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Placement, Reason
from solveyard.model.messages import Launch
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Allocation, Share
from solveyard.places import StorePlaces
from solveyard.secret import Secret


def launch(spec: JobSpec, number: int = 1, gpus: int = 0) -> Launch:
    shares = (
        Share(node="a", cores=2, core_ids=(0, 3), gpus=gpus, gpu_ids=(1, 2)[:gpus]),
        Share(node="b", cores=1, core_ids=(4,), gpus=gpus, gpu_ids=(0, 5)[:gpus]),
    )
    at = Placement(machine="here", allocation=Allocation(shares=shares), slot=1)
    return Launch(job=JobId(7), attempt=AttemptId(f"u.7.0.{number}"), spec=spec, placement=at)


def command(**fields) -> JobSpec:
    options = msgspec.json.encode({"argv": ["prog", "x"], **fields.pop("options", {})})
    return JobSpec(solver="command", options=msgspec.Raw(options), **fields)


def test_a_job_without_a_directory_gets_a_folder_of_its_own(tmp_path):
    order = Ordering(StorePlaces(tmp_path)).order(launch(command()))
    assert order.command.directory == str(tmp_path / "jobs" / "7")
    assert order.command.own_folder
    assert Path(order.stdout).parent.is_dir()


def test_a_given_directory_is_used_and_not_made(tmp_path):
    order = Ordering(StorePlaces(tmp_path)).order(launch(command(directory="/d")))
    assert (order.command.directory, order.command.own_folder) == ("/d", False)


def test_a_job_knows_itself(tmp_path):
    spec = command(name="n", options={"env": {"A": "1", "SOLVE": "2"}})
    env = Ordering(StorePlaces(tmp_path)).order(launch(spec)).command.env
    assert env == {
        "A": "1", "SOLVE": "2", "SOLVEYARD_JOB": "7", "SOLVEYARD_NAME": "n",
        "SOLVEYARD_TRY": "1",
        "SOLVEYARD_CORES": "3", "SOLVEYARD_NODES": "a:2,b:1", "SOLVEYARD_CORE_IDS": "0,3;4",
    }  # fmt: skip


def test_a_job_with_gpus_sees_those_that_it_was_given_whatever_it_says_itself(tmp_path):
    spec = command(options={"env": {"CUDA_VISIBLE_DEVICES": "7"}})
    env = Ordering(StorePlaces(tmp_path)).order(launch(spec, gpus=2)).command.env
    assert (env["SOLVEYARD_GPU_IDS"], env["CUDA_VISIBLE_DEVICES"]) == ("1,2;0,5", "1,2")
    assert env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    without = Ordering(StorePlaces(tmp_path)).order(launch(spec)).command.env
    assert without["CUDA_VISIBLE_DEVICES"] == "7"


@pytest.mark.parametrize(
    "array",
    [
        ArraySpec(values=(*map(str, range(777)), "a\0b", *map(str, range(777)))),
        ArraySpec(grid={"n": (1, 2), "text": ("a", "a\0b")}),
        ArraySpec(rows=({"text": "a"}, {"text": "a\0b"})),
    ],
)
def test_a_value_that_no_task_could_be_told_is_refused(tmp_path, array):
    with pytest.raises(InvalidJob, match=r"`array`: .* without NUL characters, got 'a\\x00b'"):
        Ordering(StorePlaces(tmp_path)).check(command(array=array))


def test_how_a_nul_is_written_may_be_a_value(tmp_path):
    Ordering(StorePlaces(tmp_path)).check(command(array=ArraySpec(values=(r"\u0000", "é", 1.5))))


def test_each_attempts_output_is_kept_apart(tmp_path):
    ordering = Ordering(StorePlaces(tmp_path))
    first, second = ordering.order(launch(command(), 1)), ordering.order(launch(command(), 2))
    assert first.stdout != second.stdout


def test_our_own_programs_run_under_this_python(tmp_path):
    options = {
        "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
        "frequencies": {"start": 2e8, "stop": 3e8, "points": 3},
    }
    spec = JobSpec(solver="nec", options=msgspec.Raw(msgspec.json.encode(options)))
    assert Ordering(StorePlaces(tmp_path)).order(launch(spec)).command.argv[0] == sys.executable


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (command(directory="relative"), "absolute"),
        (command(directory="/a\0b"), "directory"),
        (JobSpec(solver="nosuch"), "no solver 'nosuch'"),
        (JobSpec(solver="command"), "argv"),
    ],
)
def test_what_could_not_be_launched_is_refused_before(tmp_path, spec, words):
    with pytest.raises(InvalidJob, match=words):
        Ordering(StorePlaces(tmp_path)).check(spec)


def test_options_that_could_not_be_sent_are_refused_before(tmp_path):
    large = command(options={"env": {"A": "x" * (4 << 20)}})
    with pytest.raises(InvalidJob, match=r"`options`: expected at most 4 MiB, got 4\.0 MiB \(put"):
        Ordering(StorePlaces(tmp_path)).check(large)
    Ordering(StorePlaces(tmp_path)).check(command(options={"env": {"A": "x" * (3 << 20)}}))


def test_a_job_on_a_cluster_is_refused_its_secrets_before_a_script_could_hold_them(tmp_path):
    secret = tmp_path / "key"
    secret.touch(mode=0o600)
    secret.write_text("hush")
    ordering = Ordering(StorePlaces(tmp_path), {"key": Secret(file=str(secret))})
    spec = command(on="far", options={"secret_env": {"KEY": "key"}})
    with pytest.raises(InvalidJob, match="a job on a cluster can't have secrets") as raised:
        ordering.preview(spec)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"warning_signal": "SIGUSR1"}, "without SIG, such as USR1, got 'SIGUSR1' (did you mean"),
        ({"warning_signal": "USR1\ntouch /tmp/x\n#"}, "expected a signal's name"),
        ({"warning_signal": "KILL"}, "expected a signal's name"),
        ({"warning": 90.0, "time_limit": 60.0}, "is 90 s before the time limit, which is 60 s"),
        ({"warning": 90.0}, "is 90 s before the time limit, and there is none (give `time_limit`"),
    ],
)
def test_a_warning_that_can_not_be_sent_is_refused(tmp_path, fields, message):
    with pytest.raises(InvalidJob) as caught:
        Ordering(StorePlaces(tmp_path)).check(command(**fields))
    assert message in str(caught.value)
    Ordering(StorePlaces(tmp_path)).check(
        command(time_limit=60.0, warning=9.0, warning_signal="TERM")
    )


def test_a_batch_system_may_warn_before_a_limit_of_its_own(tmp_path):
    Ordering(StorePlaces(tmp_path)).check(command(warning=90.0, on="far"))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("licnce", "`retry.on`: 'licnce' is no reason why a job ends (did you mean 'licence'?)"),
        ("exit:3", "'exit:3' is no reason why a job ends (there is: exit_code, signal, "),
        ("", "'' is no reason why a job ends (there is: exit_code, signal, time_limit, "),
        ("x" * 1000, f"'{'x' * 40}' is no reason"),
    ],
)
def test_a_retry_on_what_no_job_ends_with_is_refused_with_what_there_is(tmp_path, word, message):
    with pytest.raises(InvalidJob) as caught:
        Ordering(StorePlaces(tmp_path)).check(command(retry=RetryPolicy(on=("hang", word))))
    assert message in str(caught.value)


@pytest.mark.parametrize("word", [*Reason, "nec", "hfss.mpi", "others.own", "result", "solver"])
def test_a_retry_may_name_each_reason_and_any_cause(tmp_path, word):
    Ordering(StorePlaces(tmp_path)).check(command(retry=RetryPolicy(on=(word,))))
