"""What a batch job's own script writes beside its output: its witness, when it begins and ends."""

import json
from typing import NamedTuple

from solveyard.backends.dialects.base import Unreadable

_SIGNALS = range(129, 129 + 31)  #: a shell's exit status for a command that a signal ended


class Record(NamedTuple):
    """Of one attempt. Without `code` it has begun, and hasn't ended or was cut off.

    Times are by the clock of who keeps the file, or the node's. A batch file can't tell the
    time: with `code` alone its times are those of its files.
    """

    attempt: str
    native_id: str
    host: str
    began: float | None = None  #: Unix time
    ended: float | None = None
    #: "directory", "modules", "prologue" or "asking" for licences failed, it got or waits for no
    #: "licence", or the "command" ran
    stage: str = ""
    code: int | None = None  #: exit status as a shell has it
    signalled: str = ""  #: the script was asked to end, by a signal's name without SIG
    shell: bool = True  #: its code is a shell's, which tells signals

    @property
    def signal(self) -> int | None:
        """What ended the command, as far as a shell's status says."""
        code = self.code
        told = self.shell and self.stage == "command" and code in _SIGNALS
        return code - 128 if told and code else None


def read(text: str, modified: float) -> Record | Unreadable:
    """Read a record's file: a line as it begins, another as it ends; the last whole one counts.

    `modified`: Unix time at which that line was written. A line tells what its script's node
    had been up for as it began and as it was written, since a shell knows no other time.
    """
    told: Record | Unreadable = Unreadable("a record without a line")
    for line in reversed(text.splitlines()):
        if isinstance(told := _read(line, modified), Record):
            break
    return told


def _read(line: str, modified: float) -> Record | Unreadable:
    try:
        told = json.loads(line)
        if not isinstance(told, dict):
            return Unreadable("a record is an object")
        code = _number(told.get("code"))
        began, ended = _time(told.get("began")), _time(told.get("ended"))
        if (up := _time(told.get("up"))) is not None:
            began = modified - max(0.0, (_time(told["now"]) or up) - up)
            ended = None if code is None else modified
        record = Record(
            attempt=_text(told["attempt"]),
            native_id=_text(told["native"]),
            host=_text(told["host"]),
            began=began,
            ended=ended,
            stage=_text(told.get("stage", "")),
            code=code,
            signalled=_text(told.get("signalled", "")),
            shell=told.get("shell", True) is True,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Unreadable(f"a record that can't be read: {error!r}")
    return record


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{value!r} is no number")
    return value


def _time(value: object) -> float | None:
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
        raise TypeError(f"{value!r} is no time")
    return value
