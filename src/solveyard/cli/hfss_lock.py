"""A project's lock: what can be seen of it, and its removal where it is surely stale."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from solveyard.cli import exits, talk
from solveyard.model.errors import Conflict, InvalidRequest
from solveyard.solvers.hfss import locks
from solveyard.solvers.hfss.locks import Judgement
from solveyard.store import filesystems

_MOST = 4096  #: bytes of a lock that are read


def of(project: Path) -> Path:
    return project.with_name(project.name + ".lock")


def judged(project: Path) -> Judgement | None:
    """None: there is no lock."""
    lock = of(project)
    try:
        written = lock.stat().st_mtime
        with lock.open("rb") as file:
            text = file.read(_MOST).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidRequest(f"{lock} can't be read: {error.strerror}") from error
    import psutil

    return locks.judge(
        locks.Facts(
            written=written,
            now=time.time(),
            booted=psutil.boot_time(),
            text=text,
            host=socket.gethostname(),
            shared=sys.platform != "linux" or filesystems.on_network(lock.parent),
            hidden=sys.platform != "win32" and not psutil.pid_exists(1),
            processes=tuple(_processes(project)),
        )
    )


def unlock(project: Path) -> int:
    """Remove a stale lock, telling the evidence. Raises Conflict where it may not be stale."""
    lock = of(project)
    before = lock.lstat().st_mtime_ns if lock.exists() else 0
    told = judged(project)
    if told is None:
        talk.say(f"note: there is no {lock}")
        return exits.OK
    if not told.stale:
        raise Conflict(f"{lock} stays: {'; '.join(told.evidence)}")
    if lock.lstat().st_mtime_ns != before:
        raise Conflict(f"{lock} stays: it was just written anew")
    lock.unlink()
    talk.say(f"removed {lock}: {'; '.join(told.evidence)}")
    return exits.OK


def look(project: Path, options: str) -> None:
    """Before a solve: a stale lock would have it fail, of a layout also that of the project around
    it. Raises Conflict.
    """
    around = [project.with_suffix(".aedt")] if project.suffix.lower() == ".aedb" else []
    for one in (project, *around):
        told = judged(one)
        if told is None:
            continue
        evidence = "; ".join(told.evidence)
        if told.stale:
            raise Conflict(
                f"{of(one)} is stale: {evidence} (solveyard {options}hfss {one} --unlock removes"
                " it)"
            )
        talk.say(f"note: {of(one)} is there: {evidence}")


def _processes(project: Path) -> Iterator[locks.Process]:
    """AEDT and its engines on this machine, whoever's; and whatever names the project."""
    import psutil

    places = {str(project), str(project.resolve())}
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "name", "username", "create_time", "cmdline"]):
        seen = process.info
        words = seen["cmdline"] or []
        names = any(place == word for word in words for place in places)
        programs = {os.path.basename(word) for word in [seen["name"] or "", *words[:1]]}  # noqa: PTH119  a name, not a path
        if seen["pid"] not in ours and (names or any(map(locks.PROGRAMS.match, programs))):
            yield locks.Process(
                pid=seen["pid"],
                name=seen["name"] or "a process",
                user=seen["username"] or "somebody",
                started=seen["create_time"] or 0.0,
                names_project=names,
            )
