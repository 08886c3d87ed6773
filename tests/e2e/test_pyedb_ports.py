"""Ports that another process's manager opens for a handler."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Service
from ports import free_port
from solveyard.client.sync import Client
from solveyard.model.errors import Conflict, NotAllowed
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.yard import Yard


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """Of a manager that is another's."""
    place = tmp_path / "store"
    with Yard(place):
        yield place
    Service(place).clean_up()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_closed_handlers_port_is_free_at_once(store: Path) -> None:
    handler = JobManagerHandler(store=store, port=free_port())
    for _ in range(3):
        with handler:
            assert listens(handler.port)
        assert not listens(handler.port)


def test_a_port_is_given_back_by_its_id_or_with_its_client(
    store: Path, until: Callable[..., None]
) -> None:
    port = free_port()
    with Client(store) as lender, Client(store) as other:
        lent = lender.open_port(port)
        with pytest.raises(Conflict, match="is taken by process"):
            other.open_port(port)
        networked = Client.at(f"http://localhost:{port}")
        with networked, pytest.raises(NotAllowed, match="private socket"):
            networked.close_port(lent)
        other.close_port("another")
        assert listens(port)
        other.close_port(lent)
        assert not listens(port)
        other.close_port(lent)  # it is gone already
    with Client(store) as lender:
        lender.open_port(port)
        assert listens(port)
    until(lambda: not listens(port), "it is given back")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no process")
def test_a_forked_child_gives_its_parents_port_not_back(store: Path) -> None:
    port = free_port()
    script = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c",
         "import os, sys\n"
         "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
         f"handler = JobManagerHandler(store={str(store)!r}, port={port})\n"
         "handler.start_service()\n"
         "if not os.fork():\n"
         "    handler.close()\n"
         "    os._exit(0)\n"
         "os.wait()\n"
         "print('closed', flush=True)\n"
         "sys.stdin.read()\n"],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert script.stdout is not None
    assert script.stdout.readline() == "closed\n"
    assert listens(port)
    script.communicate(timeout=60)
    assert script.returncode == 0
    assert not listens(port)
