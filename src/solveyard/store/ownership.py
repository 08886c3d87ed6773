"""Whose a store is, and who may write there: what waits in it, and the programs in it, would run
as whoever starts a manager on it.
"""

import logging
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from solveyard.model.errors import StoreUnusable
from solveyard.store.database import FILE

log = logging.getLogger("solveyard.store")

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


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


def make_private(folder: Path) -> None:
    """Make it, 0700, or have one that is there to ourselves.

    Raises StoreUnusable where `trouble` finds some; OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = trouble(folder)
    if not found and open_to_others(folder):
        with suppress(OSError):  # another's, or of a file system without modes: as its mount says
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~_OTHERS)
        log.info("the folder was open to others", extra={"folder": str(folder)})
        found = trouble(folder)  # somebody might have been quick
    if found:
        raise StoreUnusable(f"{found} (choose a folder of your own: --store, or SOLVEYARD_HOME)")


def open_to_others(folder: Path) -> bool:
    """May others do anything there? Windows doesn't tell."""
    return sys.platform != "win32" and bool(folder.stat().st_mode & _OTHERS)


def trouble(folder: Path) -> str:
    """Why it can't be ours alone: it, or what is in it, is another account's, or everybody writes.

    The superuser may own it, and let a group write there, or everybody where it is a whole volume:
    those of containers are so, with nobody else in there. Where all files have the owner that their
    mount gives them, that tells nothing.
    """
    if sys.platform == "win32":
        return ""
    found, ours = folder.stat(), {os.geteuid(), 0}
    if found.st_uid != os.geteuid() and _of_what_we_write(folder) == found.st_uid:
        return ""
    if found.st_uid not in ours:
        return f"{folder} belongs to another account (number {found.st_uid})"
    if found.st_uid != os.geteuid() and found.st_mode & stat.S_IWOTH and not folder.is_mount():
        return f"everybody may write in {folder}, and it can't be changed by this account"
    for place in sorted(folder.iterdir()):
        with suppress(FileNotFoundError):
            if (owner := place.lstat().st_uid) not in ours:
                return f"{place} belongs to another account (number {owner})"
    return ""


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
