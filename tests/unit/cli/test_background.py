"""A manager in the background: whether it is the one that was started, and when another follows."""

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from solveyard.cli import background, main
from solveyard.places import StorePlaces


class Child:
    """A process that was started, and runs."""

    returncode: int | None = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return self.returncode


@pytest.mark.parametrize(
    ("pid", "told"),
    [(os.getpid, True), (os.getppid, True), (lambda: 1 << 22, False)],
    ids=["itself", "its parent", "another"],
)
def test_a_manager_that_somebody_else_started_meanwhile_is_not_said_to_be_started(
    served: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    pid: Callable[[], int],
    told: bool,
) -> None:
    """On Windows the process that is started may be the manager's parent."""
    looks = iter([False])  # then it answers
    monkeypatch.setattr(background, "answers", lambda _: next(looks, True))
    monkeypatch.setattr(background.subprocess, "Popen", lambda *_, **__: Child(pid()))
    assert main(["--store", str(served.folder), "submit", "--", "true"]) == 0
    out, err = capfd.readouterr()
    assert out == "1\n"
    assert ("started a manager" in err) is told


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
    assert main(["--store", str(served.folder), "submit", "--", "true"]) == 0
    assert capfd.readouterr() == ("1\n", "")
    assert list(served.manager.records) == [1]
