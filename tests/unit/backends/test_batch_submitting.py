"""What can't be sent keeps nothing else from being sent."""

import asyncio
from pathlib import Path

import pytest

from solveyard.backends.base import RawEnd, Report
from solveyard.backends.batch import submitting
from solveyard.backends.batch.entries import Entry, Phase
from solveyard.backends.batch.files import Full, NoRoom
from solveyard.backends.batch.submitting import Submitter
from solveyard.backends.dialects.base import Answer
from solveyard.model.errors import InvalidJob
from unit.backends.clustered import Following, Picky, Told, cluster
from unit.backends.test_batch_sent import order


@pytest.mark.parametrize("error", [InvalidJob("its name isn't plain"), OSError("Stale handle")])
async def test_of_several_jobs_that_go_together_only_those_that_cant_be_sent_are_refused(
    error: Exception, tmp_path: Path
) -> None:
    host, files, reports = Told(), Picky(), list[Report]()
    files.bad = {"2": error}
    host.answer = lambda line: Answer(0, f"{len(host.called)}\n" if "sbatch" in line else "")
    one = cluster(host, files, reports)
    submitter = Submitter(one, Following())  # type: ignore[arg-type]
    orders = [order(tmp_path / str(number), number) for number in range(4)]
    entries = [Entry(each, Phase.WAITING) for each in orders]
    for entry in entries:
        one.entries.add(entry)
        submitter.put(entry)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(submitter.run())
        while len(reports) < 4:
            await asyncio.sleep(0.01)
        running.cancel()
    assert sorted(files.sent) == [["0"], ["1"], ["3"]]
    assert [entry.phase for entry in entries] == [
        Phase.THERE,
        Phase.THERE,
        Phase.ENDED,
        Phase.THERE,
    ]
    (end,) = [report for report in reports if isinstance(report, RawEnd)]
    assert end.attempt == entries[2].attempt
    assert end.exit.launch_error == f"cannot start it: {error}"


async def test_while_a_disk_takes_nothing_jobs_wait_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = NoRoom("login takes no files: /far: head: write error: Disk quota exceeded")
    monkeypatch.setattr(submitting, "_LATER", 0.05)
    host, files, reports = Told(), Picky(), list[Report]()
    files.bad = {str(number): error for number in range(3)}
    host.answer = lambda line: Answer(0, f"{len(host.called)}\n" if "sbatch" in line else "")
    one = cluster(host, files, reports)
    submitter = Submitter(one, Following())  # type: ignore[arg-type]
    entries = [Entry(order(tmp_path / str(n), n), Phase.WAITING) for n in range(3)]
    for entry in entries:
        one.entries.add(entry)
        submitter.put(entry)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(submitter.run())
        while not submitter.trouble:
            await asyncio.sleep(0.01)
        assert submitter.trouble == f"{error} (make room there; it is tried again)"
        files.bad.clear()
        while len(reports) < 3:
            await asyncio.sleep(0.01)
        running.cancel()
    assert [entry.phase for entry in entries] == [Phase.THERE] * 3
    assert sorted(name for names in files.sent for name in names) == ["0", "1", "2"]
    assert submitter.trouble == ""


async def test_jobs_whose_own_folders_are_full_wait_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "_LATER", 0.05)
    host, files, reports = Told(), Picky(), list[Report]()
    error = Full("/work/in.txt: No space left on device")
    files.bad = {str(number): error for number in range(4)}
    host.answer = lambda line: Answer(0, f"{len(host.called)}\n" if "sbatch" in line else "")
    one = cluster(host, files, reports)
    follower = Following()
    submitter = Submitter(one, follower)  # type: ignore[arg-type]
    entries = [Entry(order(tmp_path / str(n), n), Phase.WAITING) for n in range(6)]
    for entry in entries:
        one.entries.add(entry)
        submitter.put(entry)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(submitter.run())
        while len(reports) < 2 or len(follower.blocked) < 4:
            await asyncio.sleep(0.01)
        assert sorted(files.sent) == [["4"], ["5"]]
        assert submitter.trouble == ""
        assert [entry.phase for entry in entries[:4]] == [Phase.WAITING] * 4
        assert follower.blocked[entries[0].attempt].startswith(f"room for its files: {error} (")
        files.bad.clear()
        while len(reports) < 6:
            await asyncio.sleep(0.01)
        running.cancel()
    assert sorted(files.sent) == [[str(number)] for number in range(6)]
    assert not follower.blocked


async def test_tasks_whose_common_folder_is_full_go_together_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "_LATER", 0.05)
    host, files, reports = Told(), Picky(), list[Report]()
    files.bad = {"work": Full("/work/in.txt: No space left on device")}
    host.answer = lambda line: Answer(0, f"{len(host.called)}\n" if "sbatch" in line else "")
    one = cluster(host, files, reports)
    follower = Following()
    submitter = Submitter(one, follower)  # type: ignore[arg-type]
    for number in range(3):
        entry = Entry(order(tmp_path / "work", number), Phase.WAITING)
        one.entries.add(entry)
        submitter.put(entry)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(submitter.run())
        while len(follower.blocked) < 3:
            await asyncio.sleep(0.01)
        files.bad.clear()
        while len(reports) < 3:
            await asyncio.sleep(0.01)
        running.cancel()
    assert files.sent == [["work"] * 3]


async def test_what_was_said_as_nobody_knows_whether_it_was_taken_is_kept_until_it_is(
    tmp_path: Path,
) -> None:
    host, reports = Told(), list[Report]()
    words = "sbatch: error: Batch job submission failed: Unable to contact slurm controller"
    host.answer = lambda line: Answer(1, "", words) if "sbatch" in line else Answer(0)
    one = cluster(host, Picky(), reports)
    follower = Following()
    submitter = Submitter(one, follower)  # type: ignore[arg-type]
    entry = Entry(order(tmp_path / "1", 1), Phase.WAITING)
    one.entries.add(entry)
    submitter.put(entry)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(submitter.run())
        await follower.wanted.wait()
        assert entry.phase is Phase.UNKNOWN
        assert "Unable to contact slurm controller" in follower.doubts[entry.attempt]
        host.answer = lambda line: Answer(0, "7\n" if "sbatch" in line else "")
        entry.enter(Phase.WAITING, 0.0)
        submitter.put(entry)
        while not reports:
            await asyncio.sleep(0.01)
        running.cancel()
    assert not follower.doubts
