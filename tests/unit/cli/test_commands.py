"""The commands, against the real REST of a manager that only remembers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from solveyard.backends.here import LocalWorkspace
from solveyard.backends.workspace import Page
from solveyard.cli import app, exits, main, words
from solveyard.cli.here import Here
from solveyard.model.errors import Conflict, NotAllowed, QuotaReached, StoreFull, StoreLocked
from solveyard.model.jobs import JobState
from solveyard.model.resources import Resources


class Told(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Told]


@pytest.fixture
def run(served: Any, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run one command on the fake manager's store."""

    def command(*arguments: str) -> Told:
        capfd.readouterr()
        status = main(["--store", str(served.folder), *arguments])
        return Told(status, *capfd.readouterr())

    return command


@pytest.fixture
def nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run one command on a store that isn't there."""

    def command(*arguments: str) -> Told:
        capfd.readouterr()
        status = main(["--store", str(tmp_path / "none"), *arguments])
        return Told(status, *capfd.readouterr())

    return command


def test_a_submission_prints_the_id_alone(run: Run) -> None:
    told = run("submit", "--", "echo", "--json", "hi")
    assert told == (0, "1\n", "")
    assert run("submit", "--name", "dipole", "echo", "-n").out == "dipole\n"
    told = run("submit", "--json", "--priority", "-4", "true")
    assert (told.json["number"], told.json["priority"]) == (3, -4)


def test_a_file_is_submitted_whole_or_not_at_all(run: Run, served: Any, tmp_path: Path) -> None:
    path = tmp_path / "jobs"
    path.write_text('{"solver":"command"}\n#\n{"solver":"nothing"}\n')
    told = run("submit", "--from", str(path))
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"error: line 3 of {path}: there is no solver 'nothing'")
    assert served.manager.records == {}
    path.write_text('{"solver":"command","name":"a"}\n{"solver":"nec"}\n')
    assert run("submit", "--from", str(path)).out == "a\n2\n"
    assert [job["number"] for job in run("submit", "--json", "--from", "/dev/null").json] == []


def test_health_asks_the_manager_and_takes_no_files_instead(run: Run, nowhere: Run) -> None:
    assert run("health") == (0, "the manager answers\n", "")
    assert run("health", "--json").json == {"success": True}
    told = nowhere("health")
    assert (told.status, told.out) == (3, "")
    assert "no manager runs on the store" in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--", "true", "--from", "x"),
        ("--solver", "nec", "true"),
        ("--from", "/dev/null", "--solver", "nec"),
        ("--from", "/dev/null", "--name", "x"),
        ("--from", "/nowhere/at/all"),
        ("--solver", "nec", "--options", "[]"),
        ("--solver", "nec", "--options", "@/nowhere"),
        ("--time-limit", "soon", "true"),
        ("--cores", "x", "true"),
        ("--cores", "-1", "true"),
        ("--env", "novalue", "true"),
        ("--nmae", "x", "true"),
        ("--array", "0", "true"),
        ("--after", "mesh:sucess", "true"),
        ("--retry", "0", "true"),
        ("--retry-memory", "0.5", "true"),
    ],
)
def test_a_wrong_submission_is_one_line_and_status_2(
    run: Run, served: Any, arguments: tuple[str, ...]
) -> None:
    if arguments[:1] == ("--",):
        arguments = ("--from", "x", "--", "true")
    told = run("submit", *arguments)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert served.manager.records == {}


def test_jobs_are_listed_and_the_counts_are_a_note(run: Run, served: Any) -> None:
    told = run("ps", "--all", "--json")
    assert (told.status, told.json) == (0, [])
    run("submit", "--name", "dipole", "--", "true")
    run("submit", "--", "true")
    served.do(lambda: served.manager.end(2, code=3))
    told = run("ps")
    assert told.out.splitlines()[0].split() == " ".join(words.HEADER).split()
    assert told.out.splitlines()[1].startswith("1   dipole  queued")
    assert len(told.out.splitlines()) == 2
    assert told.err == "1 queued, 1 failed\n"
    assert [job["number"] for job in run("ps", "--json", "--all").json] == [2, 1]
    assert [job["number"] for job in run("ps", "--json", "--state", "failed").json] == [2]
    assert [job["number"] for job in run("ps", "--json", "--all", "--limit", "1").json] == [2]
    assert run("ps", "--state", "runing").status == 2


