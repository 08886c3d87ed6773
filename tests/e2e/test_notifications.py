"""Receivers are told how jobs end, by a real manager, and nothing waits for them."""

import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from e2e import asking
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob, InvalidRequest
from solveyard.model.jobs import JobSpec


class Heard(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Hook:
    """A little web server; answers what `answers` says next, None: never, then 204."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[int | None] = []
        self.over = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.answers.pop(0) if hook.answers else 204
                headers = {name.lower(): text for name, text in self.headers.items()}
                hook.heard.append(Heard(self.path, headers, body))
                if status is None:
                    hook.over.wait()
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Not on the tests' output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    one = Hook()
    yield one
    one.close()


@pytest.fixture
def started(service: Any, tmp_path: Path) -> Callable[..., Any]:
    """Starts a manager with these settings."""

    def start(text: str, **environment: str) -> Any:
        settings = tmp_path / "config.toml"
        settings.write_text(text)
        return service(environment={"SOLVEYARD_CONFIG": str(settings), **environment}).start()

    return start


def spec(*argv: str, **more: Any) -> JobSpec:
    options = msgspec.Raw(msgspec.json.encode({"argv": argv}))
    return JobSpec(solver="command", options=options, **more)


def states(yard: Any) -> list[str]:
    return [one.state for one in yard.client.notices("chat")]


def test_a_receiver_that_fails_twice_and_hangs_once_is_told_in_the_end(started, hook, until):
    hook.answers = [500, 307, None]
    yard = started(f'public_url = "https://host/sub"\n[notify.chat]\nwebhook = "{hook.url}"\n')
    job = yard.client.submit(spec("false", name="a", notify=("chat",)))
    until(lambda: "delivered" in states(yard), "the fourth try is taken")
    assert [one.path for one in hook.heard] == ["/hook"] * 4
    assert len({one.body for one in hook.heard}) == 1
    told = hook.heard[-1].told
    assert told["id"] == hook.heard[0].headers["idempotency-key"]
    assert told["event"]["type"] == "job.ended"
    assert told["url"] == f"https://host/sub/#/jobs/{job.number}"
    assert told["job"] == json.loads(msgspec.json.encode(yard.client.job("a")))
    assert (told["job"]["state"], told["job"]["reason"]) == ("failed", "exit_code")
    (notice,) = yard.client.notices("chat")
    assert (notice.tries, notice.why, notice.next_at) == (4, "", None)


def test_a_receiver_that_hangs_delays_no_job_and_no_other_receiver(started, hook, until):
    hook.answers = [None] * 8
    other = Hook()
    try:
        yard = started(
            f'[notify.dead]\nwebhook = "{hook.url}"\n[notify.alive]\nwebhook = "{other.url}"\n'
        )
        many = [spec("true", notify=("dead", "alive")) for _ in range(8)]
        jobs = yard.client.submit_many(many)
        assert yard.client.wait([job.number for job in jobs], 60)
        until(lambda: yard.client.notifications()[0].delivered == 8, "the other hears of all")
        assert len(other.heard) == 8
        alive, dead = yard.client.notifications()
        assert (alive.pending, alive.last_error, dead.pending) == (0, "", 8)
        assert dead.delivered == 0
    finally:
        other.close()


def test_what_was_not_delivered_when_the_manager_was_killed_is_delivered_by_the_next(
    started, hook, until
):
    hook.answers = [500] * 4
    yard = started(f'[notify.chat]\nwebhook = "{hook.url}"\n')
    yard.client.submit(spec("true", name="a", notify=("chat",)))
    until(lambda: bool(hook.heard), "it was tried")
    yard.kill()
    yard.start()
    until(lambda: states(yard) == ["delivered"], "it is taken")
    assert len({one.told["id"] for one in hook.heard}) == 1


def test_an_end_that_came_while_the_manager_was_dead_is_told(started, hook, until, tmp_path):
    yard = started(f'[notify.chat]\nwebhook = "{hook.url}"\n')
    go = tmp_path / "go"
    wait = f"touch {tmp_path}/began; until test -e {go}; do sleep 0.05; done"
    yard.client.submit(spec("sh", "-c", wait, name="a", notify=("chat",)))
    until((tmp_path / "began").exists, "it runs")
    yard.kill()
    go.touch()
    yard.start()
    until(lambda: states(yard) == ["delivered"], "it is taken")
    assert [one.told["job"]["id"] for one in hook.heard] == ["a"]


def test_an_array_of_fifty_is_told_once(started, hook, until):
    yard = started(f'[notify.chat]\nwebhook = "{hook.url}"\n')
    seventh = 'test "$SOLVEYARD_TASK" != 7'
    sweep = spec("sh", "-c", seventh, name="sweep", array=ArraySpec(stop=50), notify=("chat",))
    yard.client.submit(sweep)
    assert yard.client.wait(["sweep"], 120)
    until(lambda: states(yard) == ["delivered"], "it is taken")
    (heard,) = hook.heard
    assert heard.told["job"]["state"] == "failed"
    counted = heard.told["job"]["tasks"]
    assert (counted["total"], counted["completed"], counted["failed"]) == (50, 49, 1)


def test_only_what_was_chosen_is_told_and_a_retrys_end_again(started, hook, until):
    yard = started(f'[notify.chat]\nwebhook = "{hook.url}"\non = ["failed"]\n')
    for one in (spec("true", notify=("chat",)), spec("false")):
        yard.client.submit(one)
    yard.client.submit(spec("false", name="told", notify=("chat",)))
    assert yard.client.wait([1, 2, 3], 60)
    yard.client.retry("told")
    until(lambda: states(yard) == ["delivered"] * 2, "both ends are taken")
    assert [one.told["job"]["id"] for one in hook.heard] == ["told", "told"]
    assert len({one.told["id"] for one in hook.heard}) == 2


def test_a_signature_proves_the_body_and_a_secret_in_the_address_is_told_nowhere(
    started, hook, until
):
    secret = "planted-5d1c77"
    yard = started(
        f'[secrets]\nKEY = {{ env = "HOOK_KEY" }}\n'
        f'[notify.signed]\nwebhook = "{hook.url}"\nsecret = "KEY"\nsecret_as = "signature"\n'
        f'[notify.placed]\nwebhook = "{hook.url}/{{secret}}"\nsecret = "KEY"\n'
        f'[notify.key]\nwebhook = "{hook.url}"\nsecret = "KEY"\nsecret_as = "X-Api-Key"\n'
        f'format = "slack"\n'
        f'[notify.gone]\nwebhook = "http://127.0.0.1:1/{{secret}}"\nsecret = "KEY"\n',
        HOOK_KEY=secret,
    )
    assert [yard.client.test_notification(name) for name in ("signed", "placed", "key")] == [""] * 3
    signed, placed, key = hook.heard
    assert key.headers["x-api-key"] == secret
    assert key.told == {"text": "solveyard reaches key: this is a test"}
    code = hmac.new(secret.encode(), signed.body, hashlib.sha256).hexdigest()
    assert signed.headers["x-solveyard-signature"] == f"sha256={code}"
    assert placed.path == f"/hook/{secret}"
    assert "authorization" not in placed.headers | signed.headers
    why = yard.client.test_notification("gone")
    assert why
    assert secret not in why


def test_why_a_receiver_took_nothing_is_told_to_the_owner_alone(started, until):
    script = "echo it said planted-1; exit 1"
    yard = started(f"[notify.chat]\ncommand = {json.dumps(['sh', '-c', script])}\n")
    yard.client.submit(spec("true", notify=("chat",)))
    until(lambda: "planted-1" in yard.client.notifications()[0].last_error, "it was tried")
    assert "planted-1" in yard.client.notices("chat")[0].why
    guest = asking.bearer(asking.shell(yard, "token", "create", "guest").stdout.strip())
    for path, key in (("/notifications", "last_error"), ("/notifications/chat", "why")):
        answer = asking.ask(yard.told["url"], "GET", path, headers=guest)
        [one] = answer.json
        assert one[key] == "it was not taken (why is told to this manager's owner)"
        assert b"planted-1" not in answer.body


def test_a_command_gets_the_notice_and_one_that_hangs_is_ended_with_its_children(
    started, until, alive, tmp_path
):
    good = (
        f"cd {tmp_path}; "
        + 'cat > got; printf %s "$SOLVEYARD_NAME $SOLVEYARD_STATE" > said; mv said "$1"'
    )
    hang = f"sleep 600 & echo $! > {tmp_path}/child; echo here it hangs; wait"
    yard = started(
        f"[notify.good]\ncommand = {json.dumps(['sh', '-c', good, 'x', 'out'])}\n"
        f"[notify.hung]\ncommand = {json.dumps(['sh', '-c', hang])}\n"
    )
    yard.client.submit(spec("true", name="a b", notify=("good", "hung")))
    until((tmp_path / "out").exists, "the command ran")
    assert (tmp_path / "out").read_text() == "a b completed"
    assert json.loads((tmp_path / "got").read_text())["job"]["id"] == "a b"
    noted = tmp_path / "child"
    until(lambda: noted.exists() and noted.read_text().endswith("\n"), "the other one, too")
    child = int(noted.read_text())
    until(lambda: "hangs" in str(yard.client.notices("hung")), "it is ended")
    (notice,) = yard.client.notices("hung")
    assert notice.why == "ended after 30 s: here it hangs"
    until(lambda: not alive(child), "its child is ended, too")


def test_a_command_may_ask_the_manager_about_the_job(started, until, tmp_path):
    ask = (
        f'cd {tmp_path}; {sys.executable} -m solveyard.cli show --json "#$SOLVEYARD_JOB" >said 2>&1'
    )
    yard = started(
        'public_url = "https://host/solveyard"\n'
        f"[notify.chat]\ncommand = {json.dumps(['sh', '-c', ask])}\n"
    )
    yard.client.submit(spec("true", name="a", notify=("chat",)))
    until(lambda: states(yard) == ["delivered"], "the command succeeded")
    assert json.loads((tmp_path / "said").read_text())["id"] == "a"


def test_the_shell_lists_receivers_and_tests_one(started, hook):
    yard = started(f'[notify.chat]\nwebhook = "{hook.url}"\n')
    hook.answers = [204, 500]

    def shell(*words: str) -> Any:
        command = [sys.executable, "-m", "solveyard.cli", "--store", str(yard.store)]
        answer = subprocess.run(
            [*command, "notify", *words, "--json"], capture_output=True, text=True, timeout=60
        )
        return answer.returncode, json.loads(answer.stdout)

    status, (chat,) = shell("list")
    assert (status, chat["name"], chat["way"], chat["pending"]) == (0, "chat", "webhook", 0)
    assert shell("test", "chat") == (0, {"success": True, "message": "chat took it"})
    assert shell("test", "chat") == (1, {"success": False, "message": "it answered 500"})
    assert shell("show", "chat") == (0, [])
    assert [one.told["event"]["type"] for one in hook.heard] == ["test", "test"]


def test_a_receiver_that_nobody_set_is_refused_with_the_nearest(started, hook):
    yard = started(f'[notify.chat]\nwebhook = "{hook.url}"\n')
    with pytest.raises(InvalidJob, match=r"'chta'.*did you mean 'chat'"):
        yard.client.submit(spec("true", notify=("chta",)))
    for ask in (yard.client.notices, yard.client.test_notification):
        with pytest.raises(InvalidRequest, match=r"no receiver 'chta'.*there is: chat"):
            ask("chta")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('webhook = "ftp://x"', "https://host/path"),
        ('webhook = "https://a..b/x"', "https://host/path"),
        ('on = ["faild"]\nwebhook = "http://x"', "did you mean 'failed'"),
        ('webhook = "http://x"\ncommand = ["x"]', "either `webhook` or `command`"),
        ('webhook = "http://x"\nsecret = "NONE"', "names no 'NONE'"),
    ],
)
def test_a_receiver_that_is_set_wrongly_is_told_with_its_line(tmp_path, table, told):
    settings = tmp_path / "config.toml"
    settings.write_text(f"[notify.chat]\n{table}\n")
    answer = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "config", "check", str(settings)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert answer.returncode == 7
    assert told in answer.stderr
    assert "config.toml:" in answer.stderr


def test_a_projects_file_cant_set_a_receiver(tmp_path):
    (tmp_path / "solveyard.toml").write_text('[notify.chat]\ncommand = ["x"]\n')
    answer = subprocess.run(
        [sys.executable, "-m", "solveyard.cli", "config", "check"],
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 7
    assert "`notify.chat` can't be set by a project's file" in answer.stderr
