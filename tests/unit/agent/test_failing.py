"""What is told of a process of the agent that ended."""

from pathlib import Path

import pytest

from solveyard.agent import failing

LOG = """\
2026-11-28 01:25:40,001 71 INFO spawner 1 (pid 72) ended: 1
2026-11-28 01:25:41,002 72 CRITICAL no room: a
2026-11-28 01:25:41,003 73 CRITICAL no room: b
Traceback (most recent call last):
OSError: no room: b
2026-11-28 01:25:42,004 72 CRITICAL no room: c
"""


@pytest.mark.parametrize(
    ("pid", "status", "told"),
    [
        (72, 1, "no room: c"),
        (73, 1, "no room: b"),
        (71, 1, "status 1"),
        (7, -9, "it was ended by signal 9"),
    ],
)
def test_what_it_said_last_is_told_else_how_it_ended(
    tmp_path: Path, pid: int, status: int, told: str
) -> None:
    log = tmp_path / "agent.log"
    log.write_text(LOG)
    assert failing.told(str(log), pid, status) == told
    assert failing.told(str(tmp_path / "none"), pid, 1) == "status 1"