def test_a_job_is_shown_with_why_and_what_next(run: Run, served: Any) -> None:
    run("submit", "--name", "dipole", "--", "true")
    assert "waits for a core" in run("show", "dipole").out
    served.do(lambda: served.manager.start(1), lambda: served.manager.end(1, code=3))
    told = run("show", "last")
    assert told.out.startswith("job 1 (dipole) failed after 5.5 s: exit code 3")
    assert "retry 1" in told.out
    record = run("show", "1", "--json").json
    assert (record["id"], record["reason"], record["exit_code"]) == ("dipole", "exit_code", 3)
    assert [job["id"] for job in run("show", "1-3", "--json").json] == ["dipole"]


def test_an_unknown_job_is_status_2_with_the_nearest_name(run: Run) -> None:
    run("submit", "--name", "dipole", "--", "true")
    told = run("show", "dipol", "--json")
    assert told.status == 2
    assert "did you mean 'dipole'" in told.err
    assert told.json == {"success": False, "error": told.err.removeprefix("error: ").strip()}


def test_jobs_are_acted_on_by_any_selector(run: Run, served: Any) -> None:
    for _ in range(4):
        run("submit", "--", "true")
    assert run("hold", "2-3").out == "2\n3\n"
    assert run("release", "all").out == "2\n3\n"
    assert run("priority", "last", "-5").out == "4\n"
    assert served.manager.records[4].priority == -5
    assert run("cancel", "--yes", "all", "--json").status == 0
    assert {job.state.value for job in served.manager.records.values()} == {"cancelled"}
    assert run("retry", "1", "--json").json["state"] == "queued"
    assert run("rm", "2,3").out == "2\n3\n"
    assert sorted(served.manager.records) == [1, 4]


def test_releasing_all_releases_what_a_batch_system_holds_and_arrays_that_have_begun(
    run: Run, served: Any
) -> None:
    states = [JobState.SUBMITTED, JobState.RUNNING, JobState.COMPLETED, JobState.SUBMITTED]
    for number, state in enumerate(states, 1):
        run("submit", "--", "true")
        job = replace(served.manager.records[number], state=state, held=number < 4)
        served.do(lambda job=job: served.manager.put(job))
    run("submit", "--hold", "--", "true")
    run("submit", "--", "true")
    assert [job["held"] for job in run("show", "1-6", "--json").json] == [
        True, True, False, False, True, False,
    ]  # fmt: skip
    assert run("release", "all") == (0, "1\n2\n5\n", "")
    assert run("release", "all") == (0, "", "note: there is no such job now\n")


def test_retrying_all_leaves_what_succeeded_alone(run: Run, served: Any) -> None:
    for code in (0, 1):
        run("submit", "--", "true")
        served.do(lambda n=code + 1, code=code: served.manager.end(n, code=code))
    assert run("retry", "all").out == "2\n"


def test_a_refusal_is_status_4_and_the_others_are_done(run: Run, served: Any) -> None:
    run("submit", "--", "true")
    run("submit", "--hold", "--", "true")
    told = run("release", "1,2")
    assert told.status == 4
    assert told.err == "error: job 1: job 1 is queued (1 of 2 were done)\n"
    assert served.manager.records[2].state.value == "queued"


@pytest.mark.parametrize("refusal", [Conflict, NotAllowed, QuotaReached, StoreFull, StoreLocked])
def test_what_a_state_a_rule_or_the_store_forbids_is_status_4(refusal: type[Exception]) -> None:
    assert exits.status(refusal("no")) == exits.REFUSED == 4


def test_waiting_tells_success_failure_and_time_by_its_status(run: Run, served: Any) -> None:
    run("submit", "--", "true")
    run("submit", "--", "false")
    told = run("wait", "1", "--timeout", "0.01")
    assert told.status == 5
    served.later(0.05, lambda: served.manager.end(1), lambda: served.manager.end(2, code=1))
    assert run("wait", "1").status == 0
    told = run("wait", "all", "--json")
    assert told.status == 1
    assert [job["state"] for job in told.json] == ["completed", "failed"]
    assert run("wait", "nobody").status == 2


