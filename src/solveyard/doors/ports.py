"""The network's side of the doors: sockets that listen."""

import contextlib
import errno
import ipaddress
import socket
import sys
from collections.abc import Sequence

from solveyard.doors import procnet
from solveyard.doors.peer import account
from solveyard.model.errors import InvalidRequest, SolveyardError

DEFAULT = 8080
LOOPBACK = ("127.0.0.1", "::1")
_TRIES = 20  #: free ports that may turn out to be busy at the other address
_BACKLOG = 256


class PortTaken(SolveyardError):
    """Somebody else listens there."""


def bind(hosts: Sequence[str], port: int | None) -> list[socket.socket]:
    """Sockets that listen at one port of all `hosts`; None: 8080, or a free one if that's busy.

    An address that the machine doesn't have is left out where another is left. Raises PortTaken,
    naming who has the port; InvalidRequest where nothing can be bound.
    """
    try:
        return _all(hosts, DEFAULT if port is None else port)
    except PortTaken:
        if port is not None:
            raise
    return _all(hosts, 0)


def judge(host: str) -> None:
    """Raises InvalidRequest where this machine can't listen on `host`, whatever the port."""
    for listener in bind((host,), 0):
        listener.close()


def exposed(hosts: Sequence[str]) -> bool:
    """Can other machines come in there?"""
    return not all(host == "localhost" or procnet.loopback(host) for host in hosts)


def url(sockets: Sequence[socket.socket], *, secure: bool) -> str:
    """How programs on this machine reach the first of `sockets`."""
    host, port = sockets[0].getsockname()[:2]
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _all(hosts: Sequence[str], port: int) -> list[socket.socket]:
    for _ in range(_TRIES):
        with contextlib.ExitStack() as opened:
            made: list[socket.socket] = []
            missing: OSError | None = None
            for host in hosts:
                wanted = made[0].getsockname()[1] if made else port
                try:
                    made.append(opened.enter_context(contextlib.closing(_listening(host, wanted))))
                except OSError as error:
                    if error.errno == errno.EADDRINUSE:
                        if port:
                            raise PortTaken(_taken(port)) from error
                        break  # free at the first address alone: choose another
                    missing = error
            else:
                if not made:
                    raise InvalidRequest(
                        f"cannot listen on {', '.join(hosts)}: {missing} (choose another address)"
                    ) from missing
                opened.pop_all()  # they stay open
                return made
    raise PortTaken(f"no port is free at {' and '.join(hosts)} (choose one)")


def _listening(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError("no machine can have that name") from error
    family, kind, protocol, _, address = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would let two processes have one port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _taken(port: int) -> str:
    found = procnet.holder(port)
    if found is None:
        who = "another process"
    elif found.pid is None:
        who = f"a process of {account(found.uid)}"
    else:
        who = f"process {found.pid} of {account(found.uid)} ({found.command})"
    return f"port {port} is taken by {who} (choose another port, or 0 for a free one)"
