"""What lies beside us at PyEDB's paths: distributions as pip leaves them."""

import base64
import hashlib
from pathlib import Path

import pytest

from solveyard.cli import checks
from solveyard.pyedb import neighbours

FILE = "pyedb/workflows/job_manager/__init__.py"


def install(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """With its record of what it wrote."""
    record = []
    for place, text in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        record.append(f"{place},sha256={digest.decode().rstrip('=')},{len(text)}")
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "RECORD").write_text("\n".join([*record, f"{about.name}/RECORD,,", ""]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Before all other places of distributions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_files_as_they_were_installed_are_well(site: Path) -> None:
    install(site, "pyedb", "0.66.0", {"pyedb/__init__.py": ""})
    install(site, "solveyard-pyedb", "0.1.0", {FILE: "ours"})
    assert neighbours.trouble() == ""
    assert "pyedb" not in [check.name for check in checks._pyedb()]


def test_an_older_pyedb_that_was_installed_second_is_told_by_the_doctor(site: Path) -> None:
    install(site, "solveyard-pyedb", "0.1.0", {FILE: "ours"})
    install(site, "pyedb", "0.65.2", {FILE: "theirs"})
    [told] = checks._pyedb()
    assert (told.name, told.status, told.way_out) == ("pyedb", "warn", neighbours.MEND)
    assert told.found.startswith(f"1 files of solveyard-pyedb were replaced, such as {FILE}")


def test_an_editable_installation_beside_pyedb_is_told(site: Path) -> None:
    install(site, "pyedb", "0.66.0", {"pyedb/__init__.py": ""})
    install(site, "solveyard-pyedb", "0.1.0", {"_solveyard_pyedb.pth": "/somewhere"})
    assert "editable" in neighbours.trouble()
