"""What a forked child keeps of its parent's."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from solveyard import forks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no process")


@contextmanager
def child(look: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """One that lives meanwhile; `look` is right in it."""
    mine, its = socket.socketpair()
    with mine:
        pid = os.fork()
        if not pid:
            mine.close()
            its.send(b"y" if look() else b"n")
            its.recv(1)
            os._exit(0)
        its.close()
        try:
            assert mine.recv(1) == b"y"
            yield
        finally:
            mine.close()
            os.waitpid(pid, 0)


def test_the_end_of_a_parents_connection_is_heard_while_a_child_lives() -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(30)
    with theirs, ours:
        forks.parents(ours.fileno())
        with child():
            ours.close()
            assert theirs.recv(1) == b""


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="Linux' own, from Python 3.10 on")
def test_what_shares_its_inode_with_others_is_kept_by_the_child() -> None:
    ours = os.eventfd(0)
    forks.parents(ours)
    os.close(ours)
    another = os.eventfd(7)
    assert another == ours, "or nothing is shown"
    try:
        with child(lambda: os.eventfd_read(another) == 7):
            pass
    finally:
        os.close(another)


def test_whatever_a_loop_waits_for_is_its_parents_also_while_nobody_reads_it() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        theirs.settimeout(30)
        with theirs, ours:
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            loop.add_reader(ours, print)
            loop.remove_reader(ours)
            with child():
                ours.close()
                assert theirs.recv(1) == b""

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(forks.Selector())) as runner:
        runner.run(run())


def test_what_has_the_number_of_something_that_was_closed_stays_the_childs() -> None:
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    forks.parents(number)
    ours.close(), theirs.close()
    read, write = os.pipe()
    os.dup2(read, number)
    os.write(write, b"x")
    with child(lambda: os.read(number, 1) == b"x"):
        for one in {read, write, number}:
            os.close(one)
