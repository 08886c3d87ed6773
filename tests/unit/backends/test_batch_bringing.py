"""Nothing of a job's results is removed there before it is here, or told to be there."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from solveyard.backends.base import Order
from solveyard.backends.batch import bringing, clearing
from solveyard.backends.batch.bringing import Bringing
from solveyard.backends.batch.sharing import Ties
from solveyard.backends.hosts import remote
from unit.backends.near import Near
from unit.backends.test_batch_sent import STORE, order

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no POSIX shell")

FULL = "head: write error: No space left on device"


@pytest.fixture
def near(tmp_path: Path) -> Near:
    return Near(tmp_path)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses."""
    for module in (bringing, clearing):
        monkeypatch.setattr(module, "_PAUSE", 0.01)
        monkeypatch.setattr(module, "_LONGEST", 0.02)


@asynccontextmanager
async def bringer(near: Near, *, over: bool = False) -> AsyncIterator[Bringing]:
    """`over`: all attempts have ended, as the store knows."""
    one = Bringing(await near.layout(), STORE, often=1000.0)
    answers = asyncio.Event()
    answers.set()
    ties = Ties(answers, list, lambda: None, lambda _: None, lambda _: over)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(one.run(ties))
        yield one
        running.cancel()


def ran(near: Near, number: int) -> Order:
    """One that left a result."""
    here = near.there.parent / str(number)
    here.mkdir()
    one = order(here, number)
    there = near.there / "jobs" / one.launch.attempt
    there.mkdir()
    (there / "field").write_text("days of work")
    Path(f"{there}.out").write_text("done\n")
    return one


def unwritable(one: Order) -> Order:
    """A file is where its folder should be."""
    Path(one.command.directory).rmdir()
    Path(one.command.directory).write_text("")
    return one._replace(stdout=f"{one.command.directory}.out", stderr="/dev/null")


def there(near: Near) -> list[str]:
    """Without what all names begin with."""
    return sorted(one.name.removeprefix(f"{STORE}.") for one in (near.there / "jobs").iterdir())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_can_neither_come_nor_be_kept_is_waited_for_and_holds_no_other_up(
    near: Near,
) -> None:
    await near.layout()
    bad, good = unwritable(ran(near, 7)), ran(near, 8)
    near.failing[remote._PUT] = FULL
    async with bringer(near) as one:
        one.want(bad)
        one.want(good)
        await until(lambda: near.asked.count(remote._PUT) > bringing._TRIES + 3)
        assert one.brought == {good.launch.attempt: ()}
        near.failing.clear()
        await until(lambda: len(one.brought) == 2)
        (told,) = one.brought[bad.launch.attempt]
        assert told.startswith("the result 'field' could not come: ")
        for each in (bad, good):
            one.forget(each.launch.attempt, "")
        await until(lambda: not any(name.startswith("8.") for name in there(near)))
        one.forget(bad.launch.attempt, "")  # its end may be reported twice
        one.forget(good.launch.attempt, "")
        count = near.asked.count(remote._REMOVE)
        await until(lambda: near.asked.count(remote._REMOVE) > count)
    assert there(near) == ["7.0.1", "7.0.1.kept", "7.0.1.out"]
    async with bringer(near, over=True):
        await until(lambda: near.asked.count(remote._NAMES) == 2)
    assert there(near) == ["7.0.1", "7.0.1.kept", "7.0.1.out"]
    assert (Path(good.command.directory) / "field").read_text() == "days of work"


