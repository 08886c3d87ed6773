"""Programs are started by a process beside the manager's, and it makes no difference to them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conftest import alive, until
from solveyard.backends.hosts import talking
from solveyard.backends.hosts.talking import Told, talk

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture(autouse=True)
async def helped() -> AsyncIterator[None]:
    async with talking.helped():
        yield


async def sh(text: str, stdin: bytes = b"", *, within: float = 60.0) -> Told:
    return await talk(("sh", "-c", text), ENVIRONMENT, stdin, timeout=within)


async def starter() -> int:
    return int((await sh("echo $PPID")).out)


async def test_the_process_is_one_for_all_and_not_the_managers() -> None:
    async with asyncio.TaskGroup() as tasks:
        several = [tasks.create_task(starter()) for _ in range(5)]
    assert len({task.result() for task in several}) == 1
    assert several[0].result() != os.getpid()


async def test_it_ends_with_the_last_who_needs_it() -> None:
    async with talking.helped():
        pid = await starter()
    assert await starter() == pid
    await talking._left()
    talking._HELPER.needed()
    assert not alive(pid)
    assert await starter() != pid


async def test_mebibytes_go_in_and_out_while_another_waits() -> None:
    content = os.urandom(8 << 20)
    async with asyncio.TaskGroup() as tasks:
        waits = tasks.create_task(sh("cat", content))
        many = tasks.create_task(sh(f"head -c {60 << 20} /dev/zero; head -c 1000000 /dev/zero >&2"))
    assert waits.result() == (0, content, b"", "")
    assert (many.result().out, many.result().err) == (bytes(60 << 20), bytes(1_000_000))


async def test_words_that_are_no_text_arrive_as_they_are() -> None:
    word = os.fsdecode(b"caf\xe9 \xff")
    told = await talk(
        ("sh", "-c", 'printf %s "$1$WORD"', "sh", word),
        ENVIRONMENT | {"WORD": word},
        timeout=60.0,
    )
    assert told.out == b"caf\xe9 \xff" * 2


async def test_a_program_has_the_environment_that_it_was_given_alone() -> None:
    told = await talk(("/usr/bin/env",), {"ONE": "1"}, timeout=60.0)
    assert told.out == b"ONE=1\n"


async def test_what_starts_programs_holds_none_of_the_managers_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await asyncio.to_thread(talking._HELPER.end)
    monkeypatch.setenv("LICENCE_SERVER_PASSWORD", "hunter2")
    environment = Path(f"/proc/{await starter()}/environ").read_bytes()
    assert b"hunter2" not in environment


async def test_an_argument_that_no_program_can_have_is_told() -> None:
    with pytest.raises(OSError, match="null byte"):
        await talk(("echo", "a\0b"), ENVIRONMENT, timeout=60.0)


async def test_a_program_that_may_not_run_is_told_as_the_system_does(tmp_path: Path) -> None:
    place = tmp_path / "program"
    place.write_text("#!/bin/sh\n")
    with pytest.raises(PermissionError):
        await talk((str(place),), ENVIRONMENT, timeout=60.0)


async def test_who_stops_asking_has_ended_what_it_asked_for(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(
            sh(f"sleep 1000 & echo $$ $! >{pids}.new; mv {pids}.new {pids}; wait")
        )
        await asyncio.to_thread(until, pids.exists, "the program runs")
        asking.cancel()
    leader, started = map(int, pids.read_text().split())
    assert asking.cancelled()
    assert not alive(leader)
    until(lambda: not alive(started), "what it had started is gone")


async def test_nothing_is_believed_of_what_ran_when_the_process_died(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(
            sh(f"echo 42; echo $$ >{begun}.new; mv {begun}.new {begun}; exec sleep 1000")
        )
        await asyncio.to_thread(until, begun.exists, "the program runs")
        first = await starter()
        os.kill(first, signal.SIGKILL)
    os.kill(int(begun.read_text()), signal.SIGKILL)
    told = "was cut off: the process that had started it ended"
    assert asking.result() == (None, b"", b"", told)
    assert await starter() != first


async def test_one_that_does_nothing_any_more_is_given_up_and_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await starter()
    monkeypatch.setattr(talking, "_LATE", 0.5)
    os.kill(first, signal.SIGSTOP)
    told = await sh("echo 42", within=0.125)
    assert told == (None, b"", b"", "had not ended after 0.125 s")
    assert await starter() != first
    assert not alive(first)


async def test_signals_that_end_programs_do_not_end_it_and_end_what_it_starts() -> None:
    first = await starter()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(first, number)
        assert (
            await sh(f"kill -s {number.name.removeprefix('SIG')} $$; echo lives")
        ).code == -number
    assert await starter() == first


_MANAGER = """
import asyncio, os, sys
from solveyard.backends.hosts.talking import talk
asyncio.run(talk(("sh", "-c", "echo $PPID $$ >$0.new; mv $0.new $0; exec sleep 1000", sys.argv[1]),
                 dict(os.environ), timeout=1000))
"""


def test_it_ends_what_it_runs_and_itself_when_its_manager_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-c", _MANAGER, str(pids)]) as manager:
        try:
            until(pids.exists, "the program runs")
        finally:
            manager.kill()
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: not alive(pid), "what belonged to it is gone")  # type: ignore[misc]
