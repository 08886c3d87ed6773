"""Where a store's manager listens."""

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from solveyard.model.errors import ManagerUnavailable
from solveyard.places import StorePlaces


class Address(NamedTuple):
    """How to reach a manager: by its private socket where that is known, else over TCP."""

    socket: str  #: a path; empty: not known
    host: str  #: empty: it doesn't listen on TCP
    port: int
    token: str
    pid: int | None  #: None: not known
    agent_pid: int | None
    spawner_pids: tuple[int, ...]

    @property
    def url(self) -> str:
        """Where people find it."""
        if not self.host:
            return f"unix:{self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def address(url: str, token: str = "") -> Address:
    """Read "unix:/path" or "http://host:port". Raises ManagerUnavailable for anything else."""
    if url.startswith("unix:") and len(url) > len("unix:"):
        return Address(url.removeprefix("unix:"), "", 0, token, None, None, ())
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    if not url.startswith("http://") or not host or not port.isdecimal():
        raise ManagerUnavailable(
            f"{url!r} is no manager's address (unix:/path or http://host:port)"
        )
    return Address("", host.strip("[]"), int(port), token, None, None, ())


def manager(folder: Path) -> Address | None:
    """What the store's `manager.json` says; None: no manager has left one.

    The manager may have died since: whoever connects finds out. Raises ManagerUnavailable when
    the file can't be read.
    """
    path = StorePlaces(folder).manager_json
    try:
        found = json.loads(path.read_bytes())
        pids = found.get("spawner_pids") or ()
        where = address(found["url"], found.get("token") or "")
        return where._replace(
            socket=str(found.get("socket") or where.socket),
            pid=found.get("pid"),
            agent_pid=found.get("agent_pid"),
            spawner_pids=tuple(pids),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManagerUnavailable(f"cannot read {path}: {error}") from error


def running(folder: Path) -> Address:
    """What the store's `manager.json` says. Raises ManagerUnavailable where there is none."""
    found = manager(folder)
    if found is None:
        raise ManagerUnavailable(
            f"no manager runs on the store {folder} (start one: solveyard serve)"
        )
    return found


def gone(where: Address) -> bool:
    """Is the manager's process known to be dead? False: it may live."""
    if where.pid is None or sys.platform == "win32":
        return False
    try:
        os.kill(where.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
