"""What is deleted of a job, and what never is."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solveyard.manager import claims
from solveyard.manager.belongings import Belongings, delete
from solveyard.manager.claims import Named
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import StoreUnusable
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, JobSpec
from solveyard.places import StorePlaces

ONE, ARRAY, NEXT = JobId(7), JobId(8), JobId(70)


@pytest.fixture
def places(tmp_path: Path) -> StorePlaces:
    """A store with files of a job, an array and another job, 1 KiB each."""
    made = StorePlaces(tmp_path / "store")
    tasks = [task_id(ARRAY, position) for position in (0, 1, 1500)]
    for job in (ONE, NEXT, *tasks):
        folder = made.job_folder(job)
        (folder / "deep").mkdir(parents=True)
        for path in (folder / "a", folder / "deep" / "b", *made.output(job, 1)):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(bytes(1024))
    for path in made.output(ONE, 12):
        Path(path).write_bytes(bytes(1024))
    return made


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_job_goes_with_all_its_attempts_and_nothing_else(places: StorePlaces) -> None:
    before, mine = files(places.folder), Belongings(places)
    assert mine.size(ONE) == 6 * 1024
    delete(list(mine.pieces(ONE)))
    gone = {"jobs/7/a", "jobs/7/deep/b"}
    gone |= {f"output/0/7.{attempt}.{kind}" for attempt in (1, 12) for kind in ("out", "err")}
    assert before - files(places.folder) == gone
    assert mine.roots(ONE) == []
    assert mine.size(ONE) == 0


def test_an_array_goes_with_all_its_tasks_in_pieces(places: StorePlaces) -> None:
    before, mine = files(places.folder), Belongings(places)
    assert mine.size(ARRAY) == 12 * 1024
    pieces = list(mine.pieces(ARRAY))
    names = [str(piece.relative_to(places.folder)) for piece in pieces]
    assert sorted(names) == [
        "jobs/8", "jobs/8/0", "jobs/8/1", "jobs/8/1500",
        "output/0/8.tasks", "output/0/8.tasks/0", "output/0/8.tasks/1",
    ]  # fmt: skip
    for piece in pieces:
        delete([piece])
    assert before - files(places.folder) == {
        name for name in before if name.startswith(("jobs/8/", "output/0/8.tasks/"))
    }
    assert not places.job_folder(ARRAY).exists()


def test_a_file_of_two_names_counts_once(places: StorePlaces) -> None:
    own = places.job_folder(ONE)
    before = Belongings(places).size(ONE)
    (own / "deep" / "a").hardlink_to(own / "a")
    (own / "away").symlink_to(places.job_folder(NEXT) / "a")
    assert Belongings(places).size(ONE) == before


@pytest.mark.skipif(sys.platform == "win32", reason="no file is sparse there unless told to be")
def test_a_hole_takes_nothing(places: StorePlaces) -> None:
    own = places.job_folder(ONE)
    with (own / "sparse").open("wb") as file:
        file.truncate(1 << 30)
        file.write(b"x")
    assert 6 * 1024 < Belongings(places).size(ONE) < 1 << 20


def test_no_link_is_followed(places: StorePlaces, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "70").mkdir(parents=True)
    (outside / "70" / "precious").touch()
    mine = Belongings(places)
    (places.job_folder(ONE) / "link").symlink_to(outside)
    delete(list(mine.pieces(ONE)))
    assert not places.job_folder(ONE).exists()
    places.job_folder(ONE).symlink_to(outside)
    Path(places.output(ONE, 3)[0]).symlink_to(outside / "70" / "precious")
    delete(list(mine.pieces(ONE)))
    assert places.job_folder(ONE).is_symlink()
    for linked in (places.folder / "jobs", places.output_shard(NEXT)):
        linked.rename(tmp_path / linked.name)
        linked.symlink_to(outside)
    assert mine.roots(NEXT) == []
    assert (outside / "70" / "precious").exists()


REMOVES = """
import os, sys
from pathlib import Path
from solveyard.manager.belongings import Belongings, delete
from solveyard.model.jobs import JobId
from solveyard.places import StorePlaces
if os.geteuid() == 0:  # whom nothing is refused
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
places = StorePlaces(Path(sys.argv[1]) / "store")
for folder in ("jobs/7/deep", "jobs/8/0/deep"):
    (places.folder / folder).mkdir(parents=True)
    (places.folder / folder / "result").touch()
