"""A private file is replaced as a whole, or stays as it was."""

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from solveyard.store import private


@pytest.mark.parametrize("lasting", [False, True])
def test_a_file_is_replaced_and_nothing_else_is_there(tmp_path: Path, lasting: bool) -> None:
    place = tmp_path / "token"
    for content in (b"a longer one", b"short"):
        private.write(place, content, lasting=lasting)
        assert place.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_nobody_else_may_read_it_whatever_was_there(tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.touch(mode=0o644)
    private.write(place, b"a secret")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    place = tmp_path / "token"
    private.write(place, b"the old one")

    def fails(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(type(error)):
        private.write(place, b"the new one", lasting=True)
    assert place.read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
