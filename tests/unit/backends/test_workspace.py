import os
import socket
from pathlib import Path

import pytest

from solveyard.backends.workspace import FileEntry, LocalWorkspace
from solveyard.model.errors import InvalidRequest


@pytest.fixture
def workspace(tmp_path: Path) -> LocalWorkspace:
    root = tmp_path / "job"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("0123456789")
    (root / "sub" / "b.txt").write_text("b")
    (tmp_path / "secret").write_text("not yours")
    return LocalWorkspace(root)


def test_it_lists_regular_files_by_path(workspace):
    (workspace.root / "link").symlink_to(workspace.root.parent / "secret")
    os.mkfifo(workspace.root / "pipe")
    assert [entry.path for entry in workspace.list()] == ["a.txt", "sub/b.txt"]
    assert len(workspace.list(limit=1)) == 1


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


def test_a_folders_own_files_come_first_and_links_to_folders_are_not_followed(tmp_path):
    for name in ("b/z/1", "b/2", "a/3", "b-c/4"):
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).touch()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "top" / "a")
    found = LocalWorkspace(tmp_path).list(below="top")
    assert [one.path for one in found] == ["top/a/3", "top/b-c/4", "top/b/2", "top/b/z/1"]
    below = LocalWorkspace(tmp_path / "top").list(limit=1, below="b")
    assert [one.path for one in below] == ["b/2"]
    assert LocalWorkspace(tmp_path).list(below="nothing") == []