def test_who_waits_for_held_jobs_is_told_what_they_wait_for(run: Run, served: Any) -> None:
    for name in ("one", "two"):
        run("submit", "--hold", "--name", name, "--", "true")
    told = run("wait", "one", "--timeout", "0.01")
    assert "note: job one is held, until somebody says solveyard release" in told.err
    assert "one and 1 more are held" in run("wait", "one", "two", "--timeout", "0.01").err


def test_output_is_printed_byte_by_byte(
    served: Any, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    main(["--store", str(served.folder), "submit", "--", "true"])
    served.do(lambda: served.manager.start(1), lambda: served.manager.write(1, b"\xff\0\r\n"))
    capfdbinary.readouterr()
    assert main(["--store", str(served.folder), "logs", "1"]) == 0
    assert capfdbinary.readouterr().out == b"\xff\0\r\n"


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("a\nb\nc\n", 2, "b\nc\n"),
        ("a\nb\nc", 2, "b\nc"),
        ("a\nb\n", 5, "a\nb\n"),
        ("a\n", 0, ""),
        ("", 3, ""),
        ("\n\n", 1, "\n"),
        ("x" * 100_000 + "\n" + "y\n" * 70_000, 70_001, "x" * 100_000 + "\n" + "y\n" * 70_000),
        ("x\n" * 200_000, 150_000, "x\n" * 150_000),
    ],
)
def test_the_tail_is_the_last_lines(
    run: Run, served: Any, text: str, lines: int, expected: str
) -> None:
    run("submit", "--", "true")
    served.do(lambda: served.manager.start(1), lambda: served.manager.write(1, text.encode()))
    assert run("logs", "1", "--tail", str(lines)).out == expected


def test_output_is_followed_to_the_jobs_end(run: Run, served: Any) -> None:
    run("submit", "--", "true")
    served.do(lambda: served.manager.start(1))
    served.later(0.05, lambda: served.manager.write(1, b"one\n", "stderr"))
    served.later(
        0.2, lambda: served.manager.write(1, b"two\n", "stderr"), lambda: served.manager.end(1)
    )
    assert run("logs", "-f", "--err", "1").out == "one\ntwo\n"
    assert run("logs", "1", "--err", "--json").json["text"] == "one\ntwo\n"


def test_a_command_is_run_and_its_output_shown(run: Run, served: Any) -> None:
    served.later(0.3, lambda: served.manager.start(1))
    served.later(
        0.4, lambda: served.manager.write(1, b"out\n"), lambda: served.manager.end(1, code=7)
    )
    told = run("run", "--", "sh", "-c", "exit 7")
    assert (told.status, told.out) == (1, "out\n")
    assert "exit code 7" in told.err
    served.later(0.3, lambda: served.manager.end(2))
    told = run("run", "--json", "true")
    assert (told.status, told.json["state"]) == (0, "completed")


