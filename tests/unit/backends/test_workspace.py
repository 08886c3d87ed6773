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
