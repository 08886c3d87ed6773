"""Settings reach the manager, whoever starts it, and mistakes are told by whoever asked."""

import json
import subprocess
import sys

import msgspec
import pytest

from solveyard import Yard
from solveyard.model.errors import InvalidRequest
from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Resources


@pytest.fixture
def shell(service, tmp_path):
    """Run a command line on a store of its own, with a user's file of settings."""
    yard = service(environment={"SOLVEYARD_CONFIG": str(tmp_path / "config.toml")})
    (tmp_path / "config.toml").write_text("port = 0\n")

    def run(*words, **environment):
        return subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), *words],
            capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env=yard.environment | environment,
        )  # fmt: skip

    return run


def test_the_effective_settings_are_shown_with_their_origin(shell, tmp_path):
    (tmp_path / "site.toml").write_text('locked = ["on_stop"]\n')
    (tmp_path / "solveyard.toml").write_text("[limits]\nmax_concurrent = 3\n")
    told = shell(
        "config", "show", "--origin", SOLVEYARD_CORES="2",
        SOLVEYARD_SITE_CONFIG=str(tmp_path / "site.toml"),
    )  # fmt: skip
    lines = {line.split(" = ")[0]: line for line in told.stdout.splitlines()}
    assert lines["port"].endswith(f"# {tmp_path}/config.toml:1")
    assert lines["cores"].endswith("# SOLVEYARD_CORES")
    assert lines["limits.max_concurrent"].endswith(f"# {tmp_path}/solveyard.toml:2")
    assert lines["on_stop"].endswith(f"# default, locked by {tmp_path}/site.toml:1")
    shown = {one["key"]: one for one in json.loads(shell("config", "show", "--json").stdout)}
    assert shown["limits.max_concurrent"]["value"] == 3


def test_a_manager_in_the_background_has_the_settings_of_where_it_was_asked_for(shell, tmp_path):
    (tmp_path / "solveyard.toml").write_text('on_stop = "drain"\nlimits.max_concurrent = 3\n')
    assert shell("submit", "--hold", "--", "true").returncode == 0
    with Yard(tmp_path / "store") as yard:
        status = yard.status()
    assert (status["on_stop"], status["limits"]["max_concurrent"]) == ("drain", 3)


def test_a_manager_that_cannot_start_for_its_settings_is_status_7(shell, tmp_path):
    (tmp_path / "config.toml").write_text("prot = 0\n")
    for words in (["submit", "--", "true"], ["serve"], ["config", "show"], ["config", "check"]):
        told = shell(*words)
        assert (told.returncode, told.stdout) == (7, "")
        assert told.stderr == (
            f"error: {tmp_path}/config.toml:1: there is no setting `prot` (did you mean 'port'?)\n"
        )


def test_serve_takes_from_the_settings_what_its_options_do_not_say(service, tmp_path):
    settings = tmp_path / "config.toml"
    settings.write_text('cores = 1\non_stop = "drain"\n[limits]\nmax_concurrent = 2\n')
    yard = service("--max-concurrent", "4", environment={"SOLVEYARD_CONFIG": str(settings)}).start()
    status = yard.client.status()
    assert status["on_stop"] == "drain"
    assert status["limits"]["max_concurrent"] == 4
    assert [machine["cores"] for machine in status["machines"].values()] == [1]


def test_a_solver_that_is_not_there_is_told_with_the_line_that_admits_it(shell, tmp_path):
    (tmp_path / "config.toml").write_text('allow = ["comand"]\n')
    told = shell("serve")
    assert told.returncode == 7
    assert f"{tmp_path}/config.toml:1: `allow`: there is no solver 'comand'" in told.stderr


def test_a_yard_has_the_settings_for_what_it_was_not_given(service, tmp_path, monkeypatch):
    store = service().store
    (tmp_path / "config.toml").write_text("cores = 1\nlimits.max_concurrent = 1\n")
    monkeypatch.setenv("SOLVEYARD_CONFIG", str(tmp_path / "config.toml"))
    with Yard(store) as yard:
        status = yard.status()
    assert status["limits"]["max_concurrent"] == 1


