"""When a start is written and told, and that one which was not yet is found all the same."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from solveyard.agent import runs as module
from solveyard.agent.ledger import Ledger
from solveyard.agent.loop import Loop, Timer
from solveyard.agent.orders import Launch
from solveyard.agent.platform.base import (
    Child,
    End,
    LaunchError,
    Order,
    Platform,
    Row,
    Tree,
)
from solveyard.agent.recovery import recover
from solveyard.agent.runs import NEWS, Runs
from solveyard.wire.frames import Message

PID = 100
START = 5.0


class MadeUp(Platform):
    """Its commands run, all of them one process, until somebody says that it has ended."""

    adopts = True

    def __init__(self, group: str = "") -> None:
        self.group = group
        self.ends: list[End] = []
        self.running: dict[int, str] = {}  #: attempts

    def folder(self) -> str:
        return self.group

    def spawn(self, order: Order) -> Child:
        pid = PID + len(self.running)
        self.running[pid] = order.attempt
        return Child(pid, f"{START}:{START}")

    def reap(self) -> list[End]:
        ends, self.ends = self.ends, []
        return ends

    def leftovers(self, tree: Tree, *, alone: bool) -> bool:
        return False

    def table(self) -> dict[int, Row]:
        return {pid: Row(1, pid, pid, START, dead=False) for pid in self.running}

    def row(self, pid: int) -> Row | None:
        return self.table().get(pid)

    def age(self, start: float) -> float:
        return 0.001

    def signal(self, pids: Iterable[int], name: str) -> None:
        for pid in pids:
            self.running.pop(pid, None)

    def marks(self, pids: Iterable[int]) -> dict[int, str]:
        return {pid: self.running[pid] for pid in pids}


class _Loop(Loop):
    """Whoever is due comes when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[Timer] = []

    def later(self, delay: float, call: object) -> Timer:
        assert callable(call)
        self.due.append(Timer(call))
        return self.due[-1]

    def pass_on(self) -> None:
        due, self.due = self.due, []
        for timer in due:
            if timer.call is not None:
                timer.call()


class Stage:
    def __init__(self, folder: Path, platform: MadeUp) -> None:
        self.folder = folder
        self.platform = platform
        self.loop = _Loop()
        self.told: list[Message] = []
        self.ledger = Ledger(str(folder / "ledger"))
        self.runs = Runs(
            self.loop,
            platform,
            self.ledger,
            "boot",
            lambda message, text: self.told.append(message),
        )

    def begin(self, attempt: str, *, brief: bool) -> None:
        place = str(self.folder)
        launch = Launch(attempt, ["x"], {}, place, place + "/o", place + "/e", 1.0, brief=brief)
        self.runs.begin(launch)

    def end(self, pid: int = PID) -> None:
        self.platform.ends.append(End(pid, 0, None, 0.0, 0))
        self.runs.reap()

    def close(self) -> None:
        self.loop.close()
        self.ledger.close()

    @property
    def words(self) -> list[str]:
        return [message["t"] for message in self.told]

    @property
    def written(self) -> str:
        """The kinds of the ledger's lines."""
        self.ledger.flush()
        lines = (self.folder / "ledger").read_text().splitlines()
        return "".join(line[0] for line in lines)


