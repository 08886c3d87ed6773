"""A real spawner process: what it starts, and what it says."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from solveyard.wire.frames import Decoder

Stage = Any  # tests/faults/conftest.py


@pytest.fixture(autouse=True)
def _only_where_it_runs() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("these tests look into /proc")


def test_a_command_runs_and_its_end_is_told(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    end = stage.run("a", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (end["code"], end["signal"], end["launch_error"], end["lost"]) == (7, None, "", "")
    assert end["ended_by"] == ""
    assert end["strays"] == 0
    assert end["pid"] > 0
    assert end["wall"] > 0
    assert stage.output("a") == "out\n"
    assert (stage.work / "a.err").read_text() == "err\n"


def test_a_signal_is_told_by_its_number(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    end = stage.run("a", "sh", "-c", "kill -SEGV $$")
    assert (end["code"], end["signal"]) == (None, int(signal.SIGSEGV))


def test_a_command_gets_its_environment_and_nothing_of_the_agent(
    stage: Stage, platform: str
) -> None:
    stage.spawner(platform, SOLVEYARD_TOKEN="secret", SOLVEYARD_BOOT_ID="b", KEPT="1")
    stage.run("a", "env", env={"MINE": "ä b"})
    lines = stage.output("a").splitlines()
    assert "MINE=ä b" in lines
    assert "KEPT=1" in lines
    ours = dict(line.split("=") for line in lines if line.startswith("SOLVEYARD"))
    assert ours.keys() == {"SOLVEYARD_ATTEMPT", "SOLVEYARD_AGENT"}
    assert ours["SOLVEYARD_ATTEMPT"] == "a"


def test_a_command_starts_with_default_signals_in_a_session_of_its_own(
    stage: Stage, platform: str
) -> None:
    stage.spawner(platform)
    status = "while read -r line; do echo $line; done < /proc/$$/status"
    stage.run("a", "sh", "-c", status + "; cut -d' ' -f1,6 /proc/$$/stat; cat")
    *lines, sessions = stage.output("a").splitlines()
    masks = dict(line.partition(": ")[::2] for line in lines)
    assert int(masks["SigBlk"], 16) == 0
    assert int(masks["SigIgn"], 16) & (1 << (signal.SIGPIPE - 1)) == 0
    assert len(set(sessions.split())) == 1


def test_a_pinned_command_and_what_it_starts_stay_on_its_processors(
    stage: Stage, platform: str
) -> None:
    stage.spawner(platform)
    ours = sorted(os.sched_getaffinity(0))
    look = "import os; print(sorted(os.sched_getaffinity(0)))"
    program = "{0}; import sys, subprocess; sys.stdout.flush()"
    program += "; subprocess.run([sys.executable, '-S', '-c', {0!r}])"
    for attempt, pin in (("a", ours[-1:]), ("b", ours[:1]), ("c", [])):
        stage.manager.say(stage.python(attempt, program.format(look), pin=pin))
        assert stage.manager.end(attempt)["code"] == 0
        assert stage.output(attempt) == f"{pin or ours}\n" * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"argv": ["no-such-program"]}, ["no-such-program", "PATH"]),
        ({"argv": ["/no/such/program"]}, ["/no/such/program", "No such file"]),
        ({"argv": ["/etc/passwd"]}, ["/etc/passwd", "ermission denied"]),
        ({"cwd": "/no/such/folder"}, ["/no/such/folder", "No such file"]),
        ({"stdout": "/no/such/folder/out"}, ["/no/such/folder/out", "No such file"]),
        ({"stderr": "/proc/err"}, ["/proc/err"]),
        ({"argv": ["true", "a\0b"]}, ["null"]),
        ({"files": {"a/../../b": ""}}, ["`files`"]),
        ({"argv": "true"}, ["`argv`"]),
        ({"argv": []}, ["`argv`"]),
        ({"limit": "soon"}, ["`limit`"]),
        ({"cwd": "relative"}, ["`cwd`"]),
        ({"pin": [65535]}, ["pin", "no processor 65535"]),
    ],
)
def test_what_keeps_a_command_from_starting_is_said(
    stage: Stage, platform: str, change: dict[str, Any], words: list[str]
) -> None:
    stage.spawner(platform)
    end = stage.run("a", "true", **change)
    assert all(word in end["launch_error"] for word in words), end["launch_error"]
    assert (end["pid"], end["started_at"], end["code"]) == (None, None, None)
    assert stage.run("b", "true")["code"] == 0


def test_a_command_runs_in_its_folder_and_pipes_there_keep_nobody_waiting(
    stage: Stage, platform: str
) -> None:
    stage.spawner(platform)
    os.mkfifo(stage.work / "deck")
    within = [os.path.realpath(stage.work)]
    assert stage.run("a", "cp", "deck", "copy", files={"deck": "GW"}, within=within)["code"] == 0
    assert (stage.work / "copy").read_text() == "GW"
    end = stage.run("b", "true", within=[f"{within[0]}/other"])
    assert "it leads out of the folders in which it may run" in end["launch_error"]


def test_a_missing_field_is_named(stage: Stage) -> None:
    stage.spawner()
    launch = stage.launch("a", "true")
    del launch["stdout"]
    stage.manager.say(launch)
    assert "`stdout`" in stage.manager.end("a")["launch_error"]


def test_outputs_are_fresh_only_when_this_command_made_them(stage: Stage, platform: str) -> None:
    for name in ("old", "same", "changed"):
        (stage.work / name).write_text(name)
    stage.spawner(platform)
    outputs = ["new", "old", "same", "changed", "missing"]
    program = "echo 12345 > new; echo changes > changed; cat in/put > same; cp -p same keep"
    end = stage.run("a", "sh", "-c", program, outputs=outputs, files={"in/put": "same"})
    told = {path: (size, fresh) for path, size, fresh in end["outputs"]}
    assert told == {
        "new": (6, True),
        "old": (3, False),
        "same": (4, True),  # written again with the same bytes
        "changed": (8, True),
        "missing": (None, False),
    }


def test_200_commands_at_once_all_end_once(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    names = [f"j{n}" for n in range(200)]
    stage.manager.say(*[stage.launch(n, "sh", "-c", f"echo {n}; exit {i % 5}", brief=True)
                        for i, n in enumerate(names)])  # fmt: skip
    for i, name in enumerate(names):
        assert stage.manager.end(name)["code"] == i % 5
        assert stage.output(name) == f"{name}\n"
    stage.manager.settled()
    assert len([m for m in stage.manager.told if m["t"] == "ended"]) == 200


def test_output_of_any_bytes_and_any_size_reaches_the_file_whole(
    stage: Stage, platform: str
) -> None:
    spawner = stage.spawner(platform)
    stage.manager.spawner()
    before = _peak(spawner.pid)
    program = "import sys; block = bytes(range(256)) * 4096\nfor _ in range(64):\n"
    stage.manager.say(stage.python("a", program + " sys.stdout.buffer.write(block)"))
    assert stage.manager.end("a")["code"] == 0
    data = (stage.work / "a.out").read_bytes()
    assert len(data) == 64 << 20
    assert data[:256] == bytes(range(256)) == data[-256:]
    assert _peak(spawner.pid) < before + (16 << 10)


def _peak(pid: int) -> int:
    """KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_a_chain_runs_in_order_one_at_a_time(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    names = [f"c{n}" for n in range(20)]
    program = "echo begin $0 >> log; echo end $0 >> log"
    stage.manager.say(
        *[
            stage.launch(name, "sh", "-c", program, name, after=before, brief=True)
            for name, before in zip(names, [None, *names], strict=False)
        ]
    )
    stage.manager.end(names[-1])
    expected = [f"{what} {name}" for name in names for what in ("begin", "end")]
    assert (stage.work / "log").read_text().splitlines() == expected


def _block(stage: Stage, attempt: str, **fields: Any) -> None:
    """Launch what runs until the file `go` is there."""
    program = "until [ -e go ]; do sleep 0.02; done"
    stage.manager.say(stage.launch(attempt, "sh", "-c", program, **fields))


def test_a_waiting_attempt_can_be_taken_back_and_its_followers_go_on(
    stage: Stage, platform: str
) -> None:
    stage.spawner(platform)
    _block(stage, "a")
    stage.manager.say(
        stage.launch("b", "true", after="a"),
        stage.launch("c", "true", after="b"),
        {"t": "ask", "attempts": ["b", "c", "z"]},
        {"t": "recall", "attempt": "b"},
        {"t": "recall", "attempt": "nobody"},
    )
    stage.manager.heard("missing", "nobody")
    assert stage.manager.heard("waiting", "b")
    assert stage.manager.heard("waiting", "c")
    assert stage.manager.heard("missing", "z")
    assert stage.manager.heard("recalled", "b")
    stage.manager.settled()
    assert not stage.manager.ends("c")  # it waits for whom `b` waited for
    (stage.work / "go").touch()
    assert stage.manager.end("c")["code"] == 0
    assert not (stage.work / "b.out").exists()


def test_a_waiting_attempt_that_is_killed_ends_unstarted(stage: Stage) -> None:
    stage.spawner()
    _block(stage, "a")
    stage.manager.say(
        stage.launch("b", "true", after="a"),
        {"t": "kill", "attempt": "b", "grace": 1.0, "because": "cancelled"},
    )
    end = stage.manager.end("b")
    assert (end["ended_by"], end["started_at"]) == ("cancelled", None)
    (stage.work / "go").touch()
    stage.manager.end("a")


def test_a_recall_of_what_the_ledger_does_not_know_is_answered_by_missing(
    stage: Stage, platform: str
) -> None:
    """It may have run before the machine went down: that it had not started, nobody can say."""
    stage.spawner(platform)
    stage.manager.say({"t": "recall", "attempt": "unknown"})
    stage.manager.heard("missing", "unknown")
    assert not [m for m in stage.manager.told if m["t"] == "recalled"]


def test_recall_of_a_started_attempt_is_answered_by_its_start(stage: Stage) -> None:
    stage.spawner()
    _block(stage, "a")
    pid = stage.manager.started("a")
    stage.manager.told.clear()
    stage.manager.say({"t": "recall", "attempt": "a"})
    assert stage.manager.started("a") == pid
    (stage.work / "go").touch()
    stage.manager.end("a")


def test_a_launch_that_is_repeated_starts_nothing(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    launch = stage.launch("a", "sh", "-c", "echo once >> log")
    stage.manager.say(launch, launch)
    first = stage.manager.end("a")
    stage.manager.say(launch)
    stage.manager.until(lambda: len(stage.manager.ends("a")) == 2, "the end again")
    assert stage.manager.ends("a") == [first, first]
    stage.manager.say({"t": "forget", "attempts": ["a"]}, launch)
    stage.manager.settled()
    assert (stage.work / "log").read_text() == "once\n"


def test_limits_warn_then_end(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    program = (
        "trap 'echo warned' USR1; trap 'echo asked; exit 3' TERM; while :; do sleep 0.02; done"
    )
    end = stage.run("a", "bash", "-c", program, limit=1.0, warning=0.7)
    assert (end["ended_by"], end["code"]) == ("time_limit", 3)
    assert stage.output("a").split() == ["warned", "asked"]
    assert end["wall"] >= 1.0


def test_a_limit_can_be_lifted_and_shortened_while_it_runs(stage: Stage) -> None:
    stage.spawner()
    _block(stage, "a", limit=3600)
    _block(stage, "b", limit=0.5)
    stage.manager.say({"t": "modify", "attempt": "b", "limit": None})
    stage.manager.say({"t": "modify", "attempt": "a", "limit": 0.6})
    assert stage.manager.end("a")["ended_by"] == "time_limit"
    stage.manager.settled()
    assert not stage.manager.ends("b")
    (stage.work / "go").touch()
    assert stage.manager.end("b")["ended_by"] == ""


def test_a_signal_reaches_the_commands_group(stage: Stage, platform: str) -> None:
    stage.spawner(platform)
    program = "trap 'echo got; exit' USR2; echo ready > ready; while :; do sleep 0.02; done"
    stage.manager.say(stage.launch("a", "bash", "-c", program))
    stage.manager.until(lambda: (stage.work / "ready").exists(), "the trap")
    stage.manager.say({"t": "signal", "attempt": "a", "signal": "NONSENSE"})
    stage.manager.say({"t": "signal", "attempt": "a", "signal": "USR2"})
    stage.manager.end("a")
    assert stage.output("a") == "got\n"


def test_a_spawner_leaves_when_asked_and_idle(stage: Stage, platform: str) -> None:
    spawner = stage.spawner(platform)
    _block(stage, "a")
    stage.manager.started("a")
    stage.manager.say({"t": "leave"}, stage.launch("b", "true", after="a"))
    stage.manager.settled()
    assert spawner.poll() is None
    (stage.work / "go").touch()
    assert stage.manager.end("b")["code"] == 0
    assert spawner.wait(30) == 0
    stage.spawner(platform)
    stage.manager.until(lambda: len(stage.manager.ends("b")) == 2, "the end, by the next one")


def test_a_spawner_without_manager_and_work_leaves(stage: Stage) -> None:
    spawner = stage.spawner(linger=0.3)
    _block(stage, "a")
    stage.manager.started("a")
    stage.manager.vanish()
    with pytest.raises(subprocess.TimeoutExpired):
        spawner.wait(1.5)
    (stage.work / "go").touch()
    assert spawner.wait(30) == 0


def test_a_second_spawner_of_an_index_leaves_at_once(stage: Stage) -> None:
    stage.spawner()
    stage.manager.spawner()
    assert stage.spawner().wait(30) == 0


def test_a_refused_spawner_asks_again_and_keeps_its_ends(stage: Stage) -> None:
    stage.spawner()
    end = stage.run("a", "true")
    stage.manager.refusing = True
    stage.manager.cut()
    stage.manager.until(lambda: bool(stage.manager.peers), "another try")
    stage.manager.until(lambda: not stage.manager.peers, "its giving up")
    stage.manager.refusing = False
    stage.manager.until(lambda: stage.manager.ends("a") == [end, end], "the end")


def test_over_tcp_the_token_is_in_the_first_message(stage: Stage, platform: str) -> None:
    token = stage.folder / "token"
    token.write_text("secret\n")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        arguments = ["--state", str(stage.state), "--address", f"tcp:127.0.0.1:{port}"]
        arguments += ["--machine", "there", "--token-file", str(token), "--platform", platform]
        stage.processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "solveyard.agent", "spawner", "--index", "3", *arguments]
            )
        )
        link = listening.accept()[0]
        with link:
            hello = Decoder().feed(link.recv(65536))[0]
    assert (hello["token"], hello["machine"], hello["index"]) == ("secret", "there", 3)
    assert set(hello) == {
        *("t", "role", "protocol", "version", "machine", "pid", "start", "boot_id"),
        *("token", "index", "ledger", "abilities"),
    }


