"""Why a process of the agent ended: it says so last in the log that they all share."""

from __future__ import annotations

import logging
import os
import re

_TAIL = 65536  #: bytes of the log in which it is looked for
_LONGEST = 500  #: characters that are told
_log = logging.getLogger(__name__)


def say(error: BaseException) -> None:
    """Of this process, by what it ends."""
    _log.critical("%s", str(error) or repr(error), exc_info=error)


def told(log: str, pid: int, status: int) -> str:
    """What a process said of its end, else how it ended."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    said = re.findall(r"^\S+ \S+ {} CRITICAL (.+)$".format(pid), text, re.MULTILINE)
    if said:
        return str(said[-1])[:_LONGEST]
    return "it was ended by signal {}".format(-status) if status < 0 else "status {}".format(status)
