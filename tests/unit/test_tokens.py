"""The file of tokens, where it can't be written."""

import errno
import os
from pathlib import Path

import pytest

from solveyard.model.errors import StoreFull, StoreUnusable
from solveyard.tokens import Tokens


def test_a_full_disk_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = Tokens(tmp_path)
    tokens.create("ada")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull, match=f"free some space on {tmp_path}"):
        tokens.create("eve")
    assert [one.name for one in tokens.all()] == ["ada"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokens.json", "tokens.lock"]


def test_a_store_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match=f"cannot use the store in {tmp_path}/file/store"):
        Tokens(tmp_path / "file" / "store").create("ada")
