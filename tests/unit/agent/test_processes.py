"""/proc, ps and the file that travels."""

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from solveyard.agent.platform import cgroups, procfs
from solveyard.agent.platform.base import AGENT
from solveyard.backends.bundle import build

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux' own")


@linux
def test_a_process_with_a_strange_name_is_read(tmp_path: Path) -> None:
    program = tmp_path / "a) (b 1"
    program.symlink_to("/bin/sh")
    child = subprocess.Popen(
        [str(program), "-c", "echo; read line"],
        env={"SOLVEYARD_ATTEMPT": "x.1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()  # in the middle of an exec there is no environment
        row = procfs.row(child.pid)
        assert row is not None
        assert row.parent == os.getpid()
        assert not row.dead
        assert procfs.marks([child.pid, os.getpid()]) == {child.pid: "x.1"}
        assert child.pid in (procfs.children(os.getpid()) or [child.pid])
    assert procfs.row(child.pid) is None


@linux
@pytest.mark.parametrize(("agent", "ours"), [("fd01-7", True), (None, True), ("fd01-8", False)])
def test_a_mark_counts_where_the_agent_that_made_it_is_ours(
    agent: str | None, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(AGENT, "fd01-7")
    env = {"SOLVEYARD_ATTEMPT": "x.1", **({} if agent is None else {AGENT: agent})}
    pipe = subprocess.PIPE
    with subprocess.Popen(["cat"], env=env, stdin=pipe, stdout=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()  # in the middle of an exec there is no environment
        assert procfs.marks([child.pid]) == ({child.pid: "x.1"} if ours else {})
        assert procfs.is_anothers(child.pid) is not ours


REFUSED = """
import os, sys
from solveyard.agent.platform.base import Order, why_not
if os.getuid() == 0:  # whom nothing is refused
    os.setuid(12345)
order = Order("a", ["pwd"], {}, sys.argv[1], os.devnull, os.devnull, "")
print(why_not(order, PermissionError(13, "Permission denied")))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders are entered by whoever sees them")
def test_a_folder_that_may_not_be_entered_is_told_and_not_the_program() -> None:
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "private"
        folder.mkdir(mode=0o600)
        told = subprocess.check_output([sys.executable, "-c", REFUSED, str(folder)], text=True)
        assert told == f"cannot enter the folder {folder}: Permission denied\n"
        folder.chmod(0o755)
        told = subprocess.check_output([sys.executable, "-c", REFUSED, str(folder)], text=True)
        assert told == "cannot start pwd: Permission denied\n"


@linux
def test_more_children_than_one_read_returns_are_listed() -> None:
    program = """if True:
        import os, sys
        for n in range(1000):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            print(pid)
        sys.stdout.flush()
        sys.stdin.read()  # till then they are dead, but not gone
        """
    parent = subprocess.Popen([sys.executable, "-S", "-c", program], stdin=-1, stdout=-1)
    with parent:
        assert parent.stdout is not None
        made = [int(parent.stdout.readline()) for _ in range(1000)]
        found = procfs.children(parent.pid)
        if found is None:
            pytest.skip("this kernel lists no children")
        assert found == made


@linux
def test_both_tables_tell_the_same_of_this_process() -> None:
    from solveyard.agent.platform import posix

    rows = [table()[os.getpid()] for table in (posix._from_ps, posix._from_psutil)]
    assert rows[0][:3] == rows[1][:3] == (os.getppid(), os.getpgid(0), os.getsid(0))
    assert abs(rows[0].start - rows[1].start) < 3


@linux
def test_every_writable_control_group_holds_and_ends_what_begins_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worked = 0
    for own in list(cgroups._own_groups()):
        monkeypatch.setattr(cgroups, "_own_groups", lambda own=own: iter([own]))
        groups = cgroups.Cgroups("solveyard-unit-test")
        folder = groups.folder()
        if not folder:
            continue
        worked += 1
        assert groups.enter(folder)
        try:
            child = subprocess.Popen(["sh", "-c", "setsid sleep 600 & echo; wait"], stdout=-1)
        finally:
            groups.leave()
        with child:
            assert child.stdout is not None
            child.stdout.readline()
            found = cgroups.members(folder)
            assert child.pid in found
            assert os.getpid() not in found
            assert cgroups.occupied(folder)
            cgroups.kill(folder)
        while cgroups.occupied(folder):
            cgroups.kill(folder)
        groups.release(folder, again=False)
        assert not Path(folder).exists()
        groups.close()
    if not worked:
        pytest.skip("no control group can be written here")


@pytest.fixture
def groups() -> Iterator[cgroups.Cgroups]:
    found = cgroups.Cgroups("solveyard-unit-test")
    trial = found.folder()
    if not trial:
        pytest.skip("no control group can be written here")
    yield found
    found.close()
    assert not Path(trial).parent.exists()


def _held(groups: cgroups.Cgroups, folder: str) -> subprocess.Popen[bytes]:
    assert groups.enter(folder)
    try:
        return subprocess.Popen(["sleep", "600"])
    finally:
        groups.leave()


@linux
def test_a_control_group_that_a_command_left_holds_the_next_one(groups: cgroups.Cgroups) -> None:
    folder = groups.folder()
    for _ in range(3):
        with _held(groups, folder) as child:
            assert groups.occupied(folder)
            assert cgroups.members(folder) == {child.pid}
            cgroups.kill(folder)
        assert not groups.occupied(folder)
        groups.release(folder, again=True)
        assert groups.folder() == folder
    groups.release(folder, again=False)
    assert groups.folder() != folder


@linux
def test_a_group_with_groups_below_it_is_removed(groups: cgroups.Cgroups) -> None:
    folder = groups.folder()
    with _held(groups, folder) as child:
        Path(folder, "below").mkdir()
        child.kill()
    groups.release(folder, again=True)
    assert not Path(folder).exists()


@linux
def test_of_many_groups_only_some_keep_their_files_open(groups: cgroups.Cgroups) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    folders = [groups.folder() for _ in range(100)]
    children = [_held(groups, folder) for folder in folders]
    opened = len(list(Path("/proc/self/fd").iterdir())) - before
    found = [cgroups.members(folder) for folder in folders]
    for child, folder in zip(children, folders, strict=True):
        with child:
            child.kill()
        assert not groups.occupied(folder)
        groups.release(folder, again=True)
    assert opened <= 2 * 32
    assert found == [{child.pid} for child in children]
    assert len([folder for folder in folders if Path(folder).exists()]) == 32


@pytest.mark.parametrize(
    ("elapsed", "seconds"),
    [("00:07", 7), ("02:03", 123), ("1:00:00", 3600), ("2-00:00:01", 172801)],
)
def test_elapsed_times_of_ps_are_seconds(elapsed: str, seconds: int) -> None:
    from solveyard.agent.platform import posix

    assert posix._seconds(elapsed) == seconds


def test_the_bundle_holds_the_agent_and_nothing_else(tmp_path: Path) -> None:
    path = build(tmp_path / "new" / "folder")
    names = zipfile.ZipFile(path).namelist()
    parts = {name.split("/")[1] for name in names if name.count("/") > 1}
    assert parts == {"agent", "wire"}
    assert {name for name in names if name.count("/") < 2} == {
        *("__main__.py", "__main__.pyc"),
        *("solveyard/__init__.py", "solveyard/__init__.pyc"),
    }
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_bundle_that_another_python_made_runs_from_its_sources(tmp_path: Path) -> None:
    strange = tmp_path / "strange.pyz"
    with zipfile.ZipFile(build(tmp_path)) as made, zipfile.ZipFile(strange, "w") as other:
        for name in made.namelist():
            content = made.read(name)
            other.writestr(name, b"\0\0\r\n" + content[4:] if name.endswith("c") else content)
    done = subprocess.run(
        [sys.executable, "-I", str(strange), "spawner", "--help"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"--index" in done.stdout


@linux
def test_nobody_is_taken_for_gone_where_no_file_can_be_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(path: str, flags: int) -> int:
        raise OSError(24, "Too many open files")

    assert procfs.row(2**22 + 1) is None
    with monkeypatch.context() as patched:
        patched.setattr(procfs.os, "open", full)
        with pytest.raises(OSError, match="Too many"):
            procfs.row(os.getpid())
        assert procfs.read("/proc/self/stat") == b""


@linux
def test_waiting_for_adopted_processes_leaves_files_for_all_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from solveyard.agent.platform import linux as module

    platform = module.Linux("")
    file = platform.watch(os.getpid())
    if file is None:
        pytest.skip("this Python has no pidfd_open")
    os.close(file)
    monkeypatch.setattr(module.resource, "getrlimit", lambda which: (module._RESERVE, 0))
    assert platform.watch(os.getpid()) is None


@linux
def test_a_group_in_which_somebody_is_left_serves_nobody_else(groups: cgroups.Cgroups) -> None:
    folder = groups.folder()
    assert groups.enter(folder)
    try:
        child = subprocess.Popen(["sleep", "600"])
    finally:
        groups.leave()
    with child:
        groups.release(folder, again=True)
        assert groups.folder() != folder
        child.kill()
    while cgroups.occupied(folder):
        time.sleep(0.001)
    groups.remove(folder)
