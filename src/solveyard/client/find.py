"""Where a store's manager listens."""

import json
import os
import ssl
import sys
from pathlib import Path
from typing import NamedTuple

from solveyard import trust
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
    secure: bool = False  #: TCP is encrypted
    certificate: str = ""  #: the file that is trusted then; empty: what the system trusts

    @property
    def url(self) -> str:
        """Where people find it."""
        if not self.host:
            return f"unix:{self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext | None:
        """What an encrypted connection is checked by; None: it isn't encrypted.

        Raises ManagerUnavailable when the certificate can't be read.
        """
        if not self.secure:
            return None
        if not self.certificate:
            return ssl.create_default_context()
        try:
            return trust.pinned(Path(self.certificate))
        except (OSError, ValueError) as error:
            raise ManagerUnavailable(f"cannot trust {self.url}: {error}") from error


def address(url: str, token: str = "") -> Address:
    """Read "unix:/path", "http://host:port" or "https://host:port", whose certificate the system
    has to trust. Raises ManagerUnavailable for anything else.
    """
    if url.startswith("unix:") and len(url) > len("unix:"):
        return Address(url.removeprefix("unix:"), "", 0, token, None, None, ())
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rstrip("/").rpartition(":")
    if scheme not in {"http", "https"} or not host or not port.isdecimal():
        raise ManagerUnavailable(
            f"{url!r} is no manager's address (unix:/path, http://host:port or https://host:port)"
        )
    secure = scheme == "https"
    return Address("", host.strip("[]"), int(port), token, None, None, (), secure)


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
            certificate=str(found.get("certificate") or ""),
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
