"""What a cluster is like is shown at once, whether it answers or not."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.conftest import SETTINGS, serving
from cluster.jobs import ended, running, submit, waits_for
from cluster.slurm import Slurm
from conftest import Service, until
from solveyard.model.jobs import JobState


@pytest.fixture(scope="module")
def service(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from serving(slurm, tmp_path_factory.mktemp("looking"), SETTINGS)


def solveyard(service: Service, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "--store", str(service.store), *argv],
        env=service.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def partitions(service: Service) -> list[dict[str, object]]:
    url = f"{service.told['url']}/scheduler/partitions"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: list[dict[str, object]] = json.load(answer)
        return found


def test_partitions_tell_nodes_and_cores_in_the_documents_words(service: Service) -> None:
    until(lambda: bool(partitions(service)), "Slurm has told its partitions")
    found = {one["name"]: one for one in partitions(service)}
    assert set(found) == {"debug", "low", "again", "high"}
    debug = found["debug"]
    assert (debug["nodes_total"], debug["cores_total"], debug["gpus_total"]) == (4, 32, 8)
    assert (debug["default"], debug["up"], debug["cluster"]) == (True, True, "slurm")
    assert found["high"]["time_limit"] == 3600
    (cluster,) = service.client.status()["clusters"]
    assert cluster["answers"]


def test_that_all_have_ended_is_asked_before_its_time_where_their_records_say_so(
    slurm: Slurm, tmp_path: Path
) -> None:
    """A question each 48 s at most would find it after 48 s."""
    settings = SETTINGS.replace("poll_min = 0.2\npoll_max = 2\n", "poll_min = 48\npoll_max = 48\n")
    for service in serving(slurm, tmp_path, settings):
        one = submit(service, "true")
        assert ended(service, one, 40).state is JobState.COMPLETED


def test_a_dry_run_prints_what_a_slurm_would_take_that_no_settings_name(
    slurm: Slurm, tmp_path: Path
) -> None:
    wish = ["--on", "slurm", "-p", "debug", "-n", "4", "--mem", "2G", "--dry-run", "--", "./solve"]
    config = tmp_path / "config.toml"
    config.touch(mode=0o600)
    argv = [sys.executable, "-m", "solveyard.cli", "--store", str(tmp_path / "store"), "submit"]

    def shown() -> subprocess.CompletedProcess[str]:
        environment = {**slurm.environment, "SOLVEYARD_CONFIG": str(config)}
        return subprocess.run(
            [*argv, *wish], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    told = shown()
    assert told.returncode == 0, told.stderr
    assert "#SBATCH --mem=2048M\n#SBATCH --partition=debug\n" in told.stdout
    assert "sbatch --parsable" in told.stdout.splitlines()[-1]
    config.write_text("discover_clusters = false\n")
    assert "name no cluster 'slurm'" in shown().stderr


def test_the_command_cluster_shows_it(service: Service) -> None:
    one = submit(service, "true", batch={"native": ["--begin=now+1hour"]})
    waits_for(service, one, "BeginTime")
    until(lambda: bool(partitions(service)), "Slurm has told its partitions")
    shown = solveyard(service, "cluster")
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["slurm", "slurm", "answers", "1", "0", "1000"] in lines
    assert any(line[:3] == ["debug*", "slurm", "up"] for line in lines)
    ps = solveyard(service, "ps")
    assert "slurm to start it (BeginTime)" in ps.stdout
    refused = solveyard(service, "cluster", "lsf")
    assert refused.returncode == 2
    assert "there is no cluster 'lsf' (there is: slurm)" in refused.stderr
    service.client.cancel(one)
    ended(service, one)


def test_the_command_releases_all_that_slurm_holds_for_it(slurm: Slurm, service: Service) -> None:
    one = submit(service, "true", batch={"native": ["--begin=now+1hour"]})
    waits_for(service, one, "BeginTime")
    assert solveyard(service, "hold", str(one)).returncode == 0
    waits_for(service, one, "JobHeld")
    assert solveyard(service, "release", "all").stdout == f"{one}\n"
    waits_for(service, one, "BeginTime")
    service.client.cancel(one)
    ended(service, one)


def test_a_dry_run_prints_the_script_and_the_command_that_slurm_would_take(
    slurm: Slurm, service: Service
) -> None:
    wish = ["submit", "--on", "slurm", "-p", "debug", "-n", "4", "--mem", "2000M", "--dry-run"]
    shown = solveyard(service, *wish, "--", "echo", "a 'b'")
    assert shown.returncode == 0, shown.stderr
    *script, title, command = shown.stdout.splitlines()
    assert title == "# submitted by:"
    assert command.startswith("# env ")
    assert "sbatch --parsable" in command
    directives = [line for line in script if line.startswith("#SBATCH")]
    assert "#SBATCH --partition=debug" in directives
    assert "#SBATCH --ntasks=4" in directives
    assert "#SBATCH --mem=2000M" in directives
    taken = subprocess.run(
        ["sbatch", "--test-only"], input="\n".join(script), env=slurm.environment,
        text=True, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert "to start at" in taken.stderr


def test_a_dry_run_of_an_array_asks_slurm_for_what_its_submission_does(
    slurm: Slurm, service: Service
) -> None:
    wish = ["submit", "--on", "slurm", "--mem", "10M", "-t", "2m", "--array", "0-19"]
    shown = solveyard(service, *wish, "--dry-run", "--", "test", "{{index}}")
    assert shown.returncode == 0, shown.stderr
    assert "tasks: 20, submitted together, as this array" in shown.stderr
    script, *others = shown.stdout.split("# submitted by:\n")
    assert len(others) == 1
    assert "#SBATCH --array=0-19\n" in script
    taken = subprocess.run(
        ["sbatch", "--test-only"], input=script, env=slurm.environment,
        text=True, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert "to start at" in taken.stderr
    number = solveyard(service, *wish, "--", "test", "{{index}}").stdout.strip()
    assert service.client.wait([int(number)], 60)
    sent = service.store / "output" / "0" / f"{number}.tasks" / "0" / "0.1.sh"
    assert asked(script) == asked(sent.read_text())


def asked(script: str) -> list[str]:
    """Its directives without ids, and without how many tasks came together."""
    told = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    by_id = ("--array=", "--comment=", "--job-name=", "--output=", "--error=")
    return [line for line in told if not line.removeprefix("#SBATCH ").startswith(by_id)]


def test_a_cluster_that_the_settings_dont_name_is_refused_with_the_way_out(
    service: Service,
) -> None:
    wish = solveyard(service, "submit", "--on", "lsf", "--", "true")
    assert wish.returncode != 0
    assert "the settings name no cluster 'lsf' (there is: slurm;" in wish.stderr
    wish = solveyard(service, "submit", "-p", "debug", "--", "true")
    assert "`batch` (--queue) is for jobs on a cluster" in wish.stderr


def test_nothing_that_is_shown_waits_for_a_controller_that_hangs(
    slurm: Slurm, service: Service
) -> None:
    until(lambda: bool(partitions(service)), "Slurm has told its partitions")
    one = submit(service, "sleep 600")
    until(lambda: service.client.job(one).state is JobState.RUNNING, "it runs")
    slurm.send("slurmctld", signal.SIGSTOP)
    try:
        until(lambda: not service.client.cluster_status()[0].answers, "it is known to be away")
        assert len(partitions(service)) == 4
        (cluster,) = service.client.cluster_status()
        assert "timed out" in cluster.trouble.lower()
        assert "away since" in solveyard(service, "cluster").stdout
    finally:
        slurm.send("slurmctld", signal.SIGCONT)
    until(lambda: service.client.cluster_status()[0].answers, "it answers again")
    assert service.client.job(one).state is JobState.RUNNING
    service.client.cancel(one)
    assert ended(service, one).state is JobState.CANCELLED


@pytest.mark.parametrize("option", ["--comment", "--job-name"])
def test_a_line_end_in_anybodys_comment_or_name_takes_no_cluster_away(
    slurm: Slurm, service: Service, option: str
) -> None:
    typed = f"{option}=a\nb\x1fc"
    theirs = slurm.run("sbatch", "--parsable", "--hold", "--output=/dev/null", typed, "--wrap=true")
    one = submit(service, "true")
    assert ended(service, one).state is JobState.COMPLETED
    other = submit(service, "until [ -e go ]; do sleep 0.1; done")
    native_id = running(service, other).scheduler_job_id
    slurm.run("scontrol", "update", f"JobId={native_id}", "Comment=a\nb")
    (service.store / "jobs" / str(other) / "go").touch()
    assert ended(service, other).state is JobState.COMPLETED
    slurm.run("scancel", theirs)


def test_a_job_whose_comment_and_name_somebody_changed_is_followed_by_the_next_manager_too(
    slurm: Slurm, tmp_path: Path
) -> None:
    for service in serving(slurm, tmp_path, SETTINGS):
        _changed(slurm, service)


def _changed(slurm: Slurm, service: Service) -> None:
    one = submit(service, "until [ -e go ]; do sleep 0.1; done")
    native_id = running(service, one).scheduler_job_id or ""
    slurm.run("scontrol", "update", f"JobId={native_id}", "Comment=mine", "Name=mine")
    slurm.run("scontrol", "suspend", native_id)
    waits_for(service, one, "SUSPENDED")
    slurm.run("scontrol", "resume", native_id)
    until(lambda: not service.client.job(one).waiting, "it goes on")
    service.kill()
    slurm.run("scontrol", "suspend", native_id)
    service.start()
    waits_for(service, one, "SUSPENDED")
    slurm.run("scontrol", "resume", native_id)
    (service.store / "jobs" / str(one) / "go").touch()
    record = ended(service, one)
    assert (record.state, len(record.attempts)) == (JobState.COMPLETED, 1)
