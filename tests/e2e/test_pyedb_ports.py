"""Ports that another process's manager opens for a handler."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Raw

from conftest import Service
from ports import free_port
from solveyard.client.sync import Client
from solveyard.model.errors import Conflict, ManagerUnavailable, NotAllowed
from solveyard.model.jobs import JobSpec
from solveyard.pyedb import errors
from solveyard.pyedb.host import Host
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.tokens import Tokens
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


def test_an_open_handler_goes_on_when_the_one_is_closed_whose_manager_it_used(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    store = tmp_path / "store"
    first, second, third = (JobManagerHandler(store=store, port=free_port()) for _ in range(3))
    for handler in (first, second, third):
        handler.start_service()
    try:
        with Client(store) as client:
            client.set_limits(max_concurrent=0)
            client.submit(JobSpec(solver="command", options=Raw(b'{"argv":["true"]}'), name="a"))
            first.close()
            until(lambda: listens(second.port) and listens(third.port), "both listen again")
            assert not listens(first.port)
            client.set_limits(max_concurrent=1)
            until(lambda: client.job("a").state.final, "its queue goes on")
        second.close()
        until(lambda: listens(third.port), "it listens again")
        assert not listens(second.port)
    finally:
        for handler in (first, second, third):
            handler.close()
        Service(store).clean_up()


def test_a_handler_hears_and_listens_on_when_the_process_ends_whose_manager_it_used(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    store, heard = tmp_path / "store", threading.Event()
    script = subprocess.Popen(
        [sys.executable, "-c",
         "import sys\n"
         "from solveyard.pyedb.job_manager_handler import JobManagerHandler\n"
         f"with JobManagerHandler(store={str(store)!r}, port=0):\n"
         "    print('ready', flush=True)\n"
         "    sys.stdin.read()\n"],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert script.stdout is not None
    assert script.stdout.readline() == "ready\n"
    with JobManagerHandler(store=store, port=free_port()) as handler:
        handler.sio.on("job_queued", lambda content: heard.set())
        script.kill()
        script.communicate(timeout=60)
        until(lambda: listens(handler.port), "it listens again")

        def told() -> bool:
            with Client(store) as client, contextlib.suppress(ManagerUnavailable):
                client.submit(JobSpec(solver="command", options=Raw(b'{"argv":["true"]}')))
            return heard.wait(0.1)

        until(told, "it hears of jobs again")
    Service(store).clean_up()


def test_a_service_that_is_stopped_is_left_to_who_runs_it_and_listens_for_a_handler_again(
    service: Callable[..., Service], tmp_path: Path, until: Callable[..., None]
) -> None:
    one = service().start()
    host = Host(tmp_path / "store", port=free_port())
    try:
        one.stop()
        host._follow()
        assert host._embedded is None
        one.start()
        until(lambda: listens(host.port), "it listens again")
        one.stop()
        with host.client() as client:
            assert client.healthy()
        assert listens(host.port)
    finally:
        host.close()


def test_who_cannot_listen_for_other_machines_leaves_no_token(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with contextlib.ExitStack() as stack, socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        handler = JobManagerHandler(host="0.0.0.0", port=other.getsockname()[1], store=store)
        for _ in range(2):  # the manager's is the port, and then another's manager is to lend it
            with pytest.raises(errors.ServiceError, match="is taken by process"):
                handler.start_service()
            assert not Tokens(store).all()
            stack.enter_context(Yard(store))
    Service(store).clean_up()


def test_a_handlers_own_manager_that_is_stopped_comes_back_when_it_is_asked(tmp_path: Path) -> None:
    host = Host(tmp_path / "store", port=free_port())
    try:
        with Client(host.folder) as client:
            client.stop()
        assert host._embedded is not None
        host._embedded.close()
        host._follow()
        assert not listens(host.port)
        with host.client() as asking:
            assert asking.healthy()
        assert listens(host.port)
    finally:
        host.close()
        Service(tmp_path / "store").clean_up()


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
