import os
import shutil
import socket
from itertools import repeat
from pathlib import Path

import pytest

from solveyard.backends.here import Brief, LocalWorkspace, TooMuch
from solveyard.backends.withheld import Store
from solveyard.backends.workspace import FileEntry, Missing, NoSuchFile
from solveyard.model.errors import InvalidRequest, NotAllowed
from solveyard.wire.beneath import Folder


@pytest.fixture
def workspace(tmp_path: Path) -> LocalWorkspace:
    root = tmp_path / "job"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("0123456789")
    (root / "sub" / "b.txt").write_text("b")
    (tmp_path / "secret").write_text("not yours")
    return LocalWorkspace(root)


def test_it_finds_regular_files(workspace):
    (workspace.root / "link").symlink_to(workspace.root.parent / "secret")
    os.mkfifo(workspace.root / "pipe")
    assert sorted(entry.path for entry in workspace.walk()) == ["a.txt", "sub/b.txt"]


def test_its_pages_are_by_path_and_say_how_many_there_are_and_whether_another_follows(workspace):
    for name in ("z.s1p", "sub/c.s1p", "b.txt"):
        (workspace.root / name).touch()
    paths = ["a.txt", "b.txt", "sub/b.txt", "sub/c.s1p", "z.s1p"]
    seen, after = [], ""
    for more in ("b.txt", "sub/c.s1p", ""):
        found = workspace.page(2, after)
        assert (found.total, found.more, found.unread) == (5, more, "")
        seen.append([one.path for one in found.files])
        after = found.files[-1].path
    assert seen == [paths[:2], paths[2:4], paths[4:]]
    assert workspace.page(9, after) == ([], 5, "", "")
    some = workspace.page(1, "", lambda path: path.endswith(".s1p"))
    assert ([one.path for one in some.files], some.total, some.more) == (
        ["sub/c.s1p"],
        2,
        "sub/c.s1p",
    )


@pytest.mark.skipif(os.mkdir not in os.supports_dir_fd, reason="no folder can be so deep here")
def test_what_lies_too_deep_to_be_read_is_said(workspace):
    (workspace.root / "d").mkdir()
    name, inside = "d" * 200, os.open(workspace.root / "d", os.O_RDONLY)
    for _ in repeat(None, 24):
        os.mkdir(name, dir_fd=inside)
        below = os.open(name, os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=inside))
    os.close(inside)
    found = workspace.page(9)
    assert [one.path for one in found.files] == ["a.txt", "sub/b.txt"]
    assert found.unread.startswith("d/ddd")
    assert found.unread.endswith("…: File name too long")
    told = []
    assert len(list(workspace.walk(unread=told.append))) == 2
    assert told == [found.unread]
    shutil.rmtree(workspace.root / "d")


def test_of_what_is_missing_the_first_is_named_and_the_others_are_counted():
    missing = Missing()
    assert missing.text == ""
    for why in ("a: Permission denied", "b: Input/output error", "c: File name too long"):
        missing.note(why)
    assert missing.text == "a: Permission denied (and 2 more)"


def test_a_folder_that_went_meanwhile_is_nothing_that_could_not_be_read(workspace):
    told = []
    assert list(workspace.walk("nothing", told.append)) == []
    assert list(workspace.walk("a.txt", told.append)) == []
    assert told == []


def test_a_brief_look_at_more_than_it_takes_in_is_given_up(workspace):
    workspace.stat("a.txt")
    assert len(list(Brief(workspace, 3, 99).walk("sub"))) == 1
    for name in "cdef":
        (workspace.root / "sub" / name).touch()
    with pytest.raises(TooMuch):
        list(Brief(workspace, 3, 99).walk("sub"))


def test_a_part_is_read_from_an_offset_or_from_the_end(workspace):
    assert workspace.read("a.txt", 3, 4) == b"3456"
    assert workspace.read("a.txt", -3) == b"789"
    assert workspace.read("a.txt", -99) == b"0123456789"
    assert workspace.read("a.txt", 99) == b""


def test_a_file_is_described_and_a_missing_one_is_none(workspace):
    found = workspace.stat("a.txt")
    assert isinstance(found, FileEntry)
    assert (found.path, found.size) == ("a.txt", 10)
    assert workspace.stat("nothing") is None
    assert workspace.stat("sub") is None


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "sub/../../secret", "link", "a\0b"])
def test_nothing_outside_is_ever_read(workspace, path):
    (workspace.root / "link").symlink_to(workspace.root.parent / "secret")
    with pytest.raises(InvalidRequest):
        workspace.read(path)


