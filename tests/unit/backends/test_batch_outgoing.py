"""What is sent arrives whole, whatever others do there and here meanwhile."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from solveyard.backends.batch.outgoing import Load, Outgoing
from solveyard.backends.here import LocalWorkspace
from solveyard.backends.hosts import remote as there
from solveyard.backends.hosts.remote import PIECE, Remote
from solveyard.backends.hosts.ssh import Failed
from solveyard.backends.workspace import FileEntry, Unread, passed
from solveyard.model.errors import InvalidJob
from unit.backends.near import Near

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no POSIX shell")

MUCH = bytes(range(256)) * (PIECE // 128)  # two pieces


@pytest.fixture
def near(tmp_path: Path) -> Near:
    return Near(tmp_path)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "mesh").write_bytes(MUCH)
    return folder


async def outgoing(near: Near, store: str = "a") -> Outgoing:
    remote = Remote(near, str(near.there), store)  # type: ignore[arg-type]
    await remote.ready()
    return Outgoing(remote, 1 << 30, store)


def load(one: Outgoing, near: Near, work: Path, name: str = "1") -> Load:
    """For a job of this name."""
    whole = Load()
    one.add(whole, work, f"{near.there}/jobs/{name}")
    return whole


async def test_two_stores_send_the_same_file_to_one_folder_at_the_same_time(
    near: Near, work: Path
) -> None:
    first, second = await outgoing(near, "a"), await outgoing(near, "b")

    async def meanwhile() -> None:
        async def again() -> None:
            await second.send(load(second, near, work, "2"))

        near.before[there._APPEND] = again

    near.before[there._APPEND] = meanwhile
    await first.send(load(first, near, work))
    for name in ("1", "2"):
        assert (near.there / "jobs" / name / "mesh").read_bytes() == MUCH
    assert near.asked.count(there._APPEND) == 4, "nothing is sent twice by one of them"


async def test_what_finds_no_room_there_leaves_it_to_the_others(near: Near, work: Path) -> None:
    one = await outgoing(near)
    near.program("df", "printf 'Name Size Used Free Share On\\ndisk 9 8 1 90%% /there\\n'")
    with pytest.raises(
        Failed, match=r"No space left on device: 0 MiB are free, and \d+ MiB are to"
    ):
        await one.send(load(one, near, work))
    assert there._APPEND not in near.asked
    near.program("df", "exit 1")
    near.failing[there._APPEND] = "head: write error: No space left on device"
    part = near.there / "content" / f"{hashlib.sha256(MUCH).hexdigest()}.a.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(MUCH[:PIECE])
    with pytest.raises(Failed, match="No space left"):
        await one.send(load(one, near, work))
    assert not part.exists()


async def test_a_folder_that_can_not_be_read_is_told(near: Near, work: Path) -> None:
    (work / "locked").mkdir()

    def walk(self: LocalWorkspace, below: str = "", unread: Unread = passed) -> Iterator[FileEntry]:
        unread("locked: Permission denied")  # the superuser may read it
        return iter(())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalWorkspace, "walk", walk)
        with pytest.raises(InvalidJob, match="can be sent: locked: Permission denied"):
            load(await outgoing(near), near, work)


@pytest.mark.parametrize("name", ["a\\b", "x" * 255, "波" * 80])
async def test_an_input_goes_whatever_it_is_called(near: Near, work: Path, name: str) -> None:
    (work / name).write_text("3")
    one = await outgoing(near)
    await one.send(load(one, near, work))
    assert (near.there / "jobs" / "1" / name).read_text() == "3"


@pytest.mark.parametrize("folder", ["content", ""])
async def test_what_was_removed_there_is_made_anew(near: Near, work: Path, folder: str) -> None:
    """By a purge of old files, say."""
    one = await outgoing(near)
    await one.send(load(one, near, work))
    shutil.rmtree(near.there / folder)
    (work / "small").write_text("3 4")
    await one.send(load(one, near, work, "2"))
    assert (near.there / "jobs" / "2" / "mesh").read_bytes() == MUCH


@pytest.mark.parametrize("shared", [True, False])
async def test_what_grows_while_it_is_sent_goes_as_it_was(
    near: Near, work: Path, shared: bool
) -> None:
    log = work / "solver.log"
    log.write_bytes(b"x" * (100 if shared else PIECE + 1))
    one = await outgoing(near)
    whole = Load()
    one.add(whole, work, f"{near.there}/jobs/1", shared=shared)
    with log.open("ab") as file:
        file.write(b"more")
    await one.send(whole)
    assert set((near.there / "jobs" / "1" / "solver.log").read_bytes()) == {ord("x")}


async def test_what_changes_while_it_is_sent_is_named(near: Near, work: Path) -> None:
    one = await outgoing(near)
    whole = load(one, near, work)
    (work / "mesh").write_bytes(MUCH[::-1])
    with pytest.raises(Failed, match="mesh changes while it is sent: keep it out of the job's"):
        await one.send(whole)


async def test_what_is_exchanged_while_it_is_sent_is_not_followed_out_of_its_folder(
    near: Near, work: Path
) -> None:
    one = await outgoing(near)
    whole = load(one, near, work)
    secret = work.parent / "secret"
    secret.write_bytes(MUCH[::-1])
    (work / "mesh").unlink()
    (work / "mesh").symlink_to(secret)
    with pytest.raises(InvalidJob, match="'mesh' leaves the job's folder"):
        await one.send(whole)
    (work / "mesh").unlink()
    os.mkfifo(work / "mesh")
    with pytest.raises(InvalidJob, match="mesh: it is not a regular file"):
        await one.send(whole)
    assert not [one for one in near.there.rglob("*") if one.is_file() and one.stat().st_size]


async def test_of_a_bound_folder_that_leads_elsewhere_by_now_nothing_is_sent(
    near: Near, work: Path
) -> None:
    one, roots = await outgoing(near), [str(work.resolve())]
    one.add(Load(), work, f"{near.there}/jobs/1", within=roots)
    work.rename(work.parent / "moved")
    work.symlink_to(work.parent)
    with pytest.raises(InvalidJob, match="it leads out of the folders in which it may run"):
        one.add(Load(), work, f"{near.there}/jobs/2", within=roots)
