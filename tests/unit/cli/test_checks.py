"""What the doctor says of a store that is not its account's alone."""

import json
import os
import sys
from pathlib import Path

import pytest

from solveyard.cli import main
from solveyard.store import ownership


@pytest.mark.skipif(sys.platform == "win32", reason="modes tell nothing there")
def test_the_doctor_tells_of_a_folder_that_is_open_or_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def told() -> tuple[str, str]:
        main(["--store", str(tmp_path), "doctor", "--json"])
        checks = json.loads(capfd.readouterr().out)["checks"]
        (store,) = (check for check in checks if check["name"] == "store")
        return store["status"], store["found"]

    assert told() == ("ok", f"{tmp_path}, writable")
    tmp_path.chmod(0o770)
    assert told() == ("warn", f"{tmp_path} is open to others")
    monkeypatch.setattr(ownership, "trouble", lambda folder: f"{folder} belongs to another")
    for whose, status in ((0, "warn"), (1000, "fail")):  # the superuser may look at another's
        monkeypatch.setattr(os, "geteuid", lambda whose=whose: whose)
        assert told() == (status, f"{tmp_path} belongs to another")
