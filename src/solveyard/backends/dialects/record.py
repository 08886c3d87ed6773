"""What a batch job's own script writes beside its output: its witness, when it begins and ends."""

import json
from typing import NamedTuple

from solveyard.backends.dialects.base import Unreadable

_SIGNALS = range(129, 129 + 31)  #: a shell's exit status for a command that a signal ended


class Record(NamedTuple):
    """Of one attempt. Without `code` it has begun, and hasn't ended or was cut off.

    A batch file can't tell the time: with `code` alone its times are those of its files.
    """

    attempt: str
    native_id: str
    host: str
    began: int | None = None  #: Unix time by the node's clock
    ended: int | None = None
    #: "directory", "modules" or "prologue" failed, it got or waits for no "licence", or the
    #: "command" ran
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


def read(text: str) -> Record | Unreadable:
    """Read a record's file: a line as it begins, another as it ends; the last whole one counts."""
    told: Record | Unreadable = Unreadable("a record without a line")
    for line in reversed(text.splitlines()):
        if isinstance(told := _read(line), Record):
            break
    return told


def _read(line: str) -> Record | Unreadable:
    try:
        told = json.loads(line)
        if not isinstance(told, dict):
            return Unreadable("a record is an object")
        record = Record(
            attempt=_text(told["attempt"]),
            native_id=_text(told["native"]),
            host=_text(told["host"]),
            began=_number(told.get("began")),
            ended=_number(told.get("ended")),
            stage=_text(told.get("stage", "")),
            code=_number(told.get("code")),
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
