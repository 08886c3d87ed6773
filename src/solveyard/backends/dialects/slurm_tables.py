"""Slurm's tables: asked for in a form of our own, and read whole or not at all.

What people type, a comment or a name, may have line ends, and comes last in a row: whatever is
in it, the columns before it are told.
"""

import re
from collections.abc import Sequence

from solveyard.backends.dialects.base import Answer, Call, Unreadable

BETWEEN = "\x1f"  #: columns
AND = "\x1e"  #: between two values in one column
_END = "solveyard: that was all"
_ROW = "\x1d"  #: ends one of squeue's rows, with the line
_IDS = "[0-9][^\x1f\n]*\x1f"  #: begin its next one
_TASKS = re.compile(r"([0-9]+)_\[([0-9,:-]+)(?:%[0-9]+)?\]")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+)(?::([0-9]+))?)?")
_JOBS = r"[0-9][^\x1f\n]*\x1f[^\x1f\n]*\x1f[0-9]+:[0-9]+\x1f"  #: begin one of sacct's


def squeue(columns: Sequence[str], *which: str) -> Call:
    """All states, a line for each task of an array."""
    *first, last = columns
    shown = ",".join([*(f"{column}:{BETWEEN}" for column in first), f"{last}:{_ROW}"])
    variables = " ".join(
        f"SQUEUE_{one}"
        for one in ("ACCOUNT", "LICENSES", "NAMES", "PARTITION", "QOS", "STATES", "USERS")
    )
    return _whole(variables, "squeue", "-h", "-r", "-t", "all", "-O", shown, *which)


def sacct(columns: Sequence[str], ids: Sequence[str]) -> Call:
    """The first three columns are JobID, State and ExitCode. Each task has its array's answer:
    sacct knows none by its own id that never began.
    """
    arrays = dict.fromkeys(one.partition("_")[0] for one in ids)
    options = ("-n", "-P", "-X", f"--delimiter={BETWEEN}", "-o", ",".join(columns))
    return _whole("SLURM_CLUSTERS", "sacct", *options, "-j", ",".join(arrays))


def sinfo(columns: Sequence[str]) -> Call:
    return _whole("SINFO_PARTITION SINFO_SORT", "sinfo", "-h", "-o", BETWEEN.join(columns))


def jobs(answer: Answer, width: int) -> list[list[str]] | Unreadable:
    """Read squeue's."""
    return _read(answer, width, f"{_ROW}\n(?={_IDS})", f"{_ROW}\n")


def accounts(answer: Answer, width: int) -> list[list[str]] | Unreadable:
    """Read sacct's."""
    return _read(answer, width, f"\n(?={_JOBS})")


def tasks(native_id: str) -> list[str]:
    """Of sacct's one row for an array's tasks that haven't begun, e.g. "12_[0-3,7,10-30:5%2]"."""
    match = _TASKS.fullmatch(native_id)
    ranges = [_RANGE.fullmatch(one) for one in match[2].split(",")] if match else []
    return [
        f"{match[1]}_{index}"
        for one in ranges
        if match and one
        for index in range(int(one[1]), int(one[2] or one[1]) + 1, int(one[3] or 1) or 1)
    ]


def partitions(answer: Answer, width: int) -> list[list[str]] | Unreadable:
    """Read sinfo's."""
    return _read(answer, width, "\n")


def _read(
    answer: Answer, width: int, between: str, last: str = "\n"
) -> list[list[str]] | Unreadable:
    """`between`: two rows, as a pattern; `last`: what the last one ends in."""
    if answer.code != 0:
        return Unreadable(answer.words)
    body, end, rest = answer.stdout.rpartition(f"{_END}\n")
    if not end or rest or (body and not body.endswith(last)):
        return Unreadable("the answer is cut off")
    lines = re.split(between, body.removesuffix(last)) if body else []
    told = [line.split(BETWEEN, width - 1) for line in lines]
    if any(len(row) != width for row in told):
        return Unreadable("an answer with other columns than asked for")
    return [[column.strip() for column in row] for row in told]


def _whole(unset: str, *argv: str) -> Call:
    """With a last line, so that a part of the answer isn't taken for all of it.

    Times are Unix times, wherever it is, and no list of tasks is cut off.
    """
    text = f'unset {unset}; export SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0; "$@" && echo "{_END}"'
    return Call(("/bin/sh", "-c", text, "sh", *argv))