Make = Callable[[MadeUp], Stage]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes stages that share a ledger, one after the other."""
    made: list[Stage] = []

    def stage(platform: MadeUp) -> Stage:
        made.append(Stage(tmp_path, platform))
        return made[-1]

    yield stage
    for one in made:
        one.close()


@pytest.fixture
def stage(make: Make) -> Stage:
    return make(MadeUp())


def test_a_start_whose_end_comes_soon_is_not_told(stage: Stage) -> None:
    stage.begin("a", brief=True)
    stage.end()
    assert stage.words == ["ended"]
    assert stage.told[0]["pid"] == PID
    stage.loop.pass_on()
    assert stage.words == ["ended"]


def test_in_a_control_group_a_start_is_told_after_a_moment_and_written_before(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make(MadeUp("/group"))
    stage.begin("a", brief=False)
    stage.loop.pass_on()
    assert stage.words == [], "before its moment was over"
    assert stage.written == "HA"
    later = time.monotonic() + NEWS
    stage.begin("b", brief=False)
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    stage.loop.pass_on()
    assert [(one["t"], one["attempt"]) for one in stage.told] == [("started", "a")]
    assert stage.written == "HAAS"
    stage.end(PID + 1)
    assert stage.words == ["started", "ended"]
    assert stage.written == "HAASE", "the end says that it started"


@pytest.mark.parametrize("group", ["", "/group"])
def test_what_is_taken_to_be_brief_has_no_control_group_and_its_start_is_written_at_once(
    make: Make, group: str
) -> None:
    stage = make(MadeUp(group))
    stage.begin("a", brief=True)  # that is only presumed
    assert stage.written == "HAS"
    assert stage.words == []
    stage.loop.pass_on()
    stage.end()
    assert stage.words == ["ended"]
    assert stage.written == "HASE"


def test_where_there_are_no_control_groups_every_start_is_written_at_once(stage: Stage) -> None:
    stage.begin("a", brief=False)
    assert stage.written == "HAS"


def test_who_asks_meanwhile_is_told_and_it_is_written(stage: Stage) -> None:
    stage.begin("a", brief=True)
    stage.runs.tell("a")
    assert stage.written == "HAS"
    stage.runs.tell("a")
    assert stage.words == ["started"] * 2
    assert stage.written == "HAS", "once is enough"


def test_the_next_spawner_finds_by_its_mark_what_the_ledger_does_not_know_as_started(
    make: Make,
) -> None:
    stage = make(MadeUp("/group"))
    stage.begin("a", brief=False)
    stage.begin("b", brief=False)
    del stage.platform.running[PID + 1]  # it has ended, and nobody saw it
    assert stage.written == "HAA"
    heir = make(stage.platform)
    recover(heir.ledger, heir.runs, stage.platform, "boot", "spawner 0")
    assert list(heir.runs.running) == ["a"]
    assert heir.runs.adopted == {PID}
    (end,) = heir.told
    assert end["attempt"] == "b"
    assert "whether it ran is not known" in end["lost"]
    assert sorted(heir.written) == sorted("HAASE")


def test_the_next_spawner_finds_what_was_taken_to_be_brief_and_has_cleared_its_environment(
    stage: Stage, make: Make
) -> None:
    stage.begin("a", brief=True)
    stage.ledger.flush()  # as at the end of each turn
    stage.platform.running[PID] = ""
    heir = make(stage.platform)
    recover(heir.ledger, heir.runs, stage.platform, "boot", "spawner 0")
    assert heir.words == []
    assert heir.runs.adopted == {PID}


def test_a_command_that_cannot_be_seen_is_looked_at_again_and_not_taken_for_gone(
    stage: Stage, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.begin("a", brief=False)
    heir = make(stage.platform)
    with monkeypatch.context() as full:

        def unseen(*_: object, **__: object) -> object:
            raise OSError(24, "Too many open files")

        full.setattr(stage.platform, "row", unseen)
        recover(heir.ledger, heir.runs, stage.platform, "boot", "spawner 0")
        heir.loop.pass_on()
        assert list(heir.runs.running) == ["a"]
        full.setattr(stage.platform, "table", unseen)
        heir.runs.kill("a", 0.0, "cancelled")
        heir.loop.pass_on()
        assert heir.words == []
    until = time.monotonic() + 20
    while not heir.told and time.monotonic() < until:
        time.sleep(0.005)
        heir.loop.pass_on()
    (end,) = heir.told
    assert (end["attempt"], end["ended_by"]) == ("a", "cancelled")


def test_who_ended_by_itself_is_not_told_as_killed(stage: Stage) -> None:
    stage.begin("a", brief=True)
    stage.platform.ends.append(End(PID, 0, None, 0.0, 0))
    stage.runs.kill("a", 1.0, "time_limit")
    (end,) = stage.told
    assert (end["code"], end["ended_by"]) == (0, "")


def test_a_full_disk_is_no_fault_of_the_command(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(order: Order) -> Child:
        raise LaunchError("cannot write /o: No space left") from OSError(28, "No space left")

    with monkeypatch.context() as patched:
        patched.setattr(stage.platform, "spawn", full)
        with pytest.raises(OSError, match="cannot write /o: No space left"):
            stage.begin("a", brief=True)
    assert stage.words == []
    stage.begin("a", brief=True)
    stage.end()
    assert stage.words == ["ended"]


def test_a_clock_that_was_set_back_makes_no_file_older_than_its_command(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.begin("a", brief=True)
    told = time.time()
    monkeypatch.setattr(module.time, "time", lambda: told - 100.0)
    stage.end()
    (end,) = stage.told
    assert end["since"] <= told - 100.0 < end["started_at"]


@pytest.mark.skipif(sys.platform == "win32", reason="it opens no folders")
def test_a_command_starts_in_the_folder_that_its_files_were_written_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = stage.folder / "work"
    work.mkdir()
    seen = work.stat().st_ino
    entered: list[int] = []

    def exchanged(order: Order) -> Child:
        work.rename(stage.folder / "moved")
        work.symlink_to(stage.folder)
        assert order.entered is not None
        entered.append(os.fstat(order.entered).st_ino)
        return Child(PID, f"{START}:{START}")

    monkeypatch.setattr(stage.platform, "spawn", exchanged)
    place = str(stage.folder)
    launch = Launch("a", ["x"], {}, str(work), place + "/o", place + "/e", 1.0, files={"a": "1"})
    stage.runs.begin(launch)
    assert entered == [seen]


def test_what_is_due_may_fail_and_the_loop_goes_on() -> None:
    loop = Loop()
    done: list[str] = []
    loop.later(0.0, lambda: 1 // 0)
    loop.later(0.0, lambda: done.append("next"))
    loop.later(0.0, loop.stop)
    loop.later(1e9, lambda: None)
    loop.run()
    loop.close()
    assert done == ["next"]


def test_no_wait_is_longer_than_the_system_takes() -> None:
    loop = Loop()
    loop.later(1e9, lambda: None)
    loop.at_turn_end.append(lambda: loop.post(loop.stop))
    loop.run()
    loop.close()


def test_an_attempt_of_which_power_took_the_first_line_ran_before_a_reboot(make: Make) -> None:
    stage = make(MadeUp())
    stage.ledger.started("a", {"attempt": "a", "pid": PID})
    recover(stage.ledger, stage.runs, stage.platform, "boot", "spawner 0")
    (end,) = stage.told
    assert (end["attempt"], end["lost"]) == ("a", "the machine rebooted while it ran")


@pytest.mark.parametrize("happened", ["copied", "moved"])
def test_what_the_original_of_a_copied_store_runs_is_its_own(tmp_path: Path, happened: str) -> None:
    """Where there is none any more, it has moved, and goes on."""
    store, copy = tmp_path / "store", tmp_path / "copy"
    store.mkdir()
    stage = Stage(store, MadeUp("/group"))
    for attempt in "ab":
        stage.begin(attempt, brief=False)
    stage.runs.tell("a")  # of the other it isn't written yet
    stage.close()
    shutil.copytree(store, copy)
    if happened == "moved":
        shutil.rmtree(store)
    told: dict[str, str] = {}
    for _ in range(2):  # once it is ended as another's, or taken for its own, it stays so
        heir = Stage(copy, stage.platform)
        recover(heir.ledger, heir.runs, stage.platform, "boot", "spawner 0")
        told |= {end["attempt"]: end["lost"] for end in heir.told if end["t"] == "ended"}
        running = set(heir.runs.running)
        heir.close()
    assert running == (set("ab") if happened == "moved" else set())
    assert told.keys() == set("ab") - running
    assert all(f"a copy of another one, whose agent (in {store})" in why for why in told.values())
    assert set(stage.platform.running.values()) == set("ab")


@pytest.mark.parametrize("mark", ["another's", "none"])
def test_of_a_ledger_that_notes_nobody_the_processes_tell_whose_they_are(
    make: Make, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    stage = make(MadeUp("/group"))
    stage.begin("a", brief=False)
    stage.runs.tell("a")
    stage.ledger.flush()
    heir = make(stage.platform)
    heir.ledger.keeper = None  # as an older version left it
    monkeypatch.setattr(stage.platform, "is_anothers", lambda pid: mark == "another's")
    recover(heir.ledger, heir.runs, stage.platform, "boot", "spawner 0")
    assert list(heir.runs.running) == ([] if mark == "another's" else ["a"])
    assert heir.ledger.keeper is not None


def test_a_process_that_goes_while_it_is_looked_for_is_gone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make(MadeUp("/group"))
    stage.begin("a", brief=False)
    stage.platform.running.clear()
    monkeypatch.setattr(stage.platform, "contained", lambda folder: {PID})
    heir = make(stage.platform)
    recover(heir.ledger, heir.runs, stage.platform, "boot", "spawner 0")
    (end,) = heir.told
    assert "whether it ran is not known" in end["lost"]
