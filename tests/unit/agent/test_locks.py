"""A lock has one holder."""

import subprocess
import sys
from pathlib import Path

import pytest

from solveyard.agent import locks


def test_a_lock_is_held_once_and_free_again_after(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    assert locks.free(path)
    one, two = locks.Lock(path), locks.Lock(path)
    assert one.take()
    assert not two.take()
    assert not locks.free(path)
    one.note("12345")
    assert not locks.left(path)
    one.note(locks.LEFT)
    one.release()
    assert locks.left(path)
    assert two.take()
    two.release()


def test_a_killed_holder_frees_it_and_its_children_do_not_keep_it(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    program = (
        "import subprocess, sys; from solveyard.agent.locks import Lock\n"
        "lock = Lock(sys.argv[1]); lock.take()\n"
        "child = subprocess.Popen(['sleep', '600'], close_fds=False, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    assert not locks.free(path)
    holder.kill()
    holder.communicate()
    assert locks.free(path)
    subprocess.run(["kill", "-9", str(child)], check=True)


def test_nobody_has_left_a_lock_that_is_not_there(tmp_path: Path) -> None:
    assert not locks.left(str(tmp_path / "none"))


def test_a_note_that_the_disk_does_not_take_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    lock = locks.Lock(str(path))
    assert lock.take()
    lock.note("1 20 300")
    assert path.read_text().split() == ["1", "20", "300"]
    lock.note("1 300")
    assert path.read_text().split() == ["1", "300"]
    with monkeypatch.context() as full:

        def refused(file: int, content: bytes) -> int:
            raise OSError(28, "No space left on device")

        full.setattr(locks.os, "write", refused)
        lock.note("1 2 3 4")
    assert path.read_text().split() == ["1", "300"]
    write = locks.os.write
    with monkeypatch.context() as nearly:
        nearly.setattr(locks.os, "write", lambda file, content: write(file, content[:13]))
        lock.note("1 2000 3000 4000")
    assert path.read_text().split() == ["1", "2000", "3000"], "no number is cut"
    lock.note(locks.LEFT)
    lock.release()
    assert locks.left(str(path))
