"""A manager in the background, and when another follows."""

import os
import sys
from typing import Any

import pytest

from solveyard.cli import background, main
from solveyard.places import StorePlaces


@pytest.mark.skipif(sys.platform == "win32", reason="there is no private socket")
def test_a_submission_between_two_managers_is_made_at_the_second(
    served: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = StorePlaces(served.folder).manager_json

    def leaves(_: object) -> bool:
        """It answers, and has left when it is asked for more."""
        there = told.exists()
        told.unlink(missing_ok=True)
        return there

    monkeypatch.setattr(background, "answers", leaves)
    monkeypatch.setattr(background, "start", lambda _: served.announce(os.getpid()))
    monkeypatch.setattr(background, "disown", lambda _: None)
    assert main(["--store", str(served.folder), "submit", "--", "true"]) == 0
    assert capfd.readouterr().out == "1\n"
    assert list(served.manager.records) == [1]
