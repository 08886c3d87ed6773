"""Folders are copied as they are; nothing comes along from elsewhere."""

import contextlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from solveyard.programs import folders
from solveyard.programs.folders import Unusable, copy_folder, keep_inside
from solveyard.wire import beneath


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "board.aedb"
    (place / "stackup").mkdir(parents=True)
    (place / "edb.def").write_text("layout")
    (place / "stackup" / "layers.xml").write_text("layers")
    (tmp_path / "secret").write_text("secret")
    return place


def test_files_come_with_their_times_and_may_be_written(source: Path, tmp_path: Path) -> None:
    os.utime(source / "edb.def", (1e9, 1e9))
    (source / "edb.def").chmod(0o444)
    (source / "stackup").chmod(0o555)
    copy_folder(source, tmp_path / "copy")
    copied = tmp_path / "copy" / "edb.def"
    assert (copied.read_text(), copied.stat().st_mtime) == ("layout", 1e9)
    assert copied.stat().st_mode & stat.S_IWUSR
    assert (tmp_path / "copy" / "stackup").stat().st_mode & stat.S_IWUSR
    assert (tmp_path / "copy" / "stackup" / "layers.xml").read_text() == "layers"
    (source / "stackup").chmod(0o755)


def test_links_within_it_lead_into_the_copy(source: Path, tmp_path: Path) -> None:
    (source / "stackup" / "up").symlink_to("../edb.def")
    (source / "whole").symlink_to(source / "stackup")
    (source / "round").symlink_to("round")
    copy_folder(source, tmp_path / "copy")
    shutil.rmtree(source)
    assert (tmp_path / "copy" / "stackup" / "up").read_text() == "layout"
    assert (tmp_path / "copy" / "whole" / "layers.xml").read_text() == "layers"
    assert (tmp_path / "copy" / "round").is_symlink()


@pytest.mark.parametrize("way", ["given", "real"])
@pytest.mark.parametrize("bound", [False, True])
def test_an_absolute_link_into_it_may_go_by_either_way_to_it(
    source: Path, tmp_path: Path, way: str, bound: bool
) -> None:
    (tmp_path / "home").symlink_to(".")
    given = tmp_path / "home" / source.name
    (source / "stackup" / "up").symlink_to((given if way == "given" else source) / "edb.def")
    if bound:
        with beneath.Folder(str(given.parent), [str(tmp_path)]) as folder:
            place = given.name if folder.file is not None else str(source)
            copy_folder(given, tmp_path / "copy", place, folder.file)
    else:
        copy_folder(given, tmp_path / "copy")
    shutil.rmtree(source)
    assert (tmp_path / "copy" / "stackup" / "up").read_text() == "layout"


@pytest.mark.parametrize("aim", ["../secret", "/dev/zero", "..", "stackup/../../secret"])
def test_a_link_that_leads_out_of_it_is_refused(source: Path, tmp_path: Path, aim: str) -> None:
    (source / "leak.txt").symlink_to(aim)
    with pytest.raises(Unusable, match=r"leak.txt' leads out of it"):
        copy_folder(source, tmp_path / "copy")


def test_links_that_lead_out_of_it_together_are_refused(source: Path, tmp_path: Path) -> None:
    (source / "here").symlink_to(".")
    (source / "leak.txt").symlink_to("here/../secret")
    with pytest.raises(Unusable, match=r"leak.txt"):
        copy_folder(source, tmp_path / "copy")


def test_a_link_in_place_of_it_is_refused(source: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.aedb"
    link.symlink_to(source)
    with pytest.raises(Unusable, match=r"is a link"):
        copy_folder(link, tmp_path / "copy")


def test_what_is_no_file_is_refused_and_waited_for_by_nobody(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "pipe")
    with pytest.raises(Unusable, match=r"'pipe'"):
        copy_folder(source, tmp_path / "copy")
    with pytest.raises(Unusable, match=r"is no file"):
        folders.copy_file(str(source / "pipe"), tmp_path / "file")


@pytest.mark.parametrize("name", ["edb.def", "stackup"])
def test_what_is_exchanged_for_a_link_meanwhile_is_not_followed(
    source: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "layers.xml").write_text("secret")
    look = os.stat

    def exchanged(place: str, **how: int) -> os.stat_result:
        found = look(place, **how)
        if place == name and not (source / name).is_symlink():
            (source / name).rename(tmp_path / "gone")
            (source / name).symlink_to(tmp_path / ("secret" if name == "edb.def" else "elsewhere"))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(folders.os, "stat", exchanged)
        with contextlib.suppress(OSError):  # of a file
            copy_folder(source, tmp_path / "copy")
    read = [place.read_text() for place in (tmp_path / "copy").rglob("*") if place.is_file()]
    assert "secret" not in read


def test_a_folder_of_ours_is_looked_through_for_links_alike(source: Path) -> None:
    keep_inside(source)
    (source / "stackup" / "leak").symlink_to("../..")
    with pytest.raises(Unusable, match=r"leak"):
        keep_inside(source)