def test_a_chain_keeps_its_order_when_two_of_it_are_taken_back(stage: Stage) -> None:
    stage.spawner()
    _block(stage, "a")
    names = ["a", "b", "c", "d"]
    stage.manager.say(
        *[stage.launch(n, "true", after=m) for m, n in itertools.pairwise(names)],
        {"t": "recall", "attempt": "b"},
        {"t": "recall", "attempt": "c"},
    )
    stage.manager.heard("recalled", "c")
    stage.manager.settled()
    assert not stage.manager.ends("d")
    (stage.work / "go").touch()
    assert stage.manager.end("d")["code"] == 0


GOES_ON = """
import ctypes, os, threading, time
def count():
    while True:
        time.sleep(0.05)
        open("beats", "a").write(".")
threading.Thread(target=count).start()
time.sleep(0.2)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_whose_first_thread_has_ended_is_not_dead(stage: Stage) -> None:
    """Its limit ends it, and a spawner that comes new takes it over."""
    spawner = stage.spawner()
    stage.manager.say(stage.python("a", GOES_ON), stage.python("b", GOES_ON, limit=1.0, grace=0.5))
    pid = stage.manager.started("a")
    end = stage.manager.end("b")
    assert (end["ended_by"], end["signal"]) == ("time_limit", signal.SIGTERM)
    spawner.kill()
    spawner.wait()
    stage.manager.cut()
    stage.spawner()
    stage.manager.told.clear()
    stage.manager.say({"t": "ask", "attempts": ["a"]})
    assert stage.manager.started("a") == pid
    stage.manager.say({"t": "kill", "attempt": "a", "grace": 1.0, "because": "cancelled"})
    assert stage.manager.end("a")["ended_by"] == "cancelled"
    before = (stage.work / "beats").stat().st_size
    time.sleep(0.2)
    assert (stage.work / "beats").stat().st_size == before


def test_what_ended_by_itself_before_its_limit_did_so_however_late_that_is_seen(
    stage: Stage, platform: str
) -> None:
    spawner = stage.spawner(platform)
    stage.manager.say(stage.launch("a", "sh", "-c", "sleep 0.2; exit 3", limit=1.0))
    stage.manager.started("a")
    spawner.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    spawner.send_signal(signal.SIGCONT)
    end = stage.manager.end("a")
    assert (end["code"], end["ended_by"]) == (3, "")


def test_a_limit_of_a_year_and_a_warning_by_no_signal_hurt_nobody(
    stage: Stage, platform: str
) -> None:
    stage.spawner(platform)
    year = 365 * 86400.0
    stage.manager.say(
        stage.launch("a", "sh", "-c", "until [ -e go ]; do sleep 0.02; done", limit=year),
        stage.launch("b", "sleep", "600", limit=0.6, warning=0.4, warning_signal="SIGUSR1"),
    )
    stage.manager.started("a")
    assert stage.manager.end("b")["ended_by"] == "time_limit"
    (stage.work / "go").touch()
    assert stage.manager.end("a")["code"] == 0
