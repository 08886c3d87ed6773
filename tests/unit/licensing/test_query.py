"""The query for licences, with real commands."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from solveyard.licensing import LicenceServer, Licensing
from solveyard.model.messages import LicencesSeen, LicencesUnseen

Report = LicencesSeen | LicencesUnseen
SEATS = "Users of anshpc:  (Total of 9 licenses issued;  Total of 0 licenses in use)"


async def reports(
    count: int,
    code: str,
    *arguments: str,
    program: str = sys.executable,
    patience: float = 60.0,
    then: Callable[[int], None] = lambda _: None,
) -> tuple[list[Report], Licensing]:
    """The first ones that a command of this Python leads to."""
    told: list[Report] = []
    enough = asyncio.Event()

    def tell(report: Report) -> None:
        told.append(report)
        then(len(told))
        if len(told) == count:
            enough.set()

    command = (program, "-c", code, *arguments)
    server = LicenceServer(command=command, interval=0.01, timeout=patience, keep={"anshpc": 2})
    licensing = Licensing(server, list, tell)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(licensing.run())
        await enough.wait()
        task.cancel()
    return told[:count], licensing


async def test_an_answer_is_told_with_what_is_kept_back() -> None:
    (first, second), _ = await reports(2, f"print({SEATS!r})")
    assert first == LicencesUnseen(first=True)
    assert isinstance(second, LicencesSeen)
    assert (second.use["anshpc"].issued, second.kept) == (9, {"anshpc": 2})


async def test_each_way_to_fail_is_told_and_the_last_answer_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "answer"
    place.write_text(SEATS)

    def lose(count: int) -> None:
        if count == 2:
            place.unlink()

    code = "import sys; print(open(sys.argv[1]).read())"
    told, licensing = await reports(3, code, str(place), then=lose)
    assert [type(one) for one in told] == [LicencesUnseen, LicencesSeen, LicencesUnseen]
    assert [type(one) for one in licensing.told()] == [LicencesSeen, LicencesUnseen]
    (_, empty), _ = await reports(2, "print('no such feature')")
    (_, slow), _ = await reports(2, "import time; time.sleep(600)", patience=0.2)
    assert empty == slow == LicencesUnseen()
    (_, missing), _ = await reports(2, "", program="/no/such/lmutil")
    assert missing == LicencesUnseen()


async def test_what_a_slow_query_started_is_gone(
    tmp_path: Path, alive: Callable[[int], bool]
) -> None:
    place = tmp_path / "pid"
    code = (
        "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c',"
        " 'import time; time.sleep(600)']); open(sys.argv[1], 'w').write(str(child.pid));"
        " time.sleep(600)"
    )
    await reports(2, code, str(place), patience=5.0)
    pid = int(place.read_text())
    while alive(pid):
        await asyncio.sleep(0)
