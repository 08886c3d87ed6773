"""The manager may open more files than it began with, and nothing that it starts does."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solveyard.backends import openfiles
from solveyard.model.jobs import JobSpec

if sys.platform == "win32":
    pytest.skip("there is no such limit", allow_module_level=True)
import resource

SOFT = 512
TALKS = """
import asyncio
from solveyard.backends import openfiles
from solveyard.backends.hosts import talking

async def main():
    with openfiles.raised():
        async with talking.helped():
            words = ("sh", "-c", "ulimit -S -n")
            told = await talking.talk(words, {"PATH": "/bin:/usr/bin"}, timeout=60.0)
            print(told.out.decode(), end="")

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _soft() -> Any:
    """What these tests and their children begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < openfiles.WANTED:
        pytest.skip("the hard limit lets nobody have more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def of(pid: int) -> int:
    """A process's soft limit."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (found,) = (line.split()[3] for line in lines if line.startswith("Max open files"))
    return int(found)


def limit() -> bytes:
    """What a program has that is started now."""
    return subprocess.run(["sh", "-c", "ulimit -S -n"], capture_output=True, check=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_the_manager_has_more_and_neither_its_agent_nor_a_job_has(
    service: Callable[..., Any],
) -> None:
    yard = service().start()
    with yard.client as client:
        wanted = JobSpec(solver="command", options={"argv": ["sh", "-c", "ulimit -S -n"]})
        job = client.submit(wanted)
        assert client.wait([str(job.number)], 60)
        assert client.log(job.number).content == b"%d\n" % SOFT
    manager, *agent = map(of, yard.pids())
    assert manager == openfiles.WANTED
    assert agent == [SOFT] * len(agent) != []


def test_what_two_start_at_once_has_what_the_process_began_with() -> None:
    with openfiles.raised():
        with openfiles.without():
            with openfiles.without():
                pass
            inside = limit()
        after = limit()
    assert (inside, after) == (b"%d\n" % SOFT, b"%d\n" % openfiles.WANTED)
    assert limit() == b"%d\n" % SOFT


def test_a_batch_systems_commands_have_it_too() -> None:
    """In a process of its own: what starts them is there already where others have needed it."""
    done = subprocess.run([sys.executable, "-c", TALKS], capture_output=True, check=True)
    assert done.stdout == b"%d\n" % SOFT, done.stderr


def test_who_may_have_enough_keeps_it() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (openfiles.WANTED, hard))
    with openfiles.raised(), openfiles.without():
        assert limit() == b"%d\n" % openfiles.WANTED
