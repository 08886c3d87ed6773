"""Where a store's manager listens."""

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from solveyard.model.errors import ManagerUnavailable
from solveyard.places import StorePlaces


class Address(NamedTuple):
    """How to reach a manager: `socket` is the path of its private socket, else host and port."""

    socket: str
    host: str
    port: int
    token: str
    pid: int | None  #: None: not known
    agent_pid: int | None
    spawner_pids: tuple[int, ...]

    @property
    def url(self) -> str:
        return f"unix:{self.socket}" if self.socket else f"http://{self.host}:{self.port}"


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
        return address(found["url"], found.get("token") or "")._replace(
            pid=found.get("pid"), agent_pid=found.get("agent_pid"), spawner_pids=tuple(pids)
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