modes = {"jobs/7": 0, "jobs/8/0/deep": 0o500, "jobs/8/0": 0o500, "jobs/8": 0o400}
for folder, mode in modes.items():
    (places.folder / folder).chmod(mode)
mine = Belongings(places)
for job in (JobId(7), JobId(8)):
    delete(list(mine.pieces(job)))
print(*(place.name for place in places.jobs.iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders are read by whoever sees them")
def test_a_folder_that_its_job_has_shut_goes_all_the_same() -> None:
    with tempfile.TemporaryDirectory() as folder:  # which others may enter, as pytest's may not be
        Path(folder).chmod(0o777)
        told = subprocess.run(
            [sys.executable, "-c", REMOVES, folder], capture_output=True, text=True, check=True
        )
    assert told.stdout.split() == []


def test_a_folder_that_can_not_be_looked_at_is_one_piece(
    places: StorePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = places.job_folder(ONE)
    monkeypatch.setattr(os, "scandir", shut(own))
    pieces = list(Belongings(places).pieces(ONE))
    assert own in pieces
    assert own / "deep" not in pieces


def shut(folder: Path) -> Callable[[Path | str], object]:
    """`os.scandir` where `folder` may not be read."""
    look = os.scandir

    def refused(place: Path | str) -> object:
        if Path(place) == folder:
            raise PermissionError(13, "Permission denied", str(place))
        return look(place)

    return refused


def test_a_folder_that_a_user_named_stays(places: StorePlaces) -> None:
    own = places.job_folder(ONE)
    for named in (own, own / "deep", f"{own}/x/../deep/"):
        assert own not in Belongings(places).roots(ONE, Named([str(named)]))
    assert own in Belongings(places).roots(ONE, Named([f"{own}0", str(own.parent)]))


def test_a_folder_that_a_user_named_stays_by_whatever_name(
    places: StorePlaces, tmp_path: Path
) -> None:
    own = places.job_folder(ONE)
    (tmp_path / "link").symlink_to(places.folder)
    (tmp_path / "short").symlink_to(own)
    linked = Belongings(StorePlaces(tmp_path / "link"))
    for named in (
        str(own),
        str(tmp_path / "link" / "jobs" / "7"),
        str(tmp_path / "short" / "deep"),
    ):
        assert own not in Belongings(places).roots(ONE, Named([named]))
        assert tmp_path / "link" / "jobs" / "7" not in linked.roots(ONE, Named([named]))


def an_array(directory: str, *values: str | int) -> Named:
    """Where its tasks run."""
    array = ArraySpec(values=values) if values else ArraySpec(stop=3)
    return Named.by([JobSpec(solver="command", directory=directory, array=array)])


def shut_to_us(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int = errno.EACCES) -> None:
    """Nothing in it can be looked at any more."""
    for name in ("lstat", "stat"):
        look = getattr(os, name)

        def refused(place: Any, *args: Any, look: Any = look, **how: Any) -> Any:
            if isinstance(place, str | Path) and folder in Path(place).parents:
                raise OSError(number, os.strerror(number), str(place))
            return look(place, *args, **how)

        monkeypatch.setattr(os, name, refused)


@pytest.mark.parametrize("tasks", [False, True])
def test_where_the_disk_does_not_tell_whether_a_name_is_of_a_folder_it_is_not_known(
    tasks: bool, places: StorePlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for link in ("link", "link0", "link1"):
        (tmp_path / "in" / link).symlink_to(places.job_folder(ONE))
    link = f"{tmp_path}/in/link"
    shut_to_us(tmp_path / "in", monkeypatch, errno.EIO)
    named = an_array(f"{link}{{{{index}}}}") if tasks else Named([link])
    with pytest.raises(OSError, match="Input/output error"):
        Belongings(places).roots(ONE, named)
    monkeypatch.undo()
    assert places.job_folder(ONE) not in Belongings(places).roots(ONE, named)


@pytest.mark.parametrize("tasks", [False, True])
def test_a_folder_that_we_may_not_look_at_claims_what_can_be_seen_of_its_way(
    tasks: bool, places: StorePlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shut_in(folder: Path) -> Named:
        (folder / "shut").mkdir(exist_ok=True)
        shut_to_us(folder / "shut", monkeypatch)
        within = str(folder / "shut" / "in")
        return an_array(f"{within}{{{{index}}}}") if tasks else Named([within])

    own = places.job_folder(ONE)
    assert own in Belongings(places).roots(ONE, shut_in(tmp_path))
    assert own not in Belongings(places).roots(ONE, shut_in(own))


@pytest.mark.parametrize("kind", ["loop", "x" * 300, "gone/deep"])
def test_a_folder_that_nobody_can_be_in_claims_nothing(
    kind: str, places: StorePlaces, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    own = places.job_folder(ONE)
    assert own in Belongings(places).roots(ONE, Named([str(tmp_path / kind)]))


@pytest.mark.parametrize("place", ["jobs", "output/0"])
def test_what_can_not_be_looked_at_is_not_gone(
    place: str, places: StorePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut_to_us((places.folder / place).parent, monkeypatch)
    with pytest.raises(PermissionError):
        Belongings(places).roots(ONE)


def test_marks_that_can_not_be_read_are_the_stores_fault(
    places: StorePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    Belongings(places).mark(ONE)
    monkeypatch.setattr(os, "scandir", shut(places.removing))
    with pytest.raises(StoreUnusable, match=r"cannot use the store in .*/removing"):
        Belongings(places).marked()


def test_a_folder_that_a_task_was_given_stays(places: StorePlaces, tmp_path: Path) -> None:
    own = places.job_folder(ONE)
    (tmp_path / "in2").symlink_to(own)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "2").symlink_to(own.parent)
    for named in (
        an_array(f"{own.parent}/{{{{value}}}}", 6, 7),
        an_array(f"{own}{{{{value}}}}", "", "0"),
        an_array(f"{own}/a{{{{index}}}}"),
        an_array(f"{tmp_path}/in{{{{index}}}}"),
        an_array(f"{tmp_path}/in{{{{index}}}}/"),
        an_array(f"{tmp_path}/deep/{{{{index}}}}/7/x"),
        an_array("{{value}}", str(own)),
        an_array("/{{value}}", str(own)[1:]),
    ):
        assert own not in Belongings(places).roots(ONE, named)
    for named in (
        an_array(f"{own.parent}/{{{{value}}}}", 6, 8, "\0"),
        an_array(f"{own.parent}/b{{{{index}}}}"),
        an_array(f"{tmp_path}/in1{{{{index}}}}"),
        an_array("/elsewhere/{{index}}"),
    ):
        assert own in Belongings(places).roots(ONE, named)


def test_of_very_many_tasks_a_folder_that_one_may_have_been_given_stays(
    places: StorePlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "MANY", 2)
    own = places.job_folder(ONE)
    (tmp_path / "in2").symlink_to(own)
    for named in (
        an_array(f"{own.parent}/{{{{index}}}}"),
        an_array(f"{own}{{{{index}}}}"),
        an_array(f"{own}/a{{{{index}}}}"),
        an_array(f"{tmp_path}/in{{{{index}}}}"),
        an_array(f"{tmp_path}/{{{{index}}}}/x"),
        an_array(f"{tmp_path}/elsewhere/{{{{value}}}}", "a", "b", "c"),
        an_array("/{{index}}"),
        an_array("{{index}}"),
    ):
        assert own not in Belongings(places).roots(ONE, named)
    for named in (
        an_array(f"{own.parent}/b{{{{index}}}}"),
        an_array(f"{own}0/{{{{index}}}}"),
        an_array(f"{tmp_path}/elsewhere/{{{{index}}}}"),
        an_array(f"{tmp_path}/out{{{{index}}}}"),
    ):
        assert own in Belongings(places).roots(ONE, named)


def test_marks_are_kept_until_they_are_taken_away(places: StorePlaces) -> None:
    mine = Belongings(places)
    assert mine.marked() == []
    for job in (NEXT, ONE):
        mine.mark(job)
        mine.mark(job)
    (places.removing / "notes.txt").touch()
    assert Belongings(places).marked() == [ONE, NEXT]
    mine.unmark(ONE)
    mine.unmark(ONE)
    assert mine.marked() == [NEXT]


def test_a_mark_that_can_not_be_made_is_the_stores_fault(places: StorePlaces) -> None:
    places.removing.touch()
    with pytest.raises(StoreUnusable, match="cannot use the store"):
        Belongings(places).mark(ONE)
