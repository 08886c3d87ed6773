"""The file of tokens, where it can't be written."""

import errno
import os
import sys
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


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root can give a folder away"
)
def test_in_anothers_folder_nobody_makes_a_token_before_its_first_start(tmp_path: Path) -> None:
    os.chown(tmp_path, 4242, 4242)
    with pytest.raises(StoreUnusable, match=r"belongs to another account .*as that account"):
        Tokens(tmp_path).create("ada")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match=f"cannot use the store in {tmp_path}/file/store"):
        Tokens(tmp_path / "file" / "store").create("ada")
