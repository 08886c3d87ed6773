"""A command's folder, in which others may write: nothing outside it is written or looked at."""

import errno
import os
import sys
from pathlib import Path

import pytest

from solveyard.agent.folders import compare, entered, prepare
from solveyard.agent.orders import Launch
from solveyard.agent.platform.base import LaunchError
from solveyard.backends.here import LocalWorkspace
from solveyard.wire.beneath import is_unfinished

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it opens no folders")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("not yours")
    work = tmp_path / "projects" / "work"
    work.mkdir(parents=True)
    return work


def launch(work: Path, *, bound: bool = False, **more: object) -> Launch:
    place = str(work)
    order = Launch("a", ["x"], {}, place, "/o", "/e", 1.0, files={"sub/deck.nec": "GW"})
    if bound:
        order = order._replace(within=[os.path.realpath(work.parent)])
    return order._replace(**more)


def prepared(order: Launch) -> dict[str, object]:
    folder = entered(order)
    assert folder is not None
    with folder:
        return dict(prepare(order, folder))


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(work: Path) -> None:
    (work / "sub").mkdir()
    (work / "sub" / "deck.nec").symlink_to(work.parent.parent / "secret")
    prepared(launch(work))
    assert (work / "sub" / "deck.nec").read_text() == "GW"
    assert (work.parent.parent / "secret").read_text() == "not yours"


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(work: Path) -> None:
    (work / "sub").mkdir()
    os.mkfifo(work / "sub" / "deck.nec")
    prepared(launch(work))
    assert (work / "sub" / "deck.nec").read_text() == "GW"


@pytest.mark.parametrize("mode", [0o755, 0o600])
def test_a_file_that_is_written_anew_keeps_its_mode(work: Path, mode: int) -> None:
    (work / "run.sh").write_text("old")
    (work / "run.sh").chmod(mode)
    prepared(launch(work, files={"run.sh": "#!/bin/sh\n"}))
    assert (work / "run.sh").read_text() == "#!/bin/sh\n"
    assert (work / "run.sh").stat().st_mode & 0o777 == mode


def test_what_a_spawner_that_was_killed_left_unfinished_is_no_file_of_the_job_and_goes(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(os, "replace", killed)
        prepared(launch(work))
    (left,) = (work / "sub").iterdir()
    assert is_unfinished(left.name)
    assert list(LocalWorkspace(work).walk()) == []
    prepared(launch(work))
    assert [one.name for one in (work / "sub").iterdir()] == ["deck.nec"]


def test_a_folder_in_which_no_file_can_be_made_is_what_is_told(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refused(path: str, flags: int, *more: int, **where: int) -> int:
        if flags & os.O_EXCL:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, flags, *more, **where)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(LaunchError) as told:
        prepared(launch(work))
    assert str(told.value) == (
        f"cannot prepare {work}/sub/deck.nec: no file can be made in its folder: Permission denied"
    )


def test_a_bound_folder_that_is_not_there_is_told_by_its_whole_path(work: Path) -> None:
    with pytest.raises(LaunchError) as told:
        entered(launch(work / "late" / "deep", bound=True, within=[str(work)]))
    place = work / "late" / "deep"
    assert str(told.value) == f"cannot enter the folder {place}: No such file or directory"


def test_a_folder_on_the_way_that_leads_out_is_refused_by_its_name(work: Path) -> None:
    (work / "sub").symlink_to(work.parent.parent)
    with pytest.raises(LaunchError, match=r"prepare .*/work/sub/deck\.nec: it leads out of its"):
        prepared(launch(work))
    assert not (work.parent.parent / "deck.nec").exists()


@pytest.mark.parametrize("files", [{}, {"deck.nec": "GW"}])
def test_a_folder_that_leads_elsewhere_by_now_is_not_entered(
    work: Path, files: dict[str, str]
) -> None:
    order = launch(work, bound=True, files=files)
    prepared(order)
    work.rename(work.parent / "moved")
    work.symlink_to(work.parent.parent)
    with pytest.raises(LaunchError, match="it leads out of the folders in which it may run"):
        entered(order)
    assert entered(order._replace(files={}, within=())) is None  # as whoever owns the store says


def test_outputs_of_a_bound_command_are_looked_at_in_its_folder_alone(work: Path) -> None:
    (work / "result").write_text("1")
    (work / "leak").symlink_to(work.parent.parent / "secret")
    order = launch(work, bound=True, outputs=("result", "leak", "none"))
    before = prepared(order)
    assert (before["result"] is None, before["leak"], before["none"]) == (False, None, None)
    record = {"cwd": order.cwd, "outputs": before, "within": order.within}
    (work / "result").write_text("22")
    assert compare(record) == [["result", 2, True], ["leak", None, False], ["none", None, False]]
    work.rename(work.parent / "moved")
    work.symlink_to(work.parent.parent)
    assert compare(record | {"outputs": {"secret": None}}) == [["secret", None, False]]
