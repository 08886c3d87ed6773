"""Copies of projects: what they bring nothing of, and what they need room for."""

import json
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

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
        with hfss_copy._bound(place, [str(root)]) as bound:
            hfss_copy.bring(bound, Path("board.aedb"), follow=False)
        assert Path("board.aedb/edb.def").read_text() == "layout"
        return
    code, told = copying.refused(place)
    assert code == NO_COPY
    assert told.count("can't be copied") == 1
    assert not [one for one in Path().rglob("*") if one.name == "key"]


def test_nor_is_what_an_archive_points_at_beside_its_project(
    copying: Copying, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "board.aedtz", "w:gz") as archive:
        archive.add(copying.source, "inside/board.aedt")
        link = tarfile.TarInfo("inside/leak.s1p")
        link.type, link.linkname = tarfile.SYMTYPE, "../secret.s1p"
        archive.addfile(link)
    code, told = copying.refused(tmp_path / "board.aedtz")
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