def test_a_file_is_read_from_where_it_was_found_whatever_is_there_by_then(workspace, tmp_path):
    with workspace.open("sub/b.txt") as file:
        (workspace.root / "sub").rename(workspace.root / "moved")
        (workspace.root / "sub").symlink_to(tmp_path)
        assert (file.entry.size, file.read(), file.read(-1)) == (1, b"b", b"b")
    assert file.read() == b""  # closed


def test_a_folder_that_became_a_link_meanwhile_is_not_listed(workspace, tmp_path, monkeypatch):
    listed = Folder.listed

    def exchanged(self, path="", *, strict=False):
        if path == "sub":
            (workspace.root / "sub").rename(workspace.root / "moved")
            (workspace.root / "sub").symlink_to(tmp_path)
        return listed(self, path, strict=strict)

    monkeypatch.setattr(Folder, "listed", exchanged)
    assert [one.path for one in workspace.walk()] == ["a.txt"]


def test_a_bound_folder_that_leads_elsewhere_by_now_is_refused(workspace, tmp_path):
    bound = LocalWorkspace(workspace.root, [os.path.realpath(workspace.root)])
    assert bound.read("sub/b.txt") == b"b"
    workspace.root.rename(tmp_path / "moved")
    workspace.root.symlink_to(tmp_path)
    for look in (
        lambda: bound.read("secret"),
        lambda: bound.stat("secret"),
        lambda: bound.page(9),
        lambda: list(bound.walk()),
        lambda: list(bound.walk("moved")),
        lambda: Brief(bound, 9, 9).read("secret"),
    ):
        with pytest.raises(NotAllowed, match="leads out of the folders in which it may run"):
            look()
    assert workspace.read("secret") == b"not yours"  # as whoever owns the store says


def test_what_is_no_regular_file_is_refused_and_does_not_hang(workspace, tmp_path):
    os.mkfifo(workspace.root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(workspace.root / "s"))
        for path in ("pipe", "s", "sub", "."):
            with pytest.raises(InvalidRequest):
                workspace.read(path)


def test_a_missing_file_is_refused_with_its_name(workspace):
    with pytest.raises(InvalidRequest, match="nothing"):
        workspace.read("nothing")


def test_links_to_folders_are_not_followed_and_a_part_is_found_by_its_whole_path(tmp_path):
    for name in ("b/z/1", "b/2", "a/3", "b-c/4"):
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).touch()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "top" / "a")
    found = sorted(one.path for one in LocalWorkspace(tmp_path).walk("top"))
    assert found == ["top/a/3", "top/b-c/4", "top/b/2", "top/b/z/1"]
    below = LocalWorkspace(tmp_path / "top").walk("b")
    assert sorted(one.path for one in below) == ["b/2", "b/z/1"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A manager's, in somebody's home, with a job and a task that have folders of their own."""
    folder = tmp_path / "home" / "data" / "store"
    for name in ("jobs/7/own.txt", "jobs/8/3/own.txt", "agent/token"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "manager.json").write_text("the owner's token")
    (tmp_path / "home" / "mine.txt").touch()
    return folder


def test_of_the_managers_store_a_job_above_it_shows_nothing(store, tmp_path):
    home = tmp_path / "home"
    (home / "way").symlink_to(store)
    seen = LocalWorkspace(home, store=Store(store))
    assert [one.path for one in seen.walk()] == ["mine.txt"]
    page = seen.page(9)
    assert ([one.path for one in page.files], page.total) == (["mine.txt"], 1)
    assert page.unread == "data/store: the manager's own store is there"
    assert list(seen.walk("data/store/agent")) == []
    for path in ("data/store/manager.json", "way/manager.json", "data/store/jobs/7/own.txt"):
        assert seen.stat(path) is None
        with pytest.raises(NoSuchFile):
            seen.read(path)
        with pytest.raises(TooMuch):
            Brief(seen, 99, 99).read(path)
    with pytest.raises(TooMuch):
        list(Brief(seen, 99, 99).walk("data/store"))
    assert seen.read("mine.txt") == b""


@pytest.mark.parametrize("place", [".", "agent", "jobs", "jobs/7/.."])
def test_a_job_in_the_managers_store_shows_nothing(store, place):
    seen = LocalWorkspace(store / place, store=Store(store))
    assert list(seen.walk()) == []
    assert seen.page(9).total == 0
    for path in ("manager.json", "token", "7/own.txt"):
        assert seen.stat(path) is None


@pytest.mark.parametrize("place", ["jobs/7", "jobs/8/3", "jobs/8/3/../../7"])
def test_a_jobs_own_folder_in_the_store_is_all_shown(store, tmp_path, place):
    (tmp_path / "way").symlink_to(store)
    for named in (store, tmp_path / "way"):
        seen = LocalWorkspace(named / place, store=Store(store))
        assert [one.path for one in seen.walk()] == ["own.txt"]
        assert seen.read("own.txt") == b""