def test_a_job_gets_what_the_settings_say_there_is_and_no_more(service, tmp_path):
    settings = tmp_path / "config.toml"
    settings.write_text(
        'cores = 1\n[resources]\ngpus = 2\ndisk = "1G"\nlicences = { em = 1 }\n'
        "counts = { bench = 1 }\n"
    )
    yard = service(environment={"SOLVEYARD_CONFIG": str(settings)}).start()
    look = (
        "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['SOLVEYARD_CORE_IDS'],"
        " *sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else [])"
    )
    options = msgspec.Raw(msgspec.json.encode({"argv": [sys.executable, "-c", look]}))
    need = Resources(gpus=2, disk=1000, licences={"em": 1}, counts={"bench": 1})
    spec = JobSpec(solver="command", options=options, resources=need, pin=sys.platform == "linux")
    job = yard.client.submit(spec)
    assert yard.client.wait([job.number])
    assert yard.client.job(job.number).state == "completed"
    gpus, core, *processors = yard.client.log(job.number).content.decode().split()
    assert gpus == "0,1"
    assert processors == [core] * spec.pin
    for more, words in (
        ({"gpus": 3}, "3 GPUs"),
        ({"disk": 1025}, "at most 1024 MiB of disk"),
        ({"licences": {"em": 2}}, "there are 1"),
        ({"counts": {"bench": 2}}, "there are 1"),
        ({"counts": {"other": 1}}, "there are 0"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            yard.client.submit(
                JobSpec(solver="command", options=options, resources=Resources(**more))
            )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gpus = -1", "greater than or equal to 0"),
        ('memory = "lots"', "expected a size"),
        ('licences = { em = "two" }', "expected a whole number"),
        ('licences = { "e.m" = 1 }', "expected a name"),
        ("licence = { em = 1 }", "did you mean"),
    ],
)
def test_a_mistake_in_the_resources_is_told_with_its_line(shell, tmp_path, line, words):
    (tmp_path / "config.toml").write_text(f"[resources]\n{line}\n")
    told = shell("config", "check")
    assert told.returncode == 7
    assert f"{tmp_path}/config.toml:2" in told.stderr
    assert words in told.stderr


def test_more_cores_than_a_machine_can_have_are_refused_wherever_they_are_said(shell, tmp_path):
    for told in (
        shell("serve", "--port", "0", "--cores", "100000000"),
        shell("serve", "--port", "0", SOLVEYARD_CORES="100000000"),
    ):
        assert told.returncode in {2, 7}
        assert "`cores`: expected less than or equal to 100000" in told.stderr
    with pytest.raises(InvalidRequest, match="100000"):
        Yard(tmp_path / "other", cores=100_000_000)


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        (['allow = ["comand"]'], "allow", "there is no solver 'comand'"),
        (["[clusters.a]", 'dialect = "slurmm"'], "clusters.a", "there is no dialect 'slurmm'"),
        (["[clusters.here]", 'dialect = "slurm"'], "clusters.here", "'here' is this machine"),
        (["[retention]", 'max_size = "1G"'], "retention.max_size", "it takes `files = true`"),
        (['tls_certificate = "/none"'], "tls_certificate", "expected `tls_key` beside it"),
        (['tls_certificate = "/none"', 'tls_key = "/no"'], "tls_certificate", "cannot read /none"),
        (['public_url = "foo"'], "public_url", "'foo' is no public URL"),
        (['ansysedt = ["/none"]'], "ansysedt", "there is no program '/none'"),
        (['host = "192.0.2.1"'], "host", "cannot listen on 192.0.2.1"),
        (['host = "a..b"'], "host", "cannot listen on a..b: no machine can have that name"),
    ],
)
def test_what_no_manager_starts_with_is_told_by_the_check_with_its_line(
    shell, tmp_path, lines, key, words
):
    (tmp_path / "config.toml").write_text("\n".join(lines))
    line = 2 if key.startswith("retention") else 1
    for command in (["config", "check"], ["serve"]):
        told = shell(*command)
        assert told.returncode == 7, told.stderr
        assert told.stderr.startswith(f"error: {tmp_path}/config.toml:{line}: `{key}`: {words}")
    assert not (tmp_path / "store").exists()


def test_an_option_that_no_manager_starts_with_is_named_and_no_token_is_made(shell, tmp_path):
    told = shell("serve", "--host", "192.0.2.1")
    assert told.returncode == 2
    assert told.stderr.startswith("error: --host: `host`: cannot listen on 192.0.2.1")
    assert "token" not in told.stderr
    assert not (tmp_path / "store").exists()
