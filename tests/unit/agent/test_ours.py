"""How much of a machine's work is our attempts', by process tables and by a real process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from solveyard.agent.ours import Ours
from solveyard.agent.platform import procfs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process table is Linux's")
SPAWNER, JOB, CHILD, OTHER = 10, 20, 30, 40


def lock(folder: Path, text: str) -> str:
    (folder / "spawner-0.lock").write_text(text)
    return str(folder / "spawner-0.lock")


def test_what_runs_below_a_spawner_and_what_it_waited_for_is_ours(tmp_path: Path) -> None:
    tables = [
        {SPAWNER: (1, 9.0, 0.0), JOB: (SPAWNER, 1.0, 0.0), CHILD: (JOB, 2.0, 0.0),
         OTHER: (1, 50.0, 0.0)},
        {SPAWNER: (1, 19.0, 0.0), JOB: (SPAWNER, 2.0, 4.0), OTHER: (1, 70.0, 0.0)},
        {SPAWNER: (1, 29.0, 16.0), OTHER: (1, 90.0, 0.0)},
        {SPAWNER: (1, 29.0, 16.0), OTHER: (1, 99.0, 9.0)},
    ]  # fmt: skip
    ours = Ours([lock(tmp_path, str(SPAWNER))], lambda *_: tables.pop(0))
    assert ours.look(100.0) is None
    assert ours.look(110.0) == 0.3  # of 3 s there are 6 s: the child's were waited for
    assert ours.look(120.0) == 1.0
    assert ours.look(130.0) == 0.0


def test_what_a_spawner_adopted_is_ours_once(tmp_path: Path) -> None:
    tables = [
        {SPAWNER: (1, 9.0, 3.0), JOB: (1, 1.0, 0.0), CHILD: (JOB, 2.0, 0.0), OTHER: (1, 5.0, 0.0)},
        {SPAWNER: (1, 9.0, 3.0), JOB: (1, 4.0, 0.0), CHILD: (JOB, 4.0, 0.0), OTHER: (1, 9.0, 0.0)},
    ]
    ours = Ours([lock(tmp_path, f"{SPAWNER} {JOB}")], lambda *_: tables.pop(0))
    assert [ours.look(100.0), ours.look(110.0)] == [None, 0.5]


def test_a_look_too_soon_tells_what_the_last_one_told(tmp_path: Path) -> None:
    tables = [{SPAWNER: (1, 0.0, 0.0)}, {SPAWNER: (1, 0.0, 5.0)}]
    ours = Ours([lock(tmp_path, str(SPAWNER))], lambda *_: tables.pop(0))
    assert [ours.look(moment) for moment in (1.0, 1.1, 11.0, 11.2)] == [None, None, 0.5, 0.5]


def test_a_spawner_that_left_has_no_share(tmp_path: Path) -> None:
    ours = Ours([lock(tmp_path, "left"), str(tmp_path / "none")], lambda *_: {1: (0, 5.0, 5.0)})
    assert [ours.look(0.0), ours.look(10.0)] == [None, 0.0]


def test_the_whole_table_is_read_only_while_something_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def times(pids: Collection[int] | None = None) -> procfs.Times:
        asked.append(None if pids is None else len(pids))
        return real(pids)

    real = procfs.times
    monkeypatch.setattr(procfs, "times", times)
    program = "import subprocess, sys; sys.stdin.readline(); subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        ours = Ours([lock(tmp_path, str(process.pid))])
        ours.look(100.0)
        process.stdin.write(b"\n")
        process.stdin.flush()
        while not (started := procfs.children(process.pid)):
            time.sleep(0.01)
        ours.look(200.0)
        os.kill(started[0], signal.SIGKILL)
    assert asked == [1, None]


def test_a_real_process_that_works_is_seen(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "work = 'import time\\nwhile time.process_time() < 1.0: pass'\n"
        "sys.stdin.readline()\n"
        "subprocess.run([sys.executable, '-c', work])\n"
        "print(flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ours = Ours([lock(tmp_path, str(process.pid))])
        assert ours.look(100.0) is None
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        used = ours.look(101.0)
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert used is not None
    assert 0.9 < used < 5
    assert os.getpid() != process.pid
