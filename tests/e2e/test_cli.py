"""The command line as people use it: processes, a real manager, real jobs."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PATIENCE = 120.0  #: s that any one command may take


class Told(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Somebody at a shell, in a folder, with a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.environment = {**os.environ, "SOLVEYARD_HOME": str(self.store)}

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "solveyard.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def __call__(self, *arguments: str, text: str = "") -> Told:
        process = self.start(*arguments, stdin=subprocess.PIPE)
        out, err = process.communicate(text.encode(), timeout=PATIENCE)
        return Told(process.returncode, out.decode(), err.decode())

    def pids(self) -> list[int]:
        """The processes of the manager that runs, its agent's among them."""
        told = json.loads((self.store / "manager.json").read_text())
        return [told["pid"], told["agent_pid"], *told["spawner_pids"]]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    one = Shell(tmp_path)
    yield one
    one("stop", "--now")


def gone(pid: int) -> bool:
    """Has the process ended? A zombie has."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] in {"Z", "X"}


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_after_last_needs_a_job_that_was_submitted(shell: Shell) -> None:
    told = shell("submit", "--after", "last", "--", "true")
    assert told.status == 2
    assert "you have submitted no job yet" in told.err


def test_a_first_job_from_submission_to_result(shell: Shell) -> None:
    assert shell("ps", "--all", "--json") == Told(0, "[]\n", "")
    script = "echo out; echo err >&2; echo $A > r.txt"
    options = ("--name", "first", "--output", "r.txt", "--env", "A=b=c")
    told = shell("submit", *options, "--", "sh", "-c", script)
    assert (told.status, told.out) == (0, "first\n")
    assert "started a manager" in told.err
    assert "stop" in told.err
    assert shell("wait", "first", "--timeout", "60") == Told(0, "", "")
    assert shell("logs", "first").out == "out\n"
    assert shell("logs", "last", "--err").out == "err\n"
    assert shell("files", "1", "r.txt").out == "b=c\n"
    record = shell("show", "1", "--json").json
    assert (record["state"], record["reason"], record["exit_code"]) == ("completed", "success", 0)
    assert record["directory"] == str(shell.folder)
    [attempt] = record["attempts"]
    assert attempt["reason"] == "success"
    pids = shell.pids()
    assert shell("doctor").status == 0
    told = shell("stop")
    assert (told.status, told.out) == (0, "stopped; no job ran\n")
    until(lambda: all(gone(pid) for pid in pids))
    assert not (shell.store / "manager.json").exists()
    assert shell("stop").status == 3
    told = shell("ps", "--all", "--json")
    assert [job["id"] for job in told.json] == ["first"]
    assert "as last recorded" in told.err
    assert shell("logs", "first").out == "out\n"
    assert "r.txt" in shell("files", "first").out


def test_what_a_run_job_says_and_how_it_ends_is_seen(shell: Shell) -> None:
    told = shell("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (told.status, told.out) == (1, "out\n")
    assert "err\n" in told.err
    assert "exit code 7" in told.err
    assert shell("run", "true").status == 0
    assert shell("run", "no-such-program").status == 1
    assert shell("wait", "all").status == 1


def test_a_file_of_jobs_is_submitted_from_standard_input(shell: Shell) -> None:
    line = '{"solver":"command","options":{"argv":["sh","-c","echo %d"]},"name":"j%d"}\n'
    text = "# three\n\n" + "".join(line % (number, number) for number in range(3))
    bad = shell("submit", "--from", "-", text=text + '{"solver":"command","options":{}}\n')
    assert bad.status == 2
    assert bad.err.splitlines()[-1].startswith("error: line 6 of standard input: ")
    assert shell("ps", "--all", "--json").json == []
    told = shell("submit", "--from", "-", "--wait", text=text)
    assert (told.status, told.out) == (0, "j0\nj1\nj2\n")
    assert [shell("logs", f"j{number}").out for number in range(3)] == ["0\n", "1\n", "2\n"]


def test_jobs_wait_their_turn_and_are_held_released_cancelled_and_retried(shell: Shell) -> None:
    held = shell("submit", "--hold", "--json", "--", "sleep", "600").json
    assert held["state"] == "held"
    assert "held" in shell("show", "1").out
    assert shell("release", "1").out == "1\n"
    assert shell("wait", "1", "--timeout", "0.1").status == 5
    assert shell("release", "1").status == 4
    assert shell("rm", "1").status == 4
    assert shell("cancel", "all").out == "1\n"
    assert shell("wait", "1", "--timeout", "60").status == 1
    assert shell("show", "1", "--json").json["reason"] == "cancelled"
    assert shell("retry", "1").status == 0
    assert shell("priority", "1", "-7").status == 0
    assert shell("cancel", "1", "--grace", "0").status == 0
    assert shell("wait", "1", "--timeout", "60").status == 1
    assert shell("show", "1", "--json").json["priority"] == -7
    assert shell("rm", "1", "--files").out == "1\n"
    assert shell("ps", "--all", "--json").json == []


def test_a_run_job_is_shown_try_after_try(shell: Shell) -> None:
    script = 'echo try $SOLVEYARD_TRY; echo oops >&2; [ "$SOLVEYARD_TRY" = 2 ]'
    told = shell("run", "--retry", "2", "--retry-delay", "0.5", "--", "sh", "-c", script)
    assert (told.status, told.out) == (0, "try 1\ntry 2\n")
    assert told.err.count("oops\n") == 2


def test_a_log_is_followed_from_try_to_try_until_the_job_has_ended(shell: Shell) -> None:
    seen = "until [ -e seen ]; do sleep 0.02; done"
    script = f'echo try $SOLVEYARD_TRY; {seen}; [ "$SOLVEYARD_TRY" = 3 ]'
    shell("submit", "--retry", "3", "--retry-delay", "0.5", "--", "sh", "-c", script)
    with shell.start("logs", "-f", "last") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"try 1\n"
        (shell.folder / "seen").touch()
        assert following.communicate(timeout=PATIENCE)[0] == b"try 2\ntry 3\n"
    assert shell("logs", "last").out == "try 3\n"


def test_a_job_submitted_anew_is_shown_without_what_it_said_before(shell: Shell) -> None:
    assert shell("run", "--name", "again", "--", "echo", "first").out == "first\n"
    shell("submit", "--name", "busy", "--", "sh", "-c", "until [ -e go ]; do sleep 0.02; done")
    wait = ["--after", "busy", "--name", "again"]
    with shell.start("run", *wait, "--", "echo", "second") as watching:
        until(lambda: shell("show", "again", "--json").json["state"] == "queued")
        (shell.folder / "go").touch()
        assert watching.communicate(timeout=PATIENCE)[0] == b"second\n"


def test_who_asks_for_an_arrays_output_is_told_of_a_task_that_failed(shell: Shell) -> None:
    script = '[ "$0" = 3 ] || { echo no >&2; exit 1; }'
    shell("submit", "--name", "sweep", "--array", "3-5", "--", "sh", "-c", script, "{{index}}")
    shell("wait", "sweep")
    for _ in range(2):
        told = shell("logs", "-f", "sweep")
        assert (told.status, told.out) == (2, "")
        assert told.err.endswith("sweep is an array: name one of its tasks, e.g. sweep[4]\n")
        assert "logs --err 1[4]   " in shell("show", "sweep").out
        assert shell("logs", "--err", "1[4]").out == "no\n"
        shell("stop")  # and the same without a manager


def test_a_stop_leaves_running_jobs_and_the_next_manager_finds_them(shell: Shell) -> None:
    (shell.folder / "go").unlink(missing_ok=True)
    script = "until test -e go; do sleep 0.05; done; echo done"
    shell("submit", "--", "sh", "-c", script)
    until(lambda: shell("show", "1", "--json").json["state"] == "running")
    told = shell("stop")
    assert (told.status, told.out.split(":")[0]) == (0, "stopped; one job ran")
    assert shell("show", "1", "--json").json["state"] == "running"
    (shell.folder / "go").touch()
    serving = shell.start("serve")
    assert serving.stdout is not None
    assert b"listens on http://127.0.0.1:" in serving.stdout.readline()
    assert shell("wait", "1", "--timeout", "60").status == 0
    assert shell("logs", "1").out == "done\n"
    second = shell("serve")
    assert second.status == 4
    assert f"process {serving.pid} " in second.err
    assert "http://127.0.0.1:" in second.err
    serving.send_signal(signal.SIGTERM)
    assert serving.communicate(timeout=PATIENCE) == (b"", b"")
    assert serving.returncode == 0


def test_a_drain_ends_what_runs(shell: Shell) -> None:
    shell("submit", "--", "sleep", "600")
    until(lambda: shell("show", "1", "--json").json["state"] == "running")
    told = shell("stop", "--drain", "--json")
    assert (told.status, told.json) == (0, {"success": True, "how": "drain", "running": 1})
    assert shell("show", "1", "--json").json["reason"] == "shutdown"


def test_ctrl_c_stops_watching_and_the_job_goes_on(shell: Shell) -> None:
    shell("submit", "true")  # so that a manager runs
    watching = shell.start("run", "--", "sh", "-c", "echo begun; exec sleep 600")
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"begun\n"
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 130
    assert b"goes on" in err
    assert shell("show", "last", "--json").json["state"] == "running"


def test_ctrl_c_while_it_is_waited_for_leaves_the_job_and_its_id(shell: Shell) -> None:
    waiting = shell.start("submit", "--wait", "--name", "long", "--", "sleep", "600")
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"long\n"
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 130
    assert b"job 1 goes on" in err
    assert not shell("show", "long", "--json").json["ended_at"]


def test_the_demo_brings_curves_and_leaves_no_process(shell: Shell) -> None:
    for _ in range(2):  # old results are no hindrance
        told = shell("demo", "--json")
        assert told.status == 0, told.err
        assert "manager   http://127.0.0.1:" in told.err.splitlines()[0]
        results = told.json["results"]
        assert [round(one["length"], 2) for one in results] == [n / 100 for n in range(40, 61, 2)]
        found = [one["resonance"] for one in results]
        assert found == sorted(found, reverse=True)
        assert all(Path(one["touchstone"]).stat().st_size > 1000 for one in results)
        assert not (shell.folder / "demo-results" / "store" / "manager.json").exists()


def test_a_job_has_what_its_options_ask_for_and_what_no_machine_has_is_refused(
    shell: Shell,
) -> None:
    ask = 'echo "$SOLVEYARD_CORE_IDS"; taskset -cp $$ | sed "s/.*: //"'
    told = shell("run", "--pin", "--memory", "1M", "--disk", "1M", "--", "bash", "-c", ask)
    assert told.status == 0, told.err
    given, runs_on = told.out.split()
    assert given == runs_on
    for needs in (["--gpus", "99"], ["--nodes", "99"], ["--disk", "9999999G"]):
        refused = shell("submit", *needs, "--", "true")
        assert (refused.status, "could never run" in refused.err) == (2, True), refused


def test_a_folder_that_is_not_there_is_told_of_as_a_job_is_submitted(shell: Shell) -> None:
    told = shell("submit", "--wait", "--directory", "gone", "--", "true")
    assert told.status == 1
    assert f"note: there is no folder {shell.folder}/gone; what runs there" in told.err


def test_a_folder_that_can_not_be_looked_at_is_the_jobs_failure(shell: Shell) -> None:
    told = shell("submit", "--directory", "x" * 300, "--", "true")
    assert (told.status, told.out.startswith("1")) == (0, True), told


def test_a_file_whose_name_is_not_utf_8_is_listed_and_printed(shell: Shell) -> None:
    script = "printf x > \"$(printf 'a\\377')\"; mkdir d; printf y > \"$(printf 'd/\\377b')\""
    (shell.folder / "w").mkdir()
    told = shell("submit", "--wait", "--directory", "w", "--", "sh", "-c", script)
    assert told.status == 0
    assert "there is no folder" not in told.err
    for _ in ("from the manager", "from the store's files"):
        listed = shell("files", "last", "--json").json
        assert [one["path"] for one in listed] == ["a%FF", "d/%FFb"]
        assert shell("files", "last", "a%FF").out == "x"
        assert shell("files", "last", "d/%FFb").out == "y"
        assert shell("stop").status in {0, 3}


def test_an_argument_that_is_not_utf_8_is_named_and_nothing_is_done(shell: Shell) -> None:
    for given in (
        ("submit", "--", "echo", "a\udcff"),
        ("show", "a\udcff"),
        ("ps", "--name", "\udce9"),
    ):
        told = shell(*given[:1], "--json", *given[1:])
        assert told.status == 2
        assert told.json["success"] is False
        assert "isn't UTF-8" in told.err
        assert told.err.count("\n") == 1
    assert not shell.store.exists()


def test_a_folder_that_no_job_can_be_told_of_is_named_with_the_way_out(shell: Shell) -> None:
    for name, gone, why in (("f\udcff", False, "isn't UTF-8: "), ("f", True, "folder is gone")):
        folder = shell.folder / name
        folder.mkdir()
        remove = f"rmdir {shlex.quote(str(folder))};" if gone else ""
        commands = ["submit -- true", "submit --directory x -- true", "hfss p.aedt"]
        for command in commands + (["config show", "--store x ps"] if gone else []):
            folder.mkdir(exist_ok=True)
            go = f"cd {shlex.quote(str(folder))}; {remove}"
            line = f"{go} {sys.executable} -m solveyard.cli {command}"
            done = subprocess.run(
                ["sh", "-c", line], env=shell.environment, capture_output=True, text=True,
                timeout=PATIENCE, check=False,
            )  # fmt: skip
            assert done.returncode == 2, done.stderr
            assert done.stderr.startswith("error: ")
            assert why in done.stderr


def test_an_option_that_would_be_ignored_is_refused(shell: Shell) -> None:
    for options, why in (
        (("--options", "{}"), "--options belongs to --solver"),
        (("--array", ""), "--array is empty"),
        (("--values", ""), "--values is empty"),
        (("--measures", ""), "--measures is no JSON object"),
    ):
        told = shell("submit", *options, "--", "echo", "{{index}}")
        assert (told.status, told.out) == (2, "")
        assert why in told.err


def test_results_are_told_of_what_a_selector_means(shell: Shell) -> None:
    echo = ("--measures", '{"n": {"pattern": "([0-9]+)"}}', "--", "echo", "{{index}}")
    assert shell("submit", "--wait", "--name", "sweep", "--array", "5-7", *echo).status == 0
    for selector in ("last", "1", "sweep", "1[6]", "sweep[5,7]"):
        rows = shell("results", selector, "--json").json
        wanted = {"1[6]": [6], "sweep[5,7]": [5, 7]}.get(selector, [5, 6, 7])
        assert [row["n"] for row in rows] == wanted
    for selector, why in (("", "an empty word selects no job"), ("sweeb", "mean 'sweep'")):
        told = shell("results", selector)
        assert (told.status, told.out) == (2, "")
        assert why in told.err


def test_a_store_that_is_no_folder_is_an_error(shell: Shell) -> None:
    (shell.folder / "file").touch()
    for store in ("file", "file/below"):
        for command in (("ps",), ("show", "1"), ("submit", "--", "true")):
            told = shell("--store", store, *command)
            assert (told.status, told.out) == (3, "")
            assert told.err.startswith("error: ")
    assert "is no folder" in shell("--store", "file", "ps").err


def test_nothing_is_warned_of_where_a_manager_was_started(shell: Shell) -> None:
    shell.environment["PYTHONWARNINGS"] = "error"
    told = shell("submit", "--", "true")
    assert told.status == 0
    assert told.err.startswith("note: started a manager on ")
    assert told.err.count("\n") == 1


def test_closed_and_full_streams_change_no_status_but_where_the_answer_is_lost(
    shell: Shell,
) -> None:
    solveyard = f"{sys.executable} -m solveyard.cli"

    def typed(line: str) -> Told:
        done = subprocess.run(
            ["sh", "-c", line.replace("solveyard", solveyard)], cwd=shell.folder,
            env=shell.environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return Told(done.returncode, done.stdout, done.stderr)

    assert typed("solveyard submit -- true >&-").status == 0
    for line in (
        "solveyard ps --all >&-",
        "solveyard ps --all 2>&-",
        "solveyard ps --all <&- >&- 2>&-",
        "solveyard submit --from - <&-",
        "solveyard show 1 2>/dev/full",
        "solveyard run -- sh -c 'echo x >&2' 2>/dev/full",
    ):
        told = typed(line)
        assert told.status == 0, (line, told)
        assert "Traceback" not in told.err
    for line in ("show 1 --json", "show 1", "ps --all", "submit -- true", "--version"):
        told = typed(f"solveyard {line} >/dev/full")
        assert told.status == 3
        assert "Traceback" not in told.err
        assert told.err.endswith(
            "error: cannot write to standard output: No space left on device\n"
        )
    told = typed("solveyard show nosuch --json >/dev/full")
    assert (told.status, told.err.count("\n")) == (2, 1)
    assert len(shell("ps", "--all", "--json").json) == 3


def test_a_token_that_is_none_is_refused_and_not_repeated(shell: Shell) -> None:
    file = shell.folder / "token"
    file.write_text("hunter2\nhunter3\n")
    file.chmod(0o600)
    for variables in (
        {"SOLVEYARD_TOKEN": "hunter2\nhunter3"},
        {"SOLVEYARD_TOKEN": "hunter2ü"},
        {"SOLVEYARD_TOKEN_FILE": str(file)},
    ):
        shell.environment = {**shell.environment, **variables}
        told = shell("--url", "http://127.0.0.1:1", "ps")
        assert (told.status, told.err.count("\n")) == (2, 1)
        assert "one line of printable ASCII" in told.err
        assert "hunter" not in told.err
