"""Where an attempt was sent is noted, and counts for as long as it is there."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from solveyard.backends.base import Order
from solveyard.backends.batch.files import Full, NoRoom
from solveyard.backends.batch.sharing import Ties
from solveyard.backends.batch.staging import Staged
from solveyard.backends.hosts import remote
from solveyard.backends.hosts.paths import PathMap
from solveyard.backends.hosts.remote import Remote
from solveyard.model.errors import InvalidJob
from unit.backends.near import Near
from unit.backends.test_batch_sent import STORE, order

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no POSIX shell")

RECORD = "solveyard 1\nattempt {}\nid 7\nhost n1\nbegan 1000000000\n"


@pytest.fixture
def near(tmp_path: Path) -> Near:
    return Near(tmp_path)


def staged(near: Near, folder: str = "one") -> Staged:
    """By settings that name this folder there."""
    there = Remote(near, str(near.there / folder), STORE)  # type: ignore[arg-type]
    return Staged(there, PathMap({}), STORE, most=1 << 30, often=1000.0)


@asynccontextmanager
async def running(files: Staged) -> AsyncIterator[None]:
    answers = asyncio.Event()
    answers.set()
    ties = Ties(answers, list, lambda: None, lambda _: None, lambda _: False)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(files.run(ties))
        yield
        task.cancel()


async def sent(near: Near) -> Order:
    """One with an input, by a manager that is gone."""
    folder = near.there.parent / "work"
    folder.mkdir()
    (folder / "deck").write_text("3 4")
    one = order(folder, 7)._replace(stdout=f"{folder}.out", stderr=f"{folder}.err")
    files = staged(near)
    await files.ready()
    await files.send([one], "exit 0\n", "sh")
    return one


async def test_results_come_from_where_it_was_sent_whatever_the_settings_say_by_now(
    near: Near,
) -> None:
    one = await sent(near)
    place = near.there / "one" / "jobs" / one.launch.attempt
    (place / "field").write_text("days of work")
    files = staged(near, "two")
    await files.ready()
    assert await files.remember(one) == ""
    async with running(files), asyncio.timeout(30):
        files.bring(one)
        while not (seen := (await files.witnesses([one]))[0]).here:
            await asyncio.sleep(0.01)
        assert seen.troubles == ()
        assert (Path(one.command.directory) / "field").read_text() == "days of work"
        assert files.there(one).command.directory == str(place)
        files.forget(one.launch.attempt, "")
        while place.exists():
            await asyncio.sleep(0.01)


async def test_what_went_to_another_host_is_looked_for_where_it_was_sent(near: Near) -> None:
    one = await sent(near)
    near.where = "new"
    files = staged(near, "two")
    await files.ready()
    assert await files.remember(one) == f"login:{near.there / 'one'}"
    (near.there / "one").rename(near.there / "away")
    (seen,) = await files.witnesses([one])
    assert not seen.there
    (near.there / "away").rename(near.there / "one")
    (seen,) = await files.witnesses([one])
    assert seen.there


async def test_what_an_earlier_version_sent_is_where_the_settings_say(near: Near) -> None:
    one = await sent(near)
    note = near.there.parent / "work.sent"
    note.write_text('{"deck": "1234"}')
    files = staged(near, "two")
    await files.ready()
    assert await files.remember(one) == ""
    assert files.there(one).command.directory.startswith(str(near.there / "two"))


@pytest.mark.parametrize(
    "words",
    [
        "head: write error: Disk quota exceeded",
        "sh: cannot create x.part: Read-only file system",
    ],
)
async def test_no_room_there_says_where_and_in_whose_folder(words: str, near: Near) -> None:
    """A mapped folder is a job's own, that of all jobs is ours."""
    work = near.there.parent / "work"
    one = order(work, 7)._replace(stdout=f"{work}.out", stderr=f"{work}.err")
    root = near.there / "one"
    there = Remote(near, str(root), STORE)  # type: ignore[arg-type]
    await there.ready()
    work.mkdir()
    near.failing[remote._PUT] = words
    ours = Staged(there, PathMap({}), STORE, most=1 << 30, often=1000.0)
    with pytest.raises(NoRoom) as shared:
        await ours.send([one], "exit 0\n", "sh")
    assert str(shared.value) == f"login takes no files: {root}: {words}"
    work.rmdir()
    own = Staged(there, PathMap({str(work): "/far"}), STORE, most=1 << 30, often=1000.0)
    one = one._replace(command=replace(one.command, files={"deck": "3 4"}))
    with pytest.raises(InvalidJob) as alone:
        await own.send([one], "exit 0\n", "sh")
    assert str(alone.value) == f"login: /far/deck: {words}"
    assert isinstance(alone.value, Full) is ("quota" in words)


async def test_what_is_too_large_for_the_room_there_waits_by_itself(near: Near) -> None:
    near.program("df", "printf 'Name Size Used Free Share On\\ndisk 9 8 1 90%% /there\\n'")
    work = near.there.parent / "work"
    work.mkdir()
    (work / "mesh").write_bytes(b"3" * 3_000_000)
    one = order(work, 7)._replace(stdout=f"{work}.out", stderr=f"{work}.err")
    files = staged(near)
    await files.ready()
    with pytest.raises(Full) as told:
        await files.send([one], "exit 0\n", "sh")
    assert str(told.value) == (
        f"login: {near.there}/one: No space left on device: 0 MiB are free, and 3 MiB are to be"
        " sent"
    )
