"""Slurm's tables: asked for in a form of our own, and read whole or not at all."""

from collections.abc import Sequence

from solveyard.backends.dialects.base import Answer, Call, Unreadable

BETWEEN = "\x1f"  #: columns; nobody can type it into a comment or reason
AND = "\x1e"  #: between two values in one column
_END = "solveyard: that was all"


def squeue(columns: Sequence[str], *which: str) -> Call:
    """All states, a line for each task of an array."""
    shown = ",".join(f"{column}:{BETWEEN}" for column in columns)
    variables = " ".join(
        f"SQUEUE_{one}"
        for one in ("ACCOUNT", "LICENSES", "NAMES", "PARTITION", "QOS", "STATES", "USERS")
    )
    return _whole(variables, "squeue", "-h", "-r", "-t", "all", "-O", shown, *which)


def sacct(columns: Sequence[str], ids: Sequence[str]) -> Call:
    options = ("-n", "-P", "-X", f"--delimiter={BETWEEN}", "-o", ",".join(columns))
    return _whole("SLURM_CLUSTERS", "sacct", *options, "-j", ",".join(ids))


def sinfo(columns: Sequence[str]) -> Call:
    return _whole("SINFO_PARTITION SINFO_SORT", "sinfo", "-h", "-o", BETWEEN.join(columns))


def rows(answer: Answer, width: int) -> list[list[str]] | Unreadable:
    if answer.code != 0:
        return Unreadable(answer.words)
    body, end, rest = answer.stdout.rpartition(f"{_END}\n")
    if not end or rest or (body and not body.endswith("\n")):
        return Unreadable("the answer is cut off")
    told = [line.removesuffix(BETWEEN).split(BETWEEN) for line in body.split("\n")[:-1]]
    if any(len(row) != width for row in told):
        return Unreadable("an answer with other columns than asked for")
    return [[column.strip() for column in row] for row in told]


def _whole(unset: str, *argv: str) -> Call:
    """With a last line, so that a part of the answer isn't taken for all of it."""
    text = f'unset {unset}; "$@" && echo "{_END}"'
    return Call(("/bin/sh", "-c", text, "sh", *argv))
