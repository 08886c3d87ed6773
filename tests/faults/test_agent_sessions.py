"""With no manager, a spawner ends the commands whose session's program has died, and no others."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import alive, until
from solveyard import attendance
from solveyard.store.holder import Holder

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")

BEGIN = """if True:
    import sys
    from pathlib import Path
    from solveyard import attendance
    print(attendance.begin(Path(sys.argv[1])), flush=True)
    sys.stdin.read()
    """


def session(store: Path) -> tuple["subprocess.Popen[str]", str]:
    """A program with a session, and that session's file."""
    program = subprocess.Popen(
        [sys.executable, "-c", BEGIN, str(store)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    return program, attendance.place(store, program.stdout.readline().strip())


def kill(program: "subprocess.Popen[str]") -> None:
    program.kill()
    program.communicate()


@pytest.mark.parametrize("platform", ["auto", "portable"])
@pytest.mark.parametrize("adopted", [False, True], ids=["its own", "of a spawner before it"])
def test_a_dead_sessions_commands_end_and_nobody_elses(
    stage: Any, tmp_path: Path, platform: str, adopted: bool
) -> None:
    dying, dead = session(tmp_path)
    living, lives = session(tmp_path)
    ended, gone = session(tmp_path)
    Path(gone).unlink()
    spawner = stage.spawner(platform)
    files = {"dead": dead, "lives": lives, "gone": gone, "none": ""}
    for name, file in files.items():
        stage.manager.say(stage.launch(name, "sleep", "600", session=file))
    pids = {name: stage.manager.started(name) for name in files}
    for name, after in (("next", "dead"), ("last", "lives")):
        line = stage.launch(name, "true", session=files[after], after=after)
        stage.manager.say(line)
    stage.manager.settled()
    if adopted:
        spawner.kill()
        spawner.wait()
        spawner = stage.spawner(platform)
        stage.manager.until(lambda: bool(stage.manager.peers), "the next spawner")
    kill(dying)
    kill(ended)
    stage.manager.vanish()
    until(lambda: not alive(pids["dead"]), "the dead session's command has ended")
    assert all(alive(pid) for name, pid in pids.items() if name != "dead")
    stage.manager.listen()
    assert stage.manager.end("dead")["ended_by"] == "session"
    if not adopted:  # what waits is in a spawner's memory alone
        end = stage.manager.end("next")
        assert (end["ended_by"], end["pid"]) == ("session", None)
    stage.manager.settled()
    assert [one for one in ("lives", "gone", "none", "last") if stage.manager.ends(one)] == []
    living.communicate()


def test_a_number_that_another_process_has_now_is_no_living_session(
    stage: Any, tmp_path: Path
) -> None:
    dying, dead = session(tmp_path)
    kill(dying)
    other = Holder.this_process("x", {})
    (tmp_path / "sessions" / "x").write_bytes(
        Path(dead).read_bytes().replace(b'"pid":%d' % dying.pid, b'"pid":%d' % other.pid)
    )
    stage.spawner()
    stage.manager.say(
        stage.launch("a", "sleep", "600", session=str(tmp_path / "sessions" / "x")),
        stage.launch("b", "sleep", "600", session=attendance.place(tmp_path, "nonesuch")),
    )
    pid, stays = stage.manager.started("a"), stage.manager.started("b")
    stage.manager.vanish()
    until(lambda: not alive(pid), "it has ended")
    assert alive(stays)
