"""Copies of projects: what they bring nothing of, and what they need room for."""

import json
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from solveyard.programs import hfss_copy
from solveyard.programs.hfss_copy import NO_COPY, NO_ROOM


class Copying:
    def __init__(self, folder: Path, told: pytest.CaptureFixture[str]) -> None:
        self._told = told
        self.source = folder / "board.aedt"
        self.source.write_text("a project")
        self.layout = folder / "board.aedb"
        self.layout.mkdir()

    def refused(self, source: Path, min_disk: int = 0) -> tuple[int, str]:
        plan = {"source": str(source), "project": "board.aedt", "min_disk": min_disk}
        Path("plan.json").write_text(json.dumps(plan))
        return hfss_copy.main(["plan.json"]), self._told.readouterr().err


@pytest.fixture
def copying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Copying:
    (tmp_path / "job").mkdir()
    monkeypatch.chdir(tmp_path / "job")
    return Copying(tmp_path, capfd)


def test_what_a_project_only_points_at_is_not_copied(copying: Copying, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (copying.layout / "leak.txt").symlink_to("../../secret")
    code, told = copying.refused(copying.source)
    assert (code, "'board.aedb/leak.txt' leads out" in told) == (NO_COPY, True), told
    (copying.layout / "leak.txt").unlink()
    shutil.rmtree("board.aedb")
    copying.layout.rename(tmp_path / "another.aedb")
    copying.layout.symlink_to("another.aedb")
    code, told = copying.refused(copying.source)
    assert (code, "board.aedb' is a link" in told) == (NO_COPY, True), told
    assert "secret" not in {place.read_text() for place in Path().rglob("*") if place.is_file()}


@pytest.mark.skipif(sys.platform == "win32", reason="paths are judged before their use there")
@pytest.mark.parametrize("exchanged", ["its folder", "itself", "nothing"])
def test_of_a_job_that_came_over_the_network_nothing_outside_is_copied(
    exchanged: str, copying: Copying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, secrets = tmp_path / "root", tmp_path / "secrets.aedb"
    for folder in (root / "mine" / "board.aedb", secrets):
        folder.mkdir(parents=True)
    (secrets / "key").write_text("secret")
    (secrets / "board.aedb").mkdir()
    (secrets / "board.aedb" / "key").write_text("secret")
    place = root / "mine" / "board.aedb"
    if exchanged == "its folder":
        place.parent.rename(root / "old")
        place.parent.symlink_to(secrets)
    elif exchanged == "itself":
        place.rmdir()
        place.symlink_to(secrets)
    monkeypatch.setenv("SOLVEYARD_WITHIN", json.dumps([str(root)]))
    if exchanged == "nothing":
        (place / "edb.def").write_text("layout")
        with hfss_copy.found(place, [str(root)]) as original:
            hfss_copy.bring(original, Path("board.aedb"))
        assert Path("board.aedb/edb.def").read_text() == "layout"
        return
    code, told = copying.refused(place)
    assert code == NO_COPY
    assert told.count("can't be copied") == 1
    assert not [one for one in Path().rglob("*") if one.name == "key"]


@pytest.mark.skipif(sys.platform == "win32", reason="paths are judged before their use there")
@pytest.mark.parametrize("step", ["os.stat", "zipfile.is_zipfile", "zipfile.ZipFile"])
@pytest.mark.parametrize("time", [1, 2])
def test_nor_of_an_archive_that_is_exchanged_for_a_link_meanwhile(
    step: str, time: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret.aedtz"
    root.mkdir()
    for place, text in ((root / "board.aedtz", "mine"), (secret, "secret")):
        with zipfile.ZipFile(place, "w") as packed:
            packed.writestr("board.aedt", text)
    (tmp_path / "job").mkdir()
    monkeypatch.chdir(tmp_path / "job")
    monkeypatch.setenv("SOLVEYARD_WITHIN", json.dumps([str(root)]))
    module, name = step.split(".")
    real, times = getattr(sys.modules[module], name), []

    def exchanging(*given: Any, **named: Any) -> Any:
        told = real(*given, **named)
        times.append(1)
        if len(times) == time:
            (root / "board.aedtz").unlink()
            (root / "board.aedtz").symlink_to(secret)
        return told

    plan = {"source": str(root / "board.aedtz"), "project": "board.aedt", "min_disk": 0}
    end: dict[str, object] = {"argv": ["/bin/true"], "scratch": "", "stop": [], "keep": "all"}
    Path("plan.json").write_text(json.dumps(plan | end))
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules[module], name, exchanging)
        hfss_copy.main(["plan.json"])
    was_open = step != "os.stat"
    if was_open or Path("board.aedt").exists():
        assert Path("board.aedt").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_what_is_no_file_is_no_archive_and_waited_for_by_nobody(
    copying: Copying, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "board.aedtz")
    code, told = copying.refused(tmp_path / "board.aedtz")
    assert (code, "is no file" in told) == (NO_COPY, True), told


@pytest.mark.skipif(sys.platform == "win32", reason="paths are judged before their use there")
def test_a_layout_that_is_a_link_is_refused_before_anybody_walks_through_it(
    copying: Copying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying.layout.rmdir()
    (tmp_path / "large" / "below").mkdir(parents=True)
    copying.layout.symlink_to("large")
    walked: list[str] = []
    list_folder = os.scandir
    monkeypatch.setattr(os, "scandir", lambda place: walked.append(place) or list_folder(place))
    code, told = copying.refused(copying.source)
    assert (code, f"'{copying.layout}' is a link" in told) == (NO_COPY, True), told
    assert walked == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_job_from_the_network_is_told_of_files_by_the_names_that_it_knows(
    copying: Copying,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SOLVEYARD_WITHIN", json.dumps([str(tmp_path)]))
    copying.source.with_name("board.aedt.lock").touch()
    os.mkfifo(copying.layout / "pipe")
    told = copying.refused(copying.source)[1]
    assert f"note: {copying.source} is open elsewhere" in told
    assert f"'pipe' in {copying.layout} is neither a file nor a folder" in told
    (copying.layout / "pipe").unlink()
    copying.layout.rename(tmp_path / "other.aedb")
    copying.layout.symlink_to("other.aedb")
    assert f"'{copying.layout}' is a link" in copying.refused(copying.source)[1]
    archive = tmp_path / "board.aedtz"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("board.aedt", "")
        packed.writestr("results/old.s1p", "")
    with hfss_copy.found(archive, [str(tmp_path)]) as original:
        hfss_copy.bring(original, Path("board.aedt"))
    assert capfd.readouterr().err == f"note: the folder results in {archive} is left out\n"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_nor_is_what_an_archive_points_at_beside_its_project(
    copying: Copying, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "board.aedtz"
    if kind == "zip":
        with zipfile.ZipFile(place, "w") as packed:
            packed.write(copying.source, "inside/board.aedt")
            member = zipfile.ZipInfo("inside/leak.s1p")
            member.external_attr = 0o120777 << 16
            packed.writestr(member, "../secret.s1p")
    else:
        with tarfile.open(place, "w:gz") as packed_:
            packed_.add(copying.source, "inside/board.aedt")
            link = tarfile.TarInfo("inside/leak.s1p")
            link.type, link.linkname = tarfile.SYMTYPE, "../secret.s1p"
            packed_.addfile(link)
    code, told = copying.refused(place)
    assert (code, "leads out of it" in told) == (NO_COPY, True), told
    assert not Path("leak.s1p").is_symlink()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_room_is_needed_for_all_that_an_archive_holds(
    copying: Copying, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "board.aedtz"
    (copying.layout / "zeros").write_bytes(bytes(1 << 20))
    if kind == "zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
            for each in (copying.source, copying.layout / "zeros"):
                packed.write(each, each.relative_to(tmp_path))
    else:
        with tarfile.open(place, "w:gz") as packed_:
            packed_.add(copying.source, "board.aedt")
            packed_.add(copying.layout, "board.aedb")
    assert place.stat().st_size < 9000
    free = shutil.disk_usage(tmp_path)._replace(free=(1 << 20) + 8999)  # the project has 9 more
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    code, told = copying.refused(place, min_disk=8991)
    assert (code, "no room for a copy" in told) == (NO_ROOM, True), told
    assert not Path("board.aedt").exists()


def test_room_is_needed_for_the_layout_too(
    copying: Copying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copying.layout / "edb.def").write_bytes(bytes(9000))
    free = shutil.disk_usage(tmp_path)._replace(free=9008)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    code, told = copying.refused(copying.source)
    assert (code, "no room for a copy" in told) == (NO_ROOM, True), told
