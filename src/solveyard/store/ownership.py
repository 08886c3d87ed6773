"""Whose a store is: what waits in it would run as whoever starts a manager on it."""

import os
import sys
import tempfile
from pathlib import Path

from solveyard.model.errors import StoreUnusable
from solveyard.store.database import FILE


def judge(folder: Path) -> None:
    """Raises StoreUnusable where the store in `folder` is another account's; root is one, too.

    Its database tells, not the folder: that of a mounted volume may be root's.
    """
    if sys.platform == "win32":
        return
    try:
        owner = (folder / FILE).stat().st_uid
    except OSError:  # there is none yet, or whoever opens it says what is wrong
        return
    if owner in {os.geteuid(), _of_what_we_write(folder)}:
        return
    me, name = os.geteuid(), _name(owner)
    theirs = name or f"'#{owner}'"
    raise StoreUnusable(
        f"the store in {folder} belongs to the account {name or owner}, and its jobs would run as"
        f" {_name(me) or me} (sudo -u {theirs} solveyard --store {folder} ..., or choose another"
        " with --store)"
    )


def _of_what_we_write(folder: Path) -> int | None:
    """Some network file systems give all files to one account. None: nothing can be written."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_uid
    except OSError:
        return None


def _name(uid: int) -> str:
    """The account's; empty: it has none."""
    if sys.platform == "win32":
        return ""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