def test_files_are_listed_printed_and_saved(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.s1p").write_bytes(b"\x00\xff")
    run("submit", "--directory", str(folder), "--", "true")
    assert run("files", "1").out == "PATH   SIZE\na.s1p  2 B\n"
    assert run("files", "1", "a.s1p", "-o", str(tmp_path / "b")).status == 0
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert run("files", "1", "a.s1p", "--json").json == {
        "path": "a.s1p",
        "size": 2,
        "base64": "AP8=",
    }
    assert run("files", "1", "nothing").status == 2
    assert run("files", "1", "a.s1p", "-o", "/nowhere/b").status == 2


def test_what_is_missing_in_a_list_of_files_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    run("submit", "--directory", str(tmp_path / "work"), "--", "true")
    assert run("files", "1").err == "note: its folder holds no files\n"
    unread = Page([], 0, "", "sub: Permission denied")
    monkeypatch.setattr(LocalWorkspace, "page", lambda *_: unread)
    told = run("files", "1", "--json")
    assert (told.status, told.json) == (0, [])
    note = "note: there may be more files, which could not be looked at: sub: Permission denied\n"
    assert told.err == run("files", "1").err == note


def test_a_stop_waits_until_the_manager_has_gone(run: Run, served: Any) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    served.announce(process.pid)
    served.on_stop = process.kill
    told = run("stop", "--drain")
    assert told == (0, "stopped; no job ran\n", "")
    assert served.stops == ["drain"]
    process.communicate()
    assert run("stop").status == 3


def test_a_stop_that_takes_too_long_is_status_5(run: Run, served: Any) -> None:
    told = run("stop", "--timeout", "0.05")  # this very process
    assert told.status == 5
    assert run("stop", "--drain", "--now").status == 2


def test_where_no_manager_runs_looking_works_and_acting_is_status_3(nowhere: Run) -> None:
    assert nowhere("ps", "--all", "--json") == (0, "[]\n", "")
    assert nowhere("show", "7").status == 2
    for command in (["cancel", "7"], ["stop"], ["wait", "last"], ["priority", "7", "-3"]):
        told = nowhere(*command)
        assert (told.status, told.out) == (3, "")
        assert told.err.startswith("error: no manager runs")


@pytest.mark.parametrize(
    "arguments",
    [["pss"], ["ps", "--jsno"], ["priority", "last"], ["priority", "last", "x"], ["-x"]],
)
def test_wrong_usage_is_one_line_with_the_way_out(nowhere: Run, arguments: list[str]) -> None:
    told = nowhere(*arguments)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("error: ")
    assert "--help)" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["--json", "ps"], ["--json", "--store", "x", "ps", "-a"], ["-n", "3", "submit", "--", "true"]],
)
def test_an_option_before_its_command_is_told_where_it_goes(
    nowhere: Run, arguments: list[str]
) -> None:
    told = nowhere(*arguments)
    assert told.status == 2
    command = next(word for word in arguments if word in app.COMMANDS)
    assert f"{arguments[0]} goes after the command (solveyard {command} {arguments[0]})" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--store", "--url"])
def test_an_option_for_all_commands_is_told_where_it_goes(nowhere: Run, option: str) -> None:
    told = nowhere("ps", option, "x")
    assert (told.status, told.out) == (2, "")
    assert told.err == f"error: {option} goes before the command (solveyard {option} ... ps)\n"