async def test_results_are_waited_for_however_often_they_could_not_come(
    near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For weeks, that is: until there is room again."""
    for name in ("_PAUSE", "_LONGEST"):
        monkeypatch.setattr(bringing, name, 1e-6)
    await near.layout()
    left = ran(near, 7)
    near.failing = dict.fromkeys((remote._STAT, remote._PUT), FULL)
    async with bringer(near) as one:
        one.want(left)
        await until(lambda: near.asked.count(remote._STAT) > 1100)
        assert not one.brought
        near.failing.clear()
        await until(lambda: bool(one.brought))
    assert (Path(left.command.directory) / "field").read_text() == "days of work"


async def test_large_results_keep_nobody_elses_waiting(
    near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "_MUCH", 100)
    await near.layout()
    large, small, late = ran(near, 7), ran(near, 8), ran(near, 9)
    (near.there / "jobs" / large.launch.attempt / "field").write_text("x" * 101)
    held = near.there.parent / "held"
    held.touch()
    near.program(
        "tail",
        f"case $* in */{large.launch.attempt}/field) while [ -e {held} ]; do sleep 0.01; done ;;"
        ' esac; exec /usr/bin/tail "$@"',
    )
    async with bringer(near) as one:
        try:
            one.want(large)
            one.want(small)
            await until(lambda: small.launch.attempt in one.brought)
            one.want(late)
            await until(lambda: late.launch.attempt in one.brought)
            assert large.launch.attempt not in one.brought
        finally:
            held.unlink()
        await until(lambda: len(one.brought) == 3)
    assert (Path(large.command.directory) / "field").read_text() == "x" * 101
    assert set(one.brought.values()) == {()}


async def test_what_fails_there_again_and_again_is_given_up_with_its_place(near: Near) -> None:
    await near.layout()
    one, two = ran(near, 7), ran(near, 8)
    near.failing[remote._WALK] = "sh: 0: Cannot fork"
    async with bringer(near) as bringer_:
        bringer_.want(one)
        bringer_.want(two)
        await until(lambda: len(bringer_.brought) == 2)
        assert bringer_.brought[one.launch.attempt] == (
            "its results could not come: sh: 0: Cannot fork (they are in"
            f" login:{near.there}/jobs/{one.launch.attempt} and beside it)",
        )
        assert near.asked.count(remote._WALK) == 1 + 2 * bringing._TRIES
        bringer_.forget(one.launch.attempt, "")
    assert there(near) == sorted(
        f"{number}.0.1{ending}" for number in (7, 8) for ending in ("", ".out", ".kept")
    )


@pytest.mark.parametrize("left", [".out", ".record"])
async def test_nothing_is_kept_of_a_job_whose_folder_was_removed_and_that_is_told(
    near: Near, left: str
) -> None:
    await near.layout()
    one = ran(near, 7)
    place = near.there / "jobs" / one.launch.attempt
    shutil.rmtree(place)
    Path(f"{place}.out").rename(f"{place}{left}")
    async with bringer(near) as bringer_:
        bringer_.want(one)
        await until(lambda: bool(bringer_.brought))
        assert bringer_.brought[one.launch.attempt] == (
            f"its folder is gone, with what it left there: login:{place}",
        )
        assert left == ".record" or Path(one.stdout).read_text() == "done\n"
        bringer_.forget(one.launch.attempt, "")
        await until(lambda: not there(near))


async def test_of_a_job_of_which_nothing_can_be_seen_all_is_kept(near: Near) -> None:
    """Its file system isn't mounted at the moment, say."""
    await near.layout()
    one = ran(near, 7)
    (near.there / "jobs").rename(near.there / "away")
    async with bringer(near) as bringer_:  # that makes a folder for jobs
        bringer_.want(one)
        await until(lambda: bool(bringer_.brought))
        (told,) = bringer_.brought[one.launch.attempt]
        assert told.startswith("perhaps not all its results came: ")
        assert told.endswith(f"{one.launch.attempt}, which isn't to be seen)")
        count = near.asked.count(remote._REMOVE)
        bringer_.forget(one.launch.attempt, "")
        await until(lambda: near.asked.count(remote._REMOVE) > count)
    assert there(near) == ["7.0.1.kept"]


async def test_the_next_manager_removes_what_came_and_nothing_else(near: Near) -> None:
    await near.layout()
    came, never = ran(near, 7), ran(near, 8)
    near.failing[remote._REMOVE] = "rm: cannot remove 'x': Device or resource busy"
    async with bringer(near) as one:
        one.want(came)
        await until(lambda: came.launch.attempt in one.brought)
        one.want(never)
        near.failing[remote._WALK] = "sh: 0: Cannot fork"
        one.forget(came.launch.attempt, "")
        one.forget(never.launch.attempt, "")
        await until(lambda: near.asked.count(remote._REMOVE) > 2)
    assert "7.0.1.here" in there(near)
    near.failing.clear()
    async with bringer(near, over=True):
        await until(lambda: there(near) == ["8.0.1", "8.0.1.out"])


async def test_the_next_manager_removes_what_was_sent_and_never_began(near: Near) -> None:
    """Its batch system refused it, say."""
    await near.layout()
    for number, endings in ((7, (".sh", ".pyz")), (8, (".sh", ".record")), (9, (".pyz",))):
        for ending in endings:
            (near.there / "jobs" / f"{STORE}.{number}.0.1{ending}").touch()
        (near.there / "jobs" / f"{STORE}.{number}.0.1").mkdir()
    async with bringer(near, over=True):
        await until(
            lambda: there(near) == ["8.0.1", "8.0.1.record", "8.0.1.sh", "9.0.1", "9.0.1.pyz"]
        )


async def test_what_can_not_be_removed_at_first_is_removed_later(near: Near) -> None:
    await near.layout()
    gone = ran(near, 7)
    (near.there / "jobs" / f"{STORE}.9.0.1.log").write_text("of an array")
    near.failing[remote._REMOVE] = "rm: cannot remove 'x': Device or resource busy"
    async with bringer(near) as one:
        one.want(gone)
        await until(lambda: bool(one.brought))
        one.forget(gone.launch.attempt, f"{STORE}.9.0.1")
        await until(lambda: near.asked.count(remote._REMOVE) > 2)
        near.failing.clear()
        await until(lambda: not there(near))
