import os
import sys
from pathlib import Path

import pytest

from solveyard import places
from solveyard.model.errors import StoreUnusable
from solveyard.model.jobs import JobId


def test_the_store_is_the_one_given_else_the_environments_else_the_platforms(monkeypatch, tmp_path):
    monkeypatch.setenv("SOLVEYARD_HOME", str(tmp_path / "home"))
    assert places.store_folder(tmp_path / "given") == tmp_path / "given"
    assert places.store_folder() == tmp_path / "home"
    monkeypatch.delenv("SOLVEYARD_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert places.store_folder() == tmp_path / "data" / "solveyard"


def test_each_attempt_has_output_files_of_its_own(tmp_path):
    here = places.StorePlaces(tmp_path)
    first, second = here.output(JobId(7), 1), here.output(JobId(7), 2)
    assert len({*first, *second}) == 4
    assert Path(here.output(JobId(1007), 1)[0]).parent != Path(first[0]).parent


def test_the_runtime_folder_is_private_and_short(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    folder = places.runtime_folder(tmp_path / ("deep/" * 40))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(str(folder / "manager.sock")) < 100
    assert places.runtime_folder(tmp_path) != folder


def test_a_runtime_folder_of_somebody_else_is_refused(monkeypatch, tmp_path):
    if os.getuid() != 0:
        pytest.skip("giving a folder to somebody else needs root")
    base = tmp_path / "runtime"
    base.mkdir()
    (base / "solveyard").mkdir()
    os.chown(base / "solveyard", 65534, 65534)
    monkeypatch.setattr(places, "_runtime_base", lambda: base / "solveyard")
    with pytest.raises(StoreUnusable, match="somebody else"):
        places.runtime_folder(tmp_path)


def test_a_link_in_place_of_the_runtime_folder_is_refused(monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link: Path = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(places, "_runtime_base", lambda: link)
    with pytest.raises(StoreUnusable):
        places.runtime_folder(tmp_path)


def test_a_runtime_folder_that_can_not_be_made_is_told_with_the_way_out(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(places, "_runtime_base", lambda: tmp_path / "file" / "below")
    with pytest.raises(StoreUnusable, match=r"file/below, .* \(set XDG_RUNTIME_DIR"):
        places.runtime_folder(tmp_path)


def test_a_store_whose_name_no_text_can_hold_is_refused(monkeypatch, tmp_path):
    with pytest.raises(StoreUnusable, match=r"isn't UTF-8: '.*/lat%F6/st'"):
        places.store_folder(f"{tmp_path}/lat\udcf6/st")
    monkeypatch.setenv("SOLVEYARD_HOME", f"{tmp_path}/lat\udcf6/st")
    with pytest.raises(StoreUnusable, match="choose another with --store or SOLVEYARD_HOME"):
        places.store_folder()


@pytest.mark.skipif(sys.platform == "darwin", reason="no such name can be made there")
def test_a_store_may_be_a_link_to_a_folder_of_any_name(monkeypatch, tmp_path):
    (tmp_path / "lat\udcf6").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "lat\udcf6")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    assert places.runtime_folder(tmp_path / "link").is_dir()
