"""What `doctor` looks at: each check says what it found, and the way out where it isn't good."""

import importlib.util
import logging
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from solveyard import __version__
from solveyard.cli import units
from solveyard.cli.here import Here
from solveyard.client import find
from solveyard.client.sync import Client
from solveyard.model.errors import (
    InvalidRequest,
    ManagerUnavailable,
    SolveyardError,
    StoreUnusable,
)

if TYPE_CHECKING:
    from solveyard.config import Found

LITTLE = 1 << 30  #: bytes free below which it warns
TOO_LITTLE = 16 << 20  #: bytes free below which nothing good can happen


class Check(NamedTuple):
    name: str
    status: str  #: "ok", "warn", "fail"
    found: str
    way_out: str = ""


def all_of(place: Here) -> list[Check]:
    return [
        _python(),
        *_pyedb(),
        _platform(),
        *_kept(place),
        _solvers(),
        _cgroups(),
        *_settings(),
    ]


def _kept(place: Here) -> Iterator[Check]:
    try:
        folder = place.folder
    except StoreUnusable as error:
        yield Check("store", "fail", str(error))
        return
    yield from _store(folder)
    yield from _manager(place)


def _python() -> Check:
    found = f"Python {platform.python_version()}, solveyard {__version__} ({sys.executable})"
    return Check("python", "ok", found)


def _pyedb() -> Iterator[Check]:
    """Nothing, where all is well at PyEDB's paths or nothing of ours is there."""
    from solveyard.pyedb import neighbours

    if why := neighbours.trouble():
        yield Check("pyedb", "warn", why, neighbours.MEND)


def _platform() -> Check:
    found = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if sys.platform == "linux":
        return Check("platform", "ok", found)
    return Check("platform", "warn", found, "it is developed and tested on Linux above all")


def _store(folder: Path) -> Iterator[Check]:
    """Never makes the store."""
    from solveyard.store import database, filesystems
    from solveyard.store.sqlite import SqliteStore

    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    missing = "" if folder.exists() else " (not made yet)"
    if not _writable(place):
        way_out = "make it writable, or choose another with --store or $SOLVEYARD_HOME"
        yield Check("store", "fail", f"{folder}{missing} is not writable", way_out)
        return
    yield _private(folder, missing)
    free = shutil.disk_usage(place).free
    status = "ok" if free >= LITTLE else "warn" if free >= TOO_LITTLE else "fail"
    way_out = "" if status == "ok" else "free some space, or choose another store"
    yield Check("space", status, f"{units.size(free)} free", way_out)
    if filesystems.on_network(place):
        way_out = "a local disk is faster, and lets the command line read while a manager runs"
        yield Check("disk", "warn", "it may be shared over a network", way_out)
    else:
        yield Check("disk", "ok", "local")
    if (folder / database.FILE).exists():
        try:
            SqliteStore.open(folder, read_only=True).close()
            yield Check("database", "ok", f"{folder / database.FILE} can be read")
        except SolveyardError as error:
            yield Check("database", "fail", str(error))


def _private(folder: Path, missing: str) -> Check:
    """Whether a manager takes it; the superuser may look at another's."""
    from solveyard.store import ownership

    if missing:
        return Check("store", "ok", f"{folder}{missing}, writable")
    if told := ownership.trouble(folder):
        status = "warn" if sys.platform != "win32" and os.geteuid() == 0 else "fail"
        return Check(
            "store", status, told, "run it as the account that it belongs to, or choose another"
        )
    if ownership.open_to_others(folder):
        return Check("store", "warn", f"{folder} is open to others", f"chmod go= {folder}")
    return Check("store", "ok", f"{folder}, writable")