def test_an_empty_store_is_no_store(nowhere: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", "", "ps"]) == 2
    assert "--store names no folder: it is empty" in capfd.readouterr().err


def test_an_address_is_read_by_who_needs_it(
    nowhere: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOLVEYARD_URL", "foo")
    assert main(["ps"]) == 2
    assert "error: SOLVEYARD_URL: 'foo' is no manager's address" in capfd.readouterr().err
    assert main(["doctor"]) in {0, 1}
    assert "foo" not in capfd.readouterr().err


def test_what_is_typed_next_is_as_a_shell_reads_it(tmp_path: Path) -> None:
    assert Here(tmp_path / "my store").options == f"--store '{tmp_path}/my store' "
    assert Here(None, "http://localhost:1/a&b").options == "--url 'http://localhost:1/a&b' "


def test_options_in_a_file_that_are_no_json_are_told_by_their_line(
    nowhere: Run, tmp_path: Path
) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"dipole": {"length": 1,\n "radius": oops}}')
    told = nowhere("submit", "--solver", "nec", "--options", f"@{path}")
    assert f"--options, {path}, is no JSON object: line 2, column 12: Expecting value" in told.err
    path.write_bytes(b"\xff\xfe{}")
    told = nowhere("submit", "--solver", "nec", "--options", f"@{path}")
    assert "is no JSON object: it is not UTF-8 (byte 0)" in told.err


def test_every_command_says_its_exit_statuses_and_takes_json(nowhere: Run) -> None:
    listed = nowhere("--help").out.split("Commands:")[1].split("Exit statuses")[0]
    commands = [line.split()[0] for line in listed.splitlines() if line.strip()]
    assert set(commands) == set(app.COMMANDS)
    for command in commands:
        told = nowhere(command, "--help")
        assert "Exit statuses:" in told.out
        assert "--json" in told.out


def test_the_doctor_looks_at_everything(run: Run) -> None:
    told = run("doctor", "--json")
    found = {check["name"]: check["status"] for check in told.json["checks"]}
    assert found["manager"] == found["agent"] == found["store"] == found["python"] == "ok"
    assert {"space", "disk", "solvers", "cgroup", "platform"} <= set(found)
    assert told.status == (1 if "fail" in found.values() else 0)


def test_the_doctor_tells_of_a_clock_that_was_ahead_once(
    run: Run, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "clock" not in {check["name"] for check in run("doctor", "--json").json["checks"]}
    manager = served.manager
    status = {**manager.status(), "clock_ahead": 86400.0 * 10}
    monkeypatch.setattr(manager, "status", lambda: status)
    (told,) = (c for c in run("doctor", "--json").json["checks"] if c["name"] == "clock")
    assert told["status"] == "warn"
    assert "10 d 00 h ahead" in told["found"]


def test_the_doctor_tells_why_no_job_starts(
    run: Run, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = served.manager
    status = {**manager.status(), "agent_trouble": "the store's disk is full"}
    monkeypatch.setattr(manager, "status", lambda: status)
    (told,) = (c for c in run("doctor", "--json").json["checks"] if c["name"] == "agent")
    assert (told["status"], told["found"]) == (
        "fail", "no job starts here: the store's disk is full"
    )  # fmt: skip


def test_the_doctor_heeds_the_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLVEYARD_CORES", "1")
    monkeypatch.setenv("SOLVEYARD_RESOURCES__MEMORY", "1G")
    found = {check["name"]: check for check in run("doctor", "--json").json["checks"]}
    assert found["limits"]["found"] == (
        "of a manager that starts from here: 1 core (SOLVEYARD_CORES),"
        " 1.0 GiB (SOLVEYARD_RESOURCES__MEMORY)"
    )
    assert found["settings"]["status"] == "ok"
    monkeypatch.setenv("SOLVEYARD_CORES", "none")
    told = run("doctor", "--json")
    found = {check["name"]: check for check in told.json["checks"]}
    assert (told.status, found["settings"]["status"]) == (1, "fail")
    assert "SOLVEYARD_CORES: `cores`" in found["settings"]["found"]
    assert "limits" not in found


def test_the_doctor_says_that_a_store_has_an_impossible_name(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOLVEYARD_HOME", "/lat\udcf6")
    assert main(["doctor", "--json"]) == 1
    checks = json.loads(capfd.readouterr().out)["checks"]
    (told,) = (check for check in checks if check["name"] == "store")
    assert told["status"] == "fail"
    assert told["found"].startswith("the name of the store's folder isn't UTF-8: '/lat%F6'")


def test_a_reader_that_goes_away_is_no_error(run: Run, served: Any) -> None:
    for _ in range(30):
        run("submit", "--name", "", "--", "true")
    program = [sys.executable, "-m", "solveyard.cli", "--store", str(served.folder), "ps"]
    script = '"$@" | true; exit ${PIPESTATUS[0]}'
    told = subprocess.run(["bash", "-c", script, "-", *program], capture_output=True)
    assert (told.returncode, told.stderr.replace(b"30 queued\n", b"")) == (0, b"")


def test_starting_imports_nothing_heavy() -> None:
    program = (
        "import sys; from solveyard.cli import main; main(['ps', '--json']);"
        "heavy = {'rich', 'aiohttp', 'asyncio', 'psutil', 'platformdirs', 'pydantic', 'tomllib',"
        "'solveyard.core.engine'}; print(sorted(heavy & set(sys.modules)))"
    )
    environment = os.environ | {"SOLVEYARD_HOME": "/nowhere"}
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environment
    )
    assert told.stdout.splitlines()[-1] == b"[]"


def test_limits_are_shown_and_those_that_are_given_are_set(run: Run) -> None:
    assert run("limits", "--max-concurrent", "3", "--min-memory-gb", "0.5").status == 0
    assert run("limits", "--max-concurrent", "none", "--json").json == {
        "max_concurrent": None, "max_cpu_percent": None, "min_memory_gb": 0.5, "min_disk_gb": None
    }  # fmt: skip
    assert run("limits").out.splitlines()[2].split() == ["min_memory_gb", "0.5"]


@pytest.mark.parametrize(
    "words", [["--max-concurrent", "many"], ["--max-cpu-percent", "nan"], ["--min-disk-gb", "-1"]]
)
def test_a_limit_that_is_none_is_told(run: Run, words: list[str]) -> None:
    told = run("limits", *words)
    assert told.status == 2
    assert words[0].strip("-").replace("-", "_") in told.err.replace("-", "_")
    assert run("limits", "--json").json["max_cpu_percent"] is None


def test_tags_and_note_are_changed_after_the_submission(run: Run) -> None:
    run("submit", "--name", "a", "--tag", "draft", "--tag", "hfss", "--", "true")
    run("submit", "--", "true")
    assert run("tag", "a", "+final", "-hfss", "-draft", "-never", "--json").json["tags"] == [
        "final"
    ]
    assert [job["tags"] for job in run("tag", "--json", "all", "+x").json] == [
        ["final", "x"],
        ["x"],
    ]
    assert run("note", "a", "as measured", "--json").json["note"] == "as measured"
    assert run("note", "a", "").out == "a\n"
    assert run("show", "a", "--json").json["note"] == ""
    told = run("tag", "a", "final")
    assert (told.status, told.err) == (
        2,
        "error: 'final' changes no tag (+draft adds one, -draft takes it away)\n",
    )


def test_a_sweep_with_its_policies_is_submitted_as_it_was_typed(run: Run, served: Any) -> None:
    run("submit", "--name", "mesh", "--", "true")
    told = run(
        "submit", "--grid", "w=0.8:1.2:0.2", "--grid", "er=3.5,4", "--at-once", "2", "--after",
        "mesh:end", "--retry", "4", "--retry-on", "licence", "--retry-delay", "1m",
        "--retry-memory", "1.5", "--name", "sweep", "--", "solve", "{{w}}",
    )  # fmt: skip
    assert told == (0, "sweep\n", "")
    spec = served.manager.records[2].spec
    assert spec.array.grid == {"w": (0.8, 1.0, 1.2), "er": (3.5, 4)}
    assert (spec.array.at_once, spec.after[0].job, spec.after[0].on) == (2, "mesh", "end")
    assert (spec.retry.tries, spec.retry.on, spec.retry.delay) == (4, ("licence",), 60)
    assert spec.retry.memory_factor == 1.5


def test_what_a_job_needs_reaches_its_specification(run: Run, served: Any) -> None:
    needs = (
        "--cores", "3", "--memory", "2G", "--disk", "20G", "--gpus", "2", "--nodes", "4", "--pin",
        "--grace", "2m",
    )  # fmt: skip
    assert run("submit", *needs, "--", "solve").status == 0
    assert run("submit", *needs, "--solver", "nec", "--options", "{}").status == 0
    for number in (1, 2):
        spec = served.manager.records[number].spec
        assert spec.resources == Resources(cores=3, memory=2048, disk=20480, gpus=2, nodes=4)
        assert (spec.pin, spec.grace) == (True, 120.0)
    assert run("submit", "--", "solve").status == 0
    spec = served.manager.records[3].spec
    assert (spec.resources, spec.pin, spec.grace) == (Resources(), False, 30.0)
    assert "`gpus` is -1" in run("submit", "--gpus", "-1", "--", "solve").err
    assert "'much' is no amount of memory or disk" in run("submit", "--disk", "much", "x").err
    assert "--nodes does not go with --from" in run("submit", "--nodes", "2", "--from", "-").err


def test_a_dry_run_shows_the_specification_and_two_tasks_and_submits_nothing(
    nowhere: Run, run: Run, served: Any
) -> None:
    given = ("--values", "1,2.5,a b", "--", "solve", "--w={{value}}", "{{ index }}")
    told = nowhere("submit", "--name", "s", "--dry-run", *given)
    assert told.status == 0
    assert told.err.splitlines() == ["[0], 1 of 3: solve --w=1 0", "[2], 3 of 3: solve '--w=a b' 2"]
    assert told.json["array"] == {"values": [1, 2.5, "a b"]}
    assert nowhere("run", "--dry-run", *given).err == told.err
    assert nowhere("submit", "--dry-run", "true").json["options"] == {"argv": ["true"]}
    wrong = run("submit", "--dry-run", "--values", "1", "--", "solve", "{{width}}")
    assert (wrong.status, wrong.out) == (2, "")
    assert "`options` has {{width}}, but a task has only index, value" in wrong.err
    assert served.manager.records == {}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('"warning":60', "`warning` is 60 s before the time limit, and there is none"),
        ('"retry":{"on":["exitcode"]}', "`retry.on`: 'exitcode' is no reason why a job ends"),
    ],
)
def test_a_dry_run_refuses_what_a_manager_would(
    nowhere: Run, tmp_path: Path, wrong: str, told: str
) -> None:
    path = tmp_path / "jobs"
    good = '{"solver":"command","options":{"argv":["true"]}'
    path.write_text(f"{good}}}\n{good},{wrong}}}\n")
    refused = nowhere("submit", "--dry-run", "--from", str(path))
    assert (refused.status, refused.out) == (2, "")
    assert f"line 2 of {path}: {told}" in refused.err


def test_options_that_hfss_has_not_start_no_manager(nowhere: Run, tmp_path: Path) -> None:
    project = tmp_path / "p.aedt"
    project.touch()
    refused = nowhere("hfss", "--cores", "1", "--set", "desing_name=D", str(project))
    assert (refused.status, refused.out) == (2, "")
    assert "desing_name" in refused.err
    assert not (tmp_path / "none").exists()


def test_which_ansysedt_it_is_the_manager_finds_out(
    nowhere: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submitted(place: object, specs: list[Any]) -> None:
        raise Conflict(f"asked for {json.loads(bytes(specs[0].options))['design_name']}")

    monkeypatch.setattr("solveyard.cli.submitting.submitted", submitted)
    project = tmp_path / "p.aedt"
    project.touch()
    told = nowhere("hfss", "--cores", "1", "--design", "D", str(project))
    assert told.err == "error: asked for D\n"


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.touch(mode=0o600)
    config.write_text(
        "discover_clusters = false\n"
        '[clusters.hpc]\ndialect = "slurm"\narray_size = 250\n'
        '[clusters.windows]\ndialect = "winhpc"\n'
    )
    monkeypatch.setenv("SOLVEYARD_CONFIG", str(config))


@pytest.mark.usefixtures("clusters")
@pytest.mark.parametrize(
    ("wish", "how", "last", "array"),
    [
        (["--on", "hpc", "--array", "1-200"], "200, submitted together, as this array", 200, 199),
        (
            ["--on", "hpc", "--array", "1-300"],
            "300, submitted in arrays of at most 250; this is the first", 300, 249,
        ),
        (
            ["--on", "hpc", "--array", "1-300", "--at-once", "4"],
            "300, submitted in arrays of at most 4; this is the first", 300, 3,
        ),
        (
            ["--on", "hpc", "--array", "1-300", "--exclusive", "bench"],
            "300, submitted one by one; this is the first", 300, None,
        ),
        (
            ["--on", "windows", "--array", "1-300"],
            "300, submitted one by one; this is the first", 300, None,
        ),
    ],
)  # fmt: skip
def test_a_dry_run_of_an_array_for_a_cluster_is_the_first_script_that_would_be_submitted(
    nowhere: Run, wish: list[str], how: str, last: int, array: int | None
) -> None:
    told = nowhere("submit", "--dry-run", *wish, "--", "solve", "{{index}}")
    assert told.status == 0, told.err
    assert told.out.count("# submitted by:\n") == 1
    asked = [line for line in told.out.splitlines() if line.startswith("#SBATCH --array=")]
    assert asked == ([] if array is None else [f"#SBATCH --array=0-{array}"])
    assert told.err.splitlines() == [
        f"tasks: {how}",
        f"[1], 1 of {last}: solve 1",
        f"[{last}], {last} of {last}: solve {last}",
    ]


def test_a_specification_of_a_dry_run_can_be_submitted(
    run: Run, served: Any, tmp_path: Path
) -> None:
    path = tmp_path / "spec"
    options = ("--array", "0-3", "--retry", "2", "--output", "{{index}}.s1p")
    path.write_text(run("submit", "--dry-run", *options, "--", "solve").out)
    run("submit", "--from", str(path))
    run("submit", *options, "--", "solve")
    assert served.manager.records[1].spec == served.manager.records[2].spec
