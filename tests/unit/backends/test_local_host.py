"""Client commands of a batch system are bounded, whatever they do."""

import os
from pathlib import Path

from conftest import alive
from solveyard.backends.dialects.base import Call, missing
from solveyard.backends.hosts.local import LocalHost


def host(limit: int = 100_000) -> LocalHost:
    return LocalHost({"PATH": os.environ["PATH"], "LANG": "de_DE.UTF-8"}, limit)


async def test_a_command_is_heard_whole_and_speaks_the_c_locale() -> None:
    answer = await host().run(Call(("sh", "-c", "cat; echo $LC_ALL; echo two >&2; exit 3"), "one "))
    assert answer == (3, "one C\n", "two\n")


async def test_variables_are_taken_away_as_env_would_without_it(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("#!/bin/sh\nexit 99\n")
    (tmp_path / "env").chmod(0o700)
    told = LocalHost({"PATH": f"{tmp_path}:{os.environ['PATH']}", "A": "1", "B": "2", "C": "3"})
    show = ("sh", "-c", "echo $A$B$C$D")
    assert (await told.run(Call(("env", "-u", "A", "-u", "C", "-u", "E", *show)))).stdout == "2\n"
    assert (await told.run(Call(("/usr/bin/env", "-u", "A", *show)))).stdout == "23\n"
    absent = Call(("env", "-u", "A", "no-such-program"))
    answer = await told.run(absent)
    assert (answer.code, missing(absent, answer)) == (127, "no-such-program")
    for argv in (("env", "-u", "A", "D=4", *show), ("env", "-u", "A", "-i", *show)):
        assert (await told.run(Call(argv))).code == 99
        assert (await host().run(Call(argv))).code == 0


async def test_a_command_that_hangs_is_ended_with_what_it_started() -> None:
    call = Call(("sh", "-c", "sleep 100.0625 & echo $!; wait"), timeout=0.3)
    answer = await host().run(call)
    assert answer.code is None
    assert answer.words == "sh had not ended after 0.3 s"
    leader = await host().run(Call(("pgrep", "-f", "^sleep 100.0625$")))
    assert not any(alive(int(pid)) for pid in leader.stdout.split())


async def test_a_command_that_writes_too_much_is_not_believed() -> None:
    answer = await host(limit=1000).run(Call(("yes",)))
    assert (answer.code, answer.stdout) == (None, "")
    assert answer.words == "yes wrote more than 1000 bytes"


async def test_a_command_that_is_not_there_is_127_as_for_a_shell() -> None:
    assert (await host().run(Call(("no-such-program",)))).code == 127


async def test_a_command_that_reads_nothing_is_no_trouble() -> None:
    answer = await host().run(Call(("true",), "x" * 1_000_000))
    assert answer.code == 0
