"""Who left without a word is found, also after a crash that cut its file."""

import errno
import os
from pathlib import Path

import pytest

from solveyard import attendance


def test_a_session_lives_as_long_as_its_process(tmp_path: Path) -> None:
    session = attendance.begin(tmp_path)
    assert list(attendance.dead(tmp_path)) == []
    attendance.end(tmp_path, session)
    assert list(attendance.dead(tmp_path)) == []


def test_a_file_that_a_crash_cut_is_of_one_that_died(tmp_path: Path) -> None:
    session = attendance.begin(tmp_path)
    Path(attendance.place(tmp_path, session)).write_bytes(b"")
    (tmp_path / "sessions" / ".written").write_bytes(b"{")
    assert list(attendance.dead(tmp_path)) == [session]


def test_a_session_that_can_not_begin_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        attendance.begin(tmp_path)
    assert list((tmp_path / "sessions").iterdir()) == []
