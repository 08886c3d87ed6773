"""A secret that a job and a caller use is found nowhere that anybody looks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

SECRET = "planted-7f3a9c51e0"
PUBLIC = "control-2b8d64f9aa"  #: what is no secret, and must be found by the same search


def ask(url: str, token: str, body: Any = None) -> bytes:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(url, content, headers), timeout=60) as answer:
        return answer.read() + str(answer.headers).encode()


def command_lines() -> bytes:
    """What `ps` sees of everybody."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                lines.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
    return b"\n".join(lines)


def kept(store: Path) -> bytes:
    """Every file of the store: database and its log, ledgers, output, `manager.json`, tokens."""
    return b"\n".join(path.read_bytes() for path in store.rglob("*") if path.is_file())


def shell(yard: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, env=yard.environment)


@pytest.fixture
def licence(tmp_path: Path) -> Path:
    path = tmp_path / "licence"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def yard(service: Any, tmp_path: Path, licence: Path) -> Any:
    settings = tmp_path / "config.toml"
    settings.write_text(
        f'allow = ["command"]\n[secrets]\nFILED = {{ file = "{licence}" }}\n'
        'SET = { env = "WHERE_IT_IS" }\n'
    )
    environment = {"SOLVEYARD_CONFIG": str(settings), "WHERE_IT_IS": SECRET}
    return service(environment=environment).start()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_secret_is_in_no_file_event_answer_log_or_command_line(yard, tmp_path, until):
    token = shell(yard, "token", "create", "ci").stdout.strip()
    url = yard.told["url"]
    program = (
        f'test "$FILED" = "$(cat {tmp_path}/licence)" && test "$SET" = "$FILED"'
        ' && test -z "$WHERE_IT_IS" && touch used && until test -e go; do sleep 0.05; done'
    )
    options = {
        "argv": ["sh", "-c", program, PUBLIC],
        "secret_env": {"FILED": "FILED", "SET": "SET"},
        "files": {"in": PUBLIC},
    }
    answers = [ask(f"{url}/jobs", token, {"solver": "command", "options": options, "name": "a"})]
    folder = yard.store / "jobs" / "1"
    until((folder / "used").exists, "the job has its secrets")
    lines = command_lines()
    targets = ["jobs", "jobs/a", "jobs/a/logs", "events?after=0", "system/status", "queue"]
    answers += [ask(f"{url}/{target}", token) for target in targets]
    (folder / "go").touch()
    answers += [ask(f"{url}/jobs/a/wait?timeout=60", token)]
    assert yard.client.job("a").state == "completed"
    answers += [ask(f"{url}/{target}", token) for target in (*targets, "metrics", "openapi.json")]
    answers += [
        shell(yard, *words).stdout.encode() for words in (["show", "a"], ["config", "show"])
    ]
    log = (yard.store.parent / "serve.log").read_bytes()
    looked_at = [kept(yard.store), lines, *answers, log]
    yard.stop()
    looked_at.append(kept(yard.store))
    for place in looked_at:
        assert SECRET.encode() not in place
        assert token.encode() not in place
    assert PUBLIC.encode() in looked_at[0]
    assert PUBLIC.encode() in lines
    assert PUBLIC.encode() in b"".join(answers)
    assert b"secret_env" in b"".join(answers)


def test_a_secret_that_others_may_read_is_no_jobs(yard, licence):
    licence.chmod(0o644)
    options = json.dumps({"argv": ["true"], "secret_env": {"X": "FILED"}})
    told = shell(yard, "submit", "--solver", "command", "--options", options)
    assert told.returncode == 2
    assert f"chmod 600 {licence}" in told.stderr
    assert SECRET not in told.stderr
    told = shell(yard, "config", "check")
    assert told.returncode == 7
    assert f"chmod 600 {licence}" in told.stderr


def test_a_secret_that_nobody_named_is_refused_with_those_there_are(yard):
    options = json.dumps({"argv": ["true"], "secret_env": {"X": "FILE"}})
    told = shell(yard, "submit", "--solver", "command", "--options", options)
    assert told.returncode == 2
    assert "'FILE'" in told.stderr
    assert "FILED, SET" in told.stderr


def test_a_secret_gone_after_the_submission_fails_the_job_and_says_so(yard, licence):
    options = json.dumps({"argv": ["true"], "secret_env": {"X": "FILED"}})
    submitted = ["submit", "--solver", "command", "--options", options, "--name", "late", "--hold"]
    assert shell(yard, *submitted).returncode == 0
    licence.unlink()
    shell(yard, "release", "late")
    assert shell(yard, "wait", "late").returncode == 1
    assert f"cannot read the secret in {licence}" in shell(yard, "show", "late").stdout
