"""A manager in the background: started for a submission, or for the demo."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from solveyard.cli import exits
from solveyard.cli.here import current_folder
from solveyard.client import find
from solveyard.client.sync import Client
from solveyard.model.errors import (
    InvalidRequest,
    InvalidSettings,
    ManagerUnavailable,
    SolveyardError,
)
from solveyard.places import StorePlaces
from solveyard.wire.apart import apart

IDLE_EXIT = 600.0  #: s without anything to do, after which it leaves, unless settings differ
PATIENCE = 30.0  #: s until it must answer
LOOK_AGAIN = 0.02  #: s
_SOLVEYARD = (sys.executable, "-P", "-m", "solveyard.cli")  # -P: nothing from the folder it's in
_TAIL = 2000  #: bytes of its log that may tell why it failed


def start(folder: Path) -> "subprocess.Popen[bytes] | None":
    """Start a manager on the store in `folder`, in a session of its own; one answers on return.

    None: it is another, which somebody else started meanwhile.
    Where it doesn't come up, raises what it ended for: InvalidSettings, InvalidRequest, StoreFull
    or Refused, else ManagerUnavailable, with the end of its log. StoreUnusable where the store is
    another account's.
    """
    from solveyard.store import ownership

    places = StorePlaces(folder)
    ownership.judge(folder)
    try:
        ownership.make_private(folder)
        log = places.manager_log.open("ab")
        places.manager_log.chmod(0o600)
    except OSError as error:
        from solveyard.store import failures

        raise failures.from_os(error, folder) from error
    with log:
        begin = log.tell()
        child = subprocess.Popen(
            [
                *_SOLVEYARD,
                *("--store", str(folder), "serve", "--background", "--project", current_folder()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            **apart(),
        )
    up = until(lambda: answers(folder) or _failed(child, folder), PATIENCE) and answers(folder)
    if not up:
        status = child.poll()
        disown(child)
        raise _why(status, places, _end_of(places.manager_log, begin))
    if _is_it(child, folder):
        return child
    disown(child)
    return None


def _is_it(child: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Is the manager that answers this child, or one of its own: a venv's Python on Windows?"""
    where = find.manager(folder)
    if where is None or where.pid is None:
        return False
    if where.pid == child.pid:
        return True
    import psutil

    try:
        return bool(psutil.Process(where.pid).ppid() == child.pid)
    except psutil.Error:
        return False


def disown(child: "subprocess.Popen[bytes]") -> None:
    """It may outlive this process."""
    if child.poll() is None:
        child.returncode = 0  # else Popen warns that it still runs, which is meant


def _why(status: int | None, places: StorePlaces, told: str) -> SolveyardError:
    """What keeps a manager from coming up that ended with `status`; None: it hasn't ended.

    `told`: the end of its log, of which a full disk takes nothing, or not all.
    """
    from solveyard.store import failures

    if status == exits.INVALID_SETTINGS:
        return InvalidSettings(told)
    if status is not None and failures.no_space(places.folder):
        return failures.full(places.folder)
    why = (
        f"the manager that was started does not answer{': ' if told else ''}{told}"
        f" (its log: {places.manager_log})"
    )
    match status:
        case exits.REFUSED:
            return exits.Refused(why)
        case exits.USAGE:
            return InvalidRequest(why)
        case _:
            return ManagerUnavailable(why)


def answers(folder: Path) -> bool:
    """Is there a manager, whole, on the store?"""
    try:
        where = find.manager(folder)
        if where is None or find.gone(where):
            return False
        with Client(where, patience=0.0) as client:
            return client.healthy()
    except ManagerUnavailable:
        return False


def until(true: Callable[[], bool], patience: float) -> bool:
    """Look again and again; False: `patience` s are over."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_AGAIN)
    return True


def _failed(child: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """It ended; not because another one was faster, which will answer."""
    if child.poll() == exits.REFUSED:
        from solveyard.store.lease import Lease

        return Lease.holder(folder) is None
    return child.poll() is not None


def _end_of(log: Path, begin: int) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(begin, size - _TAIL))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].removeprefix("error: ") if lines else ""


def stop(folder: Path, how: str | None, patience: float) -> dict[str, Any]:
    """Stop the manager; returns what it said when its process has gone.

    Raises ManagerUnavailable where none runs, TimeoutError when `patience` s are over.
    """
    where = find.manager(folder)
    if where is None or find.gone(where):
        raise ManagerUnavailable(f"no manager runs on the store {folder}: nothing to stop")
    process = _process(where.pid)
    with Client(folder) as client:
        told = client.stop(how)
    if process is not None and not until(lambda: not _lives(process), patience):
        raise TimeoutError(
            f"the manager (process {where.pid}) has not gone in {patience:g} s; it goes on"
            " stopping (wait longer with --timeout, or end its jobs with --now)"
        )
    return told


def _process(pid: int | None) -> Any:
    """The process, told apart from a later one of the same number; None: it has gone."""
    import psutil

    try:
        return psutil.Process(pid) if pid is not None else None
    except psutil.NoSuchProcess:
        return None


def _lives(process: Any) -> bool:
    """A zombie is dead: whoever should reap it does not matter here."""
    import psutil

    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
