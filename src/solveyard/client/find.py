"""Where a manager listens: a store's own, by its folder, or another machine's, by its URL."""

import functools
import json
import os
import shlex
import ssl
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from solveyard import trust as trusting
from solveyard.model.errors import InvalidRequest, ManagerUnavailable, NotAllowed
from solveyard.places import StorePlaces, store_folder


class Address(NamedTuple):
    """How to reach a manager: by its private socket where that is known, else over TCP."""

    socket: str  #: a path; empty: not known
    host: str  #: empty: it doesn't listen on TCP
    port: int
    token: str
    pid: int | None  #: None: not known
    agent_pid: int | None
    spawner_pids: tuple[int, ...]
    secure: bool = False  #: by TLS
    base: str = ""  #: the path that all its routes are below, behind a proxy: "/solveyard"
    certificate: str = ""  #: the file that is trusted then; empty: what the system trusts
    embedded: bool = False  #: it ends with a program that does something else

    @property
    def url(self) -> str:
        """Where people find it."""
        if not self.host:
            return f"unix:{self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.secure else ''}://{host}:{self.port}{self.base}"

    @property
    def trust(self) -> ssl.SSLContext | None:
        """What an encrypted connection is checked by; None: it isn't encrypted.

        Raises ManagerUnavailable when the certificate can't be read.
        """
        if not self.secure:
            return None
        if not self.certificate:
            return trust()
        try:
            return trusting.pinned(Path(self.certificate))
        except (OSError, ValueError) as error:
            raise ManagerUnavailable(f"cannot trust {self.url}: {error}") from error


#: A store's folder, a manager's URL, or what finds one.
Where = Address | Path | str | Callable[[], Address] | None


def address(url: str, token: str = "") -> Address:
    """Read "unix:/path", "http://host:port" or "https://host/path"; InvalidRequest for others.

    And for a `token` that no header can carry, which isn't repeated.
    """
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise InvalidRequest(
            "the token is no token: it must be one line of printable ASCII (as `solveyard token"
            " create` printed it; see SOLVEYARD_TOKEN and SOLVEYARD_TOKEN_FILE)"
        )
    if url.startswith("unix:") and len(url) > len("unix:"):
        return Address(url.removeprefix("unix:"), "", 0, token, None, None, ())
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port
        host.encode("idna")  # as it is looked up
    except ValueError:
        split, host, port = urlsplit(""), "", None
    plain = not (split.query or split.fragment or split.username or split.password)
    if split.scheme not in {"http", "https"} or not host or not plain or not url.isprintable():
        raise InvalidRequest(
            f"{url!r} is no manager's address (http://host:port, https://host/path or unix:/path)"
        )
    secure = split.scheme == "https"
    base = split.path.rstrip("/")
    port = (443 if secure else 80) if port is None else port
    return Address("", host, port, token, None, None, (), secure, base)


def remote(url: str, token: str = "") -> Address:
    """The manager at `url`; without `token`, with the environment's.

    That is $SOLVEYARD_TOKEN, else what is in the file that $SOLVEYARD_TOKEN_FILE names.
    """
    return address(url, token or _token())


def elsewhere() -> str:
    """$SOLVEYARD_URL; "" where that is still the page of a job, as a notice's command is told."""
    url = os.environ.get("SOLVEYARD_URL", "")
    return "" if url == os.environ.get("SOLVEYARD_PAGE") else url


def locator(where: Where) -> Callable[[], Address]:
    """What finds the manager each time that a connection is made.

    None: at $SOLVEYARD_URL where that is set, else of the store in $SOLVEYARD_HOME, else of the
    store in the platform's data folder.
    """
    if where is None:
        url = elsewhere()
        where = remote(url) if url else store_folder()
    elif isinstance(where, str) and ("://" in where or where.startswith("unix:")):
        where = remote(where)
    if isinstance(where, Address):
        known = where
        return lambda: known
    if isinstance(where, str | Path):
        return functools.partial(running, store_folder(where))
    return where


@functools.cache
def trust() -> ssl.SSLContext:
    """Whose certificates are believed: the system's, or those in the file $SOLVEYARD_CA_FILE."""
    file = os.environ.get("SOLVEYARD_CA_FILE") or None
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidRequest(
            f"cannot read certificates from {file}: {error} (see SOLVEYARD_CA_FILE)"
        ) from error


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
            embedded=bool(found.get("embedded")),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidRequest) as error:
        raise ManagerUnavailable(f"cannot read {path}: {error}") from error


def running(folder: Path) -> Address:
    """What the store's `manager.json` says. Raises ManagerUnavailable where there is none."""
    found = manager(folder)
    if found is None:
        raise ManagerUnavailable(
            f"no manager runs on the store {folder} (start one: solveyard {_given(folder)}serve)"
        )
    return found


def _given(folder: Path) -> str:
    """What a command needs to find it."""
    return "" if folder == store_folder() else f"--store {shlex.quote(str(folder))} "


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


def _token() -> str:
    """The environment's; empty: there is none. Raises NotAllowed where others may read it."""
    given = os.environ.get("SOLVEYARD_TOKEN", "").strip()
    place = os.environ.get("SOLVEYARD_TOKEN_FILE", "")
    if given or not place:
        return given
    try:
        with Path(place).open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotAllowed(f"cannot read the token in {place}: {error}") from error
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NotAllowed(f"others may read the token in {place} (chmod 600 {place})")
    return found