def _manager(place: Here) -> Iterator[Check]:
    try:
        where = find.manager(place.folder)
    except ManagerUnavailable as error:
        yield Check("manager", "fail", str(error), "remove the file, and start one")
        return
    if where is None:
        yield Check("manager", "ok", "none runs; `solveyard submit` or `serve` starts one")
        return
    try:
        with Client(place.folder) as client:
            status = client.status()
    except ManagerUnavailable as error:
        way_out = "the next `solveyard submit` or `serve` takes over"
        yield Check("manager", "warn", str(error), way_out)
        return
    if blocked := status.get("blocked"):
        yield Check("manager", "fail", f"process {where.pid} accepts nothing: {blocked}")
    else:
        yield Check("manager", "ok", f"process {where.pid} answers on {where.url}")
    if ahead := float(status.get("clock_ahead") or 0.0):
        told = f"what happens now is stamped {units.short(ahead)} ahead of this machine's clock"
        way_out = "that was set so far ahead once; it is right again when the clock gets there"
        yield Check("clock", "warn", told, way_out)
    if trouble := status.get("agent_trouble"):
        none = "" if status.get("spawner_pids") else "no job starts here: "
        yield Check("agent", "fail", f"{none}{trouble}")
        return
    processes = [pid for pid in (where.agent_pid, *where.spawner_pids) if pid is not None]
    dead = [pid for pid in processes if find.gone(where._replace(pid=pid))]
    if dead or not where.spawner_pids or where.agent_pid is None:
        told = f"not all of its processes live: {dead or 'none is known yet'}"
        yield Check(
            "agent", "warn", told, f"they come back in some seconds; else see {place.folder}"
        )
    else:
        yield Check("agent", "ok", f"process {where.agent_pid}, spawners {where.spawner_pids}")


def _solvers() -> Check:
    from solveyard import registry

    known = ", ".join(sorted(registry.solvers()))
    program = shutil.which("nec2c")
    engine = program or ("PyNEC" if importlib.util.find_spec("PyNEC") else "")
    if engine:
        return Check("solvers", "ok", f"{known}; NEC2 by {engine}")
    way_out = "for `nec`: install nec2c, or pip install 'solveyard[nec]'"
    return Check("solvers", "warn", f"{known}; no NEC2 engine was found", way_out)


def _cgroups() -> Check:
    """Tries it, as the agent does."""
    if sys.platform != "linux":
        return Check("cgroup", "ok", "not on this platform; process trees are found otherwise")
    from solveyard.agent.platform.cgroups import Cgroups

    logging.getLogger("solveyard.agent").addHandler(logging.NullHandler())
    groups = Cgroups(f"solveyard-doctor-{os.getpid()}")
    place = groups.folder()
    groups.close()
    if place:
        where = Path(place).parent.parent
        return Check("cgroup", "ok", f"a manager that starts from here puts jobs in {where}")
    way_out = "a process that hides from its session may escape (systemd: Delegate=yes)"
    found = "a manager that starts from here can write no control group"
    return Check("cgroup", "warn", found, way_out)


def _settings() -> Iterator[Check]:
    """Those of a manager that starts from here, and what it offers to jobs."""
    from solveyard import config

    try:
        found = config.load(config.Places.here())
    except InvalidRequest as error:
        yield Check("settings", "fail", str(error), "solveyard config check")
        return
    files = ", ".join(map(str, found.files)) or "no file: defaults hold"
    yield Check("settings", "ok", files)
    yield _limits(found)


def _limits(settings: "Found") -> Check:
    from solveyard.agent.limits import Machine

    found, own = Machine(), settings.settings
    cores, cores_from = found.cores, found.cores_from
    memory, memory_from = found.memory, found.memory_from
    if own.cores is not None:
        cores, cores_from = own.cores, settings.origin("cores")
    if own.resources.memory is not None:
        memory, memory_from = own.resources.memory, settings.origin("resources.memory")
    told = f"{cores} {'core' if cores == 1 else 'cores'} ({cores_from})"
    if memory is not None:
        told += f", {units.size(memory)} ({memory_from})"
    return Check("limits", "ok", f"of a manager that starts from here: {told}")


def _writable(folder: Path) -> bool:
    """By trying it: permissions don't tell of read-only mounts."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
