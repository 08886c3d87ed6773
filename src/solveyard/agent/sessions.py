"""Programs that jobs shall not go on without, looked at where no manager sees to it."""

from __future__ import annotations

import json
import socket
import sys
from typing import Iterable, Set

from solveyard.agent.platform import procfs

ALONE = 3.0  #: s without a manager after which a spawner looks itself
GRACE = 30.0  #: s between TERM and KILL


def dead(places: Iterable[str], boot_id: str) -> Set[str]:
    """Of these files those whose process has certainly died; on Linux, elsewhere none.

    A file that is gone tells of a session that ended in order.
    """
    if not sys.platform.startswith("linux"):
        return set()
    return {place for place in set(places) if place and _dead(place, boot_id)}


def _dead(place: str, boot_id: str) -> bool:
    try:
        with open(place, encoding="utf-8") as file:
            told = json.load(file)
        host, boot, pid, start = (told[name] for name in ("host", "boot_id", "pid", "start_time"))
    except (OSError, ValueError, TypeError, KeyError):
        return False
    if host != socket.gethostname():
        return False
    row = procfs.row(int(pid))
    return boot != boot_id or row is None or row.dead or row.start != start
