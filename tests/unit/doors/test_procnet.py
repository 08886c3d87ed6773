"""The kernel's table of sockets: whose is the other end."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from solveyard.doors import procnet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the table")
STRANGER = 4242


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as one:
        try:
            one.bind((request.param, 0))
        except OSError:
            pytest.skip(f"this machine has no {request.param}")
        one.listen()
        yield one


def stranger(port: int, host: str, then: str) -> "subprocess.Popen[bytes]":
    """A program of another account that connects, and then does something."""
    family = "socket.AF_INET6" if ":" in host else "socket.AF_INET"
    program = (
        f"import os, socket; os.setuid({STRANGER}); s = socket.socket({family});"
        f"s.connect(({host!r}, {port})); {then}"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)


def test_a_connection_of_this_process_is_its_accounts(listening: socket.socket) -> None:
    with socket.create_connection(listening.getsockname()[:2]):
        connection, _ = listening.accept()
        with connection:
            assert procnet.uid_of_peer(*procnet.endpoints(connection)) == os.getuid()


def test_a_client_that_speaks_ipv6_to_an_ipv4_address_is_found() -> None:
    with socket.socket() as listening, socket.socket(socket.AF_INET6) as client:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        client.connect(("::ffff:127.0.0.1", listening.getsockname()[1]))
        connection, _ = listening.accept()
        with connection:
            assert procnet.uid_of_peer(*procnet.endpoints(connection)) == os.getuid()


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root can be others")
def test_another_accounts_connection_is_theirs_and_nobodys_once_they_left(
    listening: socket.socket,
) -> None:
    """The kernel shows uid 0 for a socket that was left, whoever made it."""
    host, port = listening.getsockname()[:2]
    child = stranger(port, host, "input()")
    connection, _ = listening.accept()
    with connection:
        ends = procnet.endpoints(connection)
        assert procnet.uid_of_peer(*ends) == STRANGER
        child.communicate(b"\n", timeout=30)
        assert connection.recv(1) == b""
        assert procnet.uid_of_peer(*ends) is None


def test_who_holds_a_port_is_named(listening: socket.socket) -> None:
    holder = procnet.holder(listening.getsockname()[1])
    assert holder is not None
    assert (holder.uid, holder.pid) == (os.getuid(), os.getpid())
    assert Path(sys.executable).name in holder.command


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("192.0.2.1", False), ("0.0.0.0", False), ("localhost", False), ("", False)],
)  # fmt: skip
def test_an_address_of_this_machine_to_itself_is_known(host: str, expected: bool) -> None:
    assert procnet.loopback(host) is expected
