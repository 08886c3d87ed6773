"""What stays beside a job's output of how it was sent, for a manager that was killed meanwhile."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from solveyard.backends.base import Order
from solveyard.backends.batch import files
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Placement
from solveyard.model.messages import Launch
from solveyard.model.resources import Allocation, Share
from solveyard.solvers.base import Command

STORE = "0123456789abcdef0123456789abcdef"
TEXT = "#!/bin/sh\nexit 0\n"


def order(folder: Path, number: int) -> Order:
    allocation = Allocation(shares=(Share(node="c", cores=1),))
    launch = Launch(
        job=JobId(number),
        attempt=AttemptId(f"{STORE}.{number}.0.1"),
        spec=JobSpec(solver="command"),
        placement=Placement(machine="c", allocation=allocation, slot=0),
    )
    command = Command(argv=("true",), directory=str(folder))
    return Order(launch, command, f"{folder}/{number}.out", f"{folder}/{number}.err")


def test_a_jobs_files_are_written_in_its_folder_alone(tmp_path: Path) -> None:
    work, secret = tmp_path / "work", tmp_path / "secret"
    work.mkdir()
    secret.write_text("mine")
    (work / "deck").symlink_to(secret)
    one = order(work, 7)
    one = one._replace(
        command=replace(one.command, files={"deck": "GW"}),
        launch=replace(one.launch, within=(str(work.resolve()),)),
    )
    files.write([one], "exit 0\n", "sh")
    assert (work / "deck").read_text() == "GW"
    work.rename(tmp_path / "moved")
    work.symlink_to(tmp_path)
    for bare in (one, one._replace(command=replace(one.command, files={}))):
        with pytest.raises(InvalidJob, match="it leads out of the folders in which it may run"):
            files.write([bare], "exit 0\n", "sh")
    assert secret.read_text() == "mine"
    assert not (tmp_path / "deck").exists()


def no_disk(number: int, below: Path) -> Callable[..., int]:
    """Opens nothing to write in this folder, as a disk that takes nothing."""
    opened = os.open

    def open_(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        folder = Path(f"/proc/self/fd/{dir_fd}").readlink() if dir_fd else Path()
        if flags & os.O_CREAT and below in (folder / path).parents:
            raise OSError(number, os.strerror(number), path)
        return opened(path, flags, mode, dir_fd=dir_fd)

    return open_


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_takes_no_files_is_told_from_that_of_the_store(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read-only is a job's own folder for good."""
    work, store = tmp_path / "work", tmp_path / "store"
    work.mkdir()
    store.mkdir()
    one = order(work, 7)._replace(stdout=f"{store}/7.out")
    one = one._replace(command=replace(one.command, files={"deck": "GW"}))
    words = os.strerror(number)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", no_disk(number, work))
        with pytest.raises(InvalidJob) as own:
            files.write([one], TEXT, "sh")
    assert str(own.value) == f"{work}/deck: {words}"
    assert isinstance(own.value, files.Full) is (number != errno.EROFS)

    def nowhere(*_: object, **__: object) -> None:
        raise OSError(number, words)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", nowhere)
        with pytest.raises(files.NoRoom) as shared:
            files.write([one], TEXT, "sh")
    assert str(shared.value) == f"this machine takes no files: {store}: {words}"
    one = one._replace(command=replace(one.command, own_folder=True))
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", no_disk(number, work))
        with pytest.raises(files.NoRoom):
            files.write([one], TEXT, "sh")


def sent(orders: list[Order]) -> list[tuple[str, int | None] | None]:
    return [files.sent(one, "sh") for one in orders]


def no_links(*_: object) -> None:
    raise PermissionError


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("many", [2, 3, 1203])
def test_each_task_of_an_array_tells_its_first_and_its_place(
    many: int, links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    orders = [order(tmp_path, number) for number in range(8, 8 + many)]
    assert sent(orders) == [None] * many
    files.write(orders, TEXT, "sh")
    assert sent(orders) == [(f"{STORE}.8.0.1", place) for place in range(many)]
    assert files.script(orders[0], "sh").read_text().startswith(TEXT)


def test_one_that_is_sent_alone_after_its_array_changes_nothing_of_the_others(
    tmp_path: Path,
) -> None:
    orders = [order(tmp_path, number) for number in range(4)]
    files.write(orders, TEXT, "sh")
    for place in (1, 2):
        files.write([orders[place]], TEXT, "sh")
        assert files.script(orders[place], "sh").read_text() == TEXT
    first, *_ = attempts = [one.launch.attempt for one in orders]
    assert sent(orders) == [(first, 0), (attempts[1], None), (attempts[2], None), (first, 3)]
    files.write([orders[3], orders[2]], TEXT, "sh")
    assert sent(orders[2:]) == [(attempts[3], 1), (attempts[3], 0)]


@pytest.mark.parametrize("length", [0, 10, len(files.IN_ARRAY), 60, 75])
def test_a_list_that_is_cut_off_says_that_it_may_have_been_sent(
    length: int, tmp_path: Path
) -> None:
    orders = [order(tmp_path, number) for number in range(3)]
    files.write(orders, TEXT, "sh")
    place = files.script(orders[1], "sh")
    os.truncate(place, length)
    assert files.sent(orders[1], "sh") == (orders[1].launch.attempt, None)


@pytest.mark.parametrize("many", [1, 3])
def test_when_it_was_submitted_stands_once_in_a_script_and_hides_nothing_there(
    many: int, tmp_path: Path
) -> None:
    orders = [order(tmp_path, number) for number in range(many)]
    files.write(orders, TEXT, "sh")
    how = sent(orders)
    for _ in range(2):
        for one in orders:
            files.keep_submitted(one, "sh", 1795828564.0)
    assert sent(orders) == how
    assert [files.submitted(one, "sh") for one in orders] == [1795828564.0] * many
    assert files.script(orders[-1], "sh").read_text().count("1795828564") == 1


def test_two_times_of_submission_are_none(tmp_path: Path) -> None:
    """Two of one list, say, of which one began anew."""
    orders = [order(tmp_path, number) for number in range(3)]
    assert files.submitted(orders[1], "sh") is None
    files.write(orders, TEXT, "sh")
    assert files.submitted(orders[1], "sh") is None
    files.keep_submitted(orders[1], "sh", 1.0)
    files.keep_submitted(orders[2], "sh", 2.0)
    assert files.submitted(orders[1], "sh") is None
    assert sent(orders)[1:] == [(orders[0].launch.attempt, 1), (orders[0].launch.attempt, 2)]
